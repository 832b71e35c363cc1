"""A network from its input to its head in stages: what "last 2 blocks" counts, and what tables of parameters list.

A block is one group of timm's coarse grouping of a network: a run of layers at one size of map in EfficientNet,
MobileNet, ResNet, DenseNet and ConvNeXt, one transformer block in ViT. What comes before the first block is the stem;
what comes after the last one (a final norm, EfficientNet's last convolution) belongs to that block. For an encoder that
wraps a timm network timm's grouping is read by the names it gave; where timm has none, as for SMP's own encoders, a
block is a part of the network that is made of several layers, and if there is no such part, a layer.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import timm
import torch
from torch import nn

_MOST_OF = 0.9  # the share of all parameters that makes a list of parts the network itself


@dataclass(frozen=True)
class Stage:
    """The stem, a block, or the head: how many weights it has, and the layers that own them."""

    name: str
    parameters: int
    layers: tuple[nn.Module, ...]


def layers_of(module: nn.Module) -> list[nn.Module]:
    """The modules that own parameters directly, in the order in which the network is built."""
    return [part for part in module.modules() if any(True for _ in part.parameters(recurse=False))]


def stages(backbone: nn.Module, head: nn.Module, *, head_name: str = "head") -> tuple[Stage, ...]:
    """The stem where there is one, "block 1", "block 2" ... and the head, in the order in which an image meets them."""
    stem, blocks = _stem_and_blocks(backbone)
    found = [_stage("stem", stem)] if stem else []
    found += [_stage(f"block {number}", layers) for number, layers in enumerate(blocks, start=1)]
    return (*found, _stage(head_name, layers_of(head)))


def blocks_of(backbone: nn.Module) -> tuple[tuple[nn.Module, ...], ...]:
    """The layers of each block, without the stem, in the order in which an image meets them."""
    return tuple(tuple(layers) for layers in _stem_and_blocks(backbone)[1])


def depths(backbone: nn.Module, *, coarse: bool) -> dict[str, int]:
    """How deep each parameter lies, by its name, from 0 at the input: counted in blocks or, finer, as timm does.

    A network that timm does not know is counted in blocks either way.
    """
    grouping = None if coarse else _timm_grouping(backbone, coarse=False)
    if grouping is not None:
        return grouping.depths
    stem, blocks = _stem_and_blocks(backbone)
    deep = {id(layer): depth for depth, layers in enumerate([stem, *blocks] if stem else blocks) for layer in layers}
    return {name: deep[id(layer)] for layer, names in _own_parameters(backbone) for name in names}


def _own_parameters(backbone: nn.Module) -> Iterator[tuple[nn.Module, list[str]]]:
    """Each layer and the names of the parameters that it owns directly."""
    for name, layer in backbone.named_modules():
        own = [f"{name}.{parameter}".lstrip(".") for parameter, _ in layer.named_parameters(recurse=False)]
        if own:
            yield layer, own


def _stage(name: str, layers: list[nn.Module]) -> Stage:
    return Stage(name, sum(one.numel() for layer in layers for one in layer.parameters(recurse=False)), tuple(layers))


def _stem_and_blocks(backbone: nn.Module) -> tuple[list[nn.Module], list[list[nn.Module]]]:
    grouping = _timm_grouping(backbone, coarse=True)
    if grouping is None:
        return _parts(backbone)
    groups: dict[int, list[nn.Module]] = {}
    for layer, names in _own_parameters(backbone):
        groups.setdefault(min(grouping.depths[name] for name in names), []).append(layer)
    found = [groups[depth] for depth in sorted(groups)]
    stem = found.pop(0) if grouping.stem and len(found) > 1 else []
    if grouping.tail in groups and len(found) > 1:
        found[-2:] = [found[-2] + found[-1]]
    return stem, found


# As timm groups


@dataclass(frozen=True)
class _Grouping:
    depths: dict[str, int]  # of each parameter, by its name
    stem: bool  # whether the first group is what timm calls the stem
    tail: int | None  # the group of all that timm's rules do not name, if there is such


def _timm_grouping(backbone: nn.Module, *, coarse: bool) -> _Grouping | None:
    inner = getattr(backbone, "model", backbone)  # SMP wraps timm's networks
    network, names = inner, {name: name for name, _ in inner.named_parameters()}
    if not hasattr(inner, "group_matcher"):  # one of timm's that only gives maps: its parts are those of the whole one
        name = getattr(backbone, "name", "")
        if inner is backbone or not (isinstance(name, str) and timm.is_model(name)):
            return None
        with torch.device("meta"):
            network = timm.create_model(name, num_classes=0)
        flat = {_flat(name): name for name, _ in network.named_parameters()}
        names = {name: flat.get(_flat(name), "") for name in names}
    try:
        matcher = network.group_matcher(coarse=coarse)
        found = timm.models.group_parameters(network, matcher, reverse=True)
        prefix = "" if inner is backbone else "model."
        grouped = {prefix + name: found[theirs] for name, theirs in names.items()}
    except (AssertionError, AttributeError, KeyError, TypeError):  # by another hand, or not to be grouped
        return None
    if len(set(grouped.values())) < 2 or len(grouped) < sum(1 for _ in backbone.named_parameters()):
        return None
    order = {depth: place for place, depth in enumerate(sorted(set(grouped.values())))}  # some may not be there
    unnamed = {order[found[name]] for name in names.values() if not _rules(matcher, name)}
    first = [theirs for name, theirs in names.items() if order[grouped[prefix + name]] == 0]
    stem = any("stem" in _rules(matcher, name) for name in first)
    tail = max(order.values()) if max(order.values()) in unnamed else None
    return _Grouping({name: order[depth] for name, depth in grouped.items()}, stem, tail)


def _rules(matcher: dict | Callable, name: str) -> list[str]:
    """Which of timm's rules name a parameter."""
    if not isinstance(matcher, dict):
        return ["blocks"]
    rules = (
        (key, [rule] if isinstance(rule, str) else [one[0] for one in rule or ()]) for key, rule in matcher.items()
    )
    return [key for key, patterns in rules if any(re.match(pattern, name) for pattern in patterns)]


def _flat(name: str) -> str:
    return name.replace(".", "_")  # as the wrapper writes stages.0


# As it is built


def _parts(backbone: nn.Module) -> tuple[list[nn.Module], list[list[nn.Module]]]:
    stem: list[nn.Module] = []
    blocks: list[list[nn.Module]] = []
    for part in _opened(backbone):
        layers = [part] if part is backbone else layers_of(part)
        if len(layers) > 1:
            blocks.append(layers)
        else:
            (blocks[-1] if blocks else stem).extend(layers)
    if blocks:
        return stem, blocks
    return [], [[layer] for layer in layers_of(backbone)]


def _opened(module: nn.Module) -> Iterator[nn.Module]:
    """The parts of a network that own parameters; a list that is nearly all of it is looked into."""
    if any(True for _ in module.parameters(recurse=False)):
        yield module
    whole = _weight(module)
    for part in module.children():
        listed = isinstance(part, nn.Sequential | nn.ModuleList) or len([*module.children()]) == 1
        if listed and _weight(part) >= _MOST_OF * whole and len([*part.children()]) > 0:
            yield from _opened(part)
        elif _weight(part):
            yield part


def _weight(module: nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())
