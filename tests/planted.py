"""Small datasets of drawn cells into which a test plants its faults: pictures go through an import as any others do."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from core.data.dataset import Dataset
from core.data.incoming import SplitRule, inspect, keep
from core.data.smear import CELLS, draw_cell
from core.workspace import Workspace

Files = dict[str, bytes]  # by where each picture lies: "train/eosinophil/001.jpg"

SPLIT = ("train",) * 6 + ("validation",) * 2 + ("test",) * 2  # of every ten pictures


def saved(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """A picture as a file."""
    options = {"quality": 92} | options if kind == "JPEG" else options
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def cell(kind: int, number: int, size: int = 48) -> Image.Image:
    """A drawn cell of the kind with this number in the table of cells; another number, another cell."""
    return draw_cell(CELLS[kind], size, 0.3, 1000 * kind + number)


def cells(classes: int = 2, each: int = 20, *, size: int = 48, given: bool = True) -> Files:
    """Drawn cells, `each` of every class, in folders of splits and classes or, unless `given`, of classes alone."""
    return {
        f"{SPLIT[number % 10] + '/' if given else ''}{CELLS[kind].name}/{number:03d}.jpg": saved(
            cell(kind, number, size)
        )
        for kind in range(classes)
        for number in range(each)
    }


def imported(workspace: Workspace, folder: Path, files: Mapping[str, bytes]) -> Dataset:
    """A dataset of these files; they are written under `folder` first."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    proposal = inspect(workspace, folder, name="Planted")
    return keep(workspace, proposal.id, rule=SplitRule())


def noise(size: int = 48, seed: int = 0) -> Image.Image:
    """A picture of noise, unlike any other."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)
