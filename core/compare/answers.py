"""The answers of several runs to the same images, or why a run cannot be held against the others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.compare.comparison import FEWEST_COMMON
from core.errors import InputError
from core.evaluate.current import renewed
from core.evaluate.masks import MaskTable
from core.evaluate.predictions import PredictionTable
from core.metrics.segmentation import background_of, class_counts
from core.runs.seal import openings
from core.runs.store import Run

Table = PredictionTable | MaskTable


@dataclass(frozen=True, eq=False)
class Common:
    """What the compared runs say about the images that they share."""

    task: str
    classes: tuple[str, ...]
    ids: tuple[str, ...]  # of the images
    files: tuple[str, ...]
    truth: np.ndarray | None  # (N,) class numbers; None for masks, whose truth is in the counts
    answers: dict[str, np.ndarray]  # run id -> probabilities (N, K), or counts of pixels (N, K, 3)
    relabelled: int  # images left out because the runs were told different truths
    left_out: int  # images that not all of them were judged by

    @property
    def background(self) -> int | None:
        return background_of(self.classes) if self.task == "segmentation" else None

    @property
    def n(self) -> int:
        return len(self.ids)


def table_of(root: str, run: Run, split: str) -> Table:
    """The prediction table of a run on a split: made now for validation images, never for a sealed test split.

    Raises FoveaError, with a sentence that says why, where there is none to be had.
    """
    if not run.paths.best.exists():
        raise InputError("It has no weights yet")
    if split == "test" and not openings(run.paths):
        raise InputError("Its test split is sealed", do="Open it on the page Evaluate first")
    if renewed(run, split) is None:
        if split == "test":
            raise InputError("Its test split was not evaluated by its present weights", do="Open it on Evaluate again")
        from core.evaluate.evaluation import evaluate_run  # here, because it brings torch

        evaluate_run(root, run.id, split)
    kind = MaskTable if run.recipe.task == "segmentation" else PredictionTable
    return kind.read(run.paths.predictions(split))


def gathered(runs: Sequence[Run], tables: dict[str, Table], split: str) -> tuple[Common | None, dict[str, str]]:
    """What the runs with a table have in common, and for each of the others why it is set apart, as a sentence.

    The first run with a table says what the others are held against: its task, its dataset, its classes. Images are
    the same where dataset and id are, whichever revision; a run is set apart that would leave less than half of them.
    """
    apart: dict[str, str] = {}
    kept: list[Run] = []
    shared: list[str] = []
    for run in runs:
        if run.id not in tables:
            continue
        table = tables[run.id]
        if not kept:
            kept, shared = [run], list(table.ids)
            continue
        why = _why_apart(kept[0], run, tables[kept[0].id].classes, table.classes)
        there = set(table.ids)
        both = [id for id in shared if id in there]
        if not why and len(both) < max(1, min(len(shared), len(table)) / 2):
            why = (
                f"It was judged by other {split} images: it shares {len(both)} of {len(table)} with the runs before "
                "it, too few to hold one against the other."
            )
        if why:
            apart[run.id] = why
        else:
            kept.append(run)
            shared = both
    if not kept:
        return None, apart
    return _common(kept, tables, shared), apart


def _why_apart(base: Run, run: Run, wanted: Sequence[str], classes: Sequence[str]) -> str:
    if run.recipe.task != base.recipe.task:
        return "It answers another kind of question: one names pictures, the other finds masks."
    if run.facts.dataset != base.facts.dataset:
        return (
            "It was trained and judged on other data, so that neither the images nor the scores can be held against "
            "one another; they only stand side by side."
        )
    if set(classes) != set(wanted):
        return f"It knows other classes: {_listed(classes)} instead of {_listed(wanted)}."
    return ""


def _common(kept: Sequence[Run], tables: dict[str, Table], shared: list[str]) -> Common:
    first = tables[kept[0].id]
    masks = isinstance(first, MaskTable)
    arranged = {run.id: _arranged(tables[run.id], shared, first.classes) for run in kept}
    one = arranged[kept[0].id]
    same = np.ones(len(shared), bool)
    for table in arranged.values():
        if masks:
            same &= (table.confusion.sum(axis=2) == one.confusion.sum(axis=2)).all(axis=1)
        else:
            same &= table.truth == one.truth
    rows = np.flatnonzero(same)
    answers = {
        id: class_counts(table.confusion[rows]) if masks else table.probabilities[rows]
        for id, table in arranged.items()
    }
    return Common(
        task=kept[0].recipe.task,
        classes=first.classes,
        ids=tuple(shared[row] for row in rows),
        files=tuple(one.files[row] for row in rows),
        truth=None if masks else one.truth[rows],
        answers=answers,
        relabelled=int((~same).sum()),
        left_out=max(len(tables[run.id]) for run in kept) - len(shared),
    )


def _arranged(table: Table, ids: Sequence[str], classes: Sequence[str]) -> Table:
    """The rows of these images, with classes in this order."""
    place = {id: row for row, id in enumerate(table.ids)}
    rows = np.array([place[id] for id in ids], dtype=np.int64)
    order = [table.classes.index(name) for name in classes]
    facts = {
        "classes": tuple(classes),
        "ids": tuple(ids),
        "files": tuple(table.files[row] for row in rows),
    }
    if isinstance(table, MaskTable):
        confusion = table.confusion[np.ix_(rows, order, order)]
        return replace(
            table, **facts, sizes=table.sizes[rows], confusion=confusion, outlines=table.outlines[rows][:, order]
        )
    number = np.argsort(order)  # old class number -> new one
    return replace(table, **facts, truth=number[table.truth[rows]], probabilities=table.probabilities[rows][:, order])


def too_few(common: Common) -> str:
    """Why nothing is said about runs that share so few images; "" where they share enough."""
    if common.n >= FEWEST_COMMON:
        return ""
    return f"The runs share only {common.n} images; {FEWEST_COMMON} or more are needed to say anything."


def _listed(names: Sequence[str], most: int = 6) -> str:
    told = ", ".join(names[:most])
    return f"{told} and {len(names) - most} more" if len(names) > most else told
