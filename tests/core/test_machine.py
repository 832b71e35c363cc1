"""What a page says about this machine is what a worker will find."""

import os
import subprocess
import sys

import pytest

from core.machine import cores, gpu_here, versions


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process to a core")
def test_only_the_cores_that_this_process_may_use_are_counted():
    pin = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    code = f"{pin}; from core.machine import cores; print(cores())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
    assert cores() == len(os.sched_getaffinity(0))


def test_a_gpu_that_is_hidden_from_this_process_is_not_here(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not gpu_here()


def test_where_torch_finds_a_gpu_one_is_here():
    import torch

    if torch.accelerator.is_available():
        assert gpu_here()


def test_versions_name_python_and_the_libraries_that_are_here():
    found = versions()

    assert found["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"torch", "numpy"} <= set(found)
