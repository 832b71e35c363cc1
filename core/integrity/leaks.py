"""What was known from training when the run was judged, and what a file gives away: faults that a run takes over from
its data, with what they were worth to it."""

from collections import defaultdict

import numpy as np

from core.data.dataset import Dataset, Sample
from core.data.health.finding import Finding
from core.data.split import units
from core.evaluate.masks import MaskTable
from core.integrity.run_report import Looked
from core.integrity.run_subject import Judged, Table, image_dice, rights
from core.integrity.subject import MOST_EVIDENCE, number_of
from core.metrics.independent import Apart, means_apart, shares_apart
from core.metrics.intervals import wilson

JUDGING = ("validation", "test")
SHORTCUT = "shortcut"  # the name of that check of the data


def known_from_train(dataset: Dataset) -> dict[str, dict[str, tuple[str, ...]]]:
    """The pictures that judge and belong together with one that was learned from: copies, near duplicates, pictures of
    one group. {split: {id: ids of those in train}}, of validation and test.
    """
    together: dict[str, list[Sample]] = defaultdict(list)
    for sample, unit in zip(dataset.samples, units(dataset.samples), strict=True):
        together[unit].append(sample)
    known: dict[str, dict[str, tuple[str, ...]]] = {split: {} for split in JUDGING}
    for members in together.values():
        learned = tuple(sample.id for sample in members if sample.split == "train")
        for sample in members if learned else ():
            if sample.split in known:
                known[sample.split][sample.id] = learned
    return known


def leaked(judged: Judged) -> Looked:
    """Pictures that judge and were learned from, as copies or as pictures of the same group."""
    if judged.dataset is None:
        return Looked(unknown=f"The data are no longer there. {judged.no_dataset}")
    known = known_from_train(judged.dataset)
    counts = judged.dataset.split_counts()
    if not any(known.values()):
        return Looked(
            told="No picture of validation or test is a copy of one in train, nearly the same, or of its group."
        )
    parts = [
        f"{number_of(len(known[split]))} of {counts[split]:,} in {split} ({len(known[split]) / counts[split]:.1%})"
        for split in JUDGING
        if known[split]
    ]
    figures: dict = {f"{split}_known": len(known[split]) for split in JUDGING}
    rows, worth = [], ""
    for split in JUDGING:
        table = judged.tables.get(split)
        if table is None or not known[split]:
            continue
        mine = np.isin(table.ids, list(known[split]))
        rows += _rows(split, table, mine)
        worth += _worth(split, table, mine, figures)
    evidence = [(id, *learned[:3]) for split in JUDGING for id, learned in known[split].items()]
    return Looked(
        (
            Finding(
                "leaked",
                "error" if known["validation"] or "test" in judged.tables else "warning",
                f"Learned from and judged by: {' and '.join(parts)} are copies of a picture in train, nearly the same, "
                f"or of its group.{worth}",
                "A network knows such a picture by heart, so the figure says how well it remembers. Mend the split on "
                "the page Data and train again. What the copies were worth is measured by training with and without "
                "them: the price of leakage.",
                evidence=tuple(evidence[:MOST_EVIDENCE]),
                figures=figures | {"rows": rows},
            ),
        )
    )


def _rows(split: str, table: Table, mine: np.ndarray) -> list[dict]:
    """How the known pictures fared and how the others did, and all together."""
    found = []
    for label, rows in (("known from train", mine), ("new", ~mine), ("all", np.ones(len(mine), bool))):
        if not rows.any():
            continue
        if isinstance(table, MaskTable):
            values = image_dice(table)[rows]
            value, low, high = float(np.nanmean(values)) if (values == values).any() else None, None, None
        else:
            right = rights(table)[rows]
            value = float(right.mean())
            low, high = wilson(int(right.sum()), len(right))
        counted = int(rows.sum())
        found.append({"pictures": label, "images": counted, "score": value, "from": low, "to": high, "split": split})
    return found


def _worth(split: str, table: Table, mine: np.ndarray, figures: dict) -> str:
    """What the known pictures lift the figure by, as a sentence; the rest of the split stands for what would have been
    without them."""
    if mine.all():
        return f" Every picture of {split} is known, so nothing says what the model does with a new one."
    try:
        found = _apart(table, mine)
    except ValueError:
        return ""
    figures[f"{split}_apart"] = {"value": found.value, "interval": list(found.interval), "p": found.p}
    word = "mean Dice of an image" if isinstance(table, MaskTable) else "accuracy"
    return (
        f" In {split} the {word} is {found.second:.3f} on the known and {found.first:.3f} on the others: "
        f"{100 * found.value:+.1f} points (95 % interval {100 * found.interval.low:+.1f} to "
        f"{100 * found.interval.high:+.1f}; {found.method}, p = {found.p:.2g})."
    )


def _apart(table: Table, mine: np.ndarray) -> Apart:
    """The known pictures against the others."""
    if isinstance(table, MaskTable):
        values = image_dice(table)
        there = values == values
        return means_apart(values[~mine & there], values[mine & there])
    right = rights(table)
    return shares_apart((int(right[~mine].sum()), int((~mine).sum())), (int(right[mine].sum()), int(mine.sum())))


def shortcut(judged: Judged) -> Looked:
    """Classes that files and borders give away, as the health check of the data found, beside what the model found."""
    if judged.dataset is None:
        return Looked(unknown=f"The data are no longer there. {judged.no_dataset}")
    if judged.health is None:
        return Looked(unknown="Nobody has checked the health of these data: open them on the page Data.")
    if SHORTCUT not in judged.health.checks:
        return Looked(unknown="The health check of these data did not look for shortcuts.")
    found = [one for one in judged.health.findings if one.check == SHORTCUT]
    if not found:
        return Looked(told="The health check found no way to tell the classes by how files were saved or framed.")
    return Looked(tuple(_shortcut(judged, one) for one in found))


def _shortcut(judged: Judged, found: Finding) -> Finding:
    """A finding of the data as one of the run: the model may have learned this and nothing else."""
    beside = ""
    if (by_file := found.figures.get("accuracy")) is not None and judged.validation is not None and not judged.masks:
        of_classes = [row for c in range(len(judged.validation.classes)) for row in [judged.validation.truth == c]]
        mine = float(np.mean([rights(judged.validation)[rows].mean() for rows in of_classes if rows.any()]))
        beside = (
            f" So much is told of the classes without looking at what a picture shows: {by_file:.1%} on average; the "
            f"model finds {mine:.1%} of them in validation, and how much of that is the shortcut, nobody can tell."
        )
    return Finding(
        SHORTCUT,
        found.severity,
        f"{found.message}{beside}",
        f"{found.advice} The figures of this run hold only for pictures that were saved the same way; look where the "
        "model looks, and test it on pictures from elsewhere.",
        evidence=found.evidence,
        files=found.files,
        figures=found.figures,
    )
