"""Classification losses as rows: logits (N, K) float32 and targets in, one loss per image (N,) out.

Targets are the classes (N,) int64, or for mixed images the share of each class (N, K) float32.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.data.dataset import Dataset
from core.errors import RecipeError
from core.knobs import FloatKnob, Knob, check_values, find
from core.recipe import LossChoice

if TYPE_CHECKING:
    import torch

    Loss = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]


@dataclass(frozen=True)
class LossRow:
    """One loss. All of them take label smoothing and class weights."""

    name: str
    label: str
    sentence: str
    knobs: tuple[Knob, ...]
    build: Callable[[dict[str, Any], float, "torch.Tensor | None"], "Loss"]  # knob values, smoothing, weights (K,)
    source: str


def _cross_entropy(values: dict[str, Any], smoothing: float, weights: "torch.Tensor | None") -> "Loss":
    from torch.nn import CrossEntropyLoss

    return CrossEntropyLoss(weight=weights, label_smoothing=smoothing, reduction="none")


def _focal(values: dict[str, Any], smoothing: float, weights: "torch.Tensor | None") -> "Loss":
    from torch.nn.functional import log_softmax, one_hot

    gamma = values["gamma"]

    def loss(logits: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
        classes = logits.shape[1]
        shares = one_hot(targets, classes).to(logits) if targets.ndim == 1 else targets
        shares = shares * (1 - smoothing) + smoothing / classes
        surprise = -log_softmax(logits, dim=1)
        # 1 - p by expm1, which keeps its digits, and its gradient for powers below 1, where p is nearly 1.
        losses = shares * (-(-surprise).expm1()).clamp_min(1e-7).pow(gamma) * surprise
        return (losses if weights is None else losses * weights).sum(1)

    return loss


LOSSES: tuple[LossRow, ...] = (
    LossRow(
        "cross-entropy",
        "Cross-entropy",
        "How surprised the model is by the true class, in nats; label smoothing keeps it from being too sure.",
        (),
        _cross_entropy,
        "https://arxiv.org/abs/1512.00567",
    ),
    LossRow(
        "focal",
        "Focal",
        "Cross-entropy that cares less for images that are right already, and so more for the difficult ones.",
        (FloatKnob("gamma", "gamma", 2.0, 0.0, 5.0, 0.25, help="0: plain cross-entropy; 2: as in the paper"),),
        _focal,
        "https://arxiv.org/abs/1708.02002",
    ),
)


def loss_row(name: str) -> LossRow:
    """The row with this name. Raises RecipeError with the names there are."""
    return find(LOSSES, name, "loss.name")


def loss_values(choice: LossChoice) -> dict[str, Any]:
    """A checked value for every knob of the chosen loss. Raises RecipeError for what it does not know or take."""
    return check_values(loss_row(choice.name).knobs, choice.values, "loss.values")


def class_weights(choice: LossChoice, counts: Sequence[int]) -> np.ndarray | None:
    """How much an image of each class counts, (K,) float32; None where all count the same.

    `counts` are the training images of each class. "balanced" weighs a class by N / C_j. The weights are scaled so that
    their mean over the training images is 1: a learning rate means the same with weights and without.
    Raises RecipeError for numbers that are not one for each class.
    """
    if choice.class_weights == "none":
        return None
    images = np.asarray(counts, np.float64)
    if choice.class_weights == "balanced":
        weights = images.sum() / images.clip(1)
    else:
        weights = np.asarray(choice.class_weights, np.float64)
        if len(weights) != len(images):
            raise RecipeError(
                "loss.class_weights",
                found=f"{len(weights)} number{'s' * (len(weights) != 1)}",
                expected=f"one for each of the {len(images)} classes",
            )
    return (weights * images.sum() / (weights * images).sum()).astype(np.float32)


def weights_of(choice: LossChoice, dataset: Dataset) -> np.ndarray | None:
    """How much an image of each class counts when learning from the training split of a dataset. See above."""
    return class_weights(choice, training_counts(dataset))


def training_counts(dataset: Dataset) -> list[int]:
    """The training images of each class, in the order of the classes."""
    return list(dataset.counts().get("train", dict.fromkeys(dataset.classes, 0)).values())


def build_loss(choice: LossChoice, counts: Sequence[int] | None = None, device: "torch.device | None" = None) -> "Loss":
    """The loss of a recipe for classes with so many training images each, its weights on `device`.

    Without `counts` every image counts the same. Raises RecipeError for an unknown name or knob, and for class weights
    that are not one for each class.
    """
    import torch

    row, values = loss_row(choice.name), loss_values(choice)
    weights = None if counts is None else class_weights(choice, counts)
    weights = None if weights is None else torch.from_numpy(weights).to(device)
    return row.build(values, choice.label_smoothing, weights)
