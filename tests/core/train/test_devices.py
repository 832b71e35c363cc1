"""Where a run computes and how precisely, as far as that can be told without a GPU."""

import pytest
import torch

from core.errors import RecipeError
from core.recipe import Recipe
from core.train.devices import accelerator_for, out_of_memory, quickest


@pytest.mark.parametrize(
    ("capability", "precision"),
    [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((7, 0), "fp16"), ((6, 1), "no")],
)
def test_a_gpu_computes_in_half_precision_only_where_it_has_units_for_it(monkeypatch, capability, precision):
    """PyTorch says of any GPU that it supports bfloat16, unless it is told not to count what is emulated."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or capability >= (8, 0)
    )
    assert quickest() == precision


def test_without_a_gpu_of_cuda_nothing_is_halved(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert quickest() == "no"


def test_a_precision_that_the_device_does_not_compute_in_is_one_sentence(monkeypatch):
    def refuses(**_):
        raise ValueError("bf16 mixed precision requires a supported device.")

    monkeypatch.setattr("core.train.devices.Accelerator", refuses)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    told = pytest.raises(RecipeError, match="precision: found 'bfloat16': bf16 mixed precision requires")
    with told, accelerator_for(Recipe().set({"precision": "bfloat16"})):
        pass


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
)
def test_a_lack_of_memory_is_known_in_the_words_of_every_device(error):
    assert out_of_memory(error)


def test_other_errors_are_no_lack_of_memory():
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
