"""The sections on what was done and how it went: the method in words, the curves and the epochs."""

from collections.abc import Sequence

from core.report import drawing
from core.report import method as words_of_method
from core.report.document import Block, Cell, Column, Drawing, Heading, Points, Table, Text
from core.report.evidence import IN_DETAIL, Evidence, RunEvidence
from core.report.words import IMAGES, WILSON, bounds, count, share
from core.runs.journal import Entry

_MOST_EPOCHS = 12  # rows of the table
_SCORES = {"accuracy": "accuracy", "dice": "mean Dice"}


def method(evidence: Evidence) -> list[Block] | str:
    """The method of every run; of what an earlier one has in the same words only the difference is written out."""
    blocks: list[Block] = []
    told: set[str] = set()
    for run in evidence.runs:
        paragraphs = words_of_method.paragraphs(run)
        new = [paragraph for paragraph in paragraphs if paragraph not in told]
        if len(evidence.runs) > 1:
            blocks.append(Heading(run.name))
        if told and len(new) < len(paragraphs):
            blocks.append(Text("As above" + (", but:" if new else " in every word."), "quiet"))
        blocks += [Text(paragraph) for paragraph in new]
        told.update(new)
    cited = dict.fromkeys(f"{what}: {where}" for run in evidence.runs for what, where in words_of_method.sources(run))
    return [*blocks, Text("Described in", "quiet"), Points(tuple(cited))] if cited else blocks


def write(evidence: Evidence) -> list[Block] | str:
    """Curves and epochs of every run that kept a journal."""
    blocks: list[Block] = []
    if len(evidence.runs) > IN_DETAIL:
        return [_ends(evidence.runs)] if any(run.epochs() for run in evidence.runs) else "no journal was kept."
    for run in evidence.runs:
        if not run.epochs():
            continue
        if len(evidence.runs) > 1:
            blocks.append(Heading(run.name))
        blocks += [*_curves(run), _table(run)]
    return blocks or "no journal of the training was kept."


def _curves(run: RunEvidence) -> list[Drawing]:
    ends, borders = run.epochs(), drawing.phase_borders(run.entries)
    score = run.recipe.score
    kept = next((entry for entry in reversed(ends) if entry.get("best")), None)
    losses = [(name, look, _points(ends, split, "loss")) for name, look, split in _LINES]
    scores = [(name, look, _points(ends, split, score)) for name, look, split in _LINES]
    band = [(entry["epoch"], *entry["interval"]) for entry in ends if entry.get("interval")]
    how = WILSON if score == "accuracy" else IMAGES
    last = ends[-1]
    return [
        drawing.curves(
            "Loss by epoch",
            f"Loss by epoch; at the end training {_told(last, 'train', 'loss')}, validation "
            f"{_told(last, 'validation', 'loss')}.",
            losses,
            borders=borders,
        ),
        drawing.curves(
            f"{'Accuracy' if score == 'accuracy' else 'Mean Dice'} by epoch",
            f"{_SCORES[score]} by epoch; at the end training {_told(last, 'train', score)}, validation "
            f"{_told(last, 'validation', score)} {bounds(last.get('interval'))}.",
            scores,
            band=band,
            kept=(kept["epoch"], kept["validation"][score]) if kept else None,
            borders=borders,
            top=1.0,
            note=f"The band is the {how} on the validation pictures.",
        ),
    ]


_LINES = (("training", "training", "train"), ("validation", "validation", "validation"))


def _points(ends: Sequence[Entry], split: str, figure: str) -> list[tuple[float, float]]:
    found = [(entry["epoch"], (entry.get(split) or {}).get(figure)) for entry in ends]
    return [(float(epoch), float(value)) for epoch, value in found if value is not None]


def _told(entry: Entry, split: str, figure: str) -> str:
    return share((entry.get(split) or {}).get(figure))


def _table(run: RunEvidence) -> Table:
    ends, score = run.epochs(), run.recipe.score
    shown = _chosen(ends)
    how = WILSON if score == "accuracy" else IMAGES
    name = _SCORES[score]
    rows = tuple(
        (
            Cell(f"{entry['epoch']}{', kept' if entry is _kept(ends) else ''}"),
            Cell(f"{entry['learning_rate']:.3g}" if entry.get("learning_rate") is not None else "–"),
            Cell(_told(entry, "train", "loss")),
            Cell(_told(entry, "validation", "loss")),
            Cell(_told(entry, "train", score)),
            Cell(_told(entry, "validation", score)),
            Cell(bounds(entry.get("interval"))),
        )
        for entry in shown
    )
    left_out = len(ends) - len(shown)
    return Table(
        "Epochs",
        (
            Column("epoch", left=True),
            Column("rate", "the learning rate at the end of the epoch"),
            Column("training loss"),
            Column("validation loss"),
            Column(
                f"training {name}", "while it learned, on varied pictures: no fair estimate, so without an interval"
            ),
            Column(f"validation {name}", how),
            Column("95 % interval", how),
        ),
        rows,
        f"{count(left_out, 'epoch')} of {len(ends)} not shown: see epochs.jsonl in the bundle." if left_out else "",
    )


def _ends(runs: Sequence[RunEvidence]) -> Table:
    """Of many runs one row each: the epoch that is kept."""
    rows = []
    for run in runs:
        ends = run.epochs()
        kept, score = _kept(ends), run.recipe.score
        if kept is None:
            continue
        measured = (_told(kept, "train", "loss"), _told(kept, "validation", "loss"), _told(kept, "validation", score))
        cells = (f"{kept['epoch']} of {len(ends)}", *measured, bounds(kept.get("interval")))
        rows.append((Cell(run.name), *map(Cell, cells)))
    columns = (
        Column("run", left=True),
        Column("kept epoch"),
        Column("training loss"),
        Column("validation loss"),
        Column("validation score", f"accuracy: {WILSON}; mean Dice: {IMAGES}"),
        Column("95 % interval", f"accuracy: {WILSON}; mean Dice: {IMAGES}"),
    )
    return Table("The epoch of each run whose weights are kept", columns, tuple(rows))


def _kept(ends: Sequence[Entry]) -> Entry | None:
    return next((entry for entry in reversed(ends) if entry.get("best")), None)


def _chosen(ends: Sequence[Entry]) -> list[Entry]:
    """The first, the last and the kept epoch, and some evenly between."""
    if len(ends) <= _MOST_EPOCHS:
        return list(ends)
    places = {round(place * (len(ends) - 1) / (_MOST_EPOCHS - 2)) for place in range(_MOST_EPOCHS - 1)}
    kept = _kept(ends)
    return [entry for place, entry in enumerate(ends) if place in places or entry is kept]
