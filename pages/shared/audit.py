"""What the masks of an import hold, and what each of their values means: corrected before anything is kept."""

import streamlit as st

from core.data.incoming import Proposal, remap
from core.data.mask_values import MaskEntry, MaskMap, Value, default_label, value_text
from core.data.masks import MaskValue
from core.errors import FoveaError
from pages.shared import cache, gallery
from pages.shared.masks import mask_legend, style_widget
from pages.shared.words import count, plain, sentence

PREVIEWS = 8  # pictures
MOST_TOLERANCE = 127  # levels
KINDS = {"grey": "grey levels", "index": "numbers of classes", "colour": "colours"}
CLASS, IGNORED, REFUSED = "class", "ignored", "refused"
ROLES = {CLASS: "is a class", IGNORED: "is ignored", REFUSED: "is refused"}


def mask_audit(proposal: Proposal) -> Proposal | None:
    """Draw the audit with a field for each value, and give the proposal as the fields would have it.

    None where they make no map; the reason is then on the page.
    """
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(border=True, key="audit"):
        st.markdown("**What the masks mean**")
        st.caption(_told(proposal))
        mask_map = _map_widgets(proposal)
        try:
            judged = proposal if mask_map == proposal.mask_map else remap(cache.workspace(), proposal.id, mask_map)
        except FoveaError as error:
            st.error(sentence(error))
            judged = None
        for finding in judged.masks.findings if judged else ():
            st.markdown(f":material/info: {plain(finding)}")
        if judged and not judged.masks.findings:
            st.markdown(
                ":green[:material/check_circle:] Nothing wrong in these masks: every pixel has one of these values."
            )
    with right:
        _previews(judged or proposal)
    return judged


def _told(proposal: Proposal) -> str:
    audit = proposal.masks
    told = f"{count(audit.masks, 'mask')} of {KINDS[audit.kind]}; {count(len(audit.values), 'value')} in them."
    if audit.blurred:
        told += " Outlines are blurred: values between these lie along them."
    elif audit.lossy:
        told += " They were compressed with loss (JPEG), so values are unsteady."
    return told + " The same name for two values makes them one class."


def _map_widgets(proposal: Proposal) -> MaskMap:
    """A row for each value, and the tolerance."""
    held_labels = {entry.value: entry.label for entry in proposal.mask_map.entries}
    entries = []
    for place, row in enumerate(proposal.masks.values):
        otherwise = default_label(row.value, proposal.mask_map.values, proposal.masks.kind)
        role, label = _row_widgets(row, held_labels, otherwise, f"audit_{proposal.id}_{place}")
        if role != REFUSED:
            entries.append(MaskEntry(row.value, label if role == CLASS else None))
    key = f"audit_{proposal.id}_tolerance"
    st.session_state.setdefault(key, proposal.mask_map.tolerance)
    st.number_input(
        "Tolerance (levels)",
        0,
        MOST_TOLERANCE,
        key=key,
        width=160,
        help="A pixel so near to a value counts as that value, and is counted; a mask with anything else is refused, "
        "with the file and the value.",
    )
    return MaskMap(tuple(entries), int(st.session_state[key]))


def _row_widgets(row: MaskValue, labels: dict[Value, str | None], otherwise: str, key: str) -> tuple[str, str]:
    """What a value is taken for, and the name of its class; `otherwise` is the name of one that has none yet."""
    told, label = value_text(row.value), labels.get(row.value)
    role = CLASS if label is not None else IGNORED if row.value in labels else REFUSED
    st.session_state.setdefault(f"{key}_role", role)
    st.session_state.setdefault(f"{key}_name", label or otherwise)
    share = f"{row.share:.1%}" if row.share >= 0.001 else "under 0.1%"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}_row"):
        # On a ground of its own, as black would be lost on a dark page and white on a light one.
        ground = "#ffffff" if sum(bytes.fromhex(row.colour[1:])) < 3 * 160 else "#000000"
        shown = f':color[&nbsp;■&nbsp;]{{foreground="{row.colour}" background="{ground}"}} **{plain(told)}**'
        where = f"{plain(share)} of pixels, {count(row.files, 'mask')}"
        st.markdown(f"{shown}  \n:small[:gray[{where}]]", width=180)
        st.selectbox(
            f"What {told} is",
            list(ROLES),
            format_func=ROLES.get,
            key=f"{key}_role",
            label_visibility="collapsed",
            width=130,
        )
        chosen = st.session_state[f"{key}_role"]
        st.text_input(
            f"Class of {told}",
            key=f"{key}_name",
            max_chars=80,
            disabled=chosen != CLASS,
            placeholder="name of the class" if chosen == CLASS else "",
            label_visibility="collapsed",
            width=180,
        )
    name = " ".join(st.session_state[f"{key}_name"].split())
    return chosen if chosen in ROLES else REFUSED, name


def _previews(proposal: Proposal) -> None:
    """A few pictures with their masks as they would be kept."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown("**As they would be kept**", width="content")
        style = style_widget("audit_style")
    shown = gallery.mixed(proposal.samples)[:PREVIEWS]
    gallery.sheet([gallery.cell(proposal, sample, style) for sample in shown], "audit", width=110)
    mask_legend(proposal.classes)
