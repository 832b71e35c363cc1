"""What an import found, before anybody keeps it: told, corrected, split, and only then kept or thrown away."""

import streamlit as st

from core.data.incoming import Proposal, SplitRule
from pages.shared import audit, gallery, importing
from pages.shared.pickers import or_stop
from pages.shared.splitting import split_widgets
from pages.shared.words import count, plain, size


def found(proposal: Proposal) -> None:
    """What an import found, to be kept or not."""
    st.subheader(f"Found: {plain(proposal.name, 60)}")
    told = st.container()
    judged = audit.mask_audit(proposal) if proposal.masks else proposal
    proposal = judged or proposal
    number, kinds = count(len(proposal.samples), "image"), count(len(proposal.classes), "class", "classes")
    left_out = f" · {count(len(proposal.skipped), 'file')} skipped, listed at the end" if proposal.skipped else ""
    why = plain(proposal.why[:1].upper() + proposal.why[1:])
    told.markdown(f"{number} · {kinds} · {size(proposal.bytes)}{left_out}  \n{why}\\.")
    for note in proposal.notes:
        st.warning(plain(note))
    with st.container(border=True, key="keep_form"):
        left, right = st.columns([1, 2])
        name = left.text_input("Name", proposal.name, max_chars=80, key="keep_name")
        with right, or_stop():
            rule = SplitRule() if proposal.has_splits else split_widgets()
        with st.container(horizontal=True):
            if st.button(
                "Keep this dataset", type="primary", key="keep", icon=":material/check:", disabled=judged is None
            ):
                with or_stop():
                    importing.keep_proposal(proposal, name, rule)
            if st.button("Discard", key="discard"):
                importing.discard_proposal(proposal)
    gallery.holdings(proposal, "found")
