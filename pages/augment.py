"""Augment: choose how training images are varied, see what it does to them, and find out whether it helps."""

from collections.abc import Mapping

import streamlit as st

from core.augment.catalog import Policy, resolve
from core.data.dataset import Dataset, Sample
from core.recipe import AugmentChoice
from pages.shared import cache, gallery, mixing, recipe_form, survival
from pages.shared.duel import duel
from pages.shared.guard import require_app
from pages.shared.masks import OFF, held, mask_legend, style_widget
from pages.shared.pickers import dataset_or_stop, or_stop
from pages.shared.policy_builder import choice_of, policies, policy_builder, same
from pages.shared.words import plain

require_app()
ONE, FOUR, CLASS = "One", "Four", "A class"
VARIANTS = {ONE: 11, FOUR: 3, CLASS: 1}  # beside each original, of one policy
BESIDE = {ONE: 7, FOUR: 1, CLASS: 1}  # the same of each of two policies
DUEL, SURVIVAL, MIX = "duel", "survival", "mix"
QUESTIONS = {DUEL: "Does it help? A duel", SURVIVAL: "Does it destroy what is to be seen?", MIX: "Mix two pictures"}
OF_A_CLASS = 12  # pictures on a contact sheet
WHOLE, SHAPE = "augment_whole", "augment_shape"  # whether the whole page runs; how much its fragment drew last
NOW = "augment_now"  # what stands on the page: (task, an AugmentChoice as plain data, the seed)


def choose_pictures(dataset: Dataset) -> list[Sample]:
    """Training pictures to vary: one, one of each of four classes, or a sheet of one class."""
    with st.container(horizontal=True, vertical_alignment="center", key="augment_pictures"):
        view = st.segmented_control(
            "Show",
            list(VARIANTS),
            default=ONE,
            required=True,
            key="augment_view",
            label_visibility="collapsed",
            persist_state="session",
        )
        label = _class_widget(dataset) if view == CLASS else None
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
            label_visibility="collapsed",
            help="The seed of the draw. The same seed draws the same variants.",
            persist_state="session",
            width=72,
        )
        draw = {"help": "New draw: the next seed", "icon": ":material/casino:"}
        st.button("", key="augment_draw", on_click=add_one, args=("augment_seed",), **draw)
    samples = [sample for sample in dataset.of("train") if label is None or label in sample.holds]
    samples = samples if view == CLASS else gallery.mixed(samples)
    wanted = {ONE: 1, FOUR: min(4, len(samples)), CLASS: min(OF_A_CLASS, len(samples))}.get(view, 1)
    turn = st.session_state.get("augment_turn", 0)
    return [samples[(turn * wanted + place) % len(samples)] for place in range(wanted)]


def _class_widget(dataset: Dataset) -> int:
    """A class that has training pictures."""
    there = sorted({label for sample in dataset.of("train") for label in sample.holds})
    chosen = st.selectbox(
        "Class",
        there,
        format_func=lambda index: dataset.classes[index],
        key="augment_class",
        label_visibility="collapsed",
        width=180,
    )
    return chosen if chosen in there else there[0]


def add_one(key: str) -> None:
    """The next pictures, or the next seed."""
    st.session_state[key] = st.session_state.get(key, 0) + 1


def compare_widget(there: Mapping[str, Policy]) -> dict[str, AugmentChoice]:
    """Another policy to see beside the first one, and what it is called, if one is chosen."""
    other = st.selectbox(
        "Compare with",
        list(there),
        None,
        lambda name: plain(there[name].label),
        key="augment_compare",
        placeholder="Compare with another policy",
        label_visibility="collapsed",
        persist_state="session",
    )
    return {there[other].label: choice_of(there[other])} if other in there else {}


def show(dataset: Dataset, samples: list[Sample], sides: Mapping[str, AugmentChoice], seed: int) -> list[int]:
    """The pictures and their variants: under one policy, or under two of them the same pictures with the same seed.

    Gives how many stand under each.
    """
    view = st.session_state["augment_view"]
    number = (VARIANTS if len(sides) == 1 else BESIDE)[view]
    masks = dataset.task == "segmentation"
    style = style_widget("augment_masks") if masks else OFF
    drawn = {}
    with or_stop(), st.spinner("Drawing variants", show_time=True):
        for name, choice in sides.items():
            how = (dataset, samples, resolve(choice), seed, *recipe_form.shape(dataset.task), number)
            drawn[name] = cache.masked_variants(*how, style) if masks else cache.variants(*how)
    for place, (name, lines) in enumerate(drawn.items()):
        if len(sides) > 1:
            st.markdown(f"**{plain(name)}**")
        with st.container(key=f"variants_{place}"), st.grid(4, min_column_width=72, gap="xsmall"):
            for sample, (original, *variants) in zip(samples, lines, strict=True):
                told = held(dataset, sample)
                st.image(original, caption="original", alt=f"{told}, as the network sees it", width="stretch")
                for count, variant in enumerate(variants, start=1):
                    label = f"variant {count}" if number > 1 else "variant"
                    st.image(variant, caption=label, alt=f"{told}, variant {count}, {name}", width="stretch")
    if masks:
        mask_legend(dataset.classes)
        st.caption(
            "Picture and mask went through the same draw. Nearest pixels are taken for masks: no class is mixed."
        )
    st.caption(
        f"A run with seed {seed} learns from these very pictures: variant 1 in its first epoch, variant 2 in its "
        "second. From: " + ", ".join(plain(sample.name, 40) for sample in samples[:4]) + ("…" if samples[4:] else "")
    )
    return [len(samples) * (1 + number)] * len(sides)


@st.fragment
def bench(id: str) -> None:
    """The policy and what it does. A fragment, so that a moved knob redraws this and nothing else."""
    whole = st.session_state.pop(WHOLE, False)
    with or_stop():
        dataset = cache.dataset(id)
    there = policies()
    left, right = st.columns(2, gap="medium")  # pictures first: on a phone they stand above the sliders
    with right:
        label, choice = policy_builder(dataset.task, there)
    with left.container(key="bench_pictures"):
        samples = choose_pictures(dataset)
        seed = st.session_state["augment_seed"]
        sides = {label: choice} | {name: one for name, one in compare_widget(there).items() if not same(one, choice)}
        drawn = show(dataset, samples, sides, seed)
    st.session_state[NOW] = dataset.task, choice.model_dump(mode="json"), seed
    # When a fragment draws fewer things into a grid than before, Streamlit 1.67 leaves the others standing.
    rows = [(row.name, len(row.values)) for row in resolve(choice)]
    shape = (label, drawn, st.session_state.get("augment_question") or DUEL, rows)
    before, st.session_state[SHAPE] = st.session_state.get(SHAPE), shape
    if shape != before and not whole:
        st.rerun()
    others = {row.label: choice_of(row) for row in there.values()}
    questions(dataset, {label: choice} | {name: one for name, one in others.items() if name != label}, seed)


def questions(dataset: Dataset, choices: Mapping[str, AugmentChoice], seed: int) -> None:
    """What else one may want to know of a policy. The first of the choices is the one above."""
    label, choice = next(iter(choices.items()))
    asked = st.segmented_control(
        "Find out",
        [name for name in QUESTIONS if name != MIX or dataset.task == "classification"],
        format_func=QUESTIONS.get,
        default=DUEL,
        required=True,
        key="augment_question",
        label_visibility="collapsed",
        persist_state="session",
        wrap=True,
    )
    with st.container(border=True, key="augment_answer"):
        if asked == SURVIVAL:
            survival.survival(dataset, label, choice, seed)
        elif asked == MIX:
            mixing.mixing(dataset, seed)
        else:
            duel(dataset, choices)


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
st.session_state[WHOLE] = True
bench(dataset.id)
if go and st.session_state.get(NOW, ("",))[0] == dataset.task:
    task, chosen, seed = st.session_state[NOW]
    recipe_form.begin_with(AugmentChoice.model_validate(chosen), seed, task)
    mixing.take_along()
    st.switch_page("pages/train.py")
