"""Optimizers as rows; timm's factory builds them and keeps weight decay off biases and norms."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.knobs import find
from core.recipe import OptimizerChoice

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class OptimizerRow:
    """One optimizer: `name` is timm's name for it."""

    name: str
    label: str
    sentence: str
    source: str


OPTIMIZERS: tuple[OptimizerRow, ...] = (
    OptimizerRow(
        "adamw",
        "AdamW",
        "A step size for every weight, with weight decay kept apart from it. A good first choice.",
        "https://arxiv.org/abs/1711.05101",
    ),
    OptimizerRow(
        "adam",
        "Adam",
        "A step size for every weight; weight decay is mixed into the gradient.",
        "https://arxiv.org/abs/1412.6980",
    ),
    OptimizerRow(
        "sgd",
        "SGD with momentum",
        "One step size for all weights, smoothed over steps. Needs a larger learning rate than AdamW.",
        "https://proceedings.mlr.press/v28/sutskever13.html",
    ),
)


def optimizer_row(name: str) -> OptimizerRow:
    """The row with this name. Raises RecipeError with the names there are."""
    return find(OPTIMIZERS, name, "optimizer.name")


def build_optimizer(model: "torch.nn.Module", choice: OptimizerChoice, learning_rate: float) -> "torch.optim.Optimizer":
    """An optimizer over those parameters of `model` that require gradients. Raises RecipeError for an unknown name."""
    from timm.optim import create_optimizer_v2

    row = optimizer_row(choice.name)
    return create_optimizer_v2(model, opt=row.name, lr=learning_rate, weight_decay=choice.weight_decay)
