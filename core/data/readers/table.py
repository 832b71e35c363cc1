"""A table of text that nobody vouches for: which encoding, which separator, which header, and its rows one by one.

Nothing of it is kept but the row at hand. What is odd about a row never costs the rows after it: characters that are no
UTF-8 are read as Windows-1252, a row with another separator than the rest is read by that one, and a row that does not
fit the header is named and left out.
"""

import codecs
import csv
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TextIO

from core.data.dataset import Skipped
from core.data.tree import TreeFile, same_letters
from core.errors import DatasetError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
MOST_BYTES = 128 * 1024**2  # of a table; it could be one single line
MOST_ROWS = 1_000_000
MOST_NAMED = 10_000  # rows that are left out are named one by one up to here
LONGEST_NAMED = 255  # letters by which one is named; a cell may have as many as the table
_LOOK = 100  # lines by which the separator is found out
_JOINED = 200  # lines that one quoted cell may reach over
_ELSE = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)}


@dataclass
class Faults:
    """What was odd while rows were read."""

    rows: list[Skipped] = field(default_factory=list)  # left out, with the reason, up to a number
    misfits: int = 0  # rows of more or fewer cells than there are columns
    other_letters: int = 0  # rows with characters that are no UTF-8
    other_separator: int = 0  # rows separated otherwise than the header

    def leave_out(self, file: str, reason: str) -> None:
        """Name one that is left out, where there are not too many; whoever calls this counts them."""
        if len(self.rows) < MOST_NAMED:
            self.rows.append(Skipped(file[:LONGEST_NAMED] + "…" * (len(file) > LONGEST_NAMED), reason))


@dataclass(frozen=True)
class Table:
    """A table and how it is read."""

    file: TreeFile
    columns: tuple[str, ...]  # no two alike
    separator: str
    encoding: str
    above: int  # lines above the first row: the header, and what stands over it

    @property
    def name(self) -> str:
        return self.file.name

    def rows(self, faults: Faults | None = None) -> Iterator[tuple[int, list[str]]]:
        """Each row that fits the columns, with the number of its line, from 1. Raises DatasetError when it is gone."""
        faults, width = faults or Faults(), len(self.columns)
        records = _records(self.file, self.encoding, self.separator, width, faults)
        rows = ((line, cells) for line, cells in records if line > self.above and any(cells))
        for place, (line, cells) in enumerate(rows):
            if place == MOST_ROWS:
                faults.leave_out(f"{self.name}, from line {line}", f"beyond the first {MOST_ROWS:,} rows")
                return
            if len(cells) > width and not any(cells[width:]):
                cells = cells[:width]
            if len(cells) == width:
                yield line, cells
            else:
                number = f"{len(cells)} {'cell' if len(cells) == 1 else 'cells'}"
                faults.misfits += 1
                faults.leave_out(f"{self.name}, line {line}", f"a row of {number} under {width} columns")


def open_table(file: TreeFile, names_a_picture: Callable[[str], bool]) -> Table | None:
    """A file as a table with a header and rows; None when it is no such thing, or cannot be opened.

    `names_a_picture` says of a text whether a picture is called so: a first row that names one is no header.
    """
    try:
        encoding = _encoding(file)
        with _text(file, encoding) as lines:
            looked = [line for line in islice(lines, _LOOK) if line.strip()]
    except (OSError, UnicodeError):
        return None
    separator = _separator(looked)
    if separator is None:
        return None
    width = _width(looked, separator)
    records = _records(file, encoding, separator, width, Faults())
    line, cells = next(((line, cells) for line, cells in records if len(cells) == width), (0, []))
    if not cells:
        return None
    if any(names_a_picture(cell) for cell in cells):
        return Table(file, tuple(f"column {place}" for place in range(1, width + 1)), separator, encoding, line - 1)
    return Table(file, _columns(cells), separator, encoding, line)


def _columns(cells: Sequence[str]) -> tuple[str, ...]:
    """Names for columns from the cells of a header: an empty one is called by its number, a second one too."""
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = " ".join(cell.split())[:100]
        names.append(f"{name} (column {place})".lstrip() if not name or name in names else name)
    return tuple(names)


def _encoding(file: TreeFile) -> str:
    """What the first bytes say. Windows writes UTF-16, with or without a mark, where it says Unicode."""
    with file.path.open("rb") as opened:
        beginning = opened.read(4096)
    if file.path.stat().st_size > MOST_BYTES:
        raise UnicodeError("too large for a table")
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for place, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if beginning[place::2].count(0) > len(beginning) // 4:
            return encoding
    if 0 in beginning:
        raise UnicodeError("no text")
    return "utf-8-sig"


def _text(file: TreeFile, encoding: str) -> TextIO:
    """A file as text. In UTF-8, a byte that is none becomes a lone surrogate, which `_letters` mends."""
    errors = "surrogateescape" if encoding == "utf-8-sig" else "replace"
    return file.path.open(encoding=encoding, errors=errors, newline=None)


def _separator(lines: Sequence[str]) -> str | None:
    """What splits the most lines into equally many cells, more than one; None where nothing does."""
    if lines and (said := re.fullmatch(r"sep=(.)\s*", lines[0])) and said[1] in SEPARATORS:
        return said[1]
    best, most = None, (0, 0, False)
    for separator in SEPARATORS:
        width = _width(lines, separator)
        counts = [len(_cells(line, separator)) for line in lines]
        score = (counts.count(width), width, counts[0] == width) if width > 1 else (0, 0, False)
        if score > most:
            best, most = separator, score
    return best


def _width(lines: Sequence[str], separator: str) -> int:
    """Into how many cells a separator splits most of the lines that it splits at all; 1 where it splits none."""
    counts = Counter(len(_cells(line, separator)) for line in lines if not line.startswith("sep="))
    several = {width: count for width, count in counts.items() if width > 1}
    return max(several, key=lambda width: (several[width], width), default=1)


def _records(
    file: TreeFile, encoding: str, separator: str, width: int, faults: Faults
) -> Iterator[tuple[int, list[str]]]:
    """The cells of every record and the number of its first line. Raises DatasetError when the file is gone."""
    try:
        with _text(file, encoding) as text:
            lines = enumerate(text, 1)
            waiting: deque[tuple[int, str]] = deque()
            while True:
                number, line = waiting.popleft() if waiting else next(lines, (0, ""))
                if not number:
                    return
                cells = _cells(line, separator)
                if line.count('"') % 2 and len(cells) <= width:  # a cell that goes on, or a mark that is only one
                    cells = _joined(line, separator, width, lines, waiting) or cells
                if len(cells) != width and line.strip():
                    for other in SEPARATORS:
                        if other != separator and len(again := _cells(line, other)) == width:
                            cells = again
                            faults.other_separator += 1
                            break
                mended = [same_letters(cell.translate(_ELSE).strip()) for cell in cells]
                faults.other_letters += encoding == "utf-8-sig" and any(map(_has_strange, cells))
                yield number, mended
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DatasetError(f"{file.name} cannot be read", found=reason) from error


def _joined(
    line: str, separator: str, width: int, lines: Iterator[tuple[int, str]], waiting: deque[tuple[int, str]]
) -> list[str] | None:
    """The cells of a record whose quoted cell reaches over several lines; None, and no line is used, when none fits."""
    record, seen = line, 0
    while seen < _JOINED:
        if seen == len(waiting):
            following = next(lines, None)
            if following is None:
                return None
            waiting.append(following)
        record += waiting[seen][1]
        seen += 1
        if record.count('"') % 2 == 0:
            cells = _cells(record, separator)
            if len(cells) != width:
                return None
            for _ in range(seen):
                waiting.popleft()
            return cells
    return None


def _cells(record: str, separator: str) -> list[str]:
    """The cells of one record. One with a single quotation mark is split as if it had none."""
    quoting = csv.QUOTE_NONE if record.count('"') % 2 else csv.QUOTE_MINIMAL
    try:
        return next(csv.reader([record], delimiter=separator, quoting=quoting), [])
    except csv.Error:  # a cell of more than 131,072 characters
        return [record[:100]]


def _has_strange(cell: str) -> bool:
    return not cell.isascii() and any("\udc80" <= letter <= "\udcff" for letter in cell)
