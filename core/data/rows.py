"""A table of equal rows in a file, filled in any order, by several processes, and read through a memory map.

Decoded images and frozen-backbone features are kept this way: a new process starts where the last one ended. Rows are
written with ordinary writes, not through the map, because a full disk is then an error that can be told to a person and
not a signal that kills the process. A flag per row is set after the row is written, so a reader never sees half a row;
two processes that fill the same row write the same bytes.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np

from core.errors import storage_errors


class RowFile:
    """`count` rows of one shape and dtype in `path`, and which of them are there in a flag file beside it."""

    def __init__(self, path: Path, count: int, shape: tuple[int, ...], dtype: np.dtype | type) -> None:
        """Open the table, or make an empty one. Raises StorageError when the disk is full or not writable."""
        self._path = path
        self._shape = (count, *shape)
        self._dtype = np.dtype(dtype)
        self._lock = Lock()
        self._row_bytes = int(np.prod(shape)) * self._dtype.itemsize
        with storage_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._data = _open(path, count * self._row_bytes)
            self._flags = _open(path.with_suffix(".filled"), count)
        self._rows = np.memmap(path, self._dtype, mode="r", shape=self._shape)
        self._filled = np.memmap(path.with_suffix(".filled"), np.uint8, mode="r", shape=(count,))

    def missing(self, rows: Sequence[int]) -> list[int]:
        """Those of `rows` that nobody has filled yet, each once, in order."""
        return [row for row in dict.fromkeys(rows) if not self._filled[row]]

    def read(self, rows: Sequence[int]) -> np.ndarray:
        """A copy of the rows, (len(rows), *shape). They must be filled."""
        return self._rows[np.asarray(rows, dtype=np.int64)]

    def write(self, row: int, value: np.ndarray) -> None:
        """Fill one row with an array of the table's shape. Raises StorageError when the disk is full."""
        data = np.ascontiguousarray(value, dtype=self._dtype)
        if data.shape != self._shape[1:]:
            raise ValueError(f"a row of shape {data.shape} in a table of {self._shape[1:]}")
        with self._lock, storage_errors(self._path.parent):
            _write_at(self._data, data.tobytes(), row * self._row_bytes)
            _write_at(self._flags, b"\x01", row)

    def close(self) -> None:
        """Close the files; the table stays."""
        self._data.close()
        self._flags.close()


def _open(path: Path, size: int) -> BinaryIO:
    path.touch()
    file = path.open("r+b", buffering=0)
    if path.stat().st_size < size:
        file.truncate(size)  # sparse: takes room only as rows are filled
    return file


def _write_at(file: BinaryIO, data: bytes, offset: int) -> None:
    file.seek(offset)
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
