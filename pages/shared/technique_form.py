"""How a network learns, as widgets: optimizer, schedule, regularisation, when to stop, and on which machine.

Each part is folded under a line that says what is chosen in it, so that nobody has to open one to train.
"""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.machine import cores
from core.recipe import FIGURES, Recipe
from core.train.optimizers import OPTIMIZERS, optimizer_row
from core.train.schedules import SCHEDULES, schedule_row
from pages.shared import fields
from pages.shared.words import SCORE_WORDS, plain

DEVICES = {"auto": "GPU, else CPU", "cpu": "CPU", "cuda": "NVIDIA GPU", "mps": "Apple GPU"}
PRECISIONS = {"auto": "chosen by the device"}
TRACKERS = {"none": "nowhere else", "tensorboard": "TensorBoard", "mlflow": "MLflow", "wandb": "Weights & Biases"}
FIGURE_WORDS = {"loss": "validation loss", "accuracy": "validation accuracy", "dice": "mean Dice", "iou": "mean IoU"}


def part(name: str, told: Sequence[str], key: str, icon: str) -> Any:
    """A folded part of the form, whose line says what is chosen in it."""
    said = ", ".join(plain(word) for word in told if word)
    return st.expander(f"{name} :gray[· {said}]" if said else name, key=key, icon=f":material/{icon}:")


def optimizer(base: Recipe) -> dict[str, Any]:
    """How weights move, and how fast at which step."""
    name, schedule = fields.held(base, "optimizer.name"), fields.held(base, "schedule.name")
    told = [optimizer_row(name).label, schedule_row(schedule).label.lower()]
    with part("Optimizer and schedule", told, "train_optimizer_part", "speed"):
        left, right = st.columns(2, gap="medium")
        with left:
            changes = fields.row(base, "optimizer.name", "Optimizer", OPTIMIZERS)
            with st.grid(3, min_column_width=110):
                decay = "Pulls weights towards 0; biases and norms are left alone."
                changes |= fields.number(base, "optimizer.weight_decay", "Weight decay", decay, step=0.01)
                if optimizer_row(changes["optimizer.name"]).momentum:
                    momentum = "How much of the last step goes into the next."
                    changes |= fields.number(base, "optimizer.momentum", "Momentum", momentum, step=0.05)
                layers = "Each layer's rate as a share of that of the layer after it; 1: all the same."
                changes |= fields.number(base, "optimizer.layer_decay", "Layer decay", layers, step=0.05, least=0.01)
        with right:
            changes |= schedule_fields(base)
    return changes


def schedule_fields(base: Recipe) -> dict[str, Any]:
    """How the learning rate moves, with the knobs of the chosen schedule."""
    changes = fields.row(base, "schedule.name", "Learning rate over time", SCHEDULES)
    row = schedule_row(changes["schedule.name"])
    with st.grid(2, min_column_width=150):
        if row.warms_up:
            warmup = "Share of the steps spent rising to the peak."
            changes |= fields.number(base, "schedule.warmup", "Warm-up", warmup, step=0.01)
        changes |= fields.knobs(base, "schedule", row.name, row.knobs)
    return changes


def regularisation(base: Recipe) -> dict[str, Any]:
    """What keeps a network from learning its pictures by heart."""
    mixes = base.task == "classification"
    told = [
        word
        for path, word in (
            ("mix.mixup", "MixUp"),
            ("mix.cutmix", "CutMix"),
            ("model.drop_path", "drop-path"),
            ("ema", "mean of weights"),
            ("clip", "clipping"),
        )
        if (mixes or path in ("ema", "clip")) and fields.held(base, path)
    ]
    changes: dict[str, Any] = {}
    with (
        part("Regularisation", told or ["none"], "train_regularisation_part", "shield"),
        st.grid(5, min_column_width=120),
    ):
        if mixes:
            mixup = "Blends each picture with another and its label too: alpha of the share's Beta law; 0: off."
            changes |= fields.number(base, "mix.mixup", "MixUp", mixup, step=0.1)
            cutmix = "Puts a rectangle of another picture into each, with its share of the label; alpha as above."
            changes |= fields.number(base, "mix.cutmix", "CutMix", cutmix, step=0.1)
            chance = "Chance that a batch is mixed at all. With both kinds each mixed batch gets one of them."
            changes |= fields.number(base, "mix.probability", "Mixed batches", chance, step=0.1)
            branches = "Share of the backbone's residual branches that are left out at each step, where it has such."
            changes |= fields.number(base, "model.drop_path", "Drop-path", branches, step=0.05)
        ema = "Judges and keeps a running mean of the weights; so much of it stays at each step, such as 0.999; 0: off."
        changes |= fields.number(base, "ema", "Mean of weights (EMA)", ema, step=0.001)
        clip = "The longest gradient, as its norm over all weights; a longer one is shortened. 0: any."
        changes |= fields.number(base, "clip", "Gradient clipping", clip, step=0.5)
    return changes


def stopping(base: Recipe) -> dict[str, Any]:
    """Which epoch is kept, and when a phase ends early."""
    patience = fields.held(base, "early_stopping.patience")
    scores = {"score": f"validation {SCORE_WORDS[base.task]}", "loss": "validation loss"}
    told = [f"after {patience} without a better epoch" if patience else "never early"]
    changes: dict[str, Any] = {}
    with part(
        "Stopping", [*told, f"keeps the best {scores[fields.held(base, 'best_by')]}"], "train_stopping_part", "flag"
    ):
        with st.grid(4, min_column_width=150):
            best = "The epoch that is best by this figure is the one whose weights are kept."
            changes |= fields.words(base, "best_by", "Keeps the epoch with the best", scores, best)
            bear = "A phase ends after so many epochs without a better figure; 0: it never ends early."
            changes |= fields.number(base, "early_stopping.patience", "Patience (epochs)", bear)
            figures = {figure: FIGURE_WORDS.get(figure, figure) for figure in FIGURES[base.task]}
            watched = "The figure that has to get better."
            changes |= fields.choice(base, "early_stopping.metric", "Watches", figures, watched)
            least = "How much better counts as better."
            changes |= fields.number(base, "early_stopping.least", "Least change", least, step=0.001)
        again = "Otherwise a phase goes on from the weights of the latest epoch."
        changes |= fields.toggle(base, "restore_best", "Each phase goes on from the best weights so far", again)
    return changes


def machine(base: Recipe) -> dict[str, Any]:
    """On what it is computed, and how."""
    device, precision = fields.held(base, "device"), fields.held(base, "precision")
    told = [DEVICES[device], precision if precision != "auto" else ""]
    told += [f"{fields.held(base, 'accumulate')} batches a step" if fields.held(base, "accumulate") > 1 else ""]
    told += [f"{fields.held(base, 'processes')} processes" if fields.held(base, "processes") > 1 else ""]
    changes: dict[str, Any] = {}
    with part("Machine", told, "train_machine_part", "memory"), st.grid(5, min_column_width=130):
        changes |= fields.words(base, "device", "Device", DEVICES, f"This machine has {cores()} CPU cores.")
        half = "auto: float32 on a CPU, bfloat16 on a GPU. float16 needs a GPU."
        changes |= fields.words(base, "precision", "Precision", PRECISIONS, half)
        batches = "Batches to one step of the optimizer: as if the batch were so many times as large, in less memory."
        changes |= fields.number(base, "accumulate", "Batches a step", batches)
        share = "Processes that share each batch: one for each GPU of this machine."
        changes |= fields.number(base, "processes", "Processes", share)
        where = "Where the run's figures are told besides here; its package has to be installed."
        changes |= fields.words(base, "tracker", "Figures also to", TRACKERS, where)
    return changes
