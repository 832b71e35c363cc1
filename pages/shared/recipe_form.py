"""The choices of a training run as widgets. Each widget stands for one field of the recipe, named by its path.

A preset sets all fields; whatever is changed afterwards is what the person changed. The values live in session state
under "train_" and the path, so that they survive a visit to another page.
"""

from typing import Any

import streamlit as st

from core.augment.catalog import POLICIES, policy
from core.data.dataset import Dataset
from core.errors import RecipeError
from core.models.catalog import BACKBONES, BackboneRow, backbone
from core.presets import DEFAULT, PRESETS, preset
from core.recipe import AugmentChoice, Recipe
from core.train.losses import LOSSES
from core.train.optimizers import OPTIMIZERS
from core.train.schedules import SCHEDULES
from pages.shared import cache, state
from pages.shared.words import plain

PRESET = "train_preset"
TRAINABLE = ("head", "last 4 layers", "last 20%", "last 40%", "everything")
SIZES = (64, 96, 128, 160, 192, 224, 256, 300, 384)
OWN = "own"  # the choice made on the Augment page, among the policies


def recipe_form(dataset: Dataset) -> Recipe:
    """Draw the choices and give the recipe they make. Raises RecipeError for a value that no recipe may have."""
    names = [row.name for row in PRESETS]
    st.session_state.setdefault(PRESET, DEFAULT)
    st.segmented_control(
        "What learns",
        names,
        format_func=lambda name: preset(name).label,
        required=True,
        key=PRESET,
        on_change=_follow_preset,
        persist_state="session",
    )
    base = preset(st.session_state[PRESET]).recipe()
    st.caption(plain(preset(base.preset).summary))

    changes: dict[str, Any] = {}
    images = min(4096, max(1, len(dataset.of("train"))))
    left, right = st.columns(2, gap="medium")
    with left:
        changes |= _backbone(base)
    with right:
        augment = _augmentation()
    for number, phase in enumerate(base.phases):
        changes |= _phase(base, number, phase.name if len(base.phases) > 1 else "", images)
    with st.expander("More choices", icon=":material/tune:", key="train_more"):
        changes |= _more(base)
    recipe = base.set({**changes, "dataset": dataset.id})
    return recipe.model_copy(update={"augment": augment.model_copy(update={"views": recipe.augment.views})})


def begin_with(choice: AugmentChoice, seed: int) -> None:
    """Take a choice of augmentation and its seed into the next recipe."""
    state.hold_augment(choice)
    st.session_state["train_policy"] = OWN if choice.rows is not None else choice.policy
    st.session_state["train_seed"] = seed
    state.choose_new_run()


def shape() -> tuple[int, str]:
    """Side in pixels and fit with which the next run will see its images."""
    recipe = Recipe()
    return st.session_state.get("train_image_size", recipe.image_size), st.session_state.get("train_fit", recipe.fit)


def _follow_preset() -> None:
    """A preset was picked: every field starts again from what it says."""
    for key in _FIELDS:
        st.session_state.pop(key, None)
    recipe = preset(st.session_state[PRESET]).recipe()
    for key, path in _FIELDS.items():
        value = _at(recipe, path)
        if value is not None:
            st.session_state[key] = value


def _key(path: str) -> str:
    return "train_" + path.replace(".", "_")


_FIELDS = {
    _key(path): path
    for path in (
        "model.backbone",
        "batch_size",
        *(f"phases.{n}.{field}" for n in range(2) for field in ("trainable", "epochs", "learning_rate")),
        *("image_size", "fit", "augment.views", "model.dropout", "model.weights"),
        *("optimizer.name", "optimizer.weight_decay", "schedule.name", "schedule.warmup"),
        *("loss.name", "loss.label_smoothing"),
    )
}


def _at(recipe: Recipe, path: str) -> Any:
    here: Any = recipe.model_dump(mode="json")
    for step in path.split("."):
        if isinstance(here, list):
            here = here[int(step)] if int(step) < len(here) else None
        else:
            here = here.get(step) if here else None
    return here


def _start(base: Recipe, path: str) -> str:
    key = _key(path)
    st.session_state.setdefault(key, _at(base, path))
    return key


def _number(base: Recipe, path: str, label: str, low: float, high: float, step: float, help: str) -> dict[str, Any]:
    key = _start(base, path)
    format = "%d" if isinstance(step, int) else "%.5g"
    st.number_input(label, low, high, step=step, format=format, key=key, help=help, persist_state="session")
    return {path: st.session_state[key]}


def _choice(base: Recipe, path: str, label: str, options: dict[Any, str], help: str | None = None) -> dict[str, Any]:
    key, standard = _start(base, path), _at(base, path)
    if standard not in options:
        options = {standard: str(standard), **options}
    st.selectbox(label, list(options), format_func=options.get, key=key, help=help, persist_state="session")
    value = st.session_state[key]
    if value not in options:  # a browser can send anything
        raise RecipeError(path, found=repr(value), expected="one of " + ", ".join(map(str, options)))
    return {path: value}


def _backbone(base: Recipe) -> dict[str, Any]:
    key = _start(base, "model.backbone")
    names = [row.name for row in BACKBONES]
    st.selectbox(
        "Backbone",
        names,
        format_func=lambda name: _backbone_line(backbone(name)),
        key=key,
        help="The network that was trained on ImageNet before; the last layer is always new.",
        persist_state="session",
    )
    row = backbone(st.session_state[key])
    st.caption(f"{plain(row.sentence)} Licence {plain(row.licence)}. {plain(cache.weights(row.name).sentence)}")
    return {"model.backbone": row.name}


def _backbone_line(row: BackboneRow) -> str:
    where = "here" if cache.weights(row.name).here else "to fetch"
    return f"{row.label} · {row.parameters / 1e6:.1f} M parameters · {row.megabytes:,.0f} MB {where}"


def _augmentation() -> AugmentChoice:
    held = state.augment()
    own = held if held is not None and held.rows is not None else None
    options = {row.name: row.label for row in POLICIES} | ({OWN: own.policy.capitalize()} if own else {})
    if st.session_state.get("train_policy") not in options:
        st.session_state["train_policy"] = Recipe().augment.policy
    name = st.segmented_control(
        "Augmentation",
        list(options),
        format_func=options.get,
        required=True,
        key="train_policy",
        persist_state="session",
    )
    if name == OWN and own:
        st.caption(f"{len(own.rows)} transforms, as set on the Augment page.")
        return own
    st.caption(plain(policy(name).sentence))
    return AugmentChoice(policy=name)


def _phase(base: Recipe, number: int, name: str, images: int) -> dict[str, Any]:
    path, changes = f"phases.{number}", {}
    if name:
        st.markdown(f"**Phase {number + 1}: {plain(name)}**")
    with st.grid(5, min_column_width=110):
        layers = {name: name for name in TRAINABLE}
        changes |= _choice(base, f"{path}.trainable", "Trains", layers, "Which layers may change.")
        changes |= _number(base, f"{path}.epochs", "Epochs", 1, 1000, 1, "Passes over the training images.")
        rate = "How far one step moves the weights, at its peak."
        changes |= _number(base, f"{path}.learning_rate", "Learning rate", 1e-6, 10.0, 1e-4, rate)
        if number == 0:
            key = _start(base, "batch_size")
            st.session_state[key] = min(st.session_state[key], images)
            changes |= _number(base, "batch_size", "Batch", 1, images, 1, "Images per step.")
            same = "The same seed gives the same run, bit for bit on a CPU."
            changes |= _number(base, "seed", "Seed", 0, 2**31 - 1, 1, same)
    return changes


def _more(base: Recipe) -> dict[str, Any]:
    first, second, third = st.columns(3)
    with first:
        st.text_input(
            "Name of the run",
            key=_start(base, "name"),
            max_chars=80,
            placeholder="from its choices",
            persist_state="session",
        )
        changes = {"name": st.session_state[_key("name")]}
        changes |= _choice(base, "image_size", "Image size (pixels)", {size: f"{size} × {size}" for size in SIZES})
        fits = {"crop": "cut the long side", "pad": "pad with grey", "squash": "distort"}
        changes |= _choice(base, "fit", "How images become square", fits)
        views = "While the backbone is frozen, each training image is stored in so many variants."
        changes |= _number(base, "augment.views", "Stored variants", 1, 16, 1, views)
    with second:
        changes |= _choice(base, "optimizer.name", "Optimizer", {row.name: row.label for row in OPTIMIZERS})
        changes |= _number(base, "optimizer.weight_decay", "Weight decay", 0.0, 1.0, 0.01, "Pulls weights towards 0.")
        changes |= _choice(base, "schedule.name", "Learning rate over time", {row.name: row.label for row in SCHEDULES})
        changes |= _number(
            base, "schedule.warmup", "Warm-up", 0.0, 0.5, 0.01, "Share of the steps spent rising to the peak."
        )
    with third:
        changes |= _choice(base, "loss.name", "Loss", {row.name: row.label for row in LOSSES})
        smooth = "Probability spread over all classes, so that the model is never too sure."
        changes |= _number(base, "loss.label_smoothing", "Label smoothing", 0.0, 0.5, 0.01, smooth)
        changes |= _number(
            base, "model.dropout", "Dropout", 0.0, 0.9, 0.05, "Share of the head's inputs left out at each step."
        )
        starts = {"pretrained": "ImageNet weights", "random": "random weights"}
        changes |= _choice(base, "model.weights", "Starts from", starts)
    return changes
