"""The files of a run's weights after each of its epochs, by their names. Reading these needs no torch.

`start.safetensors` holds what the tensors that training changed were before it did; `epoch-00012.safetensors` what they
were after epoch 12. All other tensors are those of the best model.
"""

import re
from pathlib import Path

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
