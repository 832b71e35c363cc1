"""Two groups of runs on the same images, each the runs of one recipe with several seeds: which recipe is better?

`core.metrics.crossed` takes runs in pairs, one of either way of training with each seed. Here the runs of the two
groups have nothing in common but the images, as where they were trained with other seeds, or with more of them.
"""

from collections.abc import Callable
from math import sqrt
from statistics import NormalDist

import numpy as np

from core.metrics.crossed import FEWEST_SEEDS, LEVEL, POWER, Crossed
from core.metrics.intervals import Interval

_SMALLEST = 1e-12  # of p values; below it nobody asks how small


def grouped(first: np.ndarray, second: np.ndarray, level: float = LEVEL) -> Crossed:
    """The mean of the second group less that of the first, of parts (S, N) and (T, N) of S and T runs on N images.

    As in `core.metrics.crossed`, chance comes in twice. The runs of either group vary about its mean: that share of the
    variance is known from its own runs alone. And other images would suit one recipe better: that share is known from
    the differences between the group means image by image, less what the runs' own scatter puts into these. Each share
    enters the half width times the square of its own Student quantile. Two images are added, one for either side, as
    there. `seeds` of the answer are the runs of the smaller group.

    Raises ValueError for a group of fewer than 3 runs, and for fewer than 2 images.
    """
    from scipy.stats import t

    (s, n), (u, m) = first.shape, second.shape
    if min(s, u) < FEWEST_SEEDS or n < 2 or n != m:
        raise ValueError(f"groups of {s} and {u} runs on {n} and {m} images")
    gaps = second.mean(axis=0) - first.mean(axis=0)
    differing = gaps[gaps != 0]
    strength = sqrt(np.mean(differing**2)) if differing.size else 1.0
    gaps = np.concatenate([gaps, [strength, -strength]])

    by_runs, of_runs_t, scatter = [], [], 0.0
    for side in (first, second):
        runs = len(side)
        by_runs.append(float(side.mean(axis=1).var(ddof=1)) / runs)
        of_runs_t.append(t.ppf((1 + level) / 2, runs - 1))
        rest = side - side.mean(axis=0) - side.mean(axis=1, keepdims=True) + side.mean()
        scatter += float(np.sum(rest**2)) / ((runs - 1) * (n - 1)) / runs
    of_images_t = t.ppf((1 + level) / 2, n + 1)
    spread = float(gaps.var(ddof=1)) / (n + 2)
    by_images = max(0.0, spread - scatter / (n + 2))
    shares = of_runs_t[0] ** 2 * by_runs[0] + of_runs_t[1] ** 2 * by_runs[1] + of_images_t**2 * by_images
    half, middle = sqrt(max(shares, of_images_t**2 * spread)), float(gaps.mean())
    return Crossed(
        mean=float(gaps[:-2].mean()),
        interval=Interval(middle - half, middle + half),
        seed_error=sqrt(sum(by_runs)),
        image_error=sqrt(by_images),
        unnoticed=half + NormalDist().inv_cdf(POWER) * sqrt(sum(by_runs) + by_images),
        seeds=min(s, u),
        images=n,
    )


def p_value(interval: Callable[[float], Interval]) -> float:
    """The p value that goes with intervals: one less the level at which the interval first reaches zero.

    `interval` gives the interval of a level and widens with it.
    """
    low, high = np.log(_SMALLEST), np.log(0.999)

    def leaves_out_zero(alpha: float) -> bool:
        found = interval(1 - alpha)
        return not found.low <= 0 <= found.high

    if not leaves_out_zero(float(np.exp(high))):
        return 1.0
    if leaves_out_zero(_SMALLEST):
        return _SMALLEST
    for _ in range(40):  # halves 28 units of a logarithm until less than a billionth of one is left
        middle = (low + high) / 2
        low, high = (low, middle) if leaves_out_zero(float(np.exp(middle))) else (middle, high)
    return float(np.exp(high))
