"""What an import found, before anybody keeps it: told, corrected, split, and only then kept or thrown away."""

from collections import Counter

import streamlit as st

from core.data.dataset import SPLITS
from core.data.groups import grouped
from core.data.incoming import Proposal, SplitRule
from core.data.readers.catalog import reader
from core.data.split import straddling
from pages.shared import audit, gallery, importing, sources
from pages.shared.pickers import or_stop
from pages.shared.splitting import split_widgets, together_widgets
from pages.shared.words import count, plain, size, splits


def found(proposal: Proposal) -> None:
    """What an import found, to be kept or not."""
    st.subheader(f"Found: {plain(proposal.name, 60)}")
    told = st.container()
    judged = audit.mask_audit(proposal) if proposal.masks else proposal
    proposal = judged or proposal
    number, kinds = count(len(proposal.samples), "image"), count(len(proposal.classes), "class", "classes")
    left_out = f" · {count(len(proposal.skipped), 'file')} skipped, listed at the end" if proposal.skipped else ""
    told.markdown(f"{number} · {kinds} · {size(proposal.bytes)}{left_out}  \n{_why(proposal)}\\.")
    for note in proposal.notes:
        st.warning(plain(note))
    source = sources.held()
    with st.container(border=True, key="keep_form"):
        name = st.text_input("Name", proposal.name, max_chars=80, key="keep_name")
        with or_stop():
            rule = _given(proposal) if proposal.has_splits else split_widgets(proposal.samples)
        with st.container(horizontal=True):
            if st.button(
                "Keep this dataset",
                type="primary",
                key="keep",
                icon=":material/check:",
                disabled=judged is None or rule is None,
            ):
                with or_stop():
                    importing.keep_proposal(proposal, name, rule)
            if source and st.button("Read it differently", key="read_again", icon=":material/tune:"):
                importing.read_again(proposal)
            if st.button("Discard", key="discard"):
                importing.discard_proposal(proposal)
    gallery.holdings(proposal, "found")


def _why(proposal: Proposal) -> str:
    """The layout, and why it was taken for that, or which answers it was read with."""
    source = sources.held()
    answers = source.told if source else ""
    return f"{plain(reader(proposal.layout).label)}: {plain(answers or proposal.why)}"


def _given(proposal: Proposal) -> SplitRule | None:
    """The splits came with the images; what is on both sides of them is said."""
    together = together_widgets(proposal.samples, "split")
    if together is None:
        return None
    template, apart = together
    counts = Counter(sample.split for sample in proposal.samples)
    carved = "" if counts["validation"] else " A validation split is taken out of train."
    st.caption(
        f"Split as it came: {plain(splits({split: counts[split] for split in SPLITS if counts[split]}))}.{carved}"
    )
    torn = straddling(grouped(proposal.samples, template))
    if torn:
        st.warning(plain(torn.sentence))
    return SplitRule(groups=template, apart=apart)
