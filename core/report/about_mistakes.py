"""The section on mistakes: the pictures that a model was surest of and wrong, or whose masks it met worst."""

from core.evaluate.masks import MaskTable
from core.evaluate.mistakes import Mistake, confident_mistakes
from core.evaluate.predictions import PredictionTable
from core.evaluate.segmentation import ImageScore, image_rows
from core.report.document import Block, Cell, Column, Heading, Picture, Pictures, Table, Text
from core.report.evidence import IN_DETAIL, Evidence, RunEvidence
from core.report.words import count, share, shorten

MOST = 18  # mistakes of a split
MOST_MASKS = 6  # pictures of a split
MASK_VIEWS = ("truth", "answer", "errors")


def write(evidence: Evidence) -> list[Block] | str:
    """The mistakes of every run on every split that was judged."""
    blocks: list[Block] = []
    for run in evidence.runs[:IN_DETAIL]:
        for split, table in run.tables.items():
            if len(evidence.runs) > 1 or len(run.tables) > 1:
                blocks.append(Heading(f"{run.name}, {split} split" if len(evidence.runs) > 1 else f"{split} split"))
            blocks += (_masks if isinstance(table, MaskTable) else _labels)(evidence, run, split, table)
    if len(evidence.runs) > IN_DETAIL:
        names = ", ".join(run.name for run in evidence.runs[IN_DETAIL:])
        blocks.append(Text(f"Shown of the first {IN_DETAIL} runs only; not of {names}.", "quiet"))
    return blocks


def mistakes(table: PredictionTable) -> list[Mistake]:
    """Those that are shown: the surest first."""
    return confident_mistakes(table, MOST)


def worst(table: MaskTable) -> list[ImageScore]:
    """The pictures that are shown: those with the lowest Dice."""
    return [row for row in image_rows(table) if row.dice is not None][:MOST_MASKS]


def _labels(evidence: Evidence, run: RunEvidence, split: str, table: PredictionTable) -> list[Block]:
    shown = mistakes(table)
    wrong = int((table.predicted != table.truth).sum())
    if not shown:
        return [Text(f"All {len(table):,} pictures were named rightly. More pictures may tell more.")]
    told = (
        f"{count(wrong, 'picture')} of {len(table):,} got a wrong name"
        + (f"; here are the {len(shown)} that it was surest of." if wrong > len(shown) else ".")
        + " Look here first: where a model is sure and wrong, it is often the label that is wrong."
    )
    pictures = _pictures(evidence, run, split, shown)
    rows = tuple(
        (
            Cell(one.file),
            Cell(one.truth),
            Cell(one.predicted),
            Cell(share(one.confidence)),
            Cell(share(one.probability_of_truth)),
        )
        for one in shown
    )
    columns = (
        Column("file", left=True),
        Column("is", left=True),
        Column("called", left=True),
        Column("sure by", "probability of the answer"),
        Column("of the truth", "probability of the true class"),
    )
    table_of_them = Table(f"Most confident mistakes, {split}", columns, rows)
    return [Text(told), *pictures, table_of_them]


def _pictures(evidence: Evidence, run: RunEvidence, split: str, shown: list[Mistake]) -> list[Block]:
    items = []
    for one in shown:
        name = evidence.pictures.get((run.id, split, one.id, "picture"))
        if name is not None:
            caption = f"{shorten(one.truth, 18)} → {shorten(one.predicted, 18)} · {share(one.confidence)}"
            items.append(Picture(name, f"{one.file}: is {one.truth}, called {one.predicted}", caption))
    if not items:
        return [Text("The pictures were no longer there when this report was made.", "quiet")]
    return [Pictures(f"Most confident mistakes, {split}: true → called · how sure", tuple(items))]


def _masks(evidence: Evidence, run: RunEvidence, split: str, table: MaskTable) -> list[Block]:
    rows = worst(table)
    if not rows:
        return [Text("No picture has anything to find, and nothing was found.")]
    items = []
    for row in rows:
        for view in MASK_VIEWS:
            name = evidence.pictures.get((run.id, split, row.id, view))
            if name is not None:
                told = f"{shorten(row.file, 30)} · Dice {share(row.dice)}" if view == MASK_VIEWS[0] else view
                items.append(Picture(name, f"{row.file}: {view}", told))
    cells = tuple(
        (
            Cell(row.file),
            Cell(share(row.dice)),
            Cell(share(row.iou)),
            Cell(f"{row.missed:.1%}"),
            Cell(f"{row.invented:.1%}"),
            Cell(f"{row.confused:.1%}"),
        )
        for row in rows
    )
    columns = (
        Column("file", left=True),
        Column("Dice", "of this one picture, which is a fact about it: no interval"),
        Column("IoU", "of this one picture, which is a fact about it: no interval"),
        Column("missed", "share of the picture that has a class and was called background"),
        Column("invented", "share of the picture that is background and was given a class"),
        Column("confused", "share of the picture that has one class and was given another"),
    )
    pictures = Pictures(
        f"The worst pictures, {split}: truth, answer, errors",
        tuple(items),
        len(MASK_VIEWS),
        "Errors: green plain is hit, yellow striped missed, blue dotted invented, white checked confused.",
    )
    told = f"The {count(len(rows), 'picture')} of {len(table):,} with the lowest Dice."
    return [Text(told), *([pictures] if items else []), Table(f"The worst pictures, {split}", columns, cells)]
