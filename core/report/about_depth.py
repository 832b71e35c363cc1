"""What a prediction table says beyond its metrics, in a report: how well a model ranks, and whether it knows itself."""

from core.evaluate.depth import METHODS, Depth
from core.report.document import Block, Cell, Column, Dot, Drawing, Stroke, Table, Text, Word
from core.report.words import bounds, percent, share

_LEFT, _TOP, _SIDE, _WIDE = 64.0, 14.0, 230.0, 600.0  # of the plot
_MOST_CLASSES = 40


def blocks(depth: Depth) -> list[Block]:
    """Ranking and calibration of a classifier on one split."""
    told = depth.calibration
    surer = "surer of itself than it is right" if told.gap > 0 else "less sure of itself than it is right"
    if told.gap_interval.low <= 0 <= told.gap_interval.high:
        surer = "as sure of itself as it is right, as far as so few pictures can tell"
    lead = (
        f"It is {surer}: its mean confidence less its accuracy is {100 * told.gap:+.1f} points "
        f"{bounds([100 * bound for bound in told.gap_interval], 1)}."
    )
    rows = (
        ("AUROC, mean of the classes", depth.auroc, depth.auroc_interval, METHODS["auroc"]),
        (
            "average precision, mean of the classes",
            depth.average_precision,
            depth.average_precision_interval,
            METHODS["average_precision"],
        ),
        ("calibration error", told.error, told.error_interval, METHODS["error"]),
        ("confidence less accuracy", told.gap, told.gap_interval, METHODS["gap"]),
        ("Brier score", told.brier, told.brier_interval, METHODS["brier"]),
    )
    columns = (
        Column("figure", left=True),
        Column("value"),
        Column("95 %", "see the last column"),
        Column("how its interval was made", left=True),
    )
    cells = tuple(
        (Cell(name), Cell(share(value)), Cell(bounds(interval)), Cell(how.removeprefix("95 % interval: ")))
        for name, value, interval, how in rows
    )
    note = (
        f"So few pictures would show a calibration error of {share(told.by_chance)} on average even of a model without "
        "any. AUROC and average precision hold each class against all others."
    )
    found: list[Block] = [
        Text(lead),
        _curve(depth),
        Table(f"Ranking and calibration, {depth.split}", columns, cells, note),
    ]
    return [*found, _classes(depth)] if len(depth.per_class) <= _MOST_CLASSES else found


def _classes(depth: Depth) -> Table:
    rows = tuple(
        (
            Cell(row.label),
            Cell(share(row.auroc), interval=bounds(row.auroc_interval)),
            Cell(share(row.average_precision), interval=bounds(row.average_precision_interval)),
        )
        for row in depth.per_class
    )
    columns = (
        Column("class", left=True),
        Column("AUROC", METHODS["auroc"]),
        Column("average precision", METHODS["average_precision"]),
    )
    return Table(f"Each class against all others, {depth.split}", columns, rows)


def _curve(depth: Depth) -> Drawing:
    """The share that is right over how sure the model was, each bin with its interval."""

    def x(value: float) -> float:
        return round(_LEFT + _WIDE * value, 1)

    def y(value: float) -> float:
        return round(_TOP + _SIDE * (1 - value), 1)

    marks = [place / 5 for place in range(6)]
    strokes = [Stroke(((x(0), y(mark)), (x(1), y(mark))), "grid") for mark in marks]
    strokes.append(Stroke(((x(0), y(0)), (x(1), y(1))), "border"))
    words = [Word(_LEFT - 8, y(mark) + 4, f"{mark:g}", anchor="end") for mark in marks]
    words += [Word(x(mark), y(0) + 18, f"{mark:g}", anchor="middle") for mark in marks]
    words.append(Word(x(0.5), y(0) + 36, "how sure it was (confidence)", "axis", "middle"))
    words.append(Word(x(0.02), y(0.93), "how often it was right", "axis"))
    words.append(Word(x(0.5) + 8, y(0.5) + 14, "as it should be", "axis"))
    filled = [one for one in depth.calibration.bins if one.n]
    for one in filled:
        if one.interval is not None:
            strokes.append(
                Stroke(((x(one.confidence), y(one.interval.low)), (x(one.confidence), y(one.interval.high))), "whisker")
            )
    dots = tuple(
        Dot(
            x(one.confidence),
            y(one.accuracy),
            "dot",
            f"{one.n:,} pictures, sure by {share(one.confidence)}: right {share(one.accuracy)} {bounds(one.interval)}",
        )
        for one in filled
    )
    surest = filled[-1]
    alt = (
        f"Calibration: of the {surest.n:,} pictures that it was surest of, by {percent(surest.confidence)} on average, "
        f"{percent(surest.accuracy)} were named rightly {bounds(surest.interval)}."
    )
    note = "Ten bins by confidence; bars are Wilson's 95 % intervals. Below the line the model is too sure of itself."
    title = f"Is it right as often as it says? {depth.split}"
    return Drawing(title, alt, 720.0, _TOP + _SIDE + 44, tuple(strokes), dots, tuple(words), note)
