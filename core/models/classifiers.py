"""An image classifier: a timm backbone turns an image into features, and a head turns features into classes."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import timm
import torch
from timm.layers import DropPath
from torch import nn

from core.errors import RecipeError, WeightsError
from core.models.heads import build_head
from core.models.network import PixelNetwork
from core.models.saved import saved_model
from core.models.weight_files import Tensors, by_name, by_order, first_misfit, pixels_of, read_tensors
from core.models.weights import is_file, locate
from core.recipe import ModelChoice

CHUNK = 16  # images a pass on the CPU; see `in_chunks`
# What stands before the names of a backbone in files of whole models: of several GPUs, of Fovea's own.
WRAPPERS = ("module.", "backbone.", "network.encoder.model.")


class Classifier(PixelNetwork):
    """`head(features(normalise(images)))`: logits (N, K) of images."""

    def __init__(self, backbone: nn.Module, width: int, head: nn.Module, *, mean: Any, std: Any) -> None:
        super().__init__(mean=mean, std=std)
        self.backbone = backbone
        self.width = width  # F, the features of one image
        self.head = head

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Features (N, F) of normalised images (N, 3, S, S)."""
        return self.backbone(images)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N, K) of normalised images (N, 3, S, S)."""
        return self.head(self.features(images))


def build_classifier(
    choice: ModelChoice, classes: int, *, pretrained: bool = True, names: Sequence[str] = ()
) -> Classifier:
    """A classifier for `classes` classes with the chosen backbone and its weights, in training mode, channels last.

    With `pretrained=False` the weights are left random whatever the choice says: for a model about to be loaded. The
    head, and whatever else starts at random, is drawn from torch's global generator; seed it first. Where the weights
    are a model of another run with a head of the same kind for classes of these `names` in this order, the head is
    taken from it too. `origin` of the model says which happened.

    Raises RecipeError for a backbone timm does not know, for a head there is none of and for drop-path in a backbone
    without it; WeightsError when the weights are not to be had or do not fit.
    """
    backbone = _bare_backbone(choice.backbone, choice.drop_path)
    path = locate(choice) if pretrained else None
    found = load_weights(backbone, path, choice.backbone) if path is not None else {}
    config = backbone.pretrained_cfg
    mean, std = pixels_of(found) or (config["mean"], config["std"])
    head = build_head(choice, backbone.head_hidden_size, classes)
    model = Classifier(backbone, backbone.head_hidden_size, head, mean=mean, std=std)
    if pretrained:
        model.origin = _origin(model, choice, path, found, names)
    return model.to(memory_format=torch.channels_last)


def has_drop_path(name: str) -> bool:
    """Whether a backbone has residual branches that can be dropped. Raises RecipeError for an unknown one."""
    with torch.device("meta"):
        try:
            _bare_backbone(name, drop_path=0.1)
        except RecipeError as error:
            if error.what != "model.drop_path":
                raise
            return False
    return True


def _origin(model: Classifier, choice: ModelChoice, path: Path | None, found: Tensors, names: Sequence[str]) -> str:
    """Take the head too where it is the same one, and say what the model starts from."""
    if path is None:
        return "Backbone and head start at random."
    if not is_file(choice):
        return f"The backbone starts from its pretrained weights ({path.name}), the head at random."
    saved = saved_model(path)
    if saved is None:
        return f"The backbone starts from {path.name}, the head at random."
    wanted = model.head.state_dict()
    weights = by_name({key: value for key, value in found.items() if key.startswith("head.")}, wanted, ("head.",))
    reason = saved.same_whole(choice, names) or ("" if weights else "the file has no such head")
    if reason:
        return f"The backbone starts from run {saved.run}, the head at random, since {reason}."
    model.head.load_state_dict(weights)
    return f"Backbone and head start from run {saved.run}, which has the same classes in the same order."


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


def load_weights(backbone: nn.Module, path: Path, name: str) -> Tensors:
    """Fill a backbone from a weight file of its architecture: timm's own, one of Fovea's models, or lite0's package.

    Safetensors, or PyTorch files that hold nothing but tensors: nothing in a file is ever executed. Gives all that the
    file holds; a classifier at its end is left out of the backbone. Raises WeightsError when the file is damaged or its
    tensors are not those of `name`.
    """
    found = read_tensors(path)
    backbone.load_state_dict(fitting(found, backbone.state_dict(), path, name))
    return found


def fitting(found: Tensors, wanted: Tensors, path: Path, name: str) -> Tensors:
    """The tensors that a backbone wants from those of a file; shapes are enough. Raises WeightsError if one lacks."""
    weights = by_name(found, wanted, WRAPPERS) or by_order(found, wanted)
    if weights is None:
        raise WeightsError(
            f"{path.name} does not fit {name}",
            found=first_misfit(found, wanted),
            expected=f"the {len(wanted)} tensors of {name}",
            do="Choose the backbone these weights were made for, or other weights",
        )
    return weights


def _bare_backbone(name: str, drop_path: float = 0.0) -> nn.Module:
    if not timm.is_model(name):
        close = timm.list_models(f"*{name.split('.')[0]}*")[:5]
        raise RecipeError(
            "model.backbone",
            found=repr(name),
            expected="a model name of timm" + (": " + ", ".join(close) if close else ""),
        )
    config = timm.get_pretrained_cfg(name)
    # A vision transformer refuses every image size but its own unless it is told to adapt its grid of patches.
    sized = {"dynamic_img_size": True, "dynamic_img_pad": True} if config and config.fixed_input_size else {}
    dropped = {"drop_path_rate": drop_path} if drop_path else {}
    for options in (sized | dropped, dropped, {}):  # some architectures have no such options
        with suppress(TypeError):
            backbone = timm.create_model(name, num_classes=0, **options)
            break
    else:
        raise RecipeError("model.backbone", found=repr(name), expected="a model that timm builds without more options")
    if drop_path and not any(isinstance(part, DropPath) for part in backbone.modules()):
        raise RecipeError(
            "model.drop_path",
            found=f"{drop_path:g}",
            expected=f"0, since {name} has no residual branches that timm can drop",
        )
    return backbone
