"""From counts of pixels to the metrics of masks: IoU, Dice, precision and recall, each with its interval.

Everything starts from three counts of each class in each image, (N, K, 3) = HITS, PREDICTED, TRUTH: pixels where answer
and truth both have the class, where the answer has it, where the truth has it. They add up, so an image needs no more
room than that. Pixels that the truth ignores are in none of them. A metric that the counts do not define is NaN in an
array and None in a score, never zero.

Two ways of summing up, which can differ widely and are never mixed:

- pooled over pixels: the counts of all images are added, then the metric is computed; large objects weigh more.
- mean over images: the metric of each image is computed, then the mean; every image weighs the same, and what counts
  for an image that has nothing of a class to find has to be agreed upon (`EMPTY_RULES`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.metrics.intervals import FEWEST_IMAGES, Interval, bootstrap_images, image_intervals, resampled_sums

HITS, PREDICTED, TRUTH = range(3)  # places of the last axis of counts

BACKGROUND = "background"

# What the mean over images makes of an image whose truth and answer both lack the class.
EMPTY_RULES = {
    "skip": "An image in which neither the truth nor the answer has the class is left out of its mean.",
    "one": "An image in which neither the truth nor the answer has the class counts as 1: rightly, nothing was found.",
    "zero": "An image in which neither the truth nor the answer has the class counts as 0.",
}
_EMPTY = {"skip": np.nan, "one": 1.0, "zero": 0.0}


@dataclass(frozen=True)
class MaskScore:
    """How one class fared, or the mean of several. None where the counts do not define the metric."""

    iou: float | None  # hits among the pixels where answer or truth has the class (Jaccard index)
    iou_interval: Interval | None
    dice: float | None  # twice the hits among the pixels of the answer and of the truth taken together (F1)
    dice_interval: Interval | None
    precision: float | None  # share of the answer's pixels that are right
    precision_interval: Interval | None
    recall: float | None  # share of the truth's pixels that are found
    recall_interval: Interval | None


@dataclass(frozen=True)
class MaskScores:
    """One way of summing up a split."""

    classes: tuple[MaskScore, ...]
    mean: MaskScore  # of the classes without the background
    mean_with_background: MaskScore  # of all classes


def background_of(classes: Sequence[str]) -> int | None:
    """The class that means "nothing": 0 where it is called background, in any case of letters; None where none is."""
    return 0 if classes and classes[0].strip().casefold() == BACKGROUND else None


def mask_confusion(truth: np.ndarray, predicted: np.ndarray, k: int) -> np.ndarray:
    """Counts of pixels (K, K), 64-bit, rows = truth, of two masks of equal shape.

    Pixels whose truth is no class (255, which is ignored) are left out. Raises ValueError when the shapes differ or
    the answer holds a number outside 0..k-1 at a pixel that counts.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"a true mask {truth.shape} and an answer {predicted.shape}")
    known = truth < k
    rows, columns = truth[known], predicted[known]
    if columns.size and columns.max() >= k:
        raise ValueError(f"the answer holds class {columns.max()}, expected 0 to {k - 1}")
    cells = rows.astype(np.uint16 if k <= 255 else np.int64) * k + columns
    return np.bincount(cells, minlength=k * k).reshape(k, k)


def class_counts(confusion: np.ndarray) -> np.ndarray:
    """Counts (..., K, 3) of confusion matrices (..., K, K), rows = truth."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.stack([hits, confusion.sum(axis=-2), confusion.sum(axis=-1)], axis=-1)


def nothing_found(counts: np.ndarray, background: int) -> np.ndarray:
    """The counts (N, K, 3) that an answer of nothing but background would have, on images with these true masks."""
    idle = np.zeros_like(counts)
    idle[..., TRUTH] = counts[..., TRUTH]
    idle[..., background, HITS] = counts[..., background, TRUTH]
    idle[..., background, PREDICTED] = counts[..., TRUTH].sum(axis=-1)
    return idle


def iou(counts: np.ndarray) -> np.ndarray:
    """Intersection over union of counts (..., 3), in [0, 1]; NaN where neither answer nor truth has a pixel."""
    return _share(counts[..., HITS], counts[..., PREDICTED] + counts[..., TRUTH] - counts[..., HITS])


def dice(counts: np.ndarray) -> np.ndarray:
    """Dice of counts (..., 3), in [0, 1]; NaN where neither answer nor truth has a pixel.

    Dice 1945, https://doi.org/10.2307/1932409
    """
    return _share(2 * counts[..., HITS], counts[..., PREDICTED] + counts[..., TRUTH])


def precision(counts: np.ndarray) -> np.ndarray:
    """Precision of counts (..., 3), in [0, 1]; NaN where the answer has no pixel."""
    return _share(counts[..., HITS], counts[..., PREDICTED])


def recall(counts: np.ndarray) -> np.ndarray:
    """Recall of counts (..., 3), in [0, 1]; NaN where the truth has no pixel."""
    return _share(counts[..., HITS], counts[..., TRUTH])


METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "iou": iou,
    "dice": dice,
    "precision": precision,
    "recall": recall,
}


def class_mean(values: np.ndarray, background: int | None) -> np.ndarray:
    """The mean over the last axis, the classes, without the background; NaN where no class has a value."""
    if background is not None:
        values = np.delete(values, background, axis=-1)
    defined = ~np.isnan(values)
    return _share(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def mean_dice(counts: np.ndarray, background: int | None) -> np.ndarray:
    """Mean Dice of the classes without the background, of counts (..., K, 3): of a sum over images it is pooled."""
    return class_mean(dice(counts), background)


def mean_iou(counts: np.ndarray, background: int | None) -> np.ndarray:
    """Mean IoU of the classes without the background, of counts (..., K, 3): of a sum over images it is pooled."""
    return class_mean(iou(counts), background)


def mean_interval(
    counts: np.ndarray,
    background: int | None,
    figure: Callable[[np.ndarray, int | None], np.ndarray] = mean_dice,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Interval | None:
    """The 95 % interval of the pooled mean Dice (or of `mean_iou`) of counts (N, K, 3), by drawing images again.

    None when one of its classes concerns fewer than five images: how they vary cannot be told from so few.
    """
    images = int(_fewest(_concerned(counts), background))
    return bootstrap_images(counts, lambda sums: figure(sums, background), draws=draws, seed=seed, images=images)


def pooled_scores(
    counts: np.ndarray, background: int | None, *, intervals: bool = True, draws: int = 1000, seed: int = 0
) -> MaskScores:
    """Every metric of counts (N, K, 3), pooled over pixels, with intervals from drawing images again.

    An interval is None where the number rests on fewer than five images; that of a mean, where one of its classes does.
    """
    found = np.stack([metric(counts.sum(axis=0)) for metric in METRICS.values()])  # (M, K)
    drawn = None
    if intervals and len(counts) >= FEWEST_IMAGES:
        sums = resampled_sums(counts, draws=draws, seed=seed)
        drawn = np.stack([metric(sums) for metric in METRICS.values()], axis=1)  # (draws, M, K)
    return _summed_up(found, drawn, np.tile(_concerned(counts), (len(METRICS), 1)), background)


def image_scores(
    counts: np.ndarray,
    background: int | None,
    *,
    empty: str = "skip",
    intervals: bool = True,
    draws: int = 1000,
    seed: int = 0,
) -> MaskScores:
    """Every metric of counts (N, K, 3) as the mean over images, with intervals from drawing images again.

    `empty` is one of `EMPTY_RULES`. Precision of an image in which the answer lacks a class that the truth has, and
    recall in the reverse case, are not defined and left out under every rule.
    """
    values = per_image(counts, empty=empty)  # (N, M, K)
    defined = ~np.isnan(values)
    parts = np.stack([np.where(defined, values, 0.0), defined], axis=-1)  # (N, M, K, 2): they add up
    total = parts.sum(axis=0)
    found = _share(total[..., 0], total[..., 1])
    drawn = None
    if intervals and len(counts) >= FEWEST_IMAGES:
        sums = resampled_sums(parts, draws=draws, seed=seed)
        drawn = _share(sums[..., 0], sums[..., 1])
    return _summed_up(found, drawn, defined.sum(axis=0), background)


def per_image(counts: np.ndarray, *, empty: str = "skip") -> np.ndarray:
    """The metrics of every image, (N, M, K) in the order of METRICS, of counts (N, K, 3).

    `empty` is one of `EMPTY_RULES`. Raises ValueError for another.
    """
    if empty not in _EMPTY:
        raise ValueError(f"empty is {empty!r}, not one of {', '.join(_EMPTY)}")
    values = np.stack([metric(counts) for metric in METRICS.values()], axis=1)
    lacking = (counts[..., PREDICTED] + counts[..., TRUTH]) == 0
    return np.where(lacking[:, None], _EMPTY[empty], values)


def _summed_up(found: np.ndarray, drawn: np.ndarray | None, images: np.ndarray, background: int | None) -> MaskScores:
    """Scores from metrics (M, K), what they are in every draw (D, M, K), and on how many images each rests (M, K)."""
    columns = [found, class_mean(found, background)[:, None], class_mean(found, None)[:, None]]
    values = np.concatenate(columns, axis=1)  # (M, K + 2): the classes, their mean, their mean with the background
    if drawn is not None:
        means = [class_mean(drawn, background)[..., None], class_mean(drawn, None)[..., None]]
        drawn = np.concatenate([drawn, *means], axis=2).reshape(len(drawn), -1)
    rests = np.concatenate([images, _fewest(images, background)[:, None], _fewest(images, None)[:, None]], axis=1)
    intervals = image_intervals(values.ravel(), drawn, rests.ravel())
    places = values.shape[1]
    scores = [_score(values[:, place], intervals[place::places]) for place in range(places)]
    return MaskScores(classes=tuple(scores[:-2]), mean=scores[-2], mean_with_background=scores[-1])


def _score(values: np.ndarray, intervals: Sequence[Interval | None]) -> MaskScore:
    named: dict = {}
    for name, value, interval in zip(METRICS, values, intervals, strict=True):
        named[name] = None if np.isnan(value) else float(value)
        named[f"{name}_interval"] = interval
    return MaskScore(**named)


def _concerned(counts: np.ndarray) -> np.ndarray:
    """How many images of counts (N, K, 3) have each class in truth or answer, (K,)."""
    return ((counts[..., PREDICTED] + counts[..., TRUTH]) > 0).sum(axis=0)


def _fewest(images: np.ndarray, background: int | None) -> np.ndarray:
    """Of numbers of images (..., K) the smallest over the classes that occur, without the background; 0 of none."""
    if background is not None:
        images = np.delete(images, background, axis=-1)
    most = np.iinfo(np.int64).max
    fewest = np.where(images > 0, images, most).min(axis=-1, initial=most)
    return np.where(fewest == most, 0, fewest)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    whole = np.asarray(whole)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
