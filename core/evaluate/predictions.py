"""The prediction table: for every image of a split what it is and what the model says. All reports come from it.

One row holds the sample, its true class and all probabilities, so labels and predictions can never drift apart. On disk
it is one CSV that any spreadsheet reads:

    sample_id,file,split,checkpoint,truth,predicted,p:cat,p:dog
    000017,train/cat/a b.jpg,validation,"epoch 4, 81f3...",cat,cat,0.912,0.088
"""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from core.errors import InputError
from core.workspace import replacing

_FACTS = ["sample_id", "file", "split", "checkpoint", "truth", "predicted"]
_PROBABILITY = "p:"


Table = TypeVar("Table")


def read_table(path: Path, parse: Callable[[Iterable[list[str]]], Table]) -> Table:
    """What `parse` makes of the lines of a CSV, its header the first of them.

    Raises InputError when there is no such file, and when `parse` raises ValueError for a line.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return parse(csv.reader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"The prediction table {path.name} cannot be read", found=str(error), do="Evaluate the run again"
        ) from error


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """What one checkpoint says about one split."""

    classes: tuple[str, ...]
    ids: tuple[str, ...]  # of the samples, in the order of the dataset
    files: tuple[str, ...]  # the name each sample came with
    truth: np.ndarray  # (N,) int64, class numbers
    probabilities: np.ndarray  # (N, K) float32, in the order of `classes`
    split: str
    checkpoint: str  # which weights: their epoch and a hash of them

    def __post_init__(self) -> None:
        shape = (len(self.ids), len(self.classes))
        if self.probabilities.shape != shape or len(self.files) != shape[0] or self.truth.shape != shape[:1]:
            raise ValueError(
                f"{len(self.ids)} ids, {len(self.files)} files, truth {self.truth.shape}, "
                f"probabilities {self.probabilities.shape}, expected {shape}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def predicted(self) -> np.ndarray:
        """The most probable class of every row, (N,) int64; of equally probable ones the first."""
        return self.probabilities.argmax(axis=1)

    def write(self, path: Path) -> None:
        """Write the table as CSV, whole or not at all. Raises StorageError when the disk is full."""
        with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow([*_FACTS, *(_PROBABILITY + name for name in self.classes)])
            columns = zip(self.ids, self.files, self.truth, self.predicted, self.probabilities, strict=True)
            for id, name, truth, predicted, probabilities in columns:
                # Nine significant digits name every 32-bit number without doubt.
                numbers = [f"{value:.9g}" for value in probabilities]
                named = [self.classes[truth], self.classes[predicted]]
                table.writerow([id, name, self.split, self.checkpoint, *named, *numbers])

    @classmethod
    def read(cls, path: Path) -> Self:
        """The table in a CSV that `write` made; the probabilities come back bit for bit.

        Raises InputError when there is no such file, or when a line of it is not what `write` makes.
        """
        return read_table(path, cls._parse)

    @classmethod
    def _parse(cls, lines: Iterable[list[str]]) -> Self:
        header, *rows = list(lines) or [[]]
        names = header[len(_FACTS) :]
        if header[: len(_FACTS)] != _FACTS or not names or not all(name.startswith(_PROBABILITY) for name in names):
            raise ValueError("other columns than " + ",".join([*_FACTS, _PROBABILITY + "CLASS"]))
        if not rows:
            raise ValueError("a table without a row")
        classes = tuple(name.removeprefix(_PROBABILITY) for name in names)
        number = {name: place for place, name in enumerate(classes)}
        for line, row in enumerate(rows, start=2):
            if len(row) != len(header):
                raise ValueError(f"row {line} has {len(row)} cells instead of {len(header)}")
            if row[4] not in number:
                raise ValueError(f"row {line} has the true class {row[4]!r}, which has no column")
        ids, files, splits, checkpoints, truth, _, *probabilities = zip(*rows, strict=True)
        if len(set(splits)) > 1 or len(set(checkpoints)) > 1:
            raise ValueError("rows of more than one split or checkpoint")
        return cls(
            classes=classes,
            ids=ids,
            files=files,
            truth=np.array([number[name] for name in truth], dtype=np.int64),
            probabilities=np.array(probabilities, dtype=np.float64).T.astype(np.float32),
            split=splits[0],
            checkpoint=checkpoints[0],
        )
