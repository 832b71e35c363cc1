"""The section on results: every number with its interval, by split, the split that nothing was chosen by first."""

from core.evaluate.classification import ClassificationResult
from core.evaluate.mistakes import confused_pairs
from core.evaluate.predictions import PredictionTable
from core.evaluate.results import Result
from core.evaluate.segmentation import Means, SegmentationResult, Summary
from core.figures.colours import class_colour
from core.report import about_depth, drawing
from core.report.document import Block, Cell, Column, Fact, Heading, Points, Table, Text
from core.report.evidence import IN_DETAIL, Evidence, RunEvidence
from core.report.words import F1, IMAGES, MACRO, WILSON, bounds, count, listed, measured, percent, percents, share

_MOST_PAIRS = 5
_MOST_IN_MATRIX = 20  # classes; a larger matrix cannot be read on paper
_MOST_DRAWN = 40  # classes of a chart


def headline(run: RunEvidence) -> tuple[str, str]:
    """One sentence with the number that stands for a run, its interval in it; and what to hold it against."""
    split, result = next(iter(run.results.items()))
    if isinstance(result, ClassificationResult):
        return (
            f"{run.name} names {percent(result.accuracy)} of {result.n:,} {split} pictures rightly; the true share "
            f"plausibly lies between {percents(result.interval).replace(' to ', ' and ')}.",
            _beside(result),
        )
    score, interval = result.mean_dice, result.mean_dice_interval
    told = f"{run.name} reaches a mean Dice of {share(score)} on {result.n:,} {split} pictures" + (
        f"; the true value plausibly lies between {interval[0]:.3f} and {interval[1]:.3f}." if interval else "."
    )
    idle = result.nothing_found
    below = "Dice says how well predicted and true area overlap, from 0 to 1; the background does not count."
    if idle is not None and idle.mean_dice is not None:
        below += f" An answer of nothing but background would get {share(idle.mean_dice)}."
    return told, below


def facts(run: RunEvidence) -> tuple[Fact, ...]:
    """The figures of the first page, of every split that was judged."""
    found: list[Fact] = []
    for split, result in run.results.items():
        if isinstance(result, ClassificationResult):
            found += [
                Fact(f"accuracy, {split}", share(result.accuracy), bounds(result.interval), WILSON),
                Fact(f"macro F1, {split}", share(result.macro_f1), bounds(result.macro_f1_interval), MACRO),
            ]
        else:
            found += [
                Fact(f"mean Dice, {split}", share(result.mean_dice), bounds(result.mean_dice_interval), IMAGES),
                Fact(f"mean IoU, {split}", share(result.mean_iou), bounds(result.mean_iou_interval), IMAGES),
            ]
    return tuple(found)


def _beside(result: ClassificationResult) -> str:
    supports = [row.support for row in result.per_class]
    most = max(range(len(supports)), key=supports.__getitem__)
    return (
        f"Always answering “{result.classes[most]}” would name {percent(supports[most] / max(1, result.n))} rightly, "
        f"and guessing among {count(len(result.classes), 'class', 'classes')} {percent(1 / len(result.classes))}."
    )


def write(evidence: Evidence) -> list[Block] | str:
    """Every run's results on every split that was judged."""
    blocks: list[Block] = []
    if len(evidence.runs) > 1:
        blocks.append(_overview(evidence))
    detailed = len(evidence.runs) <= IN_DETAIL
    for run in evidence.runs:
        for split, result in run.results.items():
            if len(evidence.runs) > 1 or len(run.results) > 1:
                blocks.append(Heading(f"{run.name}, {split} split" if len(evidence.runs) > 1 else f"{split} split"))
            labels = isinstance(result, ClassificationResult)
            blocks += _classes(run, split, result, detailed=detailed) if labels else _masks(result)
    return blocks


def _overview(evidence: Evidence) -> Table:
    rows = []
    for run in evidence.runs:
        for split, result in run.results.items():
            labels = isinstance(result, ClassificationResult)
            first = (result.accuracy, result.interval) if labels else (result.mean_dice, result.mean_dice_interval)
            second = (
                (result.macro_f1, result.macro_f1_interval) if labels else (result.mean_iou, result.mean_iou_interval)
            )
            names = ("accuracy", "macro F1") if labels else ("mean Dice", "mean IoU")
            named = zip(names, (first, second), strict=True)
            cells = [Cell(f"{name} {share(value)}", interval=bounds(interval)) for name, (value, interval) in named]
            rows.append((Cell(run.name), Cell(split), Cell(f"{result.n:,}"), *cells))
    columns = (
        Column("run", left=True),
        Column("split", left=True),
        Column("pictures"),
        Column("score", f"{WILSON}; of masks: {IMAGES}"),
        Column("beside it", f"{MACRO}; of masks: {IMAGES}"),
    )
    return Table("All runs", columns, tuple(rows), "Intervals that overlap do not say whether two runs differ.")


def _classes(run: RunEvidence, split: str, result: ClassificationResult, *, detailed: bool) -> list[Block]:
    told = (
        f"Of {result.n:,} {split} pictures {percent(result.accuracy)} were named rightly "
        f"(95 % interval {percents(result.interval)}). Macro F1, the mean over classes, is "
        f"{measured(result.macro_f1, result.macro_f1_interval)}. {_beside(result)}"
    )
    rows = tuple(
        (
            Cell(row.label, mark=class_colour(place)),
            Cell(share(row.recall)),
            Cell(bounds(row.recall_interval)),
            Cell(share(row.precision)),
            Cell(bounds(row.precision_interval)),
            Cell(share(row.f1)),
            Cell(bounds(row.f1_interval)),
            Cell(f"{row.support:,}"),
        )
        for place, row in enumerate(result.per_class)
    )
    table = Table(
        f"Every class, {split}",
        (
            Column("class", left=True),
            Column("recall", "share of the class's pictures that were found"),
            Column("95 %", WILSON),
            Column("precision", "share of the answers of this class that are right"),
            Column("95 %", WILSON),
            Column("F1", "the harmonic mean of precision and recall"),
            Column("95 %", F1),
            Column("pictures"),
        ),
        rows,
        f"{WILSON}. Of F1: Wilson's interval of the hits among all cases that concern the class, carried over. Of "
        "macro F1: the wider of resampling and the classes' own intervals. A dash is undefined.",
    )
    blocks: list[Block] = [Text(told)]
    if len(result.classes) <= _MOST_DRAWN:
        recalls = [(row.label[:24], row.recall, row.recall_interval) for row in result.per_class]
        worst = min(
            (row for row in result.per_class if row.recall is not None), key=lambda row: row.recall, default=None
        )
        alt = f"Recall of each class; the lowest is {worst.label} with {share(worst.recall)}." if worst else "Recall."
        drawn = drawing.intervals(
            f"Recall of every class, {split}", alt, recalls, axis="share found", note=WILSON + "."
        )
        blocks.append(drawn)
    blocks.append(table)
    if not detailed:
        return [Text(told), table]
    deeper = about_depth.blocks(run.depths[split]) if split in run.depths else []
    return [*blocks, *_matrix(result), *_pairs(run.tables[split]), *deeper]


def _matrix(result: ClassificationResult) -> list[Block]:
    if len(result.classes) > _MOST_IN_MATRIX:
        return [Text(f"The confusion matrix of {len(result.classes)} classes is in the bundle's results.", "quiet")]
    rows = tuple(
        (
            Cell(name, mark=class_colour(place)),
            *(Cell(f"{number:,}" if number else "", number / max(1, sum(counts))) for number in counts),
        )
        for place, (name, counts) in enumerate(zip(result.classes, result.confusion, strict=True))
    )
    return [
        Table(
            f"What is taken for what, {result.split}",
            (Column("true ↓ called →", left=True), *(Column(name) for name in result.classes)),
            rows,
            "The confusion matrix: pictures of the class of a row that were called the class of a column. Shade is the "
            "share of the row.",
            "matrix",
        )
    ]


def _pairs(table: PredictionTable | object) -> list[Block]:
    if not isinstance(table, PredictionTable):
        return []
    pairs = confused_pairs(table)[:_MOST_PAIRS]
    if not pairs:
        return []
    told = tuple(
        f"{pair.truth} was called {pair.predicted} {count(pair.count, 'time')} ({pair.share:.0%} of its pictures)."
        for pair in pairs
    )
    return [Text("Mixed up most:"), Points(told)]


def _masks(result: SegmentationResult) -> list[Block]:
    over = "of the classes without background" if result.background is not None else "of all classes"
    told = (
        f"On {result.n:,} {result.split} pictures, each at its own size, the mean Dice {over} is "
        f"{measured(result.mean_dice, result.mean_dice_interval)} pooled over pixels and "
        f"{measured(result.over_images.mean_dice, result.over_images.mean_dice_interval)} as a mean over pictures."
    )
    blocks: list[Block] = [Text(told), _means(result)]
    dices = [(row.label[:24], row.dice, row.dice_interval) for row in result.per_class]
    if len(dices) <= _MOST_DRAWN:
        alt = "Dice of each class: " + listed(f"{name} {share(value)}" for name, value, _ in dices) + "."
        title = f"Dice of every class, {result.split}"
        blocks.append(drawing.intervals(title, alt, dices, axis="Dice, pooled over pixels", note=IMAGES + "."))
    rows = tuple(
        (
            Cell(row.label, mark=class_colour(place)),
            measured_cell(row.dice, row.dice_interval),
            measured_cell(row.iou, row.iou_interval),
            measured_cell(row.precision, row.precision_interval),
            measured_cell(row.recall, row.recall_interval),
            Cell("–" if row.boundary is None else f"{row.boundary:.1f}", interval=bounds(row.boundary_interval, 1)),
            Cell(f"{row.images:,}"),
        )
        for place, row in enumerate(result.per_class)
    )
    blocks.append(
        Table(
            f"Every class, {result.split}",
            (
                Column("class", left=True),
                Column("Dice", IMAGES),
                Column("IoU", IMAGES),
                Column("precision", IMAGES),
                Column("recall", IMAGES),
                Column("outline (px)", "how far the outlines of truth and answer lie apart, on average; " + IMAGES),
                Column("pictures", "with this class in their true mask"),
            ),
            rows,
            f"Pooled over pixels. {IMAGES}. No interval from fewer than five pictures.",
        )
    )
    return blocks


def _means(result: SegmentationResult) -> Table:
    idle = result.nothing_found
    ways: list[tuple[str, Means | Summary]] = [
        ("pooled over pixels", result),
        ("pooled, with background", result.with_background),
        ("mean over pictures", result.over_images),
        *([("nothing but background", idle)] if idle is not None else []),
    ]
    rows = tuple(
        (
            Cell(name),
            measured_cell(way.mean_dice, way.mean_dice_interval),
            measured_cell(way.mean_iou, way.mean_iou_interval),
            measured_cell(way.mean_precision, way.mean_precision_interval),
            measured_cell(way.mean_recall, way.mean_recall_interval),
        )
        for name, way in ways
    )
    columns = (
        Column("summed up", left=True),
        Column("mean Dice", IMAGES),
        Column("mean IoU", IMAGES),
        Column("precision", IMAGES),
        Column("recall", IMAGES),
    )
    note = "Large objects weigh more when pooled; every picture weighs the same in a mean over pictures."
    if result.background is not None:
        note += " The last row is what answering nothing but background would get."
    return Table(f"Means over classes, {result.split}", columns, rows, f"{note} {IMAGES}.")


def measured_cell(value: float | None, interval: tuple[float, float] | None) -> Cell:
    """A number with its interval below it."""
    return Cell(share(value), interval=bounds(interval))


def score_of(result: Result) -> tuple[float | None, tuple[float, float] | None]:
    """The number that stands for a result, and its interval."""
    if isinstance(result, ClassificationResult):
        return result.accuracy, result.interval
    return result.mean_dice, result.mean_dice_interval
