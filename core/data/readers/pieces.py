"""One array of pictures with its labels, as the images of a dataset: shapes, ranges, lengths, names of classes."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from core.data.dataset import Skipped
from core.data.loading import MAX_PIXELS
from core.data.readers.arrays import Head, Rows, texts, unpacked
from core.data.readers.columns import says
from core.data.readers.reader import LONGEST_NAME, FoundImage, class_name
from core.data.tree import MAX_FILES, TreeFile
from core.errors import DatasetError, ImageError

SHAPES = "N x H x W x 3, N x 3 x H x W or N x H x W"
OTHER_ARRAY = "Choose another array"
_SLACK = 1e-3  # beyond 0 and 1, as interpolation leaves it
_BLOCK = 16 * 1024**2  # bytes that are looked through at once


@dataclass(frozen=True)
class Piece:
    """Pictures and their labels in one file."""

    file: TreeFile
    images: str  # keys of arrays
    labels: str
    names: str  # "" for none
    split: str  # one of SPLITS, or "" where none is given

    def error(self, key: str, what: str, found: str, expected: str = "", do: str = OTHER_ARRAY) -> DatasetError:
        """What is wrong with one of its arrays."""
        return DatasetError(f"The array {key} of {self.file.name} {what}", found=found, expected=expected, do=do)


@dataclass(frozen=True)
class Taken:
    """What a piece gives."""

    images: tuple[FoundImage, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


def picture_axes(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes of a row in the order height, width and, if any, colours; None for a shape that pictures do not have."""
    if len(shape) == 3 and min(shape) > 0:
        return 0, 1
    if len(shape) == 4 and min(shape) > 0:
        for colours in (3, 1, 4):
            if shape[3] == colours:
                return 0, 1, 2
            if shape[1] == colours:
                return 1, 2, 0
    return None


def take_piece(piece: Piece, heads: Mapping[str, Head], room: Path) -> Taken:
    """The pictures of a piece, what is left out of it and what to know. `room` is a new folder for what is unpacked.

    Raises DatasetError when the arrays cannot be read, have other shapes, or do not belong together.
    """
    axes = _checked(piece, heads)
    names_fault = _names_fault(heads[piece.names]) if piece.names else ""
    notes = [f"{piece.names} is not used for the names of classes: it holds {names_fault}."] if names_fault else []
    keys = dict.fromkeys([piece.images, piece.labels, *([piece.names] if piece.names and not names_fault else [])])
    rows = unpacked(piece.file, keys, room)
    pictures = rows[piece.images]
    labels, whole = _labels(piece, rows[piece.labels])
    if piece.names in rows:
        labels = _named(piece, labels, whole, rows[piece.names], notes)
    there, of = min(pictures.count, len(labels)), pictures.head.count
    if there < of:
        notes.append(
            f"{piece.file.name} is cut off: {there:,} of {of:,} pictures are read; save it again to have the others."
        )
    scale, odd = _scale(piece, pictures, there, notes)
    images, skipped = [], []
    for place, label in enumerate(labels[:there]):
        file = TreeFile((*piece.file.parts, f"{piece.images}[{place}]"), piece.file.path)
        reason = label.reason or ("values that do not fit the range of the other pictures" if odd[place] else "")
        if reason:
            skipped.append(Skipped(file.name, reason))
        else:
            content = partial(_png, pictures, place, axes, scale)
            images.append(FoundImage(file, label.text, piece.split, content=content))
    if skipped:
        number = f"{len(skipped):,} {'picture' if len(skipped) == 1 else 'pictures'}"
        notes.append(f"Left out: {number} of {piece.file.name}, the first {skipped[0].file}: {skipped[0].reason}.")
    return Taken(tuple(images), tuple(skipped), tuple(notes))


def _names_fault(head: Head) -> str:
    return head.fault or ("" if head.bytes else "no values")


@dataclass(frozen=True)
class _Label:
    """The class of a row, or why it has none."""

    text: str = ""
    reason: str = ""


def _checked(piece: Piece, heads: Mapping[str, Head]) -> tuple[int, ...]:
    """The axes of the pictures, when all that the beginnings of the arrays say fits."""
    for key in (piece.images, piece.labels):
        if key not in heads:
            raise DatasetError(f"{piece.file.name} has no array {key}", found="others in its place", do=OTHER_ARRAY)
        if heads[key].fault:
            do = "Save it again as a plain array, as numpy.stack and numpy.asarray make them"
            raise piece.error(key, "cannot be read", heads[key].fault, "numbers or text", do)
    pictures, labels = heads[piece.images], heads[piece.labels]
    axes = picture_axes(pictures.shape)
    if axes is None or pictures.dtype.kind not in "buif":
        do = "Reshape it and save it again, or choose another array"
        raise piece.error(piece.images, "holds no pictures", pictures.kind, f"{SHAPES}, uint8 or float from 0 to 1", do)
    height, width = (pictures.shape[axis + 1] for axis in axes[:2])
    if height * width > MAX_PIXELS:
        found = f"pictures of {height:,} x {width:,} pixels"
        raise piece.error(piece.images, "is too large", found, f"at most {MAX_PIXELS // 1_000_000} megapixels each")
    if pictures.count > MAX_FILES:
        found, expected = f"{pictures.count:,} pictures", f"at most {MAX_FILES:,}"
        raise piece.error(piece.images, "is too long", found, expected, "Save a part of it")
    if len(labels.shape) not in (1, 2):
        raise piece.error(piece.labels, "holds no labels", labels.kind, "one label for each picture, N or N x 1")
    if pictures.count != labels.count:
        raise DatasetError(
            f"The arrays {piece.images} and {piece.labels} of {piece.file.name} differ in length",
            found=f"{pictures.count:,} pictures and {labels.count:,} labels",
            expected="one label for each picture",
            do="Save both again from the same rows: which label belongs to which picture cannot be seen",
        )
    return axes


def _labels(piece: Piece, rows: Rows) -> tuple[list[_Label], bool]:
    """The label of every row that is there, and whether they are whole numbers."""
    values = rows.whole()
    if values.ndim == 2 and values.shape[1] > 1:
        return _marked(piece, values), True
    values = values.reshape(-1)
    if values.dtype.kind in "US":
        found = texts(values)
        read = {text: _text_label(class_name(text)) for text in {*found}}
        return [read[text] for text in found], False
    if values.dtype.kind == "f":
        parts = values[np.isfinite(values) & (values != np.round(values))]
        if len(parts):
            raise piece.error(piece.labels, "holds no labels", f"numbers such as {parts[0]:g}", "whole numbers or text")
    made: dict[float, _Label] = {}
    for value in np.unique(values).tolist():
        made[value] = _Label(str(int(value))) if np.isfinite(value) else _Label(reason="no label")
    none = _Label(reason="no label")  # NaN is equal to nothing, itself included
    return [made.get(value, none) for value in values.tolist()], True


def _text_label(text: str) -> _Label:
    if not says(text):
        return _Label(reason="no label")
    long = len(text) > LONGEST_NAME
    return _Label(reason=f"a text of {len(text):,} letters for a class") if long else _Label(text)


def _marked(piece: Piece, values: np.ndarray) -> list[_Label]:
    """The labels of rows that mark their class with a 1 in its column."""
    if values.dtype.kind in "US":
        raise piece.error(piece.labels, "holds no labels", f"{values.shape[1]} texts a row", "one for each picture")
    marked = values == 1
    right = (marked.sum(1) == 1) & ((values == 0) | marked).all(1)
    if 2 * right.sum() < len(right):
        found, expected = f"{values.shape[1]} numbers for each picture", "one label, or one 1 among zeros"
        raise piece.error(piece.labels, "gives no picture one class", found, expected)
    several = _Label(reason="no label, or several")
    made = [_Label(str(column)) for column in range(values.shape[1])]
    return [made[column] if good else several for column, good in zip(marked.argmax(1), right, strict=True)]


def _named(piece: Piece, labels: list[_Label], whole: bool, rows: Rows, notes: list[str]) -> list[_Label]:
    """The labels by the names of their classes; as they were, and a note, where names cannot be given."""
    found = texts(rows.whole().reshape(-1)) if rows.head.dtype.kind in "US" else []
    names = [class_name(name) for name in found]
    unusable = _unusable(names, whole)
    if unusable:
        notes.append(f"{piece.names} is not used for the names of classes: {unusable}.")
        return labels
    numbers = {int(label.text) for label in labels if label.text}
    first = 1 if numbers and min(numbers) == 1 and max(numbers) == len(names) else 0
    if first:
        notes.append(f"The labels run from 1 to {len(names)}, so 1 is taken for the first of {piece.names}.")
    named = {str(number): _Label(name) for number, name in enumerate(names, first)}
    without = {
        str(number): _Label(reason=f"the label {number}, for which {piece.names} has no name ({len(names)} names)")
        for number in numbers
    }
    return [(without | named).get(label.text, label) for label in labels]


def _unusable(names: Sequence[str], whole: bool) -> str:
    """Why these cannot name the classes; "" where they can."""
    if not whole:
        return "the labels are text already"
    if not names:
        return "it holds no text"
    if len({*names}) < len(names):
        return "two of its names are alike"
    if "" in names:
        return "a name is empty"
    return "a name is too long" if max(map(len, names)) > LONGEST_NAME else ""


def _scale(piece: Piece, rows: Rows, there: int, notes: list[str]) -> tuple[float, np.ndarray]:
    """What the values are multiplied by to be 0..255, and which of the first rows do not fit that, bool (there,)."""
    kind = rows.head.dtype
    if kind == np.uint8 or kind.kind == "b":
        return (255.0 if kind.kind == "b" else 1.0), np.zeros(there, bool)
    low, high = np.empty(there), np.empty(there)
    step = max(1, _BLOCK // (rows.head.bytes // rows.head.count))
    for start in range(0, there, step):
        block = rows.block(start, min(start + step, there)).reshape(min(step, there - start), -1)
        low[start : start + step], high[start : start + step] = block.min(1), block.max(1)
    to_one = (low >= -_SLACK) & (high <= 1 + _SLACK)
    to_byte = (low >= -_SLACK) & (high <= 255 + _SLACK)
    if 2 * to_one.sum() >= there:
        return 255.0, ~to_one
    if 2 * to_byte.sum() >= there:
        if kind.kind == "f":
            notes.append(f"The values of {piece.images} go from 0 to 255 and not to 1, and are read as such.")
        return 1.0, ~to_byte
    finite = low[np.isfinite(low)], high[np.isfinite(high)]
    found = f"{finite[0].min():g} to {finite[1].max():g}" if len(finite[0]) and len(finite[1]) else "no numbers"
    raise piece.error(
        piece.images,
        "holds values that are no colours",
        found,
        "uint8, or float from 0 to 1",
        "Undo what normalised them and save it again, or choose another array",
    )


def _png(rows: Rows, place: int, axes: tuple[int, ...], scale: float) -> bytes:
    """A row as a PNG file. Raises ImageError when it can no longer be read."""
    try:
        values = rows.row(place)
    except (OSError, ValueError) as error:
        raise ImageError("This row of an array cannot be read", found="a file that is gone or cut off") from error
    if values.dtype != np.uint8:
        values = np.clip(np.rint(values.astype(np.float32) * scale), 0, 255).astype(np.uint8)
    pixels = np.ascontiguousarray(values.transpose(axes))
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)  # a quarter of the time of the usual level
    return file.getvalue()
