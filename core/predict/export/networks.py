"""How a network is built without Fovea: the call of timm or SMP, and the few facts that go with it."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import timm
import torch

from core.models.architectures import architecture
from core.models.heads import head_row
from core.models.network import PixelNetwork
from core.models.unets import Idle, encoder_options
from core.recipe import ModelChoice, Recipe, SegmentationRecipe


def network_facts(recipe: Recipe, model: PixelNetwork, classes: int) -> dict[str, Any]:
    """What `network.py.jinja` asks for: texts of Python, for a model that Fovea has built."""
    facts = {
        "mean": [float(one) for one in model.mean.flatten()],
        "std": [float(one) for one in model.std.flatten()],
        "idle": [],
    }
    if isinstance(recipe, SegmentationRecipe):
        idle = [name for name, part in model.network.encoder.named_modules() if isinstance(part, Idle)]
        return facts | {
            "architecture": repr(recipe.model.architecture),
            "encoder": repr(recipe.model.encoder),
            "number": classes,
            "options": _arguments(_segmenter_options(recipe, model)),
            "idle": [repr(name) for name in idle],
            "padding": model.padded(recipe.image_size) - recipe.image_size,
        }
    return facts | {
        "backbone": repr(recipe.model.backbone),
        "options": _arguments(_backbone_options(recipe.model)),
        "head": _head(recipe.model, model.width, classes),
    }


def _arguments(options: dict[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in options.items())


def _head(choice: ModelChoice, width: int, classes: int) -> str:
    if not head_row(choice.head).dense:
        return f"nn.Sequential(nn.Dropout({choice.dropout}), nn.Linear({width}, {classes}))"
    return (
        f"nn.Sequential(\n            nn.Linear({width}, {choice.hidden}), nn.ReLU(), nn.Dropout({choice.dropout}), "
        f"nn.Linear({choice.hidden}, {classes})\n        )"
    )


def _backbone_options(choice: ModelChoice) -> dict[str, Any]:
    """What timm is told of a backbone, besides its name: the first of these that it takes."""
    config = timm.get_pretrained_cfg(choice.backbone)
    sized = {"dynamic_img_size": True, "dynamic_img_pad": True} if config and config.fixed_input_size else {}
    dropped = {"drop_path_rate": choice.drop_path} if choice.drop_path else {}
    for options in (sized | dropped, dropped):
        with suppress(TypeError), torch.device("meta"):
            timm.create_model(choice.backbone, num_classes=0, **options)
            return options
    return {}


def _segmenter_options(recipe: SegmentationRecipe, model: PixelNetwork) -> dict[str, Any]:
    """What SMP is told of an encoder, besides its name: the first of these with which it makes this very network."""
    import segmentation_models_pytorch as smp

    names = set(model.network.state_dict())
    for options in _told(recipe):
        with suppress(Exception), torch.device("meta"):  # encoders by many hands say no in as many ways
            found = smp.create_model(
                recipe.model.architecture, encoder_name=recipe.model.encoder, encoder_weights=None, classes=2, **options
            )
            if names <= set(found.state_dict()):
                return options
    return {}


def _told(recipe: SegmentationRecipe) -> Iterator[dict[str, Any]]:
    row = architecture(recipe.model.architecture)
    yield from encoder_options(row, recipe.model.encoder, recipe.image_size)
