"""How sure a number is: intervals for proportions and for anything computed from a confusion matrix."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

# A statistic reads confusion matrices (..., K, K), rows = truth, and gives one number for each (...).
Statistic = Callable[[np.ndarray], np.ndarray]

_CELLS_AT_ONCE = 4_000_000  # of resampled confusion matrices held in memory: 32 MB of 64-bit counts


class Interval(NamedTuple):
    """From `low` to `high`; both belong to it."""

    low: float
    high: float


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for a proportion of `successes` among `n` independent trials.

    Unlike the textbook interval it stays inside [0, 1] and has a width when every trial, or none, succeeded.
    Nothing is known after no trial: then it is [0, 1]. Raises ValueError unless 0 <= successes <= n.

    Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953
    """
    from scipy.stats import binomtest  # here, because reading a stored interval needs no SciPy

    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials")
    if n == 0:
        return Interval(0.0, 1.0)
    found = binomtest(int(successes), int(n)).proportion_ci(level, method="wilson")
    return Interval(float(found.low), float(found.high))


def bootstrap_confusion(
    confusion: np.ndarray, statistic: Statistic, draws: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval | None:
    """The percentile bootstrap interval of a statistic of a confusion matrix (K, K), rows = truth.

    Drawing as many samples again, with replacement, from the table of predictions is one multinomial draw of the
    confusion matrix, so nothing but the counts is needed. Draws in which the statistic is undefined (NaN) are left out;
    None when it is undefined in all of them, or when the matrix is empty. The same seed gives the same interval.

    Efron 1979, https://doi.org/10.1214/aos/1176344552
    """
    total = int(confusion.sum())
    if total == 0:
        return None
    values = np.concatenate([statistic(matrices) for matrices in _resampled(confusion, total, draws, seed)])
    values = values[~np.isnan(values)]
    if values.size == 0:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _resampled(confusion: np.ndarray, total: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Confusion matrices (D, K, K) of `draws` resampled tables, a part at a time; empty cells stay empty."""
    generator = np.random.default_rng(seed)
    flat = confusion.ravel()
    filled = np.flatnonzero(flat)
    at_once = max(1, _CELLS_AT_ONCE // flat.size)
    for start in range(0, draws, at_once):
        count = min(at_once, draws - start)
        matrices = np.zeros((count, flat.size), dtype=np.int64)
        matrices[:, filled] = generator.multinomial(total, flat[filled] / total, size=count)
        yield matrices.reshape(count, *confusion.shape)
