"""Classification losses as rows: logits (N, K) float and targets (N,) int64 in, one loss per image (N,) out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.knobs import find
from core.recipe import LossChoice

if TYPE_CHECKING:
    import torch

    Loss = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]


@dataclass(frozen=True)
class LossRow:
    """One loss."""

    name: str
    label: str
    sentence: str
    build: Callable[[LossChoice], "Loss"]
    source: str


def _cross_entropy(choice: LossChoice) -> "Loss":
    from torch.nn import CrossEntropyLoss

    return CrossEntropyLoss(label_smoothing=choice.label_smoothing, reduction="none")


LOSSES: tuple[LossRow, ...] = (
    LossRow(
        "cross-entropy",
        "Cross-entropy",
        "How surprised the model is by the true class, in nats; label smoothing keeps it from being too sure.",
        _cross_entropy,
        "https://arxiv.org/abs/1512.00567",
    ),
)


def loss_row(name: str) -> LossRow:
    """The row with this name. Raises RecipeError with the names there are."""
    return find(LOSSES, name, "loss.name")


def build_loss(choice: LossChoice) -> "Loss":
    """The loss of a recipe. Raises RecipeError for an unknown name."""
    return loss_row(choice.name).build(choice)
