"""Figures of a report as lines and words: they print sharply, need no script, and every number in them can be read."""

import math
from collections.abc import Sequence
from itertools import pairwise

from core.report.document import Dot, Drawing, Stroke, Word
from core.report.words import bounds, share
from core.runs.journal import Entry

WIDTH = 720.0
_LEFT, _RIGHT, _BOTTOM = 56.0, 16.0, 40.0
_CURVE = 250.0
_ROW = 24.0
_NAMES = 190.0  # the room that names have beside a chart of intervals
_LETTER = 6.4  # the width of a letter, on average
_MOST_POINTS = 400  # of a curve


def curves(
    title: str,
    alt: str,
    lines: Sequence[tuple[str, str, Sequence[tuple[float, float]]]],
    *,
    band: Sequence[tuple[float, float, float]] = (),
    kept: tuple[float, float] | None = None,
    borders: Sequence[tuple[float, str]] = (),
    unit: str = "",
    top: float | None = None,
    note: str = "",
) -> Drawing:
    """Curves over epochs: (name, look, points) each; a band of (epoch, low, high), the epoch whose weights were kept,
    and where phases begin."""
    lines = [(name, look, _thinned(points)) for name, look, points in lines if points]
    band = _thinned(band)
    keys = [(name, look) for name, look, _ in lines]
    keys += [("95 % interval", "band")] * bool(band) + [("kept", "kept")] * (kept is not None)
    placed = _keys(keys)
    top_edge = 20 + max((y for _, y, _, _ in placed), default=6.0)
    height = _CURVE + top_edge - 26
    epochs = [x for _, _, points in lines for x, _ in points] or [1.0]
    values = [y for _, _, points in lines for _, y in points] + [high for _, _, high in band]
    lowest = min([*(y for _, _, points in lines for _, y in points), *(one for _, one, _ in band)], default=0.0)
    marks = _ticks(min(0.0, lowest), max([*values, 1e-9])) if top is None else _ticks(max(0.0, lowest), top)
    bottom, ceiling = marks[0], marks[-1]
    right, last = WIDTH - _RIGHT, max(epochs)

    def x(epoch: float) -> float:
        return round(_LEFT + (right - _LEFT) * (epoch - 1) / max(1.0, last - 1), 1)

    def y(value: float) -> float:
        share_of = (value - bottom) / ((ceiling - bottom) or 1.0)
        return round(height - _BOTTOM - (height - _BOTTOM - top_edge) * share_of, 1)

    strokes = [Stroke(((_LEFT, y(mark)), (right, y(mark))), "grid") for mark in marks]
    words = [Word(_LEFT - 8, y(mark) + 4, _tick(mark), anchor="end") for mark in marks]
    words += [Word(x(at), height - _BOTTOM + 18, f"{at:g}", anchor="middle") for at in _whole_ticks(last)]
    words.append(Word((_LEFT + right) / 2, height - 4, "epoch", "axis", "middle"))
    for epoch, name in borders:
        strokes.append(Stroke(((x(epoch), top_edge), (x(epoch), height - _BOTTOM)), "border"))
        words.append(Word(x(epoch) + 4, top_edge + 10, name, "tick"))
    if band:
        edge = [(x(epoch), y(high)) for epoch, _, high in band] + [(x(epoch), y(one)) for epoch, one, _ in band][::-1]
        strokes.append(Stroke(tuple(edge), "band", closed=True))
    strokes += [Stroke(tuple((x(a), y(b)) for a, b in points), look) for _, look, points in lines]
    dots = []
    for along, down, name, look in placed:
        words.append(Word(along + 28, down + 4, name, "key"))
        if look == "kept":
            dots.append(Dot(along + 14, down, look))
        elif look == "band":
            corners = ((0, -5), (22, -5), (22, 5), (0, 5))
            strokes.append(Stroke(tuple((along + a, down + b) for a, b in corners), look, closed=True))
        else:
            strokes.append(Stroke(((along, down), (along + 22, down)), look))
    dots += [Dot(x(a), y(b), look, f"epoch {a:g}: {b:.4g}{unit}") for _, look, p in lines if len(p) <= 40 for a, b in p]
    if kept:
        dots.append(Dot(x(kept[0]), y(kept[1]), "kept", f"epoch {kept[0]:g}, kept: {kept[1]:.4g}{unit}"))
    return Drawing(title, alt, WIDTH, height, tuple(strokes), tuple(dots), tuple(words), note)


def intervals(
    title: str,
    alt: str,
    rows: Sequence[tuple[str, float | None, Sequence[float] | None]],
    *,
    low: float = 0.0,
    high: float = 1.0,
    axis: str = "",
    line: tuple[float, str] | None = None,
    note: str = "",
) -> Drawing:
    """One dot with its interval for each named row, on a scale from `low` to `high`; `line` is to hold them against."""
    marks = _ticks(low, high)
    low, high = marks[0], marks[-1]
    left, right = _NAMES, WIDTH - 120
    height = 14 + _ROW * len(rows) + 40

    def x(value: float) -> float:
        return round(left + (right - left) * (min(max(value, low), high) - low) / ((high - low) or 1.0), 1)

    bottom = 8 + _ROW * len(rows)
    strokes = [Stroke(((x(mark), 4.0), (x(mark), bottom)), "grid") for mark in marks]
    words = [Word(x(mark), bottom + 16, _tick(mark), anchor="middle") for mark in marks]
    words.append(Word((left + right) / 2, bottom + 34, axis, "axis", "middle"))
    if line:
        strokes.append(Stroke(((x(line[0]), 0.0), (x(line[0]), bottom)), "border"))
        words.append(Word(right + 8, bottom + 16, line[1], "tick"))
    dots = []
    for place, (name, value, interval) in enumerate(rows):
        y = round(8 + _ROW * (place + 0.5), 1)
        words.append(Word(left - 10, y + 4, name, "name", "end"))
        if value is None:
            words.append(Word(left + 4, y + 4, "undefined", "tick"))
            continue
        if interval is not None:
            strokes.append(Stroke(((x(interval[0]), y), (x(interval[1]), y)), "whisker"))
        dots.append(Dot(x(value), y, "dot", f"{name}: {share(value)} {bounds(interval)}".rstrip()))
        words.append(Word(right + 8, y + 4, f"{share(value)} {bounds(interval, 2)}".rstrip(), "tick"))
    return Drawing(title, alt, WIDTH, height, tuple(strokes), tuple(dots), tuple(words), note)


def _keys(named: Sequence[tuple[str, str]]) -> list[tuple[float, float, str, str]]:
    """Where the key of each (name, look) stands, in rows: (x, y, name, look)."""
    placed, along, down = [], _LEFT, 10.0
    for name, look in named:
        width = 44 + _LETTER * len(name)
        if along > _LEFT and along + width > WIDTH:
            along, down = _LEFT, down + 18
        placed.append((along, down, name, look))
        along += width
    return placed


def phase_borders(entries: Sequence[Entry]) -> list[tuple[float, str]]:
    """Where a phase begins, between the last epoch of one and the first of the next, and its name."""
    names = {entry.get("phase"): str(entry.get("name", "")) for entry in entries if entry.get("kind") == "phase"}
    ends = [entry for entry in entries if entry.get("kind") == "epoch"]
    return [
        (before["epoch"] + 0.5, names.get(after.get("phase"), ""))
        for before, after in pairwise(ends)
        if before.get("phase") != after.get("phase")
    ]


def _thinned(points: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    if len(points) <= _MOST_POINTS:
        return list(points)
    return [points[round(place * (len(points) - 1) / (_MOST_POINTS - 1))] for place in range(_MOST_POINTS)]


def _ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from at most `low` to at least `high`, about `most` of them."""
    span = (high - low) or 1.0
    rough = span / (most - 1)
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 10) for place in range(first, last + 1)]


def _whole_ticks(last: float) -> list[float]:
    """Epochs to name under an axis: 1, some between, and the last one."""
    step = max(1, math.ceil(last / 12))
    found = [float(epoch) for epoch in range(1, int(last) + 1, step)]
    return found if found[-1] == last or last - found[-1] < step / 2 + 1 else [*found, last]


def _tick(value: float) -> str:
    return f"{value:.6g}"
