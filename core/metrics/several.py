"""Two answers to the same images, by any figure; and several comparisons at once, none of them believed too easily.

A paired difference is about two trained models as they are: would the second do better than the first on further
images like these? It says nothing about what the recipes would give with another seed; `core.metrics.groups` does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np

from core.metrics.intervals import Interval, resampled_sums, wilson
from core.metrics.paired import paired
from core.metrics.parts import Metric, labels_of, metric
from core.metrics.segmentation import METRICS as MASK_METRICS
from core.metrics.segmentation import TRUTH, class_mean

LEVEL = 0.95
DRAWS = 2000
_FEWEST_DRAWS = 200  # from these a standard error is known within 5 %
_CELLS = 200_000_000  # weights times classes that all draws of a ranking may look at: a few seconds
_AT_ONCE = 4_000_000  # weights held in memory at a time: 32 MB

MCNEMAR = "McNemar's exact test"
BOOTSTRAP = "paired bootstrap"


@dataclass(frozen=True)
class PairedDifference:
    """The second of two answers less the first, by one figure on the same images."""

    metric: str
    first: float
    second: float
    value: float  # second less first
    interval: Interval  # of the value, for other images of the same kind
    p: float  # how often chance in the images alone brings a difference as large where there is none
    n: int  # images that it rests on
    differing: int  # of these, on how many the two answers are not the same
    method: str
    sentence: str

    @property
    def different(self) -> bool:
        """Whether the interval leaves out zero."""
        return not self.interval.low <= 0 <= self.interval.high


def paired_difference(
    name: str,
    truth: np.ndarray | None,
    a: np.ndarray,
    b: np.ndarray,
    *,
    place: int | None = None,
    background: int | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
    names: tuple[str, str] = ("the first", "the second"),
) -> PairedDifference | None:
    """How answer `b` differs from answer `a` to the same N images by a figure of `core.metrics.parts.METRICS`.

    Answers are class numbers (N,) or probabilities (N, K) with true classes (N,), or counts of pixels (N, K, 3) with no
    `truth` beside them. `place` is the class of a figure of one class. Means are over the classes that the truth has.
    None where one of the answers does not define the figure, and below two images.

    Accuracy and recall are shares of right answers: McNemar's exact test, with an interval that leaves out zero exactly
    where the test, at the same level, speaks of a difference. All else is resampled: images are drawn again with their
    two answers, within each true class (masks: all together), and the standard error of the difference gives the
    interval by Student's t. Raises ValueError for an unknown figure or answers of other shapes.
    """
    row = metric(name)
    if a.shape != b.shape or (truth is not None and truth.shape != a.shape[:1]):
        raise ValueError(f"truth {None if truth is None else truth.shape}, answers {a.shape} and {b.shape}")
    if row.of_class and place is None:
        raise ValueError(f"{name} is the figure of one class: say which")
    if name == "recall":
        a, b, truth = (side[truth == place] for side in (labels_of(a), labels_of(b), truth))
    if len(a) < 2:
        return None
    if name in ("accuracy", "recall"):
        found = _shares(truth, labels_of(a), labels_of(b), level)
    elif row.task == "segmentation":
        found = _masks(row, a, b, place, background, level, draws, seed)
    elif row.ranks:
        found = _rankings(truth, a, b, level, draws, seed)
    else:
        found = _labels(row, truth, labels_of(a), labels_of(b), place, level, draws, seed)
    if found is None:
        return None
    first, second, interval, p, differing, method = found
    told = in_words(row.label, second - first, interval, p, names)
    return PairedDifference(name, first, second, second - first, interval, p, len(a), differing, method, told)


def in_words(
    label: str, value: float, interval: Interval, p: float, names: tuple[str, str], level: float = LEVEL
) -> str:
    """A paired difference in a sentence. `names` are those of the first and the second answer."""
    first, second = names
    told = f"95 % interval {100 * interval.low:+.1f} to {100 * interval.high:+.1f}, {p_words(p)}"
    size = f"{abs(100 * value):.1f} points {'more' if value > 0 else 'less'} {label}"
    if p < 1 - level and not interval.low <= 0 <= interval.high:
        return f"{second} has {size} than {first} ({told}): more than chance in these images explains."
    if not round(1000 * value):
        return f"Within noise: {second} and {first} have the same {label} ({told})."
    return f"Within noise: {second} has {size} than {first}, which chance in these images can bring ({told})."


def p_words(p: float) -> str:
    """A p value as a sentence shows it: "p = 0.03", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


# Several comparisons


@dataclass(frozen=True)
class Corrected:
    """One of several comparisons, with all of them in mind."""

    p: float  # as Holm adjusts it
    interval: Interval  # all intervals of the family together hold in 95 of 100 such families
    different: bool


def level_of(comparisons: int, level: float = LEVEL) -> float:
    """The level of each of so many intervals, so that all of them hold together (Bonferroni)."""
    return 1 - (1 - level) / max(1, comparisons)


def together(ps: Sequence[float], intervals: Sequence[Interval], level: float = LEVEL) -> list[Corrected]:
    """Judge comparisons together: p values by Holm's step-down method, and intervals that go with them.

    `intervals` are at `level_of(len(ps))`. Holm's method is a little sharper than intervals that hold together: where
    it finds a difference whose interval still reaches over zero, the interval ends at zero, since its sign is known.
    Holm 1979, https://www.jstor.org/stable/4615733, by statsmodels.
    """
    if not ps:
        return []
    from statsmodels.stats.multitest import multipletests  # here, because reading stored comparisons needs none

    _, adjusted, _, _ = multipletests(ps, alpha=1 - level, method="holm")
    found = []
    for p, interval in zip(adjusted, intervals, strict=True):
        different = bool(p < 1 - level)
        if different and interval.low <= 0 <= interval.high:
            positive = interval.low + interval.high > 0
            interval = Interval(0.0, interval.high) if positive else Interval(interval.low, 0.0)
        found.append(Corrected(float(p), interval, different))
    return found


# Shares of right answers

_Found = tuple[float, float, Interval, float, int, str]


def _shares(truth: np.ndarray, a: np.ndarray, b: np.ndarray, level: float) -> _Found:
    found = paired(truth, a, b)
    interval = paired_interval(found.gained, found.lost, found.images, level)
    first, second = (float((side == truth).mean()) for side in (a, b))
    return first, second, interval, found.p, int((a != b).sum()), MCNEMAR


def paired_interval(gained: int, lost: int, n: int, level: float = LEVEL) -> Interval:
    """The interval of (gained - lost) / n, the difference of two shares of right answers to the same n images.

    The difference is d * s: the share d of images that changed sides, times s, by how much more of these gained than
    lost. Wilson's limits of d and the exact limits of s (Clopper & Pearson 1934) are put together as limits of a
    product (MOVER on the logarithm), so that the sign of the difference is known exactly where McNemar's exact test
    knows it.
    Zou, Huang & Zhang 2009, https://doi.org/10.1016/j.csda.2008.10.001
    """
    from scipy.stats import binomtest

    moved = gained + lost
    few, many = wilson(moved, n, level)
    if not moved:
        return Interval(-many, many)
    exact = binomtest(gained, moved).proportion_ci(level, method="exact")
    low, high = (2 * float(bound) - 1 for bound in exact)
    share, lean = moved / n, (gained - lost) / moved
    return Interval(-_product_limit(share, -lean, few, many, -low), _product_limit(share, lean, few, many, high))


def _product_limit(share: float, lean: float, few: float, many: float, far: float) -> float:
    """The upper limit of share * lean; `share` lies between few and many, `lean` is at most `far`."""
    if far <= 0:  # even the limit is on the other side: the nearest to zero that both allow
        return share * lean * exp(-sqrt(log(share / few) ** 2 + log(far / lean) ** 2)) if far else 0.0
    if lean <= 0:
        return many * far
    return min(many * far, share * lean * exp(sqrt(log(many / share) ** 2 + log(far / lean) ** 2)))


# Resampling


def _resampled(first: float, second: float, drawn: np.ndarray, n: int, differing: int, level: float) -> _Found | None:
    """The interval and the test from the differences (D,) of all draws.

    Where few images differ a bootstrap is too sure of itself: four that all speak for one side would be enough. So the
    error is taken as if two more images differed, one for either side (as Bonett & Price 2012 do for shares): six are
    asked for then, as by McNemar's exact test.
    """
    from scipy.stats import t

    value = second - first
    if np.isnan(value):
        return None
    if not differing:
        reach = wilson(0, n, level).high
        return first, second, Interval(-reach, reach), 1.0, 0, BOOTSTRAP
    drawn = drawn[~np.isnan(drawn)]
    error = float(drawn.std(ddof=1)) * sqrt((differing + 2) / differing * n / (n - 1)) if len(drawn) > 1 else 0.0
    if error == 0:
        return (first, second, Interval(value, value), 1.0, differing, BOOTSTRAP) if value == 0 else None
    half = float(t.ppf((1 + level) / 2, n - 1)) * error
    p = float(2 * t.sf(abs(value) / error, n - 1))
    return first, second, Interval(value - half, value + half), p, differing, BOOTSTRAP


def _labels(
    row: Metric, truth: np.ndarray, a: np.ndarray, b: np.ndarray, place: int | None, level: float, draws: int, seed: int
) -> _Found | None:
    chosen = np.array([place]) if row.of_class else np.unique(truth)
    cells, counts = np.unique(np.stack([truth, a, b]), axis=1, return_counts=True)
    is_class = cells[0][:, None] == chosen
    sides = [(cells[side][:, None] == chosen).astype(np.float64) for side in (1, 2)]
    support = is_class * 1.0

    def figures(weights: np.ndarray, says: np.ndarray) -> np.ndarray:
        hits, said = weights @ (says * is_class), weights @ says
        below = said if row.name == "precision" else said + weights @ support
        above = hits if row.name == "precision" else 2 * hits
        return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0).mean(axis=1)

    whole = counts[None].astype(np.float64)
    first, second = (float(figures(whole, says)[0]) for says in sides)
    at_once = max(1, _AT_ONCE // len(counts))
    drawn = [
        figures(weights, sides[1]) - figures(weights, sides[0])
        for weights in _drawn_again(cells[0], counts, draws, seed, at_once)
    ]
    if row.of_class:
        differing = int(((a == place) != (b == place)).sum())
    else:
        differing = int((a != b).sum())
    return _resampled(first, second, np.concatenate(drawn), len(truth), differing, level)


def _rankings(truth: np.ndarray, a: np.ndarray, b: np.ndarray, level: float, draws: int, seed: int) -> _Found | None:
    if a.ndim != 2:
        raise ValueError(f"answers {a.shape}, expected probabilities (N, K)")
    n = len(truth)
    chosen = [c for c in np.unique(truth) if (truth != c).any()]
    if not chosen:
        return None
    rankings = [[_Ranking(truth == c, side[:, c]) for c in chosen] for side in (a, b)]

    def figures(weights: np.ndarray) -> list[np.ndarray]:
        return [np.mean([one.areas(weights) for one in side], axis=0) for side in rankings]

    first, second = (float(one[0]) for one in figures(np.ones((1, n))))
    draws = int(np.clip(_CELLS // (2 * n * len(chosen)), _FEWEST_DRAWS, draws))
    parts = (
        figures(weights) for weights in _drawn_again(truth, np.ones(n, np.int64), draws, seed, max(1, _AT_ONCE // n))
    )
    drawn = np.concatenate([two - one for one, two in parts])
    return _resampled(first, second, drawn, n, int((a != b).any(axis=1).sum()), level)


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


def _drawn_again(strata: np.ndarray, counts: np.ndarray, draws: int, seed: int, at_once: int) -> Iterator[np.ndarray]:
    """Weights (D, C) of cells that stand for so many images each, drawn again within each stratum, a part at a time."""
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        weights = np.zeros((size, len(counts)))
        for cells in members:
            total = counts[cells].sum()
            weights[:, cells] = generator.multinomial(total, counts[cells] / total, size=size)
        yield weights


def _masks(
    row: Metric,
    a: np.ndarray,
    b: np.ndarray,
    place: int | None,
    background: int | None,
    level: float,
    draws: int,
    seed: int,
) -> _Found | None:
    if a.ndim != 3:
        raise ValueError(f"answers {a.shape}, expected counts (N, K, 3)")
    figure = MASK_METRICS[row.name.removeprefix("mean_").removeprefix("mask_")]
    there = a[..., TRUTH].sum(axis=0) > 0
    there &= np.arange(len(there)) != (-1 if background is None else background)

    def figures(sums: np.ndarray) -> np.ndarray:
        values = figure(sums)
        return values[..., place] if row.of_class else class_mean(values[..., there], None)

    both = np.stack([a, b], axis=1)
    first, second = (float(one) for one in figures(both.sum(axis=0)))
    drawn = figures(resampled_sums(both, draws=draws, seed=seed))
    looked_at = [place] if row.of_class else np.flatnonzero(there)
    differing = int((a != b)[:, looked_at].any(axis=(1, 2)).sum())
    return _resampled(first, second, drawn[:, 1] - drawn[:, 0], len(a), differing, level)
