"""Intervals of shares that are no plain proportions: Wilson's, for as many trials as the number is worth.

AUROC, average precision and their means lie in [0, 1] as a proportion does and crowd against 1 as it does, where an
interval of equal reach to both sides is wrong. Their standard error says how many trials of a proportion would know as
much: n' = v (1 - v) / error^2, as Korn & Graubard 1998 do for surveys. Wilson's interval for n' trials stays inside
[0, 1], leans the right way, and has a width also where nothing went wrong.

From few mistakes no error can be estimated: after none of them it is zero. So the fewer mistakes there were, the more
n' is drawn towards a number that the caller knows beforehand, as if three mistakes had been seen already. And where a
few samples make up most of the error, it is itself uncertain; then Student's quantile takes the place of the normal's.
`benchmarks/coverage.py` says how often such intervals hold the truth.
"""

from math import exp, log, sqrt

import numpy as np

from core.metrics.intervals import Interval

PRIOR_MISTAKES = 3.0  # how many mistakes what is known beforehand counts for
FEWEST_FREEDOMS = 6.0  # of Student's distribution; fewer would make intervals that say nothing


def effective_interval(
    value: float,
    parts: np.ndarray,
    worth: float,
    *,
    bias: float = 0.0,
    unseen: float = 0.0,
    level: float = 0.95,
) -> Interval:
    """The interval of a share in [0, 1].

    `parts` (N,) is what each sample brings to the value: the value moves with their mean, which itself does not matter.
    `worth` is how many trials the value is worth where nothing is known of its error. `bias` is by how much such values
    lie too high on average; the interval is that of the value without it, and holds the value itself as well. `unseen`
    is variance that the parts do not show. Raises ValueError for a worth that is not positive.
    """
    from scipy.special import ndtri, stdtrit  # here, because reading a stored interval needs no SciPy

    if worth <= 0:
        raise ValueError(f"a worth of {worth}")
    n, half = len(parts), (1 + level) / 2
    moved = parts - parts.mean()
    squares = float(moved @ moved)
    variance = squares / (n * max(1, n - 1)) + unseen
    middle = min(1.0, max(0.0, value - bias))
    trials, quantile = worth, float(ndtri(half))
    if variance > 0 and 0 < middle < 1:
        mistakes = worth * (1 - middle)
        known = mistakes / (mistakes + PRIOR_MISTAKES)
        trials = exp(known * log(middle * (1 - middle) / variance) + (1 - known) * log(worth))
        if squares > 0:
            peaked = n * float((moved**4).sum()) / squares**2  # kurtosis: how much of the error a few samples make up
            freedoms = max(FEWEST_FREEDOMS, 2 * n / max(peaked - 1, 1e-9))
            quantile = known * float(stdtrit(freedoms, half)) + (1 - known) * quantile
    found = wilson_share(middle, trials, quantile)
    return Interval(min(found.low, value), max(found.high, value))


def wilson_share(share: float, trials: float, quantile: float) -> Interval:
    """Wilson's interval of a share in [0, 1] among any number of trials, whole or not, for a quantile of the normal
    distribution; in whole numbers it is that of `core.metrics.intervals.wilson`."""
    squared = quantile**2
    middle = (share + squared / (2 * trials)) / (1 + squared / trials)
    reach = quantile * sqrt(share * (1 - share) / trials + squared / (4 * trials**2)) / (1 + squared / trials)
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach))
