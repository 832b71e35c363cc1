"""The choices that only a segmentation network has, as widgets: its architecture and encoder, its loss over masks."""

from typing import Any

import streamlit as st

from core.data.dataset import Dataset
from core.models.architectures import ARCHITECTURES, ENCODERS, ArchitectureRow, architecture, find_encoder
from core.recipe import MaskLossChoice, Recipe
from core.train.mask_losses import MASK_LOSSES, MaskLossRow, knob_values, mask_loss_row
from pages.shared import cache, fields
from pages.shared.forms import knob_widget
from pages.shared.words import plain

TRAINABLE = {
    "head": "decoder only",
    "last 20%": "decoder, last 20 % of encoder",
    "last 40%": "decoder, last 40 % of encoder",
    "everything": "everything",
}
SIZES = (64, 96, 128, 160, 192, 224, 256, 320, 384, 512)
FITS = {"squash": "distort", "pad": "pad with grey, ignored in masks"}
PATHS = ("model.architecture", "model.encoder", "model.weights", "loss.name", "loss.class_weights")
WEIGHTS = {
    "none": "all the same",
    "balanced": "the rarer, the more",
    "own": "numbers of my own",
}
_OWN_WEIGHTS = "train_loss_own_weights"


def network(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Which decoder, on which encoder."""
    left, right = st.columns([2, 3])
    with left:
        rows = {row.name: row.label for row in ARCHITECTURES}
        about = "How the encoder's maps become a class for every pixel; this part always starts at random."
        changes = fields.choice(base, "model.architecture", "Architecture", rows, about)
    with right:
        changes |= _encoder(base, architecture(changes["model.architecture"]))
    row, encoder = architecture(changes["model.architecture"]), changes["model.encoder"]
    known = find_encoder(encoder)
    told = f"{plain(known.sentence)} Licence {plain(known.licence)}. " if known else ""
    st.caption(f"{plain(row.sentence)}  \n{told}{plain(cache.encoder_weights(encoder).sentence)}")
    return changes


def _encoder(base: Recipe, on: ArchitectureRow) -> dict[str, Any]:
    """The encoders that an architecture can stand on; one that it cannot gives way to the first that it can."""
    key = fields.start(base, "model.encoder")
    names = [row.name for row in ENCODERS if on.takes(row)]
    known = find_encoder(st.session_state[key])
    if known and not on.takes(known):
        st.session_state[key] = names[0]
    names += [name for name in (st.session_state[key],) if name not in names]
    st.selectbox(
        "Encoder",
        names,
        format_func=_encoder_line,
        key=key,
        help="The network, trained on ImageNet before, that looks at the image. Any other encoder of SMP, or tu- and a "
        "name of timm, can be typed in.",
        accept_new_options=True,
        persist_state="session",
    )
    return {"model.encoder": str(st.session_state[key])}


def _encoder_line(name: str) -> str:
    row, where = find_encoder(name), "here" if cache.encoder_weights(name).here else "to fetch"
    return f"{row.label} · {row.megabytes:,.0f} MB {where}" if row else f"{name}, {where}"


def pictures(base: Recipe) -> dict[str, Any]:
    """Where the encoder starts."""
    starts = {"pretrained": "ImageNet weights", "random": "random weights"}
    return fields.choice(base, "model.weights", "Encoder starts from", starts)


def loss(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    """What is minimised over the pixels, with the knobs of the chosen loss, and how much each class counts."""
    rows = {row.name: row.label for row in MASK_LOSSES}
    name = fields.choice(base, "loss.name", "Loss", rows)["loss.name"]
    row = mask_loss_row(name)
    st.caption(plain(row.sentence))
    values, standard = _knobs(row, base), _standard(row, base)
    changed = {knob.name: values[knob.name] for knob in row.knobs if values[knob.name] != knob.default}
    kept = base.loss.values if row.name == base.loss.name and values == standard else changed
    weights = _class_weights(base, dataset) if row.weighted else "none"
    return {"loss": {"name": name, "values": kept, "class_weights": weights}}


def _standard(row: MaskLossRow, base: Recipe) -> dict[str, Any]:
    """The knobs of a loss as the preset has them, or as they are by default where the preset has another loss."""
    return knob_values(base.loss if base.loss.name == row.name else MaskLossChoice(name=row.name))


def _knobs(row: MaskLossRow, base: Recipe) -> dict[str, Any]:
    standard = _standard(row, base)
    key = f"train_loss_{base.preset}_{row.name}"  # a preset starts its own knobs
    return {knob.name: knob_widget(knob, standard[knob.name], f"{key}_{knob.name}") for knob in row.knobs}


def _class_weights(base: Recipe, dataset: Dataset) -> str | list[float]:
    about = "A rare class weighed more is found more often, and more often where it is not."
    chosen = fields.choice(base, "loss.class_weights", "Classes count", WEIGHTS, about)["loss.class_weights"]
    if chosen != "own":
        return chosen
    with st.grid(2, min_column_width=110):
        return [
            st.number_input(
                plain(name, 30),
                0.01,
                1000.0,
                1.0,
                0.5,
                key=f"{_OWN_WEIGHTS}_{dataset.id}_{place}",
                persist_state="session",
            )
            for place, name in enumerate(dataset.classes)
        ]
