"""The choices that only a classifier has, as widgets: its backbone, its head, its loss."""

from typing import Any

import streamlit as st

from core.data.dataset import Dataset
from core.models.catalog import BACKBONES, BackboneRow, backbone
from core.recipe import Recipe
from core.train.losses import LOSSES
from pages.shared import cache, fields
from pages.shared.words import plain

TRAINABLE = {name: name for name in ("head", "last 4 layers", "last 20%", "last 40%", "everything")}
SIZES = (64, 96, 128, 160, 192, 224, 256, 300, 384)
FITS = {"crop": "cut the long side", "pad": "pad with grey", "squash": "distort"}
PATHS = ("model.backbone", "model.weights", "model.dropout", "augment.views", "loss.name", "loss.label_smoothing")


def network(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Which backbone."""
    key = fields.start(base, "model.backbone")
    names = [row.name for row in BACKBONES]
    st.selectbox(
        "Backbone",
        names,
        format_func=lambda name: _line(backbone(name)),
        key=key,
        help="The network that was trained on ImageNet before; the last layer is always new.",
        persist_state="session",
    )
    row = backbone(st.session_state[key])
    st.caption(f"{plain(row.sentence)} Licence {plain(row.licence)}. {plain(cache.weights(row.name).sentence)}")
    return {"model.backbone": row.name}


def _line(row: BackboneRow) -> str:
    where = "here" if cache.weights(row.name).here else "to fetch"
    return f"{row.label} · {row.parameters / 1e6:.1f} M parameters · {row.megabytes:,.0f} MB {where}"


def pictures(base: Recipe) -> dict[str, Any]:
    """How pictures reach a frozen backbone."""
    views = "While the backbone is frozen, each training image is stored in so many variants."
    return fields.number(base, "augment.views", "Stored variants", 1, 16, 1, views)


def loss(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    """What is minimised, and where the network starts."""
    changes = fields.choice(base, "loss.name", "Loss", {row.name: row.label for row in LOSSES})
    smooth = "Probability spread over all classes, so that the model is never too sure."
    changes |= fields.number(base, "loss.label_smoothing", "Label smoothing", 0.0, 0.5, 0.01, smooth)
    changes |= fields.number(
        base, "model.dropout", "Dropout", 0.0, 0.9, 0.05, "Share of the head's inputs left out at each step."
    )
    starts = {"pretrained": "ImageNet weights", "random": "random weights"}
    return changes | fields.choice(base, "model.weights", "Starts from", starts)
