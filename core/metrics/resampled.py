"""A figure of one answer to N images in many draws of these images: the raw material of a paired bootstrap.

Two answers that are resampled with the same seed see the same draws, so their difference in each draw is that of the
same images.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from core.metrics.intervals import resampled_sums
from core.metrics.parts import Metric, labels_of, metric
from core.metrics.segmentation import METRICS as MASK_METRICS
from core.metrics.segmentation import TRUTH, class_mean

DRAWS = 2000
_FEWEST_DRAWS = 200  # from these a standard error is known within 5 %
_WEIGHTS = 20_000_000  # images drawn in all: a second or two for each answer
_AT_ONCE = 2_000_000  # of them held in memory at a time: 16 MB

SHARES = ("accuracy", "recall")  # of right answers

Figures = Callable[[np.ndarray], np.ndarray]  # figures (D,) of weights (D, N) of the images


@dataclass(frozen=True, eq=False)
class Resampled:
    """A figure of one answer: as it is, and what it is in every draw of the images."""

    value: float  # NaN where the images do not define it
    drawn: np.ndarray  # (D,); answers to the same images, resampled with the same seed, have the same draws
    n: int  # images


def resample(
    name: str,
    truth: np.ndarray | None,
    answers: np.ndarray,
    *,
    place: int | None = None,
    background: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Resampled:
    """Resample one answer to N images, each true class keeping its number; masks all together.

    Of shares, which are not resampled, there are no draws. Raises ValueError for an unknown figure, for a figure of one
    class without its `place`, and for answers that cannot have it.
    """
    row = metric(name)
    if row.of_class and place is None:
        raise ValueError(f"{name} is the figure of one class: say which")
    if name in SHARES:
        return Resampled(float((labels_of(answers) == truth).mean()), np.zeros(0), len(answers))
    if row.task == "segmentation":
        return _masks(row, answers, place, background, draws, seed)
    figures = _rankings(truth, answers) if row.ranks else _labels(row, truth, labels_of(answers), place)
    n = len(truth)
    draws = int(np.clip(_WEIGHTS // n, _FEWEST_DRAWS, draws))
    drawn = [figures(weights) for weights in _drawn_again(truth, draws, seed)]
    return Resampled(float(figures(np.ones((1, n)))[0]), np.concatenate(drawn), n)


def differs(row: Metric, a: np.ndarray, b: np.ndarray, place: int | None, background: int | None) -> np.ndarray:
    """For each of N images whether two answers differ in what the figure looks at."""
    if row.task == "segmentation":
        looked_at = [place] if row.of_class else [c for c in range(a.shape[1]) if c != background]
        return (a != b)[:, looked_at].any(axis=(1, 2))
    if row.ranks:
        return (a != b).any(axis=1)
    a, b = labels_of(a), labels_of(b)
    return (a == place) != (b == place) if row.of_class and row.name not in SHARES else a != b


def _labels(row: Metric, truth: np.ndarray, labels: np.ndarray, place: int | None) -> Figures:
    """How precision, F1 or its mean follow from weights of the images."""
    chosen = np.array([place]) if row.of_class else np.unique(truth)
    is_class, says = (side[:, None] == chosen for side in (truth, labels))
    columns = np.stack([is_class & says, says, is_class]).astype(np.float64)

    def figures(weights: np.ndarray) -> np.ndarray:
        hits, said, there = weights @ columns
        above, below = (hits, said) if row.name == "precision" else (2 * hits, said + there)
        return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0).mean(axis=1)

    return figures


def _rankings(truth: np.ndarray, probabilities: np.ndarray) -> Figures:
    """How the mean area under the ROC curves, each class against the rest, follows from weights of the images."""
    if probabilities.ndim != 2:
        raise ValueError(f"answers {probabilities.shape}, expected probabilities (N, K)")
    there = [c for c in np.unique(truth) if (truth != c).any()]
    rankings = [_Ranking(truth == c, probabilities[:, c]) for c in there]

    def figures(weights: np.ndarray) -> np.ndarray:
        areas = [one.areas(weights) for one in rankings]
        return np.mean(areas, axis=0) if areas else np.full(len(weights), np.nan)

    return figures


class _Ranking:
    """The scores of one class in order, so that the area under the curve of any weights is a pass over them."""

    def __init__(self, positive: np.ndarray, score: np.ndarray) -> None:
        self._order = np.argsort(score, kind="stable")
        self._positive = positive[self._order].astype(np.float64)
        _, self._starts = np.unique(score[self._order], return_index=True)  # of images with equal scores

    def areas(self, weights: np.ndarray) -> np.ndarray:
        """The areas (D,) of weights (D, N) of the images."""
        ordered = weights[:, self._order]
        ups = np.add.reduceat(ordered * self._positive, self._starts, axis=1)
        downs = np.add.reduceat(ordered, self._starts, axis=1) - ups
        below = np.cumsum(downs, axis=1) - downs / 2
        pairs = ups.sum(axis=1) * downs.sum(axis=1)
        return np.divide((ups * below).sum(axis=1), pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _drawn_again(strata: np.ndarray, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each image is drawn, (D, N), with replacement within its stratum, a part of the draws at a time."""
    generator, n = np.random.default_rng(seed), len(strata)
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    at_once = max(1, _AT_ONCE // n)
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        chosen = np.concatenate(
            [images[generator.integers(0, len(images), (size, len(images)))] for images in members], axis=1
        )
        chosen += n * np.arange(size)[:, None]
        yield np.bincount(chosen.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def _masks(
    row: Metric, counts: np.ndarray, place: int | None, background: int | None, draws: int, seed: int
) -> Resampled:
    if counts.ndim != 3:
        raise ValueError(f"answers {counts.shape}, expected counts (N, K, 3)")
    figure = MASK_METRICS[row.name.removeprefix("mean_").removeprefix("mask_")]
    there = counts[..., TRUTH].sum(axis=0) > 0
    there &= np.arange(len(there)) != (-1 if background is None else background)

    def figures(sums: np.ndarray) -> np.ndarray:
        values = figure(sums)
        return values[..., place] if row.of_class else class_mean(values[..., there], None)

    drawn = figures(resampled_sums(counts, draws=draws, seed=seed))
    return Resampled(float(figures(counts.sum(axis=0)[None])[0]), drawn, len(counts))
