"""Where a run computes and how precisely, over Hugging Face Accelerate."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from timm.layers import convert_sync_batchnorm

from core.errors import RecipeError
from core.machine import cores
from core.recipe import Recipe

_NO_MEMORY = ("can't allocate memory", "out of memory", "_alloc_failed")
TENSOR_CORES = (7, 0)  # the first compute capability of NVIDIA's GPUs with units for float16
_PRECISIONS = {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}  # Accelerate's words and ours


def precision_of(accelerator: Accelerator) -> str:
    """ "float32", "bfloat16" or "float16"."""
    return _PRECISIONS[accelerator.mixed_precision]


@contextmanager
def accelerator_for(recipe: Recipe) -> Iterator[Accelerator]:
    """An Accelerator for the recipe's device and precision, released at the end.

    "auto" is a GPU where there is one, in the precision of `quickest`; a CPU always in float32, since half precision
    there is slower by far. Raises RecipeError for a device this machine does not have, and for a precision that the
    device does not compute in.
    """
    # Accelerate keeps its settings per process and refuses others; the next run in this process may want others.
    AcceleratorState._reset_state(reset_partial_state=True)
    torch.backends.cudnn.benchmark = True  # pictures of one size: the quickest way to compute is looked for once
    on_cpu, precision = _on_cpu(recipe), _precision(recipe)
    try:
        accelerator = Accelerator(cpu=on_cpu, mixed_precision=precision)
    except ValueError as error:
        raise RecipeError("precision", found=f"{recipe.precision!r}: {error}", do='Choose "auto"') from None
    # Accelerate looks for garbage whenever memory is to be freed. Without what all the libraries hold that takes no
    # time; with it, 0.4 seconds at the end of every phase.
    gc.freeze()
    try:
        yield accelerator
    finally:
        accelerator.free_memory()
        gc.unfreeze()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        AcceleratorState._reset_state(reset_partial_state=True)


def quickest() -> str:
    """The precision in which the GPU here is quickest, as Accelerate calls it: bfloat16 or float16 where it has units
    for them. An older NVIDIA GPU takes bfloat16 too, but makes it out of float32, which is slower than float32."""
    if not torch.cuda.is_available():
        return "no"
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16"
    return "fp16" if torch.cuda.get_device_capability() >= TENSOR_CORES else "no"


def loader_processes(device: torch.device) -> int:
    """How many processes prepare images for the device; 0: the training process does it itself.

    A GPU would wait for one process. On a CPU, more of them would only take turns with the model for the same cores.
    """
    return min(16, max(1, cores() - 1)) if device.type == "cuda" else 0


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of PyTorch means that the memory of the device, or of the machine, was not enough."""
    told = str(error).lower()  # by libraries below PyTorch, too, which have no kind of error for it
    return isinstance(error, torch.OutOfMemoryError) or any(words in told for words in _NO_MEMORY)


def together(model: torch.nn.Module, accelerator: Accelerator) -> torch.nn.Module:
    """The model, its batch norms joined over the GPUs that share a batch, so that they see the whole of it."""
    if accelerator.num_processes > 1 and accelerator.device.type == "cuda":
        return convert_sync_batchnorm(model)
    return model


def draws() -> dict[str, Any]:
    """Where PyTorch's generators stand."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []}


def set_draws(saved: dict[str, Any]) -> None:
    """Let PyTorch's generators go on from where they stood."""
    torch.set_rng_state(saved["cpu"])
    if saved["cuda"]:
        torch.cuda.set_rng_state_all(saved["cuda"])


def _on_cpu(recipe: Recipe) -> bool:
    if recipe.device in ("cuda", "mps") and not getattr(torch, recipe.device).is_available():
        raise RecipeError("device", found=repr(recipe.device), expected="a device of this machine", do='Choose "auto"')
    return recipe.device == "cpu" or (recipe.device == "auto" and not torch.accelerator.is_available())


def _precision(recipe: Recipe) -> str:
    if _on_cpu(recipe):
        if recipe.precision in ("bfloat16", "float16"):
            raise RecipeError(
                "precision", found=f"{recipe.precision!r} on a CPU", expected="float32", do='Choose "auto"'
            )
        return "no"
    if recipe.precision == "auto":
        return quickest()
    return {ours: theirs for theirs, ours in _PRECISIONS.items()}[recipe.precision]
