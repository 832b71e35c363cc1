"""The choices that only a segmentation network has, as widgets: its architecture and encoder, its loss over masks."""

from typing import Any

import streamlit as st

from core.data.dataset import Dataset
from core.models.architectures import (
    ARCHITECTURES,
    ENCODERS,
    TIMM_PREFIX,
    ArchitectureRow,
    architecture,
    find_encoder,
)
from core.recipe import Recipe
from core.train.mask_losses import MASK_LOSSES, mask_loss_row
from pages.shared import cache, class_weights, fields
from pages.shared.backbone_picker import timm_search
from pages.shared.technique_form import part
from pages.shared.weight_picker import weight_picker
from pages.shared.words import plain

TRAINABLE = {
    "head": "decoder only",
    "last 20%": "decoder, last 20 % of encoder",
    "last 40%": "decoder, last 40 % of encoder",
    "everything": "everything",
}
SIZES = (64, 96, 128, 160, 192, 224, 256, 320, 384, 512)
FITS = {"squash": "distort", "pad": "pad with grey, ignored in masks"}


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
    timm_search("model.encoder", TIMM_PREFIX)
    return changes | weight_picker(base, dataset)


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


def parts(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    """What is minimised over the pixels, with the knobs of the chosen loss, and how much each class counts."""
    told = [mask_loss_row(fields.held(base, "loss.name")).label]
    told += ["classes weighed"] if class_weights.chosen(base) != "none" else []
    with part("Loss and class balance", told, "train_loss_part", "balance"):
        left, right = st.columns(2, gap="medium")
        with left:
            changes = fields.row(base, "loss.name", "Loss", MASK_LOSSES)
            row = mask_loss_row(changes["loss.name"])
            changes |= fields.knobs(base, "loss", row.name, row.knobs)
        with right:
            weights = class_weights.class_weights(base, dataset) if row.weighted else {class_weights.PATH: "none"}
    return changes | weights


def pictures(base: Recipe) -> dict[str, Any]:
    """How pictures reach the network, besides their size."""
    return {}
