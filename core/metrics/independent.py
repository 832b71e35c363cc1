"""Two figures from different images: how far apart they are, and whether that can be chance."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from core.metrics.intervals import Interval, wilson

MOST_EXACT = 40_000  # pairs of counts that the exact test looks through: 200 images against 200, a third of a second


@dataclass(frozen=True)
class Apart:
    """The second of two figures less the first, each from images of its own."""

    first: float
    second: float
    value: float  # second less first
    interval: Interval  # 95 %, of the value
    p: float  # how often chance alone brings figures as far apart where both are truly the same
    images: tuple[int, int]
    method: str  # of the test


def shares_apart(first: tuple[int, int], second: tuple[int, int]) -> Apart:
    """Two proportions, each as (successes, of how many), from independent trials.

    The interval is Newcombe's, made of Wilson's intervals of the two (method 10); the test is Boschloo's exact one for
    few images and the score test (chi-squared, uncorrected) for many.
    Raises ValueError where one of them rests on no trial.
    Newcombe 1998, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I;
    Boschloo 1970, https://doi.org/10.1111/j.1467-9574.1970.tb00104.x
    """
    from scipy.stats import boschloo_exact, chi2_contingency  # here, because pages read stored results only

    (k, n), (j, m) = first, second
    if not (n and m):
        raise ValueError(f"{k} of {n} and {j} of {m}")
    one, two = wilson(k, n), wilson(j, m)
    p, q = k / n, j / m
    low = q - p - sqrt((q - two.low) ** 2 + (one.high - p) ** 2)
    high = q - p + sqrt((two.high - q) ** 2 + (p - one.low) ** 2)
    table = [[k, j], [n - k, m - j]]
    if k + j in (0, n + m):  # all right, or none: nothing to tell them apart by
        chance, method = 1.0, "no test is needed"
    elif n * m <= MOST_EXACT:
        chance, method = float(boschloo_exact(table).pvalue), "Boschloo's exact test"
    else:
        chance, method = float(chi2_contingency(table, correction=False).pvalue), "score test"
    return Apart(p, q, q - p, Interval(low, high), min(1.0, chance), (n, m), method)


def means_apart(first: np.ndarray, second: np.ndarray) -> Apart:
    """Two means of figures of independent images, (N,) and (M,), by Welch's t-test and interval.

    Raises ValueError for fewer than two images in one of them, and where no image differs from another.
    Welch 1947, https://doi.org/10.1093/biomet/34.1-2.28
    """
    from scipy.stats import t

    if min(len(first), len(second)) < 2 or np.ptp(first) == np.ptp(second) == 0:
        raise ValueError(f"{len(first)} and {len(second)} images that may not differ")
    one, two = float(np.mean(first)), float(np.mean(second))
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (first, second)]
    error = sqrt(sum(parts))
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (first, second), strict=True)
    )
    reach, chance = float(t.ppf(0.975, freedom)) * error, 2 * float(t.sf(abs(two - one) / error, freedom))
    interval = Interval(two - one - reach, two - one + reach)
    return Apart(one, two, two - one, interval, chance, (len(first), len(second)), "Welch's t-test")
