"""A table of equal rows in files, filled in any order, by several processes, and read through a memory map.

Decoded images and frozen-backbone features are kept this way: a new process starts where the last one ended. Rows are
written with ordinary writes, not through the map, because a full disk is then an error that can be told to a person and
not a signal that kills the process. Each row has a checksum, written after it: a row that another process is still
writing, or that a power cut left half on the disk, counts as missing. Two processes that fill the same row write the
same bytes.
"""

import mmap
import zlib
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np

from core.errors import storage_errors

_MAPPED_BYTES = 16_000_000  # read through the map before its pages are given back; the system keeps them at hand


class RowFile:
    """`count` rows of one shape and dtype, in `path` and, for the checksums, in `path` with the ending ".sums".

    The files may hold more rows than that: they only ever grow.
    """

    def __init__(self, path: Path, count: int, shape: tuple[int, ...], dtype: np.dtype | type | str) -> None:
        """Open the table, or make an empty one, which takes no room yet. Raises StorageError when it cannot be made."""
        self._path, self._shape, self._dtype = path, shape, np.dtype(dtype)
        self._row_bytes = int(np.prod(shape)) * self._dtype.itemsize
        self._lock = Lock()
        self._good = np.zeros(count, bool)  # rows that this process has checked or written
        with storage_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._data_file = _sized(path, count * self._row_bytes)
            self._sums_file = _sized(path.with_suffix(".sums"), count * 4)
        self._map, self._data = _mapped(self._data_file, self._dtype, (count, *shape))
        self._seen = 0  # bytes, since pages were last given back

    def missing(self, rows: Sequence[int]) -> list[int]:
        """Those of `rows` that nobody has filled yet, each once, in order."""
        places = np.asarray(rows, np.intp)
        unsure = places[~self._good[places]]
        return [row for row in dict.fromkeys(unsure.tolist()) if not self._has(row)]

    def read(self, rows: Sequence[int]) -> np.ndarray:
        """A copy of the rows, (len(rows), *shape). What is missing among them is no error, but no use either."""
        found = self._data[np.asarray(rows, dtype=np.intp)]
        self._saw(len(rows))
        return found

    def write(self, row: int, value: np.ndarray) -> None:
        """Fill one row with an array of the table's shape; threads may. Raises StorageError when the disk is full."""
        value = np.ascontiguousarray(value, dtype=self._dtype)
        if value.shape != self._shape:
            raise ValueError(f"a row of shape {value.shape} in a table of {self._shape}")
        with self._lock, storage_errors(self._path.parent):
            _write_at(self._data_file, row * self._row_bytes, value.tobytes())
            _write_at(self._sums_file, row * 4, np.uint32(_checksum(value)).tobytes())
        self._good[row] = True

    def close(self) -> None:
        """Let go of the files; the table stays."""
        self._map = self._data = None  # the map closes with the last array that looks into it
        self._data_file.close()
        self._sums_file.close()

    def _has(self, row: int) -> bool:
        if not self._good[row]:
            with self._lock:
                kept = _read_at(self._sums_file, row * 4)
            if kept != 0:
                self._good[row] = kept == _checksum(self._data[row])
                self._saw(1)
        return bool(self._good[row])

    def _saw(self, rows: int) -> None:
        """Give back the map's pages now and then: they would count as this process's memory, up to the whole file."""
        self._seen += rows * self._row_bytes
        if self._seen > _MAPPED_BYTES and self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
            self._seen = 0


def _sized(path: Path, size: int) -> BinaryIO:
    path.touch()
    file = path.open("r+b", buffering=0)
    if path.stat().st_size < size:
        file.truncate(size)
    return file


def _mapped(file: BinaryIO, dtype: np.dtype, shape: tuple[int, ...]) -> tuple[mmap.mmap | None, np.ndarray]:
    if 0 in shape:
        return None, np.empty(shape, dtype)
    count = int(np.prod(shape))
    whole = mmap.mmap(file.fileno(), count * dtype.itemsize, access=mmap.ACCESS_READ)
    return whole, np.frombuffer(whole, dtype, count).reshape(shape)


def _write_at(file: BinaryIO, place: int, data: bytes) -> None:
    file.seek(place)
    while data:  # an almost full disk takes a part and only then refuses
        data = data[file.write(data) :]


def _read_at(file: BinaryIO, place: int) -> int:
    """A checksum, read from the file: through a map, even a look at an empty place kills when a RAM disk is full."""
    file.seek(place)
    return int(np.frombuffer(file.read(4), np.uint32)[0])


def _checksum(row: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(row).view(np.uint8).data) or 1  # 0 means: nothing was ever written
