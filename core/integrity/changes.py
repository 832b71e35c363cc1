"""Are data and figures still what they were when the run was made?"""

import hashlib
import os
from collections.abc import Iterable

import numpy as np

from core.data.dataset import Dataset, load_dataset, newest_revision
from core.data.health.finding import Finding
from core.errors import FoveaError
from core.evaluate.predictions import PredictionTable
from core.integrity.run_report import Looked
from core.integrity.run_subject import Judged, rights
from core.integrity.subject import MOST_EVIDENCE, MOST_FILES, number_of, some
from core.metrics.intervals import wilson

SLACK = 0.01  # of the images may be answered otherwise by other arithmetic, as a GPU has; and two of them at least


def data_changed(judged: Judged) -> Looked:
    """Data that are gone, of which files were changed on the disk, or of which there is a newer revision."""
    dataset = judged.dataset
    if dataset is None:
        told = f"The data of this run are no longer what they were. {judged.no_dataset}"
        advice = "Its figures cannot be made again. Keep the report as it is, and train anew on the data of today."
        return Looked((Finding("data-changed", "error", told, advice),))
    findings = [*_of_files(judged, dataset), *_of_revisions(judged, dataset)]
    told = f"The {number_of(len(dataset.samples))} are those of the run, in its newest revision ({dataset.revision})."
    return Looked(tuple(findings), "" if findings else told)


def _of_files(judged: Judged, dataset: Dataset) -> Iterable[Finding]:
    """Files that are gone, or that were written after the run was made and hold something else by now. Only those are
    read."""
    gone, other = [], []
    for sample in dataset.samples:
        try:
            written = os.stat(dataset.path(sample)).st_mtime
        except OSError:
            gone.append(sample)
            continue
        if written > judged.run.facts.created and _digest(dataset, sample.file) != sample.digest:
            other.append(sample)
    if gone or other:
        names = some([sample.name for sample in (*other, *gone)], 3)
        parts = [f"{number_of(len(found))} {word}" for found, word in ((other, "changed"), (gone, "gone")) if found]
        yield Finding(
            "data-changed",
            "error",
            f"Files of the data were touched since the run was made: {' and '.join(parts)} ({names}).",
            "What the run learned from, or was judged by, is no longer there. Import the original files again.",
            files=tuple(sample.name for sample in (*other, *gone)[:MOST_FILES]),
            figures={"changed": len(other), "gone": len(gone)},
        )


def _digest(dataset: Dataset, file: str) -> str:
    try:
        with (dataset.folder / file).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""


def _of_revisions(judged: Judged, dataset: Dataset) -> Iterable[Finding]:
    """A newer revision, and what the same answers are worth in it."""
    newest = newest_revision(dataset.folder)
    if newest <= dataset.revision:
        return
    try:
        later = [load_dataset(dataset.folder, number) for number in range(dataset.revision + 1, newest + 1)]
    except FoveaError:
        return
    now, changes = later[-1], [change.sentence for revision in later for change in revision.changes]
    figures = {"revision": dataset.revision, "newest": newest, "changes": changes}
    told, evidence = "", ()
    for split, table in judged.tables.items():
        if isinstance(table, PredictionTable):
            again = _again(table, now)
            figures[split] = again
            told += _in_words(split, again)
            evidence += tuple(again.pop("ids"))
    weighs = any(
        figures[split]["relabelled"] or figures[split]["left_out"] for split in judged.tables if split in figures
    )
    yield Finding(
        "data-changed",
        "warning" if weighs else "note",
        f"The data have changed since: the run used revision {dataset.revision}, and there is revision {newest}. "
        f"{some(changes, 3)}{told}",
        "Train again on the newest revision before you compare or report; until then say of which revision the "
        "figures are.",
        evidence=tuple((id,) for id in evidence[:MOST_EVIDENCE]),
        figures=figures,
    )


def _again(table: PredictionTable, now: Dataset) -> dict:
    """The same answers against the labels of today; pictures that are no longer there are left out."""
    there = {sample.id: sample for sample in now.samples}
    rows = [row for row, id in enumerate(table.ids) if id in there]
    labels = [now.classes[there[table.ids[row]].label] for row in rows]
    before = [table.classes[table.truth[row]] for row in rows]
    predicted = [table.classes[c] for c in table.predicted[rows]]
    right = int(sum(a == b for a, b in zip(labels, predicted, strict=True)))
    interval = wilson(right, len(rows)) if rows else None
    return {
        "relabelled": int(sum(a != b for a, b in zip(labels, before, strict=True))),
        "left_out": len(table) - len(rows),
        "accuracy_before": float(rights(table).mean()),
        "accuracy_now": right / len(rows) if rows else None,
        "interval_now": list(interval) if interval else None,
        "ids": [table.ids[row] for row, a, b in zip(rows, labels, before, strict=True) if a != b],
    }


def _in_words(split: str, again: dict) -> str:
    if not (again["relabelled"] or again["left_out"]) or again["accuracy_now"] is None:
        return f" The pictures of {split} and their labels are the same."
    low, high = again["interval_now"]
    return (
        f" In {split} {again['relabelled']:,} have another label and {again['left_out']:,} were left out: the same "
        f"answers are then right in {again['accuracy_now']:.3f} (95 % interval {low:.3f} to {high:.3f}) instead of "
        f"{again['accuracy_before']:.3f}."
    )


def figures_differ(judged: Judged) -> Looked:
    """A report that does not say what training measured with the same weights, or whose labels are not those of the
    data: the sign of answers and labels in different orders, or of a table that was edited."""
    table = judged.validation
    if not isinstance(table, PredictionTable):
        if judged.masks:
            return Looked(
                told="Training measures masks at the size the model sees, the report at their own; both stand."
            )
        return Looked(unknown="There is no validation table of the kept weights yet.")
    findings = [*_labels_differ(judged)]
    measured = judged.run.status.best.get("accuracy")
    told = "The labels of the table are those of the data"
    if measured is not None:
        told_by, n = float(rights(table).mean()), len(table)
        off = abs(told_by - measured) * n
        if off > max(2, SLACK * n) + 1e-6:
            low, high = wilson(int(rights(table).sum()), n)
            findings.append(
                Finding(
                    "figures-differ",
                    "error",
                    f"Training measured an accuracy of {measured:.3f} with these weights, the table of the same "
                    f"{number_of(n)} says {told_by:.3f} (95 % interval {low:.3f} to {high:.3f}): {off:.0f} answers "
                    "differ.",
                    "The same weights answer the same images alike. Answers and labels are in different orders, or the "
                    "table was edited: delete it and evaluate the run again; the page Autopsy names the fault.",
                    figures={"training": measured, "table": told_by, "pictures": n, "differing": round(off)},
                )
            )
        told += f", and its accuracy, {told_by:.3f}, is what training measured with these weights, {measured:.3f}"
    return Looked(tuple(findings), "" if findings else f"{told}.")


def _labels_differ(judged: Judged) -> Iterable[Finding]:
    if judged.dataset is None:
        return
    there = {sample.id: sample for sample in judged.dataset.samples}
    for split, table in judged.tables.items():
        if not isinstance(table, PredictionTable):
            continue
        truth = np.array([there[id].label if id in there else -1 for id in table.ids])
        rows = np.flatnonzero(truth != table.truth)
        if len(rows):
            yield Finding(
                "figures-differ",
                "error",
                f"{number_of(len(rows))} of the {split} table have another label there than in the data.",
                "The table was edited, or made of other data. Delete it and evaluate the run again.",
                evidence=tuple((table.ids[row],) for row in rows[:MOST_EVIDENCE]),
                figures={"split": split, "differing": len(rows)},
            )
