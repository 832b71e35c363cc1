"""Is there enough to claim anything? Checks on the size of what judges, on guessing, and on classes never answered."""

from math import ceil

import numpy as np

from core.data.health.finding import Finding
from core.evaluate.classification import evaluate_table
from core.evaluate.masks import MaskTable
from core.evaluate.predictions import PredictionTable
from core.evaluate.segmentation import evaluate_masks
from core.integrity.balance import TOO_WIDE, TOO_WIDE_CLASS, WIDE, WIDE_CLASS
from core.integrity.run_report import Looked
from core.integrity.run_subject import Judged, Table, rights
from core.integrity.subject import MOST_EVIDENCE, number_of, some
from core.metrics.classification import confusion
from core.metrics.intervals import Interval, wilson
from core.metrics.paired import paired
from core.metrics.segmentation import HITS, PREDICTED, TRUTH, background_of, class_counts, mean_interval
from core.runs.hypothesis import Verdict

CERTAIN = 0.05  # a chance below this is taken for none
ENOUGH = 0.1  # width of an interval, from which on the size of a split needs no word

NO_ANSWERS = "There are no answers of the kept weights yet: open the run on the page Evaluate."


def never_predicted(judged: Judged) -> Looked:
    """Classes that are there and that the model never answers with."""
    if not judged.tables:
        return Looked(unknown=NO_ANSWERS)
    findings = []
    for split, table in judged.tables.items():
        findings += _masks_never(split, table) if isinstance(table, MaskTable) else _never(split, table)
    what = "has pixels in the answers" if judged.masks else "was answered at least once"
    return Looked(tuple(findings), "" if findings else f"Every class that is there {what}, in {_splits(judged)}.")


def _never(split: str, table: PredictionTable) -> list[Finding]:
    counts = confusion(table.truth, table.predicted, len(table.classes))
    missing = [c for c in range(len(counts)) if counts[c].sum() and not counts[:, c].sum()]
    if not missing:
        return []
    rows = [
        {
            "class": table.classes[c],
            "pictures": int(counts[c].sum()),
            "most often called": table.classes[int(counts[c].argmax())],
            "times": int(counts[c].max()),
        }
        for c in missing
    ]
    found = int(sum(counts[c].sum() for c in missing))
    high = max(wilson(0, int(counts[c].sum())).high for c in missing)
    ids = [table.ids[row] for row in np.flatnonzero(np.isin(table.truth, missing))]
    told = some([f"{row['class']} ({number_of(row['pictures'])})" for row in rows], 3)
    many = len(missing) > 1
    return [
        Finding(
            "never-predicted",
            "warning" if max(row["pictures"] for row in rows) >= 3 else "note",
            f"{len(missing)} of {len(counts)} classes {'are' if many else 'is'} never answered in {split}: {told}. "
            f"All {number_of(found)} of {'them' if many else 'it'} got another name.",
            f"The recall of {'these classes' if many else 'this class'} is 0 (95 % interval up to {high:.2f}), and "
            "precision is not defined. Look at these pictures and what they are taken for; class weights or a balanced "
            "sampler make rare classes count, and more pictures of them help most.",
            evidence=tuple((id,) for id in ids[:MOST_EVIDENCE]),
            figures={"split": split, "rows": rows, "interval_high": high},
        )
    ]


def _masks_never(split: str, table: MaskTable) -> list[Finding]:
    counts = class_counts(table.confusion)  # (N, K, 3)
    sums, ground = counts.sum(axis=0), background_of(table.classes)
    missing = [c for c in range(len(table.classes)) if c != ground and sums[c, TRUTH] and not sums[c, PREDICTED]]
    if not missing:
        return []
    rows = [
        {
            "class": table.classes[c],
            "pictures": int((counts[:, c, TRUTH] > 0).sum()),
            "pixels": int(sums[c, TRUTH]),
            "found": int(sums[c, HITS]),
        }
        for c in missing
    ]
    ids = [table.ids[row] for row in np.flatnonzero((counts[:, missing, TRUTH] > 0).any(axis=1))]
    told = some([f"{row['class']} (in {number_of(row['pictures'])})" for row in rows], 3)
    return [
        Finding(
            "never-predicted",
            "warning",
            f"No pixel of any answer in {split} has the class {told}.",
            "Its Dice is 0. A Dice or focal loss, class weights, or more pictures that show it may help; or it was not "
            "trained long enough to appear.",
            evidence=tuple((id,) for id in ids[:MOST_EVIDENCE]),
            figures={"split": split, "rows": rows},
        )
    ]


def below_majority(judged: Judged) -> Looked:
    """Fewer right answers than whoever always answers with the commonest class would have."""
    if judged.masks:
        return Looked(told="Masks are judged by Dice without background, which answering with one class cannot lift.")
    if not judged.tables:
        return Looked(unknown=NO_ANSWERS)
    findings, told = [], []
    for split, table in judged.tables.items():
        most, share = _majority(table)
        right = rights(table)
        if right.mean() >= share:
            told.append(f"{right.mean():.3f} against {share:.3f} in {split}")
            continue
        versus = paired(table.truth, np.full(len(table), most), table.predicted)
        sure = versus.p < CERTAIN
        low, high = wilson(int(right.sum()), len(table))
        chance = f"chance alone does so in {max(versus.p, 0.001):.1%} of cases" if sure else "which may be chance"
        findings.append(
            Finding(
                "below-majority",
                "error" if sure else "warning",
                f"Answering {table.classes[most]} to every picture of {split} would be right in {share:.1%} of cases; "
                f"the model is in {right.mean():.1%} (95 % interval {low:.1%} to {high:.1%}): {chance} "
                "(McNemar's exact test).",
                "A model that learned anything does better. Look at the curves: if training went well, answers and "
                "labels are not in the same order, which the page Autopsy finds out; if it did not, change the "
                "learning rate first.",
                figures={
                    "split": split,
                    "accuracy": float(right.mean()),
                    "interval": [low, high],
                    "majority": share,
                    "class": table.classes[most],
                    "p": versus.p,
                    "pictures": len(table),
                },
            )
        )
    told_ = f"Better than always answering with the commonest class: {' and '.join(told)}."
    return Looked(tuple(findings), "" if findings else told_)


def too_small(judged: Judged) -> Looked:
    """Too few pictures for what their figures seem to say: that guessing is beaten, or how well a class is known."""
    if not judged.tables:
        return Looked(unknown=NO_ANSWERS)
    findings, told = [], []
    findings += [found for split, table in judged.tables.items() if (found := _undecided(judged, split, table))]
    for split, table in judged.tables.items():
        found = _few_masks(split, table) if isinstance(table, MaskTable) else _few(split, table)
        findings += [found] if isinstance(found, Finding) else []
        told += [found] if isinstance(found, str) else []
    return Looked(tuple(findings), "" if findings else f"Enough to judge by: {' and '.join(told)}.")


def _undecided(judged: Judged, split: str, table: Table) -> Finding | None:
    """What was claimed before the run began, where this split has too few pictures to decide it.

    A claim against another run is not looked at here: `core.compare.hypothesis` scores it.
    """
    claim = judged.run.facts.hypothesis
    if claim is None or claim.threshold is None:
        return None
    result = evaluate_masks(table) if isinstance(table, MaskTable) else evaluate_table(table)
    of = next((row for row in result.per_class if row.label == claim.label), None) if claim.label else result
    metric = claim.metric.removeprefix("mask_")
    name = "interval" if metric == "accuracy" else f"{metric}_interval"
    value, interval = getattr(of, metric, None), getattr(of, name, None)
    if value is None or interval is None:
        return None
    away = Interval(interval.low - claim.threshold, interval.high - claim.threshold)
    if claim.decide(away) is not Verdict.NOISE:
        return None
    return Finding(
        "too-small",
        "warning",
        f"{number_of(len(table))} of {split} cannot decide what was claimed before the run. “{claim.sentence}” It is "
        f"{value:.3f}, anything from {interval.low:.3f} to {interval.high:.3f} (95 % interval).",
        "Neither say that it came true nor that it did not. More pictures, or folds, narrow the interval.",
        figures={
            "split": split,
            "claim": claim.sentence,
            "value": value,
            "interval": list(interval),
            "pictures": len(table),
        },
    )


def _few(split: str, table: PredictionTable) -> Finding | str:
    n, right = len(table), rights(table)
    low, high = wilson(int(right.sum()), n)
    most, share = _majority(table)
    accuracy = float(right.mean())
    undecided = accuracy >= share and low <= share
    classes = []
    for c, name in enumerate(table.classes):
        of_class = right[table.truth == c]
        interval = wilson(int(of_class.sum()), len(of_class))
        recall = float(of_class.mean()) if len(of_class) else None
        classes.append(
            {
                "class": name,
                "pictures": len(of_class),
                "recall": recall,
                "from": interval.low,
                "to": interval.high,
            }
        )
    thin = [row for row in classes if row["to"] - row["from"] > WIDE_CLASS]
    width = high - low
    if not (undecided or width > WIDE or thin):
        return f"{number_of(n)} of {split} tell accuracy to within {100 * width:.1f} points"
    parts = [f"{int(right.sum())} right of {n} in {split} is {accuracy:.3f}, anything from {low:.3f} to {high:.3f}"]
    if undecided:
        parts.append(
            f"that does not even show that it beats always answering {table.classes[most]}, right in {share:.3f}"
        )
    if thin:
        worst = max(thin, key=lambda row: row["to"] - row["from"])
        parts.append(_of_class(worst, len(thin)))
    grave = undecided or width > TOO_WIDE or any(row["to"] - row["from"] > TOO_WIDE_CLASS for row in thin)
    needed = enough_for(accuracy)
    return Finding(
        "too-small",
        "warning" if grave else "note",
        f"{'; '.join(parts)} (95 % intervals, Wilson).",
        f"Claim no more than the interval. About {number_of(needed)} would tell an accuracy like this to within 10 "
        "points; folds (several runs, each image judged once) use the pictures that there are.",
        figures={
            "split": split,
            "pictures": n,
            "accuracy": accuracy,
            "interval": [low, high],
            "majority": share,
            "needed": needed,
            "beats_majority": not undecided and accuracy > share,
            "rows": classes,
        },
    )


def _of_class(row: dict, number: int) -> str:
    others = f", and {number - 1} more classes rest on as little" if number > 1 else ""
    if not row["pictures"]:
        return f"the class {row['class']} has no picture at all{others}"
    return (
        f"the recall of {row['class']} rests on {number_of(row['pictures'])}: {row['recall']:.2f}, from "
        f"{row['from']:.2f} to {row['to']:.2f}{others}"
    )


def enough_for(accuracy: float, width: float = ENOUGH) -> int:
    """About how many pictures give an accuracy an interval of this width (Wilson's, by search)."""
    low, high = 4, 4
    while _width(accuracy, high) > width:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _width(accuracy, middle) > width else (low, middle)
    return 10 * ceil(high / 10)


def _width(accuracy: float, n: int) -> float:
    low, high = wilson(round(accuracy * n), n)
    return high - low


def _few_masks(split: str, table: MaskTable) -> Finding | str:
    interval = mean_interval(class_counts(table.confusion), background_of(table.classes))
    if interval is not None and interval.high - interval.low <= WIDE:
        width = 100 * (interval.high - interval.low)
        return f"{number_of(len(table))} of {split} tell the mean Dice to within {width:.1f} points"
    if interval is None:
        told = f"{split} has {number_of(len(table))}, and a class rests on fewer than five of them: nobody can tell "
        told += "how its Dice differs from picture to picture, so the mean has no interval"
    else:
        told = f"{number_of(len(table))} of {split} leave the mean Dice anywhere from {interval.low:.3f} to "
        told += f"{interval.high:.3f} (95 % interval, by drawing images again)"
    grave = interval is None or interval.high - interval.low > TOO_WIDE
    return Finding(
        "too-small",
        "warning" if grave else "note",
        f"{told[0].upper()}{told[1:]}.",
        f"Claim no more than that. Put more pictures into {split}, or use folds, where every picture is judged once.",
        figures={"split": split, "pictures": len(table), "interval": list(interval) if interval else None},
    )


def _majority(table: PredictionTable) -> tuple[int, float]:
    """The commonest class, and which share of the pictures has it."""
    counts = np.bincount(table.truth, minlength=len(table.classes))
    return int(counts.argmax()), float(counts.max() / counts.sum())


def _splits(judged: Judged) -> str:
    return " and ".join(judged.tables)
