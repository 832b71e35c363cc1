"""The choices that only a classifier has, as widgets: its backbone, its head, its loss."""

from typing import Any

import streamlit as st

from core.data.dataset import Dataset
from core.models.heads import HEADS, head_row
from core.recipe import Recipe
from core.train.losses import LOSSES, loss_row
from pages.shared import class_weights, fields
from pages.shared.backbone_picker import backbone_picker
from pages.shared.forms import knob_widget
from pages.shared.technique_form import part
from pages.shared.weight_picker import weight_picker

TRAINABLE = {
    "head": "head",
    "last 2 blocks": "last 2 blocks",
    "last 4 layers": "last 4 layers",
    "last 20%": "last 20 %",
    "last 40%": "last 40 %",
    "everything": "everything",
}
SIZES = (64, 96, 128, 160, 192, 224, 256, 300, 384)
FITS = {"crop": "cut the long side", "pad": "pad with grey", "squash": "distort"}
SAMPLERS = {"shuffle": "each once in an epoch", "balanced": "every class equally often"}


def network(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Which backbone, and what it knows at the start."""
    return backbone_picker(base) | weight_picker(base, dataset)


def parts(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    """The head on the backbone, and what is minimised."""
    return _head(base) | _loss(base, dataset)


def _head(base: Recipe) -> dict[str, Any]:
    chosen = head_row(fields.held(base, "model.head"))
    with part("Head", [chosen.label.lower()], "train_head_part", "category"):
        left, right = st.columns(2, gap="medium")
        with left:
            changes = fields.row(base, "model.head", "Head", HEADS)
        row = head_row(changes["model.head"])
        with right, st.grid(2, min_column_width=150):
            for knob in row.knobs:  # each head starts its own
                path = f"model.{knob.name}"
                standard = fields.at(base, path) if base.model.head == row.name else knob.default
                changes[path] = knob_widget(knob, standard, fields.key(f"model.{row.name}.{knob.name}"))
    return changes


def _loss(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    told = [loss_row(fields.held(base, "loss.name")).label]
    told += ["smoothed labels"] if fields.held(base, "loss.label_smoothing") else []
    told += ["classes weighed"] if class_weights.chosen(base) != "none" else []
    told += ["classes drawn equally often"] if fields.held(base, "sampler") == "balanced" else []
    with part("Loss and class balance", told, "train_loss_part", "balance"):
        left, right = st.columns(2, gap="medium")
        with left:
            changes = fields.row(base, "loss.name", "Loss", LOSSES)
            row = loss_row(changes["loss.name"])
            smooth = "Probability spread over all classes, so that the model is never too sure."
            changes |= fields.number(base, "loss.label_smoothing", "Label smoothing", smooth, step=0.01)
            changes |= fields.knobs(base, "loss", row.name, row.knobs)
        with right:
            again = "A rare class's images come again and again in an epoch, each time varied anew."
            changes |= fields.words(base, "sampler", "Training images are drawn", SAMPLERS, again)
            changes |= class_weights.class_weights(base, dataset)
    return changes


def pictures(base: Recipe) -> dict[str, Any]:
    """How pictures reach a frozen backbone."""
    views = "While the backbone is frozen, each training image is stored in so many variants."
    return fields.number(base, "augment.views", "Stored variants", views)
