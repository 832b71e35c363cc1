"""Searching all of timm's names: by words, by size, by whether there are pretrained weights and whether they are here.

What timm ships does not say how many weights a network has, and to build all of its networks takes minutes, even as
shapes without numbers. So the numbers stand in a file beside this one, made by `write_sizes`; a network that is not in
it, of another version of timm, is built as shapes when it is first found.
"""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.models.catalog import find_row
from core.models.weights import PACKAGES, weights_state
from core.workspace import replacing

SIZES = Path(__file__).with_name("sizes.json")
MOST = 50  # results


def search(
    text: str,
    *,
    largest: float | None = None,
    pretrained: bool | None = None,
    here: bool | None = None,
    limit: int = MOST,
) -> list[dict[str, Any]]:
    """The backbones whose names hold every word of `text`, as plain data.

    The whole name comes first, then what may be used without a download, then names that begin so; small ones first.

    {"name", "parameters" (of the backbone without a head), "pretrained" (whether timm publishes weights), "here"
    (whether they are on this machine), "weights" (a sentence about that), "image_size" (pixels, square, that they were
    trained with), "licence" (of the weights; "" if unknown), "label" (in the catalog; "" outside)}. `largest` is in
    millions of parameters; None leaves a choice out. A name stands without a tag for the training that timm prefers;
    its other trainings follow as "name.tag". Nothing is downloaded.
    """
    words = [_letters(word) for word in text.split() if _letters(word)]
    cached = _cached_names()
    found = []
    for name in _names():
        letters = _letters(name)
        if not all(word in letters for word in words):
            continue
        if pretrained is not None and _has_weights(name) is not pretrained:
            continue
        if here is not None and (name in cached and weights_state(name).here) is not here:
            continue
        if largest is not None and parameters_of(name) > largest * 1e6:
            continue
        found.append(name)
    found.sort(key=lambda name: _distance(name, words, cached))
    return [_told(name) for name in found[:limit]]


def parameters_of(name: str) -> int:
    """Weights of a timm network without its classifier. The name has to be one of timm's."""
    architecture = name.partition(".")[0]
    return _table().get(architecture) or _counted(architecture)


def write_sizes(path: Path = SIZES) -> None:
    """Count the weights of all of timm's networks anew, which takes a minute or two, and write them down."""
    import timm

    counts = {name: _counted(name) for name in timm.list_models()}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"timm": timm.__version__, "parameters": counts}, indent=2) + "\n")


def _told(name: str) -> dict[str, Any]:
    import timm

    config, row, state = timm.get_pretrained_cfg(name), find_row(name), weights_state(name)
    known = _has_weights(name)
    return {
        "name": name,
        "parameters": parameters_of(name),
        "pretrained": known,
        "here": state.here,
        "weights": state.sentence if known or state.here else "timm publishes no weights for it: it starts at random.",
        "image_size": config.input_size[-1] if config else 224,
        "licence": (row.licence if row else config.license if config else "") or "",
        "label": row.label if row else "",
    }


def _distance(name: str, words: list[str], cached: frozenset[str]) -> tuple:
    letters, asked = _letters(name), "".join(words)
    return letters != asked, name not in cached, not letters.startswith(asked), "." in name, parameters_of(name), name


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())  # so that "ConvNeXt-Tiny" finds convnext_tiny


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    import timm

    bare = timm.list_models()
    usual = {f"{name}.{config.tag}" for name in bare if (config := timm.get_pretrained_cfg(name))}
    return (*bare, *(name for name in timm.list_models(pretrained=True) if "." in name and name not in usual))


@lru_cache(maxsize=4096)
def _has_weights(name: str) -> bool:
    import timm

    config = timm.get_pretrained_cfg(name)
    return bool(config and config.hf_hub_id)


def _cached_names() -> frozenset[str]:
    """The names of which some weights may be here, with tags and without."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folders = [folder.name.removeprefix("models--timm--") for folder in Path(HF_HUB_CACHE).glob("models--timm--*")]
    return frozenset((*PACKAGES, *folders, *(name.partition(".")[0] for name in folders)))


@lru_cache(maxsize=1)
def _table() -> dict[str, int]:
    return json.loads(SIZES.read_text(encoding="utf-8"))["parameters"]


@lru_cache(maxsize=4096)
def _counted(architecture: str) -> int:
    import timm
    import torch

    with torch.device("meta"):
        return sum(one.numel() for one in timm.create_model(architecture, num_classes=0).parameters())
