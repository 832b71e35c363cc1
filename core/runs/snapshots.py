"""Which epochs of a run can be gone back to: the files of its weights after each of them. Reading this needs no torch.

`start.safetensors` holds what the tensors that training changed were before it did; `epoch-00012.safetensors` what they
were after epoch 12. All other tensors are those of the best model.
"""

import re
from pathlib import Path

from core.runs.run import RunPaths
from core.workspace import read_json

START = 0  # the epoch before the first one
_NAME = re.compile(r"epoch-(\d{5,})\.safetensors")


def start_of(folder: Path) -> Path:
    """The file of the weights before training changed them, in a run's folder of snapshots."""
    return folder / "start.safetensors"


def snapshot_of(folder: Path, epoch: int) -> Path:
    """The file of the weights after an epoch (from 1)."""
    return folder / f"epoch-{epoch:05d}.safetensors"


def epochs_kept(folder: Path) -> list[int]:
    """The epochs (from 1) whose weights are in a folder of snapshots, in their order."""
    try:
        names = [file.name for file in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))


def bytes_kept(folder: Path) -> int:
    """How much a folder of snapshots holds."""
    files = [start_of(folder), *(snapshot_of(folder, epoch) for epoch in epochs_kept(folder))]
    return sum(file.stat().st_size for file in files if file.exists())


def epochs_to_visit(paths: RunPaths) -> list[int]:
    """The epochs whose network can be asked: START, those with a snapshot, and the best one. [] where there is none.

    A run made before there were snapshots has none, nor has one whose network is too large for them.
    """
    kept = epochs_kept(paths.snapshots)
    if not kept or not start_of(paths.snapshots).exists() or not paths.best.exists():
        return []
    best = (read_json(paths.best_facts) or {}).get("epoch")
    return sorted({START, *kept} | ({int(best)} if isinstance(best, int | float) else set()))
