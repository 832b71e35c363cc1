"""The section on what several runs say together: whether they differ by more than chance, and in what."""

from core.compare.comparison import MODELS, RECIPES, Comparison, Pair
from core.report import drawing
from core.report.document import Block, Cell, Column, Drawing, Heading, Points, Table, Text
from core.report.evidence import Evidence
from core.report.words import bounds, count, share, shorten

_MOST_PAIRS = 15
_MOST_CHANGES = 12
_MOST_LINES = 6  # runs of one chart
_QUESTIONS = {
    RECIPES: "Ways of training, with other seeds and other pictures in mind",
    MODELS: "These trained networks, on the same pictures",
}
_SCORES = {"accuracy": "Accuracy", "dice": "Mean Dice"}


def write(evidence: Evidence) -> list[Block] | str:
    """What the runs say together, on every split that they share."""
    if len(evidence.runs) < 2:
        return "there is one run."
    if not evidence.comparisons:
        return "these runs share no split that they were judged by."
    blocks: list[Block] = []
    for split, found in evidence.comparisons.items():
        if len(evidence.comparisons) > 1:
            blocks.append(Heading(f"{split} split"))
        blocks += _compared(found)
    return [*blocks, *_curves(evidence)]


def _compared(found: Comparison) -> list[Block]:
    blocks: list[Block] = [Text(found.verdict, "lead")]
    if found.images:
        blocks.append(
            Text(f"All of it is about the {count(found.images, 'picture')} that every compared run answered.")
        )
    blocks += [_scores(found), *_choices(found)]
    decides = found.metrics[0][0] if found.metrics else ""
    for question in (RECIPES, MODELS):
        pairs = found.of(question, decides)
        if pairs:
            blocks += _pairs(found, question, pairs)
    blocks += _disagreements(found)
    return [*blocks, *([Points(found.cautions)] if found.cautions else [])]


def _scores(found: Comparison) -> Table:
    names = [label for _, label in found.metrics]
    rows = []
    for line in found.runs:
        scores = {score.label: Cell(share(score.value), interval=bounds(score.interval)) for score in line.scores}
        cells = [scores.get(name, Cell("–")) for name in names]
        rows.append((Cell(line.name), Cell(str(line.seed)), *cells, Cell(line.apart or "compared")))
    how = "95 % interval on these pictures"
    columns = (
        Column("run", left=True),
        Column("seed"),
        *(Column(name, how) for name in names),
        Column("standing", left=True),
    )
    return Table(f"The runs side by side, {found.split}", columns, tuple(rows))


def _choices(found: Comparison) -> list[Block]:
    if not found.choices:
        return [Text("Their recipes are the same but for the seed." if len(found.runs) > 1 else "")]
    columns = (Column("choice", left=True), *(Column(shorten(line.label, 30), left=True) for line in found.recipes))
    rows = tuple((Cell(row.path), *(Cell(shorten(str(value), 60)) for value in row.values)) for row in found.choices)
    return [Table(f"What differs in their recipes, {found.split}", columns, rows)]


def _pairs(found: Comparison, question: str, pairs: tuple[Pair, ...]) -> list[Block]:
    shown = pairs[:_MOST_PAIRS]
    rows = tuple(
        (
            Cell(f"{found.named(pair.second)} less {found.named(pair.first)}"),
            Cell(f"{100 * pair.value:+.1f}"),
            Cell(_points(pair.interval)),
            Cell(f"{pair.holm:.3g}"),
            Cell("beyond chance" if pair.different else "within noise"),
        )
        for pair in shown
    )
    method = pairs[0].method
    title = f"{_QUESTIONS[question]}, {found.split}"
    columns = (
        Column("difference of", left=True),
        Column("points", "the second less the first, in hundredths"),
        Column("95 %", f"{method}; the intervals of all rows hold together"),
        Column("p", f"{method}, adjusted by Holm for all rows"),
        Column("so", left=True),
    )
    note = f"By {found.metrics[0][1]}. {method}; intervals hold together, p is adjusted for all rows by Holm."
    if len(pairs) > len(shown):
        note += f" {count(len(pairs) - len(shown), 'more pair')} not shown."
    return [Table(title, columns, rows, note), *_classes(found, pairs)]


def _classes(found: Comparison, pairs: tuple[Pair, ...]) -> list[Block]:
    changed = [(pair, one) for pair in pairs for one in pair.per_class if one.different and one.value is not None]
    told = tuple(
        f"{one.label}: {found.class_figure} {100 * one.value:+.1f} points {_points(one.interval)} from "
        f"{found.named(pair.first)} to {found.named(pair.second)}."
        for pair, one in changed[:_MOST_CHANGES]
    )
    if told:
        return [Text("Classes that changed beyond chance:"), Points(told)]
    return [Text("No single class changed beyond chance.", "quiet")]


def _disagreements(found: Comparison) -> list[Block]:
    if not found.disagreements:
        return []
    right = "better" if found.task == "segmentation" else "right"
    rows = tuple(
        (
            Cell(f"{found.named(one.first)} against {found.named(one.second)}"),
            Cell(f"{one.only_first:,}"),
            Cell(f"{one.only_second:,}"),
            Cell(f"{one.agree:,}"),
        )
        for one in found.disagreements[:_MOST_PAIRS]
    )
    columns = (
        Column("runs", left=True),
        Column(f"only the first is {right}"),
        Column(f"only the second is {right}"),
        Column("they agree"),
    )
    return [Table(f"Pictures on which they disagree, {found.split}", columns, rows)]


def _curves(evidence: Evidence) -> list[Drawing]:
    lines = []
    score = evidence.runs[0].recipe.score
    for place, run in enumerate(evidence.runs[:_MOST_LINES]):
        points = [(float(one["epoch"]), (one.get("validation") or {}).get(score)) for one in run.epochs()]
        known = [(epoch, float(value)) for epoch, value in points if value is not None]
        lines.append((shorten(run.name, 26), f"run{place}", known))
    if not any(points for _, _, points in lines):
        return []
    ends = "; ".join(f"{name} {share(points[-1][1])}" for name, _, points in lines if points)
    left = len(evidence.runs) - len(lines)
    note = f"{count(left, 'more run')} not drawn." if left else ""
    alt = f"Validation {score} by epoch, at the end: {ends}."
    return [drawing.curves(f"{_SCORES[score]} on validation by epoch", alt, lines, top=1.0, note=note)]


def _points(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else bounds((100 * interval[0], 100 * interval[1]), 1)
