"""A file of answers as a grid of cells: a CSV of any separator and encoding, with a header or none, or an .npy array.

Such files come from anywhere. Nothing in them is run: arrays are read without pickles, and none is made before the
file has been seen to hold as many bytes as its head says.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import InputError

Source = Path | tuple[str, bytes]  # a file, or the name and the content of one that was uploaded

MOST_BYTES = 256 * 1024**2
MOST_COLUMNS = 4096
_LONGEST = 100_000  # characters of a field
_SEPARATORS = ",;\t|"
_LOOK = 200  # lines by which the separator and the header are found out
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_WORDS = re.compile(r"[^a-z0-9]+")

# What columns are called, without blanks, dots and underscores.
ID_WORDS = frozenset(
    [
        "id",
        "ids",
        "sampleid",
        "imageid",
        "imgid",
        "uid",
        "key",
        "file",
        "files",
        "filename",
        "filenames",
        "filepath",
        "path",
        "paths",
        "image",
        "images",
        "img",
        "name",
        "picture",
        "photo",
        "sample",
    ]
)
TRUTH_WORDS = frozenset(
    [
        "truth",
        "true",
        "ytrue",
        "groundtruth",
        "gt",
        "actual",
        "expected",
        "reference",
        "target",
        "targets",
        "truelabel",
        "trueclass",
        "truelabels",
        "y",
        "ytest",
        "label",
        "labels",
        "class",
        "classes",
        "category",
    ]
)
PREDICTED_WORDS = frozenset(
    [
        "predicted",
        "prediction",
        "predictions",
        "pred",
        "preds",
        "ypred",
        "yhat",
        "answer",
        "answers",
        "output",
        "predictedlabel",
        "predictedclass",
        "predlabel",
        "predclass",
        "guess",
        "response",
    ]
)
_SHARE = re.compile(r"^(?:p|prob|proba|probability|probabilities|score|confidence|softmax)[ :_./\-]+(.+)$", re.I)
_ONE_SHARE = frozenset(("p", "prob", "proba", "probability", "score", "yscore", "yprob", "yproba", "probabilities"))


@dataclass(frozen=True)
class Grid:
    """The cells of a table, column by column."""

    name: str
    header: tuple[str, ...]  # () where there is none
    columns: tuple[tuple[str, ...], ...]  # of equal length, blanks around cells taken off
    first: int = 1  # number of the line of the first row


def name_of(source: Source) -> str:
    """What a file is called."""
    return source.name if isinstance(source, Path) else source[0]


def bytes_of(source: Source) -> bytes:
    """The content of a file. Raises InputError when it is not there, is no file, or is too large."""
    if not isinstance(source, Path):
        data = source[1]
    else:
        try:
            size = source.stat().st_size
            if size > MOST_BYTES:
                raise _too_large(source.name, size)
            data = source.read_bytes()
        except OSError as error:
            found = (error.strerror or "an error").lower()
            raise InputError(f"{source} cannot be read", found=found, expected="a CSV or an .npy file") from None
    if len(data) > MOST_BYTES:
        raise _too_large(name_of(source), len(data))
    if not data.strip():
        raise InputError(f"{name_of(source)} is empty", expected="a row for each image")
    return data


def _too_large(name: str, size: int) -> InputError:
    limit = f"{MOST_BYTES // 1024**2} MB at most"
    return InputError(f"{name} is too large for a table of answers", found=f"{size / 1024**2:.0f} MB", expected=limit)


def read_grid(source: Source) -> Grid:
    """A CSV as a grid. Raises InputError, in one sentence, for what is no table or has rows of several widths."""
    name, text = name_of(source), _text(name_of(source), bytes_of(source))
    rows = _rows(name, text)
    width = len(rows[0][1])
    for line, cells in rows:
        if len(cells) != width:
            raise InputError(
                f"Line {line} of {name} does not fit the lines above it",
                found=f"{len(cells)} cell{'s' * (len(cells) != 1)}",
                expected=f"{width}",
                do="Write every row with as many cells",
            )
    if width > MOST_COLUMNS:
        raise InputError(f"{name} has too many columns", found=f"{width:,}", expected=f"{MOST_COLUMNS:,} at most")
    header = _header([cells for _, cells in rows[:_LOOK]])
    body = rows[1:] if header else rows
    if not body:
        raise InputError(f"{name} has a header and no rows", expected="a row for each image")
    columns = tuple(zip(*(cells for _, cells in body), strict=True))
    return Grid(name, tuple(rows[0][1]) if header else (), columns, body[0][0])


def plain_word(text: str) -> str:
    """The name of a column in small letters without blanks, dots and underscores: "ytrue" of "y_True"."""
    return _WORDS.sub("", text.casefold())


def share_of(header: str) -> str | None:
    """The class whose probability a column is called after, as in "p:cat" or "prob_cat"; None for other names."""
    found = _SHARE.match(header.strip())
    return found[1].strip() if found else None


def is_one_share(header: str) -> bool:
    """Whether a column is called like the probability of the second of two classes."""
    return plain_word(header) in _ONE_SHARE


def numbers_of(cells: Sequence[str]) -> np.ndarray | None:
    """Cells as 64-bit floats; None where one of them is no number. Empty cells and "nan" are NaN."""
    if not all(_NUMBER.fullmatch(cell) or is_nothing(cell) for cell in cells[:_LOOK]):
        return None
    if not all(_NUMBER.fullmatch(cell) or is_nothing(cell) for cell in cells):
        return None
    return np.array([np.nan if is_nothing(cell) else float(cell) for cell in cells])


def is_nothing(cell: str) -> bool:
    """Whether a cell says nothing: empty, or what programs write for a missing value."""
    return cell.casefold() in ("", "nan", "na", "n/a", "<na>", "null")


def read_array(source: Source) -> np.ndarray:
    """The array of an .npy file, without pickles. Raises InputError for one that is damaged or holds objects."""
    name, data = name_of(source), bytes_of(source)
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        if dtype.hasobject:
            raise ValueError("Python objects, which are not read from files that may come from anywhere")
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > len(data) - stream.tell():
            raise ValueError("fewer values than its head says")
        stream.seek(0)
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError, OverflowError, SyntaxError) as error:
        do = "Save it with numpy.save as whole numbers, text, or probabilities (rows, classes)"
        raise InputError(f"{name} is not an array that can be read", found=str(error), do=do) from None
    if array.ndim not in (1, 2) or array.size == 0:
        expected = "one label a row, or one row of probabilities for each image"
        raise InputError(f"{name} has another shape than answers", found=f"{array.shape}", expected=expected)
    return array


def _text(name: str, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if b"\0" in data[:4096]:
        raise InputError(f"{name} is no text", found="other bytes", expected="a CSV or an .npy file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _rows(name: str, text: str) -> list[tuple[int, list[str]]]:
    """Rows with the numbers of their lines, cut at the separator that cuts most of the first lines equally."""
    looked = [line for line in text.splitlines()[:_LOOK] if line.strip()]
    best, most = ",", (0, 1)
    rows, before = [], 0
    reader = csv.reader(looked)
    try:
        for separator in _SEPARATORS:
            reader = csv.reader(looked, delimiter=separator)
            widths = [len(cells) for cells in reader]
            width = max(set(widths), key=widths.count) if widths else 0
            if width > 1 and (widths.count(width), width) > most:
                best, most = separator, (widths.count(width), width)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=best)
        for cells in reader:
            if max(map(len, cells), default=0) > _LONGEST:  # csv's own limit belongs to the process: others raise it
                raise csv.Error(f"a field of more than {_LONGEST:,} characters")
            stripped = [cell.strip() for cell in cells]
            if any(stripped) or most[1] == 1:  # of one column, a line without a word is an answer that is missing
                rows.append((before + 1, stripped or [""]))
            before = reader.line_num
    except csv.Error as error:
        raise InputError(f"{name} is no table", found=f"{error} in line {reader.line_num}") from None
    while rows and not any(rows[-1][1]):
        rows.pop()
    if not rows:
        raise InputError(f"{name} is empty", expected="a row for each image")
    return rows


def _header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of these rows names the columns."""
    first, rest = rows[0], rows[1:]
    if not rest:
        return any(plain_word(cell) in ID_WORDS | TRUTH_WORDS | PREDICTED_WORDS for cell in first)
    below = [{row[place] for row in rest if place < len(row)} for place in range(len(first))]
    if any(cell in values for cell, values in zip(first, below, strict=True)) and not _numbered_rows(first, below):
        return first == [str(place) for place in range(len(first))] and len(first) > 2 and _are_shares(rest)
    if any(plain_word(cell) in ID_WORDS | TRUTH_WORDS | PREDICTED_WORDS or share_of(cell) for cell in first):
        return True
    if _numbered_rows(first, below):
        return True
    number = [bool(_NUMBER.fullmatch(cell)) for cell in first]
    numeric = [all(_NUMBER.fullmatch(cell) or is_nothing(cell) for cell in values) for values in below]
    if any(is_number and not said for is_number, said in zip(numeric, number, strict=True)):
        return True
    if all(number):
        return len(first) > 2 and [*first] == [str(place) for place in range(len(first))]
    repeated = [len(values) <= len(rest) / 2 for values in below]
    return not any(number) and any(repeated)


def _numbered_rows(first: Sequence[str], below: Sequence[set[str]]) -> bool:
    """Whether a table came with its row numbers, in a column without a name: its header is ",0" if others had none."""
    return len(first) > 1 and not first[0] and all(first[1:]) and "" not in below[0]


def _are_shares(rows: Sequence[Sequence[str]]) -> bool:
    return all("." in "".join(row) for row in rows)
