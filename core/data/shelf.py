"""Rows of a dataset's pictures, found by what the pictures hold and not by where they stand in the dataset.

A dataset's rows are in three files: the table of `core.data.rows`, its checksums, and an index that names what is in
each row. A relabelled, divided or extended dataset finds the rows of the pictures it had before. A picture that another
dataset has as well is copied from there. So each dataset's files are whole in themselves and can be deleted without
harm to others.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from core.data.cache import cache_folder, mark_used
from core.data.rows import RowFile
from core.errors import storage_errors

_NAME = np.dtype("S16")  # bytes of a name in the index


def names_of(contents: Iterable[str]) -> np.ndarray:
    """A name of 16 bytes for each of these texts, (N,), by which a shelf knows it."""
    return np.array([hashlib.sha256(text.encode()).digest()[:16] for text in contents], _NAME)


class Shelf:
    """One row for each name, in the order of `names`; two rows of the same name are one.

    `kind` is the folder and `key` the name of the files: 16 hexadecimal digits of whatever else the rows depend on. Any
    number of processes may fill a shelf at once and add names to it.
    """

    def __init__(
        self,
        cache: Path,
        dataset_id: str,
        kind: str,
        key: str,
        names: np.ndarray,
        shape: tuple[int, ...],
        dtype: np.dtype | type | str,
    ) -> None:
        """Open the shelf, or make one, and give a place to each new name. Raises StorageError when it cannot be."""
        self._cache, self._kind, self._names = cache, kind, names
        self._shape, self._dtype = shape, dtype
        self._index = cache_folder(cache, dataset_id) / kind / f"{key}.index"
        with storage_errors(self._index.parent):
            self._index.parent.mkdir(parents=True, exist_ok=True)
            self._places, self._rows = self._open()
        mark_used(cache, dataset_id)
        self._lenders: list[tuple[np.ndarray, RowFile]] | None = None  # looked for when the first row is missing

    def missing(self, rows: Sequence[int]) -> list[int]:
        """Those of `rows` that nobody has filled yet, each once, in order; what another dataset has is copied."""
        gone = self._still_missing(rows)
        return self._still_missing(gone) if gone and self._borrow(gone) else gone

    def read(self, rows: Sequence[int]) -> np.ndarray:
        """A copy of the rows, (len(rows), *shape). What is missing among them is no error, but no use either."""
        return self._rows.read(self._places[np.asarray(rows, np.intp)])

    def write(self, row: int, value: np.ndarray) -> None:
        """Fill one row with an array of the shelf's shape; threads may. Raises StorageError when the disk is full."""
        self._rows.write(int(self._places[row]), value)

    def close(self) -> None:
        """Let go of the files; the shelf stays."""
        self._rows.close()
        for _, table in self._lenders or ():
            table.close()

    def _open(self) -> tuple[np.ndarray, RowFile]:
        known = _read_names(self._index)
        places = _places(known, self._names)
        if (places >= 0).all():
            return places, self._table(self._index, len(known))
        with FileLock(self._index.with_suffix(".lock")):
            known = _read_names(self._index)
            new = np.array(list(dict.fromkeys(self._names[_places(known, self._names) < 0].tolist())), _NAME)
            # The rows before the index: a name in the index has a row, whoever reads it at whatever moment.
            table = self._table(self._index, len(known) + len(new))
            with self._index.open("ab") as file:
                file.truncate(len(known) * _NAME.itemsize)  # where a power cut left a part of a name
                file.write(new.tobytes())
                file.flush()
                os.fsync(file.fileno())
        return _places(np.concatenate([known, new]), self._names), table

    def _table(self, index: Path, count: int) -> RowFile:
        return RowFile(index.with_suffix(".rows"), count, self._shape, self._dtype)

    def _still_missing(self, rows: Sequence[int]) -> list[int]:
        places = self._places[np.asarray(rows, np.intp)]
        gone = self._rows.missing(places)
        if not gone:
            return []
        first = dict(zip(places[::-1].tolist(), list(rows)[::-1], strict=True))  # the first row of each place
        return [int(first[place]) for place in gone]

    def _borrow(self, rows: list[int]) -> bool:
        """Copy what other datasets have of these rows, and say whether there was anything."""
        if self._lenders is None:
            self._lenders = list(self._find_lenders())
        found = False
        for places, table in self._lenders:
            there = [row for row in rows if places[row] >= 0]
            absent = set(table.missing(places[there]))
            for row in there:
                if int(places[row]) not in absent:
                    self.write(row, table.read(places[[row]])[0])
                    found = True
        return found

    def _find_lenders(self) -> Iterable[tuple[np.ndarray, RowFile]]:
        for index in sorted(self._cache.glob(f"*/{self._kind}/{self._index.name}")):
            if index != self._index and index.with_suffix(".rows").is_file():
                known = _read_names(index)
                places = _places(known, self._names)
                if (places >= 0).any():
                    yield places, self._table(index, len(known))


def _read_names(index: Path) -> np.ndarray:
    """The names in an index in their order, without what was not written to its end."""
    try:
        data = index.read_bytes()
    except FileNotFoundError:
        return np.empty(0, _NAME)
    return np.frombuffer(data, _NAME, len(data) // _NAME.itemsize)


def _places(known: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Where each of `names` stands in `known`, (N,) int64; -1 for one that is not there."""
    if not len(known):
        return np.full(len(names), -1, np.int64)
    order = np.argsort(known, kind="stable")
    place = order[np.searchsorted(known, names, sorter=order).clip(max=len(known) - 1)]
    return np.where(known[place] == names, place, -1)
