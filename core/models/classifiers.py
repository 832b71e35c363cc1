"""An image classifier: a timm backbone turns an image into features, and a head turns features into classes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from core.errors import RecipeError, WeightsError
from core.models.network import PixelNetwork
from core.models.weight_files import by_name, by_order, first_misfit, read_tensors
from core.models.weights import locate
from core.recipe import ModelChoice

CHUNK = 16  # images a pass on the CPU; see `in_chunks`
WRAPPERS = ("module.", "backbone.")  # what stands before the names of a backbone in files of whole models


class Classifier(PixelNetwork):
    """`head(features(normalise(images)))`: logits (N, K) of images."""

    def __init__(self, backbone: nn.Module, width: int, classes: int, *, dropout: float, mean: Any, std: Any) -> None:
        super().__init__(mean=mean, std=std)
        self.backbone = backbone
        self.width = width  # F, the features of one image
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, classes))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Features (N, F) of normalised images (N, 3, S, S)."""
        return self.backbone(images)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N, K) of normalised images (N, 3, S, S)."""
        return self.head(self.features(images))


def build_classifier(choice: ModelChoice, classes: int, *, pretrained: bool = True) -> Classifier:
    """A classifier for `classes` classes with the chosen backbone and its weights, in training mode, channels last.

    With `pretrained=False` the weights are left random whatever the choice says: for a model about to be loaded. The
    head, and whatever else starts at random, is drawn from torch's global generator; seed it first.

    Raises RecipeError for a backbone timm does not know, WeightsError when the weights are not to be had or do not fit.
    """
    backbone = _bare_backbone(choice.backbone)
    path = locate(choice) if pretrained else None
    if path is not None:
        load_weights(backbone, path, choice.backbone)
    config = backbone.pretrained_cfg
    model = Classifier(
        backbone,
        backbone.head_hidden_size,
        classes,
        dropout=choice.dropout,
        mean=config["mean"],
        std=config["std"],
    )
    return model.to(memory_format=torch.channels_last)


def in_chunks(
    function: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor, size: int = CHUNK
) -> torch.Tensor:
    """`function` of images (N, ...) in passes of exactly `size` images, the last one filled up; its rows (N, ...).

    Kernels add up in another order for another batch size, so the last bits of a result depend on it. With passes of
    one size the same image gives the same bits whatever the company it comes in. N may not be 0.
    """
    parts = []
    for start in range(0, len(images), size):
        chunk = images[start : start + size]
        if len(chunk) < size:
            chunk = torch.cat([chunk, chunk[-1:].expand(size - len(chunk), *chunk.shape[1:])])
        parts.append(function(chunk))
    return torch.cat(parts)[: len(images)]


def load_weights(backbone: nn.Module, path: Path, name: str) -> None:
    """Fill a backbone from a weight file of its architecture: timm's own, one of Fovea's models, or lite0's package.

    Safetensors, or PyTorch files that hold nothing but tensors: nothing in a file is ever executed. A classifier at the
    end of the file is left out. Raises WeightsError when the file is damaged or its tensors are not those of `name`.
    """
    found = read_tensors(path)
    wanted = backbone.state_dict()
    weights = by_name(found, wanted, WRAPPERS) or by_order(found, wanted)
    if weights is None:
        raise WeightsError(
            f"{path.name} does not fit {name}",
            found=first_misfit(found, wanted),
            expected=f"the {len(wanted)} tensors of {name}",
            do="Choose the backbone these weights were made for, or other weights",
        )
    backbone.load_state_dict(weights)


def _bare_backbone(name: str) -> nn.Module:
    if not timm.is_model(name):
        close = timm.list_models(f"*{name.split('.')[0]}*")[:5]
        raise RecipeError(
            "model.backbone",
            found=repr(name),
            expected="a model name of timm" + (": " + ", ".join(close) if close else ""),
        )
    config = timm.get_pretrained_cfg(name)
    # A vision transformer refuses every image size but its own unless it is told to adapt its grid of patches.
    options = {"dynamic_img_size": True, "dynamic_img_pad": True} if config and config.fixed_input_size else {}
    try:
        return timm.create_model(name, num_classes=0, **options)
    except TypeError:  # some architectures of fixed size have no such options
        return timm.create_model(name, num_classes=0)
