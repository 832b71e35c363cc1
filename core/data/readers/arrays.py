"""The arrays in an .npz that nobody vouches for: what their beginnings say, and their rows one by one.

An .npz is a zip of .npy files, so all that is checked of a zip is checked of it. Nothing in it is ever unpickled: a
pickle can run anything when it is read. Arrays are unpacked to disk and read by rows, so that memory does not grow with
their number.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from core.data.archive import beginnings, unpack
from core.data.tree import Tree, TreeFile
from core.errors import ArchiveError, DatasetError, storage_errors

MOST_BYTES = 256 * 1024**2  # of an array that is read as a whole: labels, names
MOST_ARRAYS = 1000  # in one file
_BEGINNING = 16_384  # bytes; a header has at most 10,000
_BLOCK = 64 * 1024**2  # bytes of an array that are turned around at once
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class Head:
    """What the beginning of an array says of it."""

    key: str
    shape: tuple[int, ...] = ()
    dtype: np.dtype = field(default_factory=lambda: np.dtype(np.uint8))
    columns_first: bool = False  # Fortran's order of values
    fault: str = ""  # why it cannot be read, as the end of "found ..."
    first: str = ""  # its first values, as text
    offset: int = 0  # bytes before the first value

    @property
    def count(self) -> int:
        """How many rows it should have."""
        return self.shape[0] if self.shape else 0

    @property
    def bytes(self) -> int:
        """How many bytes its values should have."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def kind(self) -> str:
        """Its shape and type in words: "100 x 28 x 28, uint8"."""
        return self.fault or f"{' x '.join(map(str, self.shape)) or 'one value'}, {self.dtype}"


@dataclass(frozen=True)
class Rows:
    """The rows of an array in a file of its own. Each is read when it is asked for; threads may."""

    path: Path
    head: Head
    count: int  # rows that are really there

    def block(self, start: int, stop: int) -> np.ndarray:
        """Rows `start` to `stop`, (stop - start, *row). Raises OSError or ValueError when the file is gone."""
        head = self.head
        size = head.bytes // head.count
        with self.path.open("rb") as file:
            file.seek(head.offset + start * size)
            data = file.read((stop - start) * size)
        return np.frombuffer(data, head.dtype).reshape(stop - start, *head.shape[1:])

    def row(self, place: int) -> np.ndarray:
        """One row."""
        return self.block(place, place + 1)[0]

    def whole(self) -> np.ndarray:
        """All rows. Raises DatasetError for an array that is too large for that."""
        if self.head.bytes > MOST_BYTES:
            found = f"{self.head.bytes // 1024**2:,} MB"
            raise DatasetError(
                f"The array {self.head.key} is too large for what it says", found=found, do="Choose another array"
            )
        return self.block(0, self.count)


def heads(file: TreeFile) -> dict[str, Head]:
    """The arrays of an .npz by their keys, in its order.

    Raises ArchiveError when it is damaged, would do harm or holds too many.
    """
    try:
        starts = beginnings(file.path, _BEGINNING, ".npy", MOST_ARRAYS)
    except ArchiveError as error:
        raise _refused(file, error) from error
    tree = Tree.of(TreeFile(tuple(name.split("/")), file.path) for name in starts)
    unhidden = {one.name for one in tree.files}  # as they are when they are unpacked
    arrays = {name.removesuffix(".npy"): data for name, data in starts.items() if name in unhidden}
    damaged = "data that is damaged"
    return {key: _head(key, BytesIO(data)) if data else Head(key, fault=damaged) for key, data in arrays.items()}


def unpacked(file: TreeFile, keys: Collection[str], room: Path) -> dict[str, Rows]:
    """These arrays of an .npz, unpacked into the new folder `room`.

    Raises ArchiveError when they are damaged, StorageError when the disk is full, DatasetError for one of no rows.
    """
    wanted = {f"{key}.npy" for key in keys}
    try:
        tree = unpack(file.path, room, wanted=lambda parts: "/".join(parts) in wanted)
    except ArchiveError as error:
        raise _refused(file, error) from error
    paths = {entry.name: entry.path for entry in tree.files}
    return {key: _rows(key, paths[f"{key}.npy"]) for key in keys}


def _rows(key: str, path: Path) -> Rows:
    with path.open("rb") as opened:
        head = _head(key, opened)
    if head.fault or not head.count or not head.bytes:
        raise DatasetError(f"The array {key} cannot be read", found=head.fault or f"no values ({head.kind})")
    there = path.stat().st_size - head.offset
    if head.columns_first and len(head.shape) > 1:
        if there < head.bytes:
            raise DatasetError(f"The array {key} is cut off", found=f"{there:,} of {head.bytes:,} bytes")
        return _turned_around(path, head)
    return Rows(path, head, min(head.count, there // (head.bytes // head.count)))


def _turned_around(path: Path, head: Head) -> Rows:
    """The same array with each row's values side by side."""
    target = path.with_suffix(".rows")
    values = np.memmap(path, head.dtype, "r", head.offset, head.shape, order="F")
    step = max(1, _BLOCK // (head.bytes // head.count))
    with storage_errors(target), target.open("wb") as file:
        for start in range(0, head.count, step):
            file.write(np.ascontiguousarray(values[start : start + step]).tobytes())
    return Rows(target, replace(head, offset=0, columns_first=False), head.count)


def _head(key: str, file: BinaryIO) -> Head:
    """The head of an array, from the beginning of its file."""
    try:
        version = np.lib.format.read_magic(file)
        shape, columns_first, dtype = _HEADERS[version](file)
    except Exception:  # broken headers make numpy fail in many ways; none of them is a defect here
        return Head(key, fault="something that is no array of plain values")
    if dtype.hasobject:
        return Head(key, shape, dtype, fault="pickled Python objects, which could run anything when they are read")
    if dtype.kind not in "biufUS" or not dtype.itemsize or min(shape, default=1) < 0:
        return Head(key, shape, dtype, fault=f"values of the type {dtype}")
    offset = file.tell()
    data = file.read(min(min(8, math.prod(shape)) * dtype.itemsize, _BEGINNING))  # one value may be of gigabytes
    whole = len(data) // dtype.itemsize
    first = ", ".join(texts(np.frombuffer(data, dtype, whole))) if whole else ""
    return Head(key, shape, dtype, columns_first, first=first, offset=offset)


def texts(values: np.ndarray) -> list[str]:
    """Values (N,) as texts, whatever bytes they were made of."""
    if values.dtype.kind not in "US":
        return [str(value) for value in values.tolist()]
    encoding = {"S": "utf-8", "<": "utf-32-le", ">": "utf-32-be"}[values.dtype.str[0].replace("|", "S")]
    data, size = values.tobytes(), values.dtype.itemsize  # numpy itself fails at codes that are no letters
    cells = (data[start : start + size] for start in range(0, len(data), size))
    return [cell.decode(encoding, "replace").rstrip("\0") for cell in cells]


def _refused(file: TreeFile, error: ArchiveError) -> ArchiveError:
    why = error.found or error.what
    broken = error.what.endswith("is no complete zip")
    found = f"a file that is cut off or no .npz ({why.lower()})" if broken else f"{error.what}: {why}"
    return ArchiveError(f"{file.name} cannot be read", found=found, do="Save it again with numpy.savez")
