"""Optimizers as rows; timm's factory builds them, keeps weight decay off biases and norms, and groups layers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.knobs import find
from core.recipe import OptimizerChoice

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class OptimizerRow:
    """One optimizer."""

    name: str
    label: str
    sentence: str
    timm: str  # timm's name for it
    source: str
    momentum: bool = False  # whether the recipe's momentum is its own; the others average in ways of their own
    fused: bool = False  # whether PyTorch has a kernel that does a whole step of a weight at once
    rate: float = 1.0  # a usual learning rate, as a share of AdamW's for the same model


OPTIMIZERS: tuple[OptimizerRow, ...] = (
    OptimizerRow(
        "adamw",
        "AdamW",
        "A step size for every weight, with weight decay kept apart from it. A good first choice.",
        "adamw",
        "https://arxiv.org/abs/1711.05101",
        fused=True,
    ),
    OptimizerRow(
        "adam",
        "Adam",
        "A step size for every weight; weight decay is mixed into the gradient.",
        "adam",
        "https://arxiv.org/abs/1412.6980",
        fused=True,
    ),
    OptimizerRow(
        "sgd",
        "SGD with momentum",
        "One step size for all weights, smoothed over steps (Nesterov). Needs a larger learning rate than AdamW.",
        "sgd",
        "https://proceedings.mlr.press/v28/sutskever13.html",
        momentum=True,
        fused=True,
        rate=10.0,
    ),
    OptimizerRow(
        "radam",
        "RAdam",
        "Adam that holds back until it has seen enough gradients to trust its step sizes: its own warm-up.",
        "radam",
        "https://arxiv.org/abs/1908.03265",
    ),
    OptimizerRow(
        "ranger",
        "Ranger (RAdam + Lookahead)",
        "RAdam runs ahead; every sixth step a slower copy of the weights goes half the way after it, and it starts "
        "again from there.",
        "lookahead_radam",
        "https://arxiv.org/abs/1907.08610",
    ),
    OptimizerRow(
        "lion",
        "Lion",
        "Every weight moves by the same amount, only the direction is learned. Needs a learning rate three to ten "
        "times smaller than AdamW, and as much more weight decay.",
        "lion",
        "https://arxiv.org/abs/2302.06675",
        rate=0.2,
    ),
)


def optimizer_row(name: str) -> OptimizerRow:
    """The row with this name. Raises RecipeError with the names there are."""
    return find(OPTIMIZERS, name, "optimizer.name")


def build_optimizer(model: "torch.nn.Module", choice: OptimizerChoice, learning_rate: float) -> "torch.optim.Optimizer":
    """An optimizer over those parameters of `model` that require gradients.

    Weight decay spares biases and norms. With a layer decay below 1 each layer, as the model's `group_matcher` divides
    it, has the rate of the layer after it times the decay; the head has the whole rate.
    Raises RecipeError for an unknown name.
    """
    from timm.optim import create_optimizer_v2

    row = optimizer_row(choice.name)
    options: dict[str, Any] = {}
    if row.momentum:
        options = {"momentum": choice.momentum, "nesterov": choice.momentum > 0}
    # On a CPU a fused step takes a fifth of the time; on a GPU PyTorch's own choice is as good, and float16 can tell
    # whether a step was left out.
    fused = row.fused and all(parameter.device.type == "cpu" for parameter in model.parameters())
    if fused:
        options["fused"] = True
    optimizer = create_optimizer_v2(
        model,
        opt=row.timm,
        lr=learning_rate,
        weight_decay=choice.weight_decay,
        layer_decay=choice.layer_decay if choice.layer_decay < 1 else None,
        **options,
    )
    if fused:
        optimizer.register_step_pre_hook(_lay_gradients_out)
    for group in optimizer.param_groups:
        group["lr"] *= group.get("lr_scale", 1.0)  # timm leaves this to its own schedules
    return optimizer


def _lay_gradients_out(optimizer: "torch.optim.Optimizer", *_: Any) -> None:
    """Give each gradient the memory layout of its weight. A fused step reads both in the order of memory, and where
    these differ, as channels last and first do, it moves the wrong weights without a word."""
    import torch

    for group in optimizer.param_groups:
        for weight in group["params"]:
            if weight.grad is not None and weight.grad.stride() != weight.stride():
                weight.grad = torch.empty_like(weight).copy_(weight.grad)
