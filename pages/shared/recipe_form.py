"""The choices of a training run as widgets: those of every run here, those of one task in a file of its own.

A preset sets all fields; whatever is changed afterwards is what the person changed. With data of another task the form
starts again from that task's first preset.
"""

from typing import Any

import streamlit as st

from core.augment.catalog import POLICIES, policy, transform
from core.data.dataset import Dataset
from core.presets import DEFAULTS, preset, presets_for
from core.recipe import AugmentChoice, Recipe
from core.train.optimizers import OPTIMIZERS
from core.train.schedules import SCHEDULES
from pages.shared import classifier_form, fields, segmenter_form, state
from pages.shared.words import SCORE_WORDS, plain

PRESET, TASK, POLICY, SEED = "train_preset", "train_task", "train_policy", "train_seed"
OWN = "own"  # the choice made on the Augment page, among the policies
OF_PRESET = "preset"  # the rows that the preset brings with it, among the policies
FORMS = {"classification": classifier_form, "segmentation": segmenter_form}
PATHS = (
    "batch_size",
    *(f"phases.{n}.{field}" for n in range(2) for field in ("trainable", "epochs", "learning_rate")),
    *("image_size", "fit", "best_by"),
    *("optimizer.name", "optimizer.weight_decay", "schedule.name", "schedule.warmup"),
)


def recipe_form(dataset: Dataset) -> Recipe:
    """Draw the choices and give the recipe they make. Raises RecipeError for a value that no recipe may have."""
    settle(dataset.task)
    form = FORMS[dataset.task]
    st.segmented_control(
        "What learns",
        [row.name for row in presets_for(dataset.task)],
        format_func=lambda name: preset(name).label,
        required=True,
        key=PRESET,
        on_change=_follow_preset,
        persist_state="session",
    )
    base = _base()
    st.caption(plain(preset(base.preset).summary))

    changes: dict[str, Any] = {}
    images = min(4096, max(1, len(dataset.of("train"))))
    left, right = st.columns(2, gap="medium")
    with left:
        changes |= form.network(base, dataset)
    with right:
        augment = _augmentation(base)
    for number, phase in enumerate(base.phases):
        changes |= _phase(base, number, phase.name if len(base.phases) > 1 else "", images, form.TRAINABLE)
    with st.expander("More choices", icon=":material/tune:", key="train_more"):
        changes |= _more(base, dataset)
    recipe = base.set({**changes, "dataset": dataset.id})
    return recipe.model_copy(update={"augment": augment.model_copy(update={"views": recipe.augment.views})})


def settle(task: str) -> None:
    """Let the fields belong to this task: after data of another one they start again from its first preset."""
    if st.session_state.get(TASK) != task:
        st.session_state[TASK] = task
        st.session_state[PRESET] = DEFAULTS[task]
        _begin_again()


def begin_with(choice: AugmentChoice, seed: int, task: str) -> None:
    """Take a choice of augmentation and its seed into the next recipe."""
    settle(task)
    state.hold_augment(choice)
    st.session_state[POLICY] = OWN if choice.rows is not None else choice.policy
    st.session_state[SEED] = seed
    state.choose_new_run()


def usual_policy(task: str) -> str:
    """The policy with which runs of this task vary their images unless another one is chosen."""
    return preset(DEFAULTS[task]).recipe().augment.policy


def shape(task: str) -> tuple[int, str]:
    """Side in pixels and fit with which the next run of this task will see its images."""
    settle(task)
    base = _base()
    return tuple(st.session_state[fields.start(base, path)] for path in ("image_size", "fit"))


def _base() -> Recipe:
    return preset(st.session_state[PRESET]).recipe()


def _follow_preset() -> None:
    """A preset was picked: every field starts again from what it says, its augmentation among them, unless that was
    set by hand on the Augment page."""
    _begin_again()
    augment = _base().augment
    if augment.rows is not None:
        st.session_state[POLICY] = OF_PRESET
    elif st.session_state.get(POLICY) != OWN:
        st.session_state[POLICY] = augment.policy


def _begin_again() -> None:
    task = st.session_state[TASK]
    fields.begin_again(_base(), (*PATHS, *FORMS[task].PATHS))


def _augmentation(base: Recipe) -> AugmentChoice:
    held = state.augment()
    own = held if held is not None and held.rows is not None else None
    options = {row.name: row.label for row in POLICIES}
    if base.augment.rows is not None:
        options = {OF_PRESET: "As the preset"} | options
    if own:
        options |= {OWN: own.policy.capitalize()}
    if st.session_state.get(POLICY) not in options:
        st.session_state[POLICY] = OF_PRESET if OF_PRESET in options else base.augment.policy
    name = st.segmented_control(
        "Augmentation",
        list(options),
        format_func=options.get,
        required=True,
        key=POLICY,
        persist_state="session",
        wrap=True,
    )
    if name == OWN and own:
        st.caption(f"{len(own.rows)} transforms, as set on the Augment page.")
        return own
    if name == OF_PRESET and base.augment.rows is not None:
        st.caption(", ".join(plain(transform(row.name).label) for row in base.augment.rows) + ".")
        return base.augment
    st.caption(plain(policy(name).sentence))
    return AugmentChoice(policy=name)


def _phase(base: Recipe, number: int, name: str, images: int, layers: dict[str, str]) -> dict[str, Any]:
    path, changes = f"phases.{number}", {}
    if name:
        st.markdown(f"**Phase {number + 1}: {plain(name)}**")
    with st.grid(5, min_column_width=110):
        changes |= fields.choice(base, f"{path}.trainable", "Trains", layers, "Which layers may change.")
        changes |= fields.number(base, f"{path}.epochs", "Epochs", 1, 1000, 1, "Passes over the training images.")
        rate = "How far one step moves the weights, at its peak."
        changes |= fields.number(base, f"{path}.learning_rate", "Learning rate", 1e-6, 10.0, 1e-4, rate)
        if number == 0:
            key = fields.start(base, "batch_size")
            st.session_state[key] = min(st.session_state[key], images)
            changes |= fields.number(base, "batch_size", "Batch", 1, images, 1, "Images per step.")
            same = "The same seed gives the same run, bit for bit on a CPU."
            changes |= fields.number(base, "seed", "Seed", 0, 2**31 - 1, 1, same)
    return changes


def _more(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    form = FORMS[dataset.task]
    first, second, third = st.columns(3)
    with first:
        st.text_input(
            "Name of the run",
            key=fields.start(base, "name"),
            max_chars=80,
            placeholder="from its choices",
            persist_state="session",
        )
        changes = {"name": st.session_state[fields.key("name")]}
        sizes = {size: f"{size} × {size}" for size in form.SIZES}
        changes |= fields.choice(base, "image_size", "Image size (pixels)", sizes)
        changes |= fields.choice(base, "fit", "How images become square", form.FITS)
        changes |= form.pictures(base)
    with second:
        changes |= fields.choice(base, "optimizer.name", "Optimizer", {row.name: row.label for row in OPTIMIZERS})
        decay = "Pulls weights towards 0."
        changes |= fields.number(base, "optimizer.weight_decay", "Weight decay", 0.0, 1.0, 0.01, decay)
        schedules = {row.name: row.label for row in SCHEDULES}
        changes |= fields.choice(base, "schedule.name", "Learning rate over time", schedules)
        warmup = "Share of the steps spent rising to the peak."
        changes |= fields.number(base, "schedule.warmup", "Warm-up", 0.0, 0.5, 0.01, warmup)
        figures = {"score": f"validation {SCORE_WORDS[dataset.task]}", "loss": "validation loss"}
        best = "The epoch that is best by this figure is the one whose weights are kept."
        changes |= fields.choice(base, "best_by", "Keeps the epoch with the best", figures, best)
    with third:
        changes |= form.loss(base, dataset)
    return changes
