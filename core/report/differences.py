"""Where two writings of the same thing differ: values by their place in JSON, CSV or lines of JSON, words of a text.

Everything here is read from files that nobody vouches for, so what cannot be read is told as a difference too.
"""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from io import StringIO
from typing import Any

MOST = 400  # differences of one file that are told
_LONGEST = 160  # letters of a value that is told
_CLOSE = 1e-9  # relative; sums in another order differ in the last digits
_MOST_CELLS = 4_000_000  # pairs of pieces that are matched against each other
NOTHING = "nothing"

Leaves = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """One place where something is not what it should be."""

    file: str
    place: str
    found: str
    recomputed: str  # what it should be: computed again, or as the other copy has it; "" where nobody can say
    sentence: str = ""  # how this is known, where it is no plain recomputation
    follows: str = ""  # the file whose change this comes of; "" for a change of its own

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return asdict(self)


def brief(value: object) -> str:
    """A value as it is told: on one line, without its middle where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 50] + " … " + text[-45:]


def between(found: Leaves, wanted: Leaves, *, close: bool = False) -> Iterator[tuple[str, str, str]]:
    """(place, found, wanted) of every value that differs; numbers that are only rounded differently do not when
    `close`."""
    for place in [*wanted, *(place for place in found if place not in wanted)]:
        one, two = found.get(place, NOTHING), wanted.get(place, NOTHING)
        if place in found and place in wanted and (_same(one, two) or (close and _near(one, two))):
            continue
        yield place, brief(one), brief(two)


def _same(one: object, two: object) -> bool:
    return type(one) is type(two) and (one == two or (one != one and two != two))


def _near(one: object, two: object) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, two))
    return numbers and math.isclose(one, two, rel_tol=_CLOSE, abs_tol=1e-12)


def leaves(name: str, data: bytes) -> Leaves:
    """The values of a file by their places, of JSON, lines of JSON, or CSV. Raises ValueError where it is none."""
    text = data.decode("utf-8")
    if name.endswith(".csv"):
        return _cells(text)
    try:
        if name.endswith(".jsonl"):
            rows = [(number, json.loads(line)) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
            return {place: value for number, row in rows for place, value in _flat(row, f"line {number}")}
        return dict(_flat(json.loads(text), ""))
    except RecursionError as error:
        raise ValueError("brackets within brackets without end") from error


def _flat(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{place}.{number}" if place else str(number))
    else:
        yield place or "whole file", value


def _cells(text: str) -> Leaves:
    csv.field_size_limit(max(csv.field_size_limit(), 2**24))
    try:
        header, *rows = list(csv.reader(StringIO(text, newline=""))) or [[]]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    found: Leaves = {f"header, column {number}": cell for number, cell in enumerate(header, 1)}
    found["number of rows"] = len(rows)
    for number, row in enumerate(rows, 2):
        for column, cell in enumerate(row):
            found[f"row {number}, column {header[column] if column < len(header) else column + 1}"] = cell
        if len(row) != len(header):
            found[f"row {number}, number of cells"] = len(row)
    return found


@dataclass(frozen=True)
class Piece:
    """A piece of a text, and where it stands."""

    place: str
    text: str


def between_texts(found: Sequence[Piece], wanted: Sequence[Piece]) -> Iterator[tuple[str, str, str]]:
    """(place, found, wanted) of the words in which two texts differ, piece by piece."""
    start, end = 0, 0
    shorter = min(len(found), len(wanted))
    while start < shorter and found[start].text == wanted[start].text:
        start += 1
    while end < shorter - start and found[-1 - end].text == wanted[-1 - end].text:
        end += 1
    one, two = found[start : len(found) - end], wanted[start : len(wanted) - end]
    if len(one) == len(two):
        for left, right in zip(one, two, strict=True):
            yield from _words(left, right)
        return
    if len(one) * len(two) > _MOST_CELLS:
        place = (two or one)[0].place
        yield place, f"{len(one):,} pieces of text", f"{len(two):,} others"
        return
    matcher = SequenceMatcher(None, [piece.text for piece in one], [piece.text for piece in two], autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            continue
        paired = min(b - a, d - c)
        for left, right in zip(one[a : a + paired], two[c : c + paired], strict=True):
            yield from _words(left, right)
        for extra in one[a + paired : b]:
            yield extra.place, brief(extra.text), NOTHING
        for missing in two[c + paired : d]:
            yield missing.place, NOTHING, brief(missing.text)


def _words(found: Piece, wanted: Piece) -> Iterator[tuple[str, str, str]]:
    """The words that differ between two pieces: each run of them on its own."""
    if found.text == wanted.text:
        return
    one, two = found.text.split(), wanted.text.split()
    if len(one) * len(two) > _MOST_CELLS or not one or not two:
        yield wanted.place, brief(found.text) or NOTHING, brief(wanted.text) or NOTHING
        return
    told = False
    if len(one) == len(two):
        places = [(place, place + 1) for place, pair in enumerate(zip(one, two, strict=True)) if pair[0] != pair[1]]
        runs = [(a, b, a, b) for a, b in _joined(places)]
    else:
        codes = SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
        runs = [(a, b, c, d) for kind, a, b, c, d in codes if kind != "equal"]
    for a, b, c, d in runs:
        told = True
        yield wanted.place, brief(" ".join(one[a:b])) or NOTHING, brief(" ".join(two[c:d])) or NOTHING
    if not told:  # blanks only
        yield wanted.place, brief(repr(found.text)), brief(repr(wanted.text))


def _joined(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for a, b in places:
        if runs and runs[-1][1] == a:
            runs[-1] = runs[-1][0], b
        else:
            runs.append((a, b))
    return runs
