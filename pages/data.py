"""Data: bring images in, see what they are, and whether to trust them."""

import streamlit as st

from core.data.demo import DEMOS, Demo, demo
from core.data.incoming import load_proposal
from pages.shared import cache, gallery, health, importing, picture_map, repair, revisions, sources, state
from pages.shared.found import found
from pages.shared.guard import require_app
from pages.shared.mapping import mapping
from pages.shared.pickers import dataset_or_stop, or_stop
from pages.shared.words import count, plain, size, splits

require_app()


def welcome() -> None:
    """Nothing is here yet: three ways to begin."""
    left, middle, right = st.columns(3, gap="medium")
    with left.container(border=True, height="stretch", key="card_demo"):
        st.subheader("Try it with demo cells")
        st.markdown("Name what is in a picture: blood cells under a microscope, drawn here in a few seconds.")
        gallery.sheet([(cell, "", "") for cell in cache.sample_cells()], "samples", width=56)
        demo_card(demo("blood-smear"), demo("digits"), "Draw demo cells", "cells")
    with middle.container(border=True, height="stretch", key="card_masks"):
        st.subheader("Try it with demo polyps")
        st.markdown("Find what is where: polyps in a bowel with their outlines, drawn here in a few seconds.")
        gallery.sheet([(polyp, "", "") for polyp in cache.sample_polyps()], "sample_masks", width=56)
        demo_card(demo("polyps"), demo("blood-smear-masks"), "Draw demo polyps", "polyps")
    with right.container(border=True, height="stretch", key="card_own"):
        st.subheader("Bring your own images")
        st.markdown(
            "In one folder per class, each with its mask, listed in a table (CSV) or stacked in an .npz. Splits that "
            "they come with are kept."
        )
        importing.own_images("own")


def demo_card(first: Demo, other: Demo, label: str, key: str) -> None:
    """One click on the first demo set; another one; and the first one's dials."""
    importing.demo_button(first, label, key=f"demo_{key}", primary=True)
    importing.demo_button(other, f"Or take: {plain(other.label)}", key=f"demo_{other.name}")
    with st.expander("Turn the dials first", icon=":material/tune:", key=f"dials_{key}"):
        dials = importing.demo_dials(first, f"dial_{first.name}")
        importing.demo_button(first, "Draw with these dials", key=f"demo_{key}_dials", values=dials)


def more_images() -> None:
    """The same ways, as a row of buttons, once there is something to look at."""
    with st.popover("Demo images", icon=":material/auto_awesome:", key="more_demo"):
        names = [row.name for row in DEMOS]
        name = st.selectbox("Demo", names, format_func=lambda name: demo(name).label, key="more_demo_name")
        chosen = demo(name)
        st.caption(plain(chosen.sentence))
        values = importing.demo_dials(chosen, f"dial_{name}")
        importing.demo_button(chosen, "Make them", key=f"demo_{name}", values=values, primary=True)
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
    revisions.split_button(dataset)


st.title("Data")
st.caption("Bring images in, see what they are, and whether to trust them.")
importing.wait()

if st.session_state[state.PROPOSAL]:
    with or_stop():
        proposal = load_proposal(cache.workspace(), st.session_state[state.PROPOSAL])
    found(proposal)
    st.stop()
if source := sources.held():
    mapping(source)
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
if caution := cache.caution(dataset):
    st.markdown(f":orange[:material/warning: {plain(caution)}]")
revisions.history(dataset)
suggested = health.panel(dataset)
gallery.holdings(dataset, "data", repair.contact_sheet)
picture_map.panel(dataset, suggested)
repair.bar(dataset, suggested)
