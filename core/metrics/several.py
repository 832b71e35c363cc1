"""Two answers to the same images, by any figure; and several comparisons at once, none of them believed too easily.

A paired difference is about two trained models as they are: would the second do better than the first on further
images like these? It says nothing about what the recipes would give with another seed; `core.metrics.groups` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np

from core.metrics.intervals import Interval, wilson
from core.metrics.paired import Paired, paired
from core.metrics.parts import labels_of, metric
from core.metrics.resampled import DRAWS, SHARES, Resampled, differs, resample

LEVEL = 0.95

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
    if name == "recall" and place is not None:
        a, b, truth = (side[truth == place] for side in (labels_of(a), labels_of(b), truth))
    if len(a) < 2:
        return None
    how = {"place": place, "background": background, "draws": draws, "seed": seed}
    ours, theirs = (resample(name, truth, side, **how) for side in (a, b))
    differing = int(differs(row, a, b, place, background).sum())
    test = paired(truth, labels_of(a), labels_of(b)) if name in SHARES else None
    return between(name, ours, theirs, differing, test=test, level=level, names=names)


def between(
    name: str,
    first: Resampled,
    second: Resampled,
    differing: int,
    *,
    test: Paired | None = None,
    level: float = LEVEL,
    names: tuple[str, str] = ("the first", "the second"),
) -> PairedDifference | None:
    """The paired difference of two answers that were resampled alike, and that differ on so many images.

    With a `test` of right and wrong answers the interval and the p value come from that. For whoever compares many
    answers with one another, each of which is resampled once.
    """
    if np.isnan(first.value) or np.isnan(second.value):
        return None
    value, n = second.value - first.value, first.n
    if test is not None:
        interval, p, method = paired_interval(test.gained, test.lost, n, level), test.p, MCNEMAR
    else:
        error = _error(second.drawn - first.drawn, n, differing)
        interval, p = _student(value, error, n, differing, level)
        method = BOOTSTRAP
    told = in_words(metric(name).label, value, interval, p, names, level)
    return PairedDifference(name, first.value, second.value, value, interval, p, n, differing, method, told)


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
    Holm 1979, https://www.jstor.org/stable/4615733
    """
    found = []
    for p, interval in zip(holm(ps), intervals, strict=True):
        different = bool(p < 1 - level)
        if different and interval.low <= 0 <= interval.high:
            positive = interval.low + interval.high > 0
            interval = Interval(0.0, interval.high) if positive else Interval(interval.low, 0.0)
        found.append(Corrected(p, interval, different))
    return found


def holm(ps: Sequence[float]) -> list[float]:
    """P values of a family by Holm's step-down method: the smallest times their number, the next times one less, ...

    By hand, and tested against statsmodels, whose function collects all garbage of the process on the way (0.2 s).
    """
    adjusted, least = [0.0] * len(ps), 0.0
    for rank, place in enumerate(np.argsort(ps, kind="stable")):
        least = max(least, min(1.0, ps[place] * (len(ps) - rank)))
        adjusted[place] = least
    return adjusted


# Shares of right answers


def paired_interval(gained: int, lost: int, n: int, level: float = LEVEL) -> Interval:
    """The interval of (gained - lost) / n, the difference of two shares of right answers to the same n images.

    The difference is d * s: the share d of images that changed sides, times s, by how much more of these gained than
    lost. Wilson's limits of d and the exact limits of s (Clopper & Pearson 1934) are put together as limits of a
    product (MOVER on the logarithm), so that the sign of the difference is known exactly where McNemar's exact test
    knows it.
    Zou, Huang & Zhang 2009, https://doi.org/10.1016/j.csda.2008.10.001
    """
    from scipy.stats import beta

    moved = gained + lost
    few, many = wilson(moved, n, level)
    if not moved:
        return Interval(-many, many)
    tail = (1 - level) / 2
    low = float(2 * beta.ppf(tail, gained, lost + 1) - 1) if gained else -1.0
    high = float(2 * beta.isf(tail, gained + 1, lost) - 1) if lost else 1.0
    share, lean = moved / n, (gained - lost) / moved
    return Interval(-_product_limit(share, -lean, few, many, -low), _product_limit(share, lean, few, many, high))


def _product_limit(share: float, lean: float, few: float, many: float, far: float) -> float:
    """The upper limit of share * lean; `share` lies between few and many, `lean` is at most `far`."""
    if far <= 0:  # even the limit is on the other side: the nearest to zero that both allow
        return share * lean * exp(-sqrt(log(share / few) ** 2 + log(far / lean) ** 2)) if far else 0.0
    if lean <= 0:
        return many * far
    return min(many * far, share * lean * exp(sqrt(log(many / share) ** 2 + log(far / lean) ** 2)))


def _error(drawn: np.ndarray, n: int, differing: int) -> float:
    """The standard error of a difference from what it is in every draw (D,).

    Where few images differ a bootstrap is too sure of itself: four that all speak for one side would be enough. So the
    error is taken as if two more images differed, one for either side (as Bonett & Price 2012 do for shares): six are
    asked for then, as by McNemar's exact test. And n - 1 stands where resampling has n.
    """
    drawn = drawn[~np.isnan(drawn)]
    if not differing or len(drawn) < 2:
        return 0.0
    return float(drawn.std(ddof=1)) * sqrt((differing + 2) / differing * n / (n - 1))


def _student(value: float, error: float, n: int, differing: int, level: float) -> tuple[Interval, float]:
    """Interval and p value of a difference by Student's t; where nothing differs, what could have been missed."""
    from scipy.stats import t

    if error == 0:
        reach = wilson(differing, n, level).high
        return Interval(value - reach, value + reach), 1.0
    half = float(t.ppf((1 + level) / 2, n - 1)) * error
    return Interval(value - half, value + half), float(2 * t.sf(abs(value) / error, n - 1))
