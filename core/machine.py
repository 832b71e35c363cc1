"""What this machine computes with, asked without importing torch: the same answer for a page and for a worker."""

import os
import platform
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

# What the numbers of a run depend on, besides Python.
LIBRARIES = ("torch", "torchvision", "timm", "segmentation-models-pytorch", "scikit-learn", "scipy", "numpy")
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # of NVIDIA, of AMD, and of Windows below Linux


def cores() -> int:
    """How many CPU cores this process may use: a container or a batch system may allow fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu_here() -> bool:
    """Whether a run on "auto" may find a GPU here: its driver is there and not hidden from this process."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return False
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32" / "nvcuda.dll").exists()
    return any(Path(driver).exists() for driver in _DRIVERS)


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that numbers depend on, of those that are installed."""
    found = {"Python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
