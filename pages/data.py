"""Data: bring images in, and see what they are."""

import streamlit as st

from core.data.demo import DEMOS
from core.data.incoming import Proposal, SplitRule, load_proposal
from pages.shared import audit, cache, gallery, importing, state
from pages.shared.guard import require_app
from pages.shared.pickers import dataset_or_stop, or_stop
from pages.shared.words import count, plain, size, splits

require_app()
CELLS, *OTHERS = DEMOS


def welcome() -> None:
    """Nothing is here yet: two ways to begin."""
    left, right = st.columns(2, gap="medium")
    with left.container(border=True, height="stretch", key="card_demo"):
        st.subheader("Try it with demo cells")
        st.markdown("Blood cells under a microscope, drawn on this computer in a few seconds.")
        gallery.sheet([(cell, "", "") for cell in cache.sample_cells()], "samples", width=80)
        importing.demo_button(CELLS, "Draw demo cells", key="demo_cells", primary=True)
        for demo in OTHERS:
            importing.demo_button(demo, f"Or take: {plain(demo.label)}", key=f"demo_{demo.name}")
        with st.expander("Turn the dials first", icon=":material/tune:", key="dials"):
            dials = importing.demo_dials(CELLS, "dial")
            importing.demo_button(CELLS, "Draw with these dials", key="demo_cells_dials", values=dials)
    with right.container(border=True, height="stretch", key="card_own"):
        st.subheader("Bring your own images")
        st.markdown("Sorted into one folder per class. Ready-made train, validation and test folders are kept.")
        importing.own_images("own")


def more_images() -> None:
    """The same ways, as a row of buttons, once there is something to look at."""
    with st.popover("Demo images", icon=":material/auto_awesome:", key="more_demo"):
        for demo in DEMOS:
            st.markdown(f"**{plain(demo.label)}**  \n{plain(demo.sentence)}")
            values = importing.demo_dials(demo, f"dial_{demo.name}")
            importing.demo_button(
                demo, "Draw them" if demo is CELLS else "Take them", key=f"demo_{demo.name}", values=values
            )
    with st.popover("Bring your own", icon=":material/upload:", key="more_own"):
        importing.own_images("own")
    # A key of its own for each dataset, so that the menu closes when its dataset is gone.
    with st.popover("Change", icon=":material/edit:", key=f"change_{dataset.id}"):
        name = st.text_input("Name", dataset.name, max_chars=80, key=f"rename_{dataset.id}")
        if st.button("Rename", key="rename", disabled=name == dataset.name):
            with or_stop():
                cache.library().rename(dataset.id, name)
            st.rerun()
        st.caption("Runs that learned from it keep their results, but can no longer be evaluated anew.")
        if st.button("Delete this dataset", key="delete_dataset", icon=":material/delete:"):
            with or_stop():
                cache.library().delete(dataset.id)
            st.rerun()


def found(proposal: Proposal) -> None:
    """What an import found, to be kept or not."""
    st.subheader(f"Found: {plain(proposal.name, 60)}")
    told = st.container()
    judged = audit.mask_audit(proposal) if proposal.masks else proposal
    proposal = judged or proposal
    number, kinds = count(len(proposal.samples), "image"), count(len(proposal.classes), "class", "classes")
    left_out = f" · {count(len(proposal.skipped), 'file')} skipped" if proposal.skipped else ""
    why = plain(proposal.why[:1].upper() + proposal.why[1:])
    told.markdown(f"{number} · {kinds} · {size(proposal.bytes)}{left_out}  \n{why}\\.")
    for note in proposal.notes:
        st.warning(plain(note))
    with st.container(border=True, key="keep_form"):
        left, right = st.columns([1, 2])
        name = left.text_input("Name", proposal.name, max_chars=80, key="keep_name")
        with right, or_stop():
            rule = SplitRule() if proposal.has_splits else importing.split_widgets()
        with st.container(horizontal=True):
            if st.button(
                "Keep this dataset", type="primary", key="keep", icon=":material/check:", disabled=judged is None
            ):
                with or_stop():
                    importing.keep_proposal(proposal, name, rule)
            if st.button("Discard", key="discard"):
                importing.discard_proposal(proposal)
    gallery.holdings(proposal, "found")


st.title("Data")
st.caption("Bring images in, and see what they are.")
importing.wait()

if st.session_state[state.PROPOSAL]:
    with or_stop():
        proposal = load_proposal(cache.workspace(), st.session_state[state.PROPOSAL])
    found(proposal)
    st.stop()
if not cache.library().cards():
    welcome()
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom", key="dataset_bar"):
    dataset = dataset_or_stop()
    more_images()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="dataset_facts"):
    number, kinds = count(len(dataset.samples), "image"), count(len(dataset.classes), "class", "classes")
    told = f"**{number}** · **{kinds}** · {size(dataset.bytes)} · {splits(dataset.split_counts())}"
    st.markdown(f"{told}  \n:small[:gray[{plain(dataset.split_rule)}]]", width="content")
    go = st.button(
        "See what augmentation does",
        type="primary",
        key="to_augment",
        icon=":material/arrow_forward:",
        icon_position="right",
    )
if go:
    st.switch_page("pages/augment.py")
gallery.holdings(dataset, "data")
