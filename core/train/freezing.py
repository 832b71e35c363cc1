"""Which part of a network may change in a phase, and keeping the rest truly still.

A layer here is a module that owns parameters directly (a convolution, a norm, a linear layer), counted in the order in
which the network is built; what a block is says `core.models.stages`. What is frozen is in evaluation mode too, module
by module: the running statistics of a frozen norm would drift with every batch although no gradient touches it, and
what a frozen part drops at random (dropout, drop-path) would only be noise to what learns from it. A module without
parameters goes with the layer before it, so that the border may lie in the middle of a block.
"""

import re
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from core.errors import RecipeError
from core.models.stages import blocks_of, layers_of
from core.recipe import TRAINABLE, TRAINABLE_WORDS


@dataclass(frozen=True)
class Frozen:
    """The outcome of `freeze`: what stays still, and how many parameters may change and how many not."""

    layers: tuple[nn.Module, ...]  # that own the frozen parameters
    still: tuple[nn.Module, ...]  # every module that is in evaluation mode by itself, its parts not included
    trainable: int
    frozen: int


def freeze(
    backbone: nn.Module, head: nn.Module, trainable: str, *, norms: str = "learn", field: str = "trainable"
) -> Frozen:
    """Let only the part named by `trainable` require gradients; the head always does.

    `trainable` is "head", "everything", "last 40%", "last 4 layers" or "last 2 blocks"; shares and counts are of the
    backbone, and of a share at least one layer is left trainable. With `norms` "still" the backbone's batch norms that
    learn are in evaluation mode as well: they neither measure batches nor drift, and their scale and shift learn.
    Raises RecipeError, about `field`, for other words, and for more layers or blocks than there are.
    """
    layers = layers_of(backbone)
    moving = _moving(backbone, layers, trainable, field)
    for layer in layers:
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(layer in moving)
    head.requires_grad_(True)
    parameters = [*backbone.parameters(), *head.parameters()]
    free = sum(p.numel() for p in parameters if p.requires_grad)
    return Frozen(
        layers=tuple(layer for layer in layers if layer not in moving),
        still=_still(backbone, layers, moving) + (_norms(moving) if norms == "still" else ()),
        trainable=free,
        frozen=sum(p.numel() for p in parameters) - free,
    )


def set_training(model: nn.Module, frozen: Frozen) -> None:
    """Put `model` in training mode and what is frozen of it back in evaluation mode."""
    model.train()
    for part in frozen.still:
        part.training = False  # not eval(), which would take the parts that learn along


def _moving(backbone: nn.Module, layers: list[nn.Module], trainable: str, field: str) -> set[nn.Module]:
    if not TRAINABLE.fullmatch(trainable):
        raise RecipeError(field, found=repr(trainable), expected=TRAINABLE_WORDS)
    if trainable == "head":
        return set()
    if trainable == "everything":
        return set(layers)
    number = int(re.search(r"\d+", trainable).group())
    if "block" in trainable:
        blocks = blocks_of(backbone)
        _insist_on_enough(number, len(blocks), trainable, "blocks", field)
        return {layer for block in blocks[-number:] for layer in block}
    count = max(1, round(len(layers) * number / 100)) if "%" in trainable else number
    _insist_on_enough(count, len(layers), trainable, "layers", field)
    return set(layers[-count:])


def _insist_on_enough(wanted: int, there: int, trainable: str, what: str, field: str) -> None:
    if wanted > there:
        raise RecipeError(field, found=repr(trainable), expected=f"at most the backbone's {there} {what}")


def _norms(layers: set[nn.Module]) -> tuple[nn.Module, ...]:
    return tuple(layer for layer in layers if isinstance(layer, _BatchNorm))


def _still(backbone: nn.Module, layers: list[nn.Module], moving: set[nn.Module]) -> tuple[nn.Module, ...]:
    """The modules that nothing may change: layers that do not learn, and the rest of what does not hold one that does.

    A network that computes with functions instead of modules asks its own mode, so a part is as its layers are.
    """
    still, before = [], layers[0] in moving  # whether the layer before this module learns
    for part in backbone.modules():
        if any(True for _ in part.parameters(recurse=False)):
            before = learns = part in moving
        elif any(True for _ in part.parameters()):
            learns = any(inner in moving for inner in part.modules())
        else:
            learns = before
        if not learns:
            still.append(part)
    return tuple(still)
