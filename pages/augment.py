"""Augment: choose how training images are varied, and see what it does to them."""

import streamlit as st

from core.augment.catalog import POLICIES, policy, resolve, transform
from core.data.dataset import Dataset, Sample
from core.recipe import AugmentChoice, TransformChoice
from pages.shared import cache, forms, gallery, recipe_form
from pages.shared.guard import require_app
from pages.shared.masks import OFF, held, mask_legend, style_widget
from pages.shared.pickers import dataset_or_stop, or_stop
from pages.shared.words import plain

require_app()
VARIANTS = 11  # beside one original: three rows of four


def choose_rows(task: str) -> AugmentChoice:
    """A policy, at first that of the task's own runs, and its rows with their knobs; changed rows make one's own."""
    names = [row.name for row in POLICIES]
    usual = recipe_form.usual_policy(task)
    name = st.segmented_control(
        "Policy",
        names,
        format_func=lambda name: policy(name).label,
        default=usual,
        required=True,
        key=f"augment_policy_{task}",
        persist_state="session",
        wrap=True,
    )
    chosen = policy(name if name in names else usual)
    st.caption(plain(chosen.sentence))
    added = st.session_state.setdefault(f"augment_added_{chosen.name}", [])
    rows = (*chosen.rows, *(TransformChoice(name=extra) for extra in added))
    with or_stop():
        kept = forms.transform_rows(rows, f"augment_{chosen.name}")
    st.selectbox(
        "Add a transform",
        forms.unused_transforms(rows),
        None,
        lambda name: transform(name).label,
        key="augment_add",
        placeholder="Add a transform",
        label_visibility="collapsed",
        on_change=add_row,
        args=(f"augment_added_{chosen.name}",),
    )
    asked, own = AugmentChoice(policy=chosen.name), AugmentChoice(policy=f"{chosen.name}, changed", rows=kept)
    return asked if resolve(own) == resolve(asked) else own


def add_row(key: str) -> None:
    """Put the transform that was picked at the end of the policy's rows."""
    name = st.session_state["augment_add"]
    if name in forms.unused_transforms(()):
        st.session_state[key] = [*st.session_state[key], name]
    st.session_state["augment_add"] = None


def choose_pictures(dataset: Dataset) -> list[Sample]:
    """Training pictures to vary: one, or one of each of four classes."""
    with st.container(horizontal=True, vertical_alignment="center", key="augment_pictures"):
        views = ["One", "Four"]
        view = st.segmented_control(
            "Show",
            views,
            default=views[0],
            required=True,
            key="augment_view",
            label_visibility="collapsed",
            persist_state="session",
        )
        st.button(
            "Others",
            help="Other pictures",
            key="augment_other",
            icon=":material/shuffle:",
            on_click=add_one,
            args=("augment_turn",),
        )
        st.number_input(
            "Seed",
            0,
            2**31 - 1,
            0,
            key="augment_seed",
            icon=":material/casino:",
            label_visibility="collapsed",
            help="The seed of the draw. The same seed draws the same variants.",
            persist_state="session",
            width=100,
        )
        st.button("New draw", key="augment_draw", on_click=add_one, args=("augment_seed",))
    samples = gallery.mixed(dataset.of("train"))
    turn, wanted = st.session_state.get("augment_turn", 0), 1 if view == views[0] else min(4, len(samples))
    return [samples[(turn * wanted + place) % len(samples)] for place in range(wanted)]


def draw(dataset: Dataset, samples: list[Sample], choice: AugmentChoice, seed: int, style: str) -> list[list[bytes]]:
    """Each picture and its variants; with their masks where the data has them."""
    per_picture = VARIANTS if len(samples) == 1 else 3
    how = (dataset, samples, resolve(choice), seed, *recipe_form.shape(dataset.task), per_picture)
    return cache.masked_variants(*how, style) if dataset.task == "segmentation" else cache.variants(*how)


def add_one(key: str) -> None:
    """The next picture, or the next seed."""
    st.session_state[key] = st.session_state.get(key, 0) + 1


st.title("Augment")
st.caption(
    "Choose how training pictures are varied, and see what it does. Validation and test pictures stay as they are."
)
with st.container(horizontal=True, vertical_alignment="center", key="augment_bar"):
    dataset = dataset_or_stop()
    go = st.button(
        "Train with this", type="primary", key="to_train", icon=":material/arrow_forward:", icon_position="right"
    )
if not dataset.of("train"):
    st.error("This dataset has no training pictures.")
    st.stop()

left, right = st.columns(2, gap="medium")  # pictures first: on a phone they stand above the sliders that change them
with right:
    choice = choose_rows(dataset.task)
with left:
    samples = choose_pictures(dataset)
    seed = st.session_state["augment_seed"]
    masks = dataset.task == "segmentation"
    style = style_widget("augment_masks") if masks else OFF
    with or_stop(), st.spinner("Drawing variants", show_time=True):
        lines = draw(dataset, samples, choice, seed, style)
    with st.container(key="variants"), st.grid(4, min_column_width=72, gap="xsmall"):
        for sample, (original, *variants) in zip(samples, lines, strict=True):
            name = held(dataset, sample)
            st.image(original, caption="original", alt=f"{name}, as the network sees it", width="stretch")
            for number, variant in enumerate(variants, start=1):
                st.image(variant, caption=f"variant {number}", alt=f"{name}, variant {number}", width="stretch")
    if masks:
        mask_legend(dataset.classes)
        st.caption(
            "Picture and mask went through the same draw. Nearest pixels are taken for masks: no class is mixed."
        )
    st.caption(
        f"A run with seed {seed} learns from these very pictures: variant 1 in its first epoch, variant 2 in its "
        "second. From: " + ", ".join(plain(sample.name, 40) for sample in samples)
    )
if go:
    recipe_form.begin_with(choice, seed, dataset.task)
    st.switch_page("pages/train.py")
