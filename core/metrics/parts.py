"""What each image brings to a figure: numbers (N,) whose mean over the images is the figure.

Of accuracy these are right (1) and wrong (0). Macro F1, AUROC, Dice and IoU are no means over images; to the first
order they move with them as the mean of their parts does (the delta method, or influence function). So one analysis of
seeds and images, `core.metrics.crossed`, serves all of them.

Answers to N images are class numbers (N,) or probabilities (N, K) of a classifier, or counts of pixels (N, K, 3) of a
segmentation network, as `core.metrics.segmentation` has them; the truth of these is in the counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.metrics.crossed import parts_of_ratio
from core.metrics.segmentation import HITS, PREDICTED, TRUTH


@dataclass(frozen=True)
class Metric:
    """A figure that two answers can be compared by."""

    name: str
    label: str  # in words
    task: str
    of_class: bool = False  # of one class alone
    ranks: bool = False  # it needs probabilities


METRICS = (
    Metric("accuracy", "accuracy", "classification"),
    Metric("macro_f1", "macro F1", "classification"),
    Metric("auroc", "AUROC", "classification", ranks=True),
    Metric("recall", "recall", "classification", of_class=True),
    Metric("precision", "precision", "classification", of_class=True),
    Metric("f1", "F1", "classification", of_class=True),
    Metric("mean_dice", "mean Dice", "segmentation"),
    Metric("mean_iou", "mean IoU", "segmentation"),
    Metric("dice", "Dice", "segmentation", of_class=True),
    Metric("iou", "IoU", "segmentation", of_class=True),
    Metric("mask_recall", "recall", "segmentation", of_class=True),
    Metric("mask_precision", "precision", "segmentation", of_class=True),
)
_BY_NAME = {row.name: row for row in METRICS}


def metric(name: str) -> Metric:
    """The row of a figure. Raises ValueError, with the names there are, for another."""
    if name not in _BY_NAME:
        raise ValueError(f"the metric {name!r} is none of {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def metrics_of(task: str, *, of_class: bool = False) -> tuple[Metric, ...]:
    """The figures of a task: of all classes together, or of one class; the one that decides comes first."""
    return tuple(row for row in METRICS if row.task == task and row.of_class == of_class)


def labels_of(answers: np.ndarray) -> np.ndarray:
    """The class numbers (N,) of answers (N,) or (N, K): the most probable class, of equally probable ones the first."""
    return answers.argmax(axis=1) if answers.ndim == 2 else answers


def parts(
    name: str,
    truth: np.ndarray | None,
    answers: np.ndarray,
    *,
    place: int | None = None,
    background: int | None = None,
    classes: Sequence[int] | None = None,
) -> np.ndarray:
    """What each image brings to a figure, (N,) float64; NaN where the images do not define the figure.

    `place` is the class of a figure of one class; `background` is the class that means of masks leave out. `classes`
    are those that a mean is taken over (default: those for which the answers define it), so that the means of two
    answers are of the same classes. Raises ValueError for an unknown figure and for answers that cannot have it.
    """
    row = metric(name)
    if row.of_class and place is None:
        raise ValueError(f"{name} is the figure of one class: say which")
    if row.task == "segmentation":
        if answers.ndim != 3:
            raise ValueError(f"answers {answers.shape}, expected counts (N, K, 3)")
        return _mask_parts(row, answers, place, background, classes)
    if row.ranks and answers.ndim != 2:
        raise ValueError(f"answers {answers.shape}, expected probabilities (N, K)")
    if truth.shape != answers.shape[:1]:
        raise ValueError(f"truth {truth.shape} and answers {answers.shape}")
    if row.ranks:
        chosen = range(answers.shape[1]) if classes is None else classes
        return _mean([ranking_parts(truth == c, answers[:, c]) for c in chosen], drop=classes is None)
    labels = labels_of(answers)
    if name == "accuracy":
        return (labels == truth).astype(np.float64)
    chosen = [place] if row.of_class else np.union1d(truth, labels) if classes is None else classes
    return _mean([_class_parts(name, truth == c, labels == c) for c in chosen], drop=classes is None)


def ranking_parts(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    """What each image brings to the area under the ROC curve of scores (N,) for the images that are `positive` (N,).

    The area is the share of pairs of a positive and another image in which the positive one scores higher, ties counted
    half. The placements of DeLong, DeLong & Clarke-Pearson 1988, https://doi.org/10.2307/2531595, weighted by how rare
    their side is. NaN where one of the sides has no image.
    """
    found = np.full(len(score), np.nan)
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not ups or not downs:
        return found
    ordered = {side: np.sort(score[side_of]) for side, side_of in (("up", positive), ("down", ~positive))}
    below = _below(ordered["down"], score[positive]) / downs
    above = 1 - _below(ordered["up"], score[~positive]) / ups
    area, n = below.mean(), len(score)
    found[positive] = area + (below - area) * n / ups
    found[~positive] = area + (above - area) * n / downs
    return found


def _below(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """For each value how many of the ordered ones are smaller, equal ones counted half."""
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2


def _class_parts(name: str, is_class: np.ndarray, says_class: np.ndarray) -> np.ndarray:
    hit, truth, said = (is_class & says_class), is_class.astype(np.float64), says_class.astype(np.float64)
    above, below = {
        "recall": (hit, truth),
        "precision": (hit, said),
        "f1": (2 * hit, truth + said),
        "macro_f1": (2 * hit, truth + said),
    }[name]
    return parts_of_ratio(above.astype(np.float64), below)


def _mask_parts(
    row: Metric, counts: np.ndarray, place: int | None, background: int | None, classes: Sequence[int] | None
) -> np.ndarray:
    hits, said, truth = (counts[..., one].astype(np.float64) for one in (HITS, PREDICTED, TRUTH))
    above, below = {
        "dice": (2 * hits, said + truth),
        "iou": (hits, said + truth - hits),
        "mask_recall": (hits, truth),
        "mask_precision": (hits, said),
    }[row.name.removeprefix("mean_")]
    columns = parts_of_ratio(above, below)
    if row.of_class:
        return columns[:, place]
    chosen = [c for c in (range(counts.shape[1]) if classes is None else classes) if c != background]
    return _mean([columns[:, c] for c in chosen], drop=classes is None)


def _mean(columns: Sequence[np.ndarray], *, drop: bool) -> np.ndarray:
    """The mean of the figures' parts; with `drop`, of those that are defined."""
    kept = [column for column in columns if not (drop and np.isnan(column).any())]
    return np.mean(kept, axis=0) if kept else np.full(len(columns[0]) if columns else 0, np.nan)
