"""A segmentation network: SMP's encoder and decoder give every pixel of an image a class."""

import copy
import json
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from segmentation_models_pytorch.encoders import encoders as SMP_ENCODERS
from torch import nn
from torch.nn import functional

from core.errors import RecipeError, WeightsError
from core.models.architectures import TIMM_PREFIX, ArchitectureRow, architecture
from core.models.network import PixelNetwork
from core.models.saved import saved_model
from core.models.weight_files import Tensors, by_name, by_order, first_misfit, pixels_of, read_tensors
from core.models.weights import is_file, locate
from core.recipe import SegmenterChoice

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# What stands before the names of an encoder's tensors in files of whole models: of several GPUs, of Fovea's classifiers
# and segmenters, of SMP's networks.
_WRAPPERS = ("module.", "backbone.", "network.encoder.model.", "network.encoder.", "encoder.model.", "encoder.")


class Segmenter(PixelNetwork):
    """`network(normalise(images))`: logits (N, K, S, S) of images, one for each class and pixel."""

    def __init__(self, network: nn.Module, *, multiple: int, smallest: int, mean: Any, std: Any) -> None:
        super().__init__(mean=mean, std=std)
        self.network = network
        self.multiple = multiple  # pixels: sides are padded to a multiple of it
        self.smallest = smallest  # pixels: and to no less than this

    @property
    def backbone(self) -> nn.Module:
        """The encoder: what "last 4 layers" counts."""
        return self.network.encoder

    @property
    def head(self) -> nn.Module:
        """What starts at random: the decoder and the layer that gives the classes."""
        return nn.ModuleList([self.network.decoder, self.network.segmentation_head])

    def padded(self, side: int) -> int:
        """The side, in pixels, that the network works at for an image side."""
        return padded(side, self.multiple, self.smallest)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N, K, H, W) of normalised images (N, 3, H, W).

        A side that the network cannot take is padded on the right or at the bottom with the image's last column or row,
        and the logits are cropped back.
        """
        height, width = images.shape[-2:]
        below, right = self.padded(height) - height, self.padded(width) - width
        if below or right:
            images = functional.pad(images, (0, right, 0, below), mode="replicate")
        return self.network(images)[..., :height, :width]


def padded(side: int, multiple: int, smallest: int) -> int:
    """The next multiple from a side on, in pixels, and no less than the smallest."""
    return -(-max(side, smallest) // multiple) * multiple


def build_segmenter(
    choice: SegmenterChoice, classes: int, image_size: int, *, pretrained: bool = True, names: Sequence[str] = ()
) -> Segmenter:
    """A segmenter for `classes` classes and images of about `image_size` pixels, in training mode, channels last.

    With `pretrained=False` the encoder is left random whatever the choice says: for a model about to be loaded. The
    decoder starts at random, drawn from torch's global generator; seed it first. Only where the weights are a model of
    another run with the same architecture for classes of these `names` in this order is the decoder taken from it too.
    `origin` of the model says which happened.

    Raises RecipeError for an architecture or encoder there is none of, and for two that do not go together;
    WeightsError when the encoder's weights are not to be had or do not fit.
    """
    row = architecture(choice.architecture)
    network, multiple, smallest = _network(row, choice.encoder, classes, image_size)
    mean, std = _pixels(choice.encoder)
    path = locate(choice) if pretrained else None
    found: Tensors = {}
    if path is not None:
        found = load_encoder(network.encoder, path, choice.encoder)
        mean, std = pixels_of(found) or _told_beside(path, choice.encoder) or (mean, std)
    model = Segmenter(network, multiple=multiple, smallest=smallest, mean=mean, std=std)
    if pretrained:
        model.origin = _origin(model, choice, path, found, names)
    return model.to(memory_format=torch.channels_last)


def _origin(model: Segmenter, choice: SegmenterChoice, path: Path | None, found: Tensors, names: Sequence[str]) -> str:
    """Take the decoder too where it is the same one, and say what the model starts from."""
    if path is None:
        return "Encoder and decoder start at random."
    if not is_file(choice):
        return f"The encoder starts from its pretrained weights ({path.name}), the decoder at random."
    saved = saved_model(path)
    if saved is None:
        return f"The encoder starts from {path.name}, the decoder at random."
    weights = by_name(found, model.network.state_dict(), ("network.",))
    reason = saved.same_whole(choice, names) or ("" if weights else "the file has no such decoder")
    if reason:
        return f"The encoder starts from run {saved.run}, the decoder at random, since {reason}."
    model.network.load_state_dict(weights)
    return f"Encoder and decoder start from run {saved.run}, which has the same classes in the same order."


def load_encoder(encoder: nn.Module, path: Path, name: str) -> Tensors:
    """Fill an encoder from a weight file: timm's or SMP's own, a classifier or segmenter of Fovea, lite0's package.

    Gives all that the file holds. Raises WeightsError when the file is damaged or lacks a tensor of the encoder.
    """
    found = read_tensors(path)
    encoder.load_state_dict(fitting(found, encoder.state_dict(), path, name))
    return found


def fitting(found: Tensors, wanted: Tensors, path: Path, name: str) -> Tensors:
    """The tensors that an encoder wants from those of a file; shapes are enough. Raises WeightsError if one lacks."""
    named = found
    if name.startswith(TIMM_PREFIX):
        with torch.device("meta"):
            whole = timm.create_model(name.removeprefix(TIMM_PREFIX), num_classes=0).state_dict()
        named = by_name(found, whole, _WRAPPERS) or by_order(found, whole) or found
        named = {key: value for key, value in named.items() if value is not whole.get(key)}  # counters it lacks
    weights = _by_flat_name(named, wanted)
    if weights is None:
        raise WeightsError(
            f"{path.name} does not fit {name}",
            found=first_misfit(found, wanted),
            expected=f"the {len(wanted)} tensors of {name}",
            do="Choose the encoder these weights were made for, or other weights",
        )
    return weights


def _network(row: ArchitectureRow, encoder: str, classes: int, image_size: int) -> tuple[nn.Module, int, int]:
    """SMP's network without weights, tried out; the multiple that sides must be of, and the smallest side.

    Raises RecipeError where SMP cannot make one.
    """
    _check_encoder(encoder)
    reason: Exception | None = None
    for options in encoder_options(row, encoder, image_size):
        try:
            with warnings.catch_warnings(action="ignore"):  # of encoders' old names, and of how weights are asked for
                network = smp.create_model(
                    row.name, encoder_name=encoder, encoder_weights=None, classes=classes, **options
                )
            multiple = _multiple(network.encoder)
            smallest = max(row.smallest, multiple)
            _leave_out_idle(network, padded(image_size, multiple, smallest))
        except Exception as error:  # some hundred encoders by many hands say no in as many ways
            if "meta tensors" in str(error):  # this one computes while it is built
                raise NotImplementedError(str(error)) from error
            reason = error
        else:
            return network, multiple, smallest
    raise RecipeError(
        "model.encoder", found=f"{encoder}, which {row.label} cannot stand on ({reason})", do="Choose another encoder"
    ) from reason


class Idle(nn.Module):
    """In place of a layer whose answer nobody reads."""

    def forward(self, maps: Any, *_: Any, **__: Any) -> Any:
        return maps


def _check_encoder(name: str) -> None:
    bare = name.removeprefix(TIMM_PREFIX)
    if name in SMP_ENCODERS or (name != bare and timm.is_model(bare)):
        return
    known = [*SMP_ENCODERS, *(TIMM_PREFIX + model for model in timm.list_models())]
    close = get_close_matches(name, known, n=5) or get_close_matches(TIMM_PREFIX + name, known, n=5)
    raise RecipeError(
        "model.encoder",
        found=repr(name),
        expected="an encoder of SMP, or tu- and a model name of timm" + (": " + ", ".join(close) if close else ""),
    )


def encoder_options(row: ArchitectureRow, encoder: str, image_size: int) -> list[dict[str, Any]]:
    """What to tell a timm encoder, the best first: transformers refuse every size but their own unless told."""
    if not encoder.startswith(TIMM_PREFIX):
        return [{}]
    config = timm.get_pretrained_cfg(encoder.removeprefix(TIMM_PREFIX))
    bare = {"num_classes": 0} if row.name == "dpt" else {}  # the others leave the classifier out by themselves
    sized = ({"dynamic_img_size": True}, {"img_size": -(-image_size // 32) * 32})
    return [*(bare | option for option in sized if config and config.fixed_input_size), bare]


def _multiple(encoder: nn.Module) -> int:
    strides = getattr(encoder, "output_strides", [])
    # DPT halves a transformer's grid of patches once more, and must get the same grid back when it doubles it again.
    halved = 2 if len(strides) > 1 and len(set(strides)) == 1 else 1
    return halved * encoder.output_stride


def _leave_out_idle(network: nn.Module, side: int) -> None:
    """Take away the layers of the encoder that its decoder reads nothing from.

    PSPNet stops at an eighth of the image, and some encoders still carry the last layer of their classifier. Such
    layers would be counted as trained, and some would be computed at every step. Raises what the network raises when it
    cannot take an image of this side.
    """
    # A copy of shapes without numbers: a tenth of a second, and no memory.
    parameters = {id(one): nn.Parameter(torch.empty_like(one, device="meta")) for one in network.parameters()}
    buffers = {id(one): torch.empty_like(one, device="meta") for one in network.buffers()}
    probe = copy.deepcopy(network, parameters | buffers).eval()
    with torch.enable_grad():
        logits = probe(torch.empty(1, 3, side, side, device="meta"))
        if logits.shape[-2:] != (side, side):
            raise ValueError(f"it makes {tuple(logits.shape[-2:])} of {side} pixels")
        logits.sum().backward()
    _replace_idle(network.encoder, probe.encoder)


def _replace_idle(part: nn.Module, probe: nn.Module) -> None:
    for name, inner in probe.named_children():
        parameters = list(inner.parameters())
        if parameters and all(parameter.grad is None for parameter in parameters):
            setattr(part, name, Idle())
        else:
            _replace_idle(getattr(part, name), inner)


def _pixels(encoder: str) -> tuple[Any, Any]:
    """Mean and standard deviation, of pixels in [0, 1], that an encoder was trained with."""
    if not encoder.startswith(TIMM_PREFIX):
        return IMAGENET
    config = timm.get_pretrained_cfg(encoder.removeprefix(TIMM_PREFIX))
    return (config.mean, config.std) if config else IMAGENET


def _told_beside(path: Path, encoder: str) -> tuple[Any, Any] | None:
    """Mean and deviation as SMP's repositories tell them beside the weights; None where nothing does."""
    if encoder.startswith(TIMM_PREFIX):
        return None  # timm knows them itself
    try:
        told = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
        mean, std = (tuple(map(float, told[name])) for name in ("mean", "std"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (mean, std) if len(mean) == len(std) == 3 and min(std) > 0 else None


def _by_flat_name(found: Tensors, wanted: Tensors) -> Tensors | None:
    """The wanted tensors from those found, though a wrapper around an encoder writes stages.0 as stages_0."""
    flat = {_flat(key): value for key, value in found.items()}
    return by_name(flat, {_flat(key): value for key, value in wanted.items()}, ()) and {
        key: flat.get(_flat(key), value) for key, value in wanted.items()
    }


def _flat(name: str) -> str:
    for prefix in _WRAPPERS:
        name = name.removeprefix(prefix)
    return name.removeprefix("model.").replace(".", "_")
