"""The prediction table of masks: for every image of a split which pixels were taken for what. All reports come from it.

One row holds the sample and its confusion over pixels, so truth and answers can never drift apart, and an image needs
no more room than that. The masks themselves lie beside it as index PNGs. On disk it is one CSV that any spreadsheet
reads; `0>1:33` says that 33 pixels of class 0 were taken for class 1, and the last columns say, in pixels, how far the
outlines of truth and answer lie apart on average and at the 95th percentile:

    sample_id,file,split,checkpoint,width,height,pixels,outline:sky,outline95:sky
    000017,a/b.jpg,validation,"epoch 4, 81f3...",64,48,0>0:3000 0>1:33 1>1:39,0.8,2.1
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from core.errors import InputError
from core.evaluate.predictions import read_table
from core.workspace import replacing

LEVELS = 100  # bins of the foreground's probability, each a hundredth wide

_FACTS = ["sample_id", "file", "split", "checkpoint", "width", "height", "pixels"]
_OUTLINE, _OUTLINE95 = "outline:", "outline95:"
_LONGEST_CELL = 2**24  # characters of one CSV cell; 254 classes, all taken for each other, need a few hundred thousand
_CELL = re.compile(r"(\d+)>(\d+):(\d+)")


@dataclass(frozen=True, eq=False)
class MaskTable:
    """What one checkpoint makes of one split, at the size of each image."""

    classes: tuple[str, ...]
    ids: tuple[str, ...]  # of the samples, in the order of the dataset
    files: tuple[str, ...]  # the name each sample came with
    sizes: np.ndarray  # (N, 2) int64: width and height in pixels
    confusion: np.ndarray  # (N, K, K) int64, rows = truth; without what the truth ignores
    outlines: np.ndarray  # (N, K, 2) float64, pixels: mean and 95th percentile; NaN where truth or answer has none
    split: str
    checkpoint: str  # which weights: their epoch and a hash of them

    def __post_init__(self) -> None:
        n, k = len(self.ids), len(self.classes)
        shapes = self.sizes.shape, self.confusion.shape, self.outlines.shape
        if len(self.files) != n or shapes != ((n, 2), (n, k, k), (n, k, 2)):
            raise ValueError(f"{n} ids, {len(self.files)} files, {k} classes and arrays of shapes {shapes}")

    def __len__(self) -> int:
        return len(self.ids)

    def write(self, path: Path) -> None:
        """Write the table as CSV, whole or not at all. Raises StorageError when the disk is full."""
        with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            outlines = [prefix + name for name in self.classes for prefix in (_OUTLINE, _OUTLINE95)]
            table.writerow([*_FACTS, *outlines])
            columns = zip(self.ids, self.files, self.sizes.tolist(), self.confusion, self.outlines, strict=True)
            for id, name, size, confusion, outline in columns:
                cells = [f"{row}>{column}:{confusion[row, column]}" for row, column in np.argwhere(confusion)]
                # repr gives as many digits as name a 64-bit number without doubt.
                distances = ["" if np.isnan(value) else repr(value) for value in outline.ravel().tolist()]
                table.writerow([id, name, self.split, self.checkpoint, *size, " ".join(cells), *distances])

    @classmethod
    def read(cls, path: Path) -> Self:
        """The table in a CSV that `write` made, number by number as it was.

        Raises InputError when there is no such file, or when a line of it is not what `write` makes.
        """
        csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
        return read_table(path, cls._parse)

    @classmethod
    def _parse(cls, lines: Iterable[list[str]]) -> Self:
        header, *rows = list(lines) or [[]]
        classes = tuple(name.removeprefix(_OUTLINE) for name in header[len(_FACTS) :: 2])
        wanted = [prefix + name for name in classes for prefix in (_OUTLINE, _OUTLINE95)]
        if not classes or header != [*_FACTS, *wanted]:
            raise ValueError("other columns than " + ",".join([*_FACTS, _OUTLINE + "CLASS", _OUTLINE95 + "CLASS"]))
        if not rows:
            raise ValueError("a table without a row")
        for line, row in enumerate(rows, start=2):
            if len(row) != len(header):
                raise ValueError(f"row {line} has {len(row)} cells instead of {len(header)}")
        ids, files, splits, checkpoints, widths, heights, pixels, *outlines = zip(*rows, strict=True)
        if len(set(splits)) > 1 or len(set(checkpoints)) > 1:
            raise ValueError("rows of more than one split or checkpoint")
        distances = np.array([[float(cell or "nan") for cell in column] for column in outlines])
        return cls(
            classes=classes,
            ids=ids,
            files=files,
            sizes=np.array(list(zip(widths, heights, strict=True)), dtype=np.int64),
            confusion=_confusions(pixels, len(classes)),
            outlines=np.ascontiguousarray(distances.T).reshape(len(rows), len(classes), 2),
            split=splits[0],
            checkpoint=checkpoints[0],
        )


@dataclass(frozen=True, eq=False)
class Levels:
    """For two classes: the pixels of every image by how probable the foreground, class 1, is there.

    Bin b counts pixels whose probability lies between b/100 and (b + 1)/100; what the model took for foreground lies in
    bin 50 or above. A threshold then needs no second look at the images.
    """

    counts: np.ndarray  # (N, 2, 100) int64: by true class and bin, in the order of the table's rows
    checkpoint: str

    def write(self, path: Path) -> None:
        """Write the counts, whole or not at all. Raises StorageError when the disk is full."""
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, counts=self.counts, checkpoint=np.array(self.checkpoint))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The counts in a file that `write` made. Raises InputError when there is none or it cannot be read."""
        try:
            with np.load(path, allow_pickle=False) as file:
                counts, checkpoint = file["counts"], str(file["checkpoint"])
            if counts.ndim != 3 or counts.shape[1:] != (2, LEVELS):
                raise ValueError(f"counts of shape {counts.shape}")
        except Exception as error:  # a damaged archive makes zipfile, zlib and NumPy fail in ways of their own
            raise InputError(f"{path.name} cannot be read", found=str(error), do="Evaluate the run again") from error
        return cls(counts, checkpoint)


def levels_of(probabilities: np.ndarray) -> np.ndarray:
    """The bin of every pixel, uint8 (H, W) from 0 to 99, of probabilities (2, H, W): of class 1, in hundredths.

    A pixel lies in bin 50 or above exactly if class 1 is the more probable one, however the probabilities are rounded.
    """
    bins = np.clip(probabilities[1] * LEVELS, 0, LEVELS - 1).astype(np.uint8)
    foreground = probabilities[1] > probabilities[0]
    half = LEVELS // 2
    return np.where(foreground, np.maximum(bins, half), np.minimum(bins, half - 1)).astype(np.uint8)


def count_levels(truth: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Counts of pixels (2, 100) by true class and bin, of a true mask and its bins (H, W); ignored ones left out."""
    known = truth < 2
    cells = truth[known].astype(np.uint16) * LEVELS + levels[known]
    return np.bincount(cells, minlength=2 * LEVELS).reshape(2, LEVELS)


def _confusions(cells: Iterable[str], k: int) -> np.ndarray:
    rows = []
    for line, text in enumerate(cells, start=2):
        confusion = np.zeros((k, k), dtype=np.int64)
        for cell in text.split():
            found = _CELL.fullmatch(cell)
            if not found or int(found[1]) >= k or int(found[2]) >= k:
                raise ValueError(f"row {line} has {cell!r} among its pixels")
            confusion[int(found[1]), int(found[2])] = int(found[3])
        rows.append(confusion)
    return np.stack(rows)
