"""Whether a model is right as often as it says: calibration error, over-confidence and Brier score, with intervals.

Confidence is the probability of the class that a model answers. Images are put into ten bins of equal width by it, and
in each bin the mean confidence is held against the share of right answers.
"""

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from core.metrics.intervals import Interval, wilson

BINS = 10
_DRAWS = 800  # of calibration errors for each true one that is tried
_STEPS = 80  # true errors tried
_LEAST_DOUBT = 0.02  # nobody is believed to be surer than this
_PRIOR_MISTAKES = 3.0  # how many wrong answers the guess of what one costs counts for


@dataclass(frozen=True)
class Bin:
    """The images whose confidence lies between two bounds."""

    low: float
    high: float
    n: int  # images
    confidence: float | None  # mean; None without images
    accuracy: float | None  # share of right answers
    interval: Interval | None  # of the share (Wilson)


@dataclass(frozen=True)
class Calibration:
    """How far what a model says of itself is from what it does."""

    n: int
    error: float  # expected calibration error: mean distance of confidence and accuracy over the bins, by images
    error_interval: Interval  # of the error that endless images would show; from few images it may lie below `error`
    by_chance: float  # what so few images would show on average of a model without any error
    gap: float  # mean confidence less accuracy; above zero it is over-confident
    gap_interval: Interval
    brier: float  # mean squared distance of the probabilities from the truth, in [0, 2], of two classes in [0, 1]
    brier_interval: Interval
    bins: tuple[Bin, ...]


def calibration(truth: np.ndarray, probabilities: np.ndarray) -> Calibration:
    """The calibration of probabilities (N, K) for class numbers (N,), N at least 1."""
    probabilities = probabilities.astype(np.float64)
    answer, n = probabilities.argmax(axis=1), len(truth)
    confidence, right = probabilities[np.arange(n), answer], answer == truth
    bins = bins_of(confidence, right)
    error, interval, by_chance = error_of(bins)
    doubt = 1 - confidence
    scores, if_wrong = brier_scores(truth, probabilities), brier_scores(_second(probabilities), probabilities)
    gap_interval = mean_interval(confidence - right, ~right, confidence, doubt)
    if right.all():  # the bins cannot say how often the model is wrong; the error is no smaller than the gap
        interval = Interval(interval.low, max(interval.high, gap_interval.high))
    return Calibration(
        n=n,
        error=error,
        error_interval=interval,
        by_chance=by_chance,
        gap=float((confidence - right).mean()),
        gap_interval=gap_interval,
        brier=float(scores.mean()),
        brier_interval=mean_interval(scores, ~right, if_wrong, doubt, least=0.0),
        bins=bins,
    )


def bins_of(confidence: np.ndarray, right: np.ndarray) -> tuple[Bin, ...]:
    """Ten bins of equal width of confidences (N,) in [0, 1], with what was right (N,)."""
    places = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    images = np.bincount(places, minlength=BINS)
    return pooled_bins(images, np.bincount(places, confidence, BINS), np.bincount(places, right, BINS))


def pooled_bins(images: np.ndarray, confidence: np.ndarray, right: np.ndarray) -> tuple[Bin, ...]:
    """Bins from sums: how many (B,), the sum of their confidences (B,) and how many are right (B,)."""
    number = len(images)
    return tuple(
        Bin(
            low=place / number,
            high=(place + 1) / number,
            n=int(count),
            confidence=float(confidence[place] / count) if count else None,
            accuracy=float(right[place] / count) if count else None,
            interval=wilson(round(float(right[place])), int(count)) if count else None,
        )
        for place, count in enumerate(images)
    )


def error_of(bins: tuple[Bin, ...]) -> tuple[float, Interval, float]:
    """The expected calibration error of bins, its interval, and what chance alone would show.

    Naeini, Cooper & Hauskrecht 2015, https://doi.org/10.1609/aaai.v29i1.9602

    A bin of few images is off by chance, and distances add up: from few images the error of the best model reads high,
    and drawing the images again reads higher still (such intervals held the truth in 4 of 100 cases, with 50 images).
    So the interval is found by inverting a test: it has all true errors under which so small and so large a figure
    comes up more often than once in forty, where a true error is spread over the bins as the bins themselves suggest.
    """
    filled = [one for one in bins if one.n]
    images = np.array([one.n for one in filled], np.float64)
    off = np.array([one.confidence - one.accuracy for one in filled])
    # As if two more images of each bin had been right as often as the model says: no bin is certain of itself.
    share = np.array([(one.accuracy * one.n + 2 * one.confidence) / (one.n + 2) for one in filled])
    deviations = np.sqrt(np.maximum(share * (1 - share), 1e-9) / images)
    return error_from(images / images.sum(), off, deviations, images.sum())


def error_from(weights: np.ndarray, off: np.ndarray, deviations: np.ndarray, n: float) -> tuple[float, Interval, float]:
    """What `error_of` gives, of bins with these shares of all n images (B,), that are `off` by so much (B,), each known
    with such a standard error (B,)."""
    error = float((weights * abs(off)).sum())
    suggested = np.sqrt(np.maximum(off**2 - deviations**2, 0) + deviations**2 / 4)
    chance = np.random.default_rng(0).normal(size=(_DRAWS, len(off) + 1))
    interval = _inverted(error, weights, deviations, suggested / (weights @ suggested), n, chance)
    return error, interval, float(sqrt(2 / pi) * (weights @ deviations))


def brier_scores(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The squared distance of probabilities (N, K) from the truth (N,) of each image, (N,); of two classes half of it.

    Brier 1950, https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
    """
    distances = probabilities.copy()
    distances[np.arange(len(truth)), truth] -= 1
    return (distances**2).sum(axis=1) / (2 if probabilities.shape[1] == 2 else 1)


def mean_interval(
    scores: np.ndarray,
    wrong: np.ndarray,
    if_wrong: np.ndarray,
    doubt: np.ndarray,
    *,
    least: float = -np.inf,
    level: float = 0.95,
) -> Interval:
    """The interval of the mean of scores (N,) that jump where an answer is `wrong` (N,).

    One sure mistake in a hundred can make up half of a mean, and before it is seen neither Student's interval nor any
    drawing again knows of it. But how often answers are wrong is a proportion, and Wilson's interval holds it. So the
    mean is taken apart: how often wrong times what a wrong answer costs more than a right one, and what the scores vary
    beside that; the reaches of the two are added as squares (MOVER). What wrong answers cost is not known from few of
    them; `if_wrong` (N,), the score that each image would have if its answer were wrong, stands in for three of them,
    each image weighted by the `doubt` (N,) that there is of its answer.

    Zou & Donner 2008, https://doi.org/10.1002/sim.3095
    """
    from scipy.special import stdtrit  # here, because reading a stored interval needs no SciPy

    n, number, mean = len(scores), int(wrong.sum()), float(scores.mean())
    low, high = wilson(number, n, level)
    rate, known = number / n, number / (number + _PRIOR_MISTAKES)
    of_wrong, of_right = scores[wrong], scores[~wrong]
    guess = float(np.average(if_wrong, weights=doubt + _LEAST_DOUBT))
    cost = known * (float(of_wrong.mean()) if number else 0.0) + (1 - known) * guess
    cost -= float(of_right.mean()) if number < n else 0.0
    spread_wrong = known * (float(of_wrong.var(ddof=1)) if number > 1 else 0.0) + (1 - known) * float(if_wrong.var())
    spread_right = float(of_right.var(ddof=1)) if n - number > 1 else 0.0
    quantile = float(stdtrit(max(1, n - 1), (1 + level) / 2))
    beside = quantile**2 * ((1 - rate) * spread_right + rate * spread_wrong) / n
    down, up = (rate - low, high - rate) if cost >= 0 else (high - rate, rate - low)
    return Interval(max(least, mean - sqrt((down * cost) ** 2 + beside)), mean + sqrt((up * cost) ** 2 + beside))


def _inverted(
    error: float, weights: np.ndarray, deviations: np.ndarray, shape: np.ndarray, n: float, chance: np.ndarray
) -> Interval:
    """The true errors, spread over the bins as `shape` (B,) says, under which the error seen is no rare one."""
    reach = 1.5 * error + 6 * float(weights @ deviations)
    tried = np.concatenate([[0.0], np.geomspace(reach / 500, reach, _STEPS)])
    shown = np.abs(tried[:, None, None] * shape + deviations * chance[:, :-1]) @ weights  # (tried, draws)
    others = np.sqrt(
        weights @ ((tried[:, None] * (shape - 1)) ** 2).T / n
    )  # other images would fill the bins otherwise
    shown += others[:, None] * chance[:, -1]
    as_large, as_small = (shown >= error).mean(axis=1), (shown <= error).mean(axis=1)
    above = np.flatnonzero(as_large > 0.025)
    below = np.flatnonzero(as_small > 0.025)
    low, high = (int(above[0]) if above.size else len(tried) - 1), (int(below[-1]) if below.size else 0)
    return Interval(_crossing(tried, as_large, low - 1), min(1.0, _crossing(tried, as_small, high)))


def _crossing(tried: np.ndarray, chances: np.ndarray, before: int) -> float:
    """Between a tried error and the next one, where the chance crosses 2.5 of 100."""
    if not 0 <= before < len(tried) - 1:
        return float(tried[max(0, min(before, len(tried) - 1))])
    one, other = chances[before], chances[before + 1]
    part = (0.025 - one) / (other - one) if other != one else 0.0
    return float(tried[before] + part * (tried[before + 1] - tried[before]))


def _second(probabilities: np.ndarray) -> np.ndarray:
    """The class (N,) that is most probable after the answer."""
    others = probabilities.copy()
    others[np.arange(len(others)), probabilities.argmax(axis=1)] = -1
    return others.argmax(axis=1)
