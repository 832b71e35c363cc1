"""Which part of a network may change in a phase, and keeping the rest truly still.

A layer here is a module that owns parameters directly (a convolution, a norm, a linear layer), counted in the order in
which the network is built. A frozen norm layer must also stay in evaluation mode: otherwise its running statistics
would drift with every batch although no gradient touches it. A backbone that is frozen as a whole is in evaluation
mode as a whole: what it drops at random while it learns would only be noise to what learns from it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from core.errors import RecipeError
from core.recipe import TRAINABLE, TRAINABLE_WORDS


@dataclass(frozen=True)
class Frozen:
    """The outcome of `freeze`: the layers that stay still, and how many parameters may change and how many not."""

    layers: tuple[nn.Module, ...]
    trainable: int
    frozen: int
    whole: tuple[nn.Module, ...] = ()  # the backbone, where all of it stays still


def layers_of(module: nn.Module) -> list[nn.Module]:
    """The modules that own parameters directly, in the order in which the network is built."""
    return [part for part in module.modules() if any(True for _ in part.parameters(recurse=False))]


def freeze(backbone: nn.Module, head: nn.Module, trainable: str) -> Frozen:
    """Let only the part named by `trainable` require gradients; the head always does.

    `trainable` is "head", "everything", "last 40%" or "last 4 layers"; shares and counts are of the backbone's layers,
    and at least one layer is left trainable. Raises RecipeError for other words and for more layers than there are.
    """
    layers = layers_of(backbone)
    moving = _moving(layers, trainable)
    for layer in layers:
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(layer in moving)
    head.requires_grad_(True)
    still = tuple(layer for layer in layers if layer not in moving)
    parameters = [*backbone.parameters(), *head.parameters()]
    free = sum(p.numel() for p in parameters if p.requires_grad)
    whole = () if moving else (backbone,)
    return Frozen(still, free, sum(p.numel() for p in parameters) - free, whole)


def set_training(model: nn.Module, frozen: Frozen) -> None:
    """Put `model` in training mode and what is frozen of it back in evaluation mode."""
    model.train()
    for part in (*frozen.whole, *frozen.layers):
        part.eval()


def _moving(layers: Sequence[nn.Module], trainable: str) -> set[nn.Module]:
    if not TRAINABLE.fullmatch(trainable):
        raise RecipeError("trainable", found=repr(trainable), expected=TRAINABLE_WORDS)
    if trainable == "head":
        return set()
    if trainable == "everything":
        return set(layers)
    number = int(re.search(r"\d+", trainable).group())
    count = max(1, round(len(layers) * number / 100)) if "%" in trainable else number
    if count > len(layers):
        raise RecipeError("trainable", found=repr(trainable), expected=f"at most the backbone's {len(layers)} layers")
    return set(layers[-count:])
