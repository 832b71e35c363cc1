"""Reading weight files, and finding in them the tensors that a network wants. Nothing in a file is ever executed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from core.errors import WeightsError

Tensors = dict[str, torch.Tensor]


def read_tensors(path: Path, *, device: str = "cpu") -> Tensors:
    """The tensors of a weight file by name, out of the wrappers that training scripts put around them.

    On the device "meta" they are shapes without numbers, which costs neither time nor memory.
    Raises WeightsError when the file is damaged or holds more than tensors.
    """
    try:
        if path.suffix.lower() == ".safetensors":
            content = _shapes(path) if device == "meta" else load_file(path, device)
        else:
            content = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # bytes that are no weights make the unpickler fail in any way there is
        raise WeightsError(
            f"{path.name} is not a weight file that can be read safely",
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            expected="safetensors, or a PyTorch file that holds only tensors",
        ) from error
    for wrapper in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        content = {}
    return {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}


def _shapes(path: Path) -> Tensors:
    with safe_open(path, framework="pt") as file:
        return {key: torch.empty(file.get_slice(key).get_shape(), device="meta") for key in file.keys()}  # noqa: SIM118


def pixels_of(found: Tensors) -> tuple[Any, Any] | None:
    """Mean and standard deviation of pixels in [0, 1], red, green, blue, that a model of Fovea carries; else None."""
    pair = found.get("mean"), found.get("std")
    if any(one is None or one.shape != (1, 3, 1, 1) or one.is_meta for one in pair):
        return None
    mean, std = (one.flatten().tolist() for one in pair)
    return (mean, std) if min(std) > 0 else None


def by_name(found: Tensors, wanted: Tensors, prefixes: tuple[str, ...]) -> Tensors | None:
    """The wanted tensors under their own names, or behind one of the prefixes; None when one lacks or differs."""
    for prefix in ("", *prefixes):
        weights = {key: found.get(prefix + key) for key in wanted}
        for key in wanted:
            if weights[key] is None and key.endswith("num_batches_tracked"):
                weights[key] = wanted[key]  # a mere counter, which files of old lack
        if all(value is not None and value.shape == wanted[key].shape for key, value in weights.items()):
            return weights
    return None


def by_order(found: Tensors, wanted: Tensors) -> Tensors | None:
    """The wanted tensors from a file that has the same ones in the same order under other names, as lite0's package.

    None unless every tensor has the shape and the kind (weight, bias, running_mean ...) of the one in its place, and
    nothing is left over but the weight and bias of a classifier.
    """
    pairs = list(zip(found.items(), wanted.items(), strict=False))
    fits = all(
        theirs.shape == ours.shape and their_name.rpartition(".")[2] == our_name.rpartition(".")[2]
        for (their_name, theirs), (our_name, ours) in pairs
    )
    rest = [name.rpartition(".")[2] for name in list(found)[len(wanted) :]]
    if not fits or len(pairs) < len(wanted) or rest not in ([], ["weight", "bias"]):
        return None
    return {our_name: theirs for (_, theirs), (our_name, _) in pairs}


def first_misfit(found: Tensors, wanted: Tensors) -> str:
    """What a person should know of a file that does not fit: the first tensor that lacks or has another shape."""
    if not found:
        return "no tensor"
    for key, tensor in wanted.items():
        if key in found and found[key].shape != tensor.shape:
            return f"{key} of shape {tuple(found[key].shape)} instead of {tuple(tensor.shape)}"
    missing = next((key for key in wanted if key not in found), "")
    return f"{len(found)} tensors" + (f", among them no {missing}" if missing else "")
