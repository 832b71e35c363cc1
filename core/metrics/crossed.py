"""Differences between two ways of training, seen with several seeds on the same images: is there more than chance?

Seed s and image i give one difference D[s, i]: one way's score on the image less the other's, both trained with that
seed. Chance comes in twice, crossed: other seeds would have trained other networks, and other validation images would
have been easier for one of them. An interval from the seeds alone takes the luck of these images for a difference, one
from the images alone the luck of these seeds. Here D is taken apart as in an analysis of variance with two random
factors, and both count.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from core.metrics.intervals import Interval

LEVEL = 0.95
POWER = 0.8  # how often a difference of the size that is told would have been noticed
FEWEST_SEEDS = 3  # from two nobody can tell how seeds vary


@dataclass(frozen=True)
class Crossed:
    """The mean of paired differences, and how sure it is."""

    mean: float
    interval: Interval  # of the mean, for seeds and images other than these
    seed_error: float  # standard error that other seeds bring
    image_error: float  # standard error that other images bring
    unnoticed: float  # a true difference smaller than this would more often than once in five have gone unnoticed
    seeds: int
    images: int

    @property
    def verdict(self) -> str:
        """ "better", "worse", or "no evidence" of a difference: better and worse are beyond chance."""
        if self.interval.low > 0:
            return "better"
        return "worse" if self.interval.high < 0 else "no evidence"


def crossed(differences: np.ndarray, level: float = LEVEL, *, padded: bool = True) -> Crossed:
    """The mean of differences (S, N), of S seeds on N images, and its interval.

    Let A, B and E be the mean squares of seeds, of images and of what is left. Of the variance of the mean A / SN is
    the seeds' share, known with S - 1 degrees of freedom, and (B - E) / SN the images' share, known with N - 1. Each
    share enters the half width times the square of its own Student quantile: three seeds cannot borrow certainty from
    a thousand images, as they can where one pooled number of degrees of freedom is found (Satterthwaite), which gave up
    to 9 false verdicts in 100 with three seeds. Nor is the interval ever narrower than the images alone would make it.

    Where few images differ, a normal theory is too sure of itself: four that all speak for one side would be enough.
    So two images are added, one that speaks for either side as strongly as those that differ do on average (root mean
    square; or wholly, where none differs). With one seed and right or wrong answers this is the interval of Bonett and
    Price, which like McNemar's exact test asks for six. The mean itself is that of the real images. What is no
    difference of two answers, but a measure of its own of each image, is not `padded` so.

    Raises ValueError for fewer than 3 seeds or 2 images.
    Zou & Donner 2008 (limits from limits of the parts), https://doi.org/10.1002/sim.3095; Bonett & Price 2012
    """
    from scipy.stats import t  # here, because reading a stored interval needs no SciPy

    seeds, images = differences.shape
    if seeds < FEWEST_SEEDS or images < 2:
        raise ValueError(f"{seeds} seeds and {images} images")
    table = np.asarray(differences, np.float64)
    if padded:
        of_images = table.mean(axis=0)
        differing = of_images[of_images != 0]
        strength = sqrt(np.mean(differing**2)) if differing.size else 1.0
        table = np.concatenate([table, np.broadcast_to([strength, -strength], (seeds, 2))], axis=1)

    n, others = table.size, table.shape[1] - 1
    freedoms = np.array([seeds - 1, others, (seeds - 1) * others])
    middle, of_seeds, of_images = table.mean(), table.mean(axis=1), table.mean(axis=0)
    rest = table - of_seeds[:, None] - of_images + middle
    squares = np.array([n * of_seeds.var(), n * of_images.var(), np.sum(rest**2)])
    a, b, e = squares / freedoms
    by_seeds, by_images = a / n, max(0.0, b - e) / n
    of_seeds_t, of_images_t = t.ppf((1 + level) / 2, freedoms[:2])
    half = sqrt(max(of_seeds_t**2 * by_seeds + of_images_t**2 * by_images, of_images_t**2 * b / n))
    return Crossed(
        mean=float(differences.mean()),
        interval=Interval(float(middle - half), float(middle + half)),
        seed_error=sqrt(by_seeds),
        image_error=sqrt(by_images),
        unnoticed=half + NormalDist().inv_cdf(POWER) * sqrt(by_seeds + by_images),
        seeds=seeds,
        images=images,
    )


def parts_of_ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """What each image brings to a pooled share, (N, ...): numbers whose mean over the images is sum / sum.

    `above` and `below` (N, ...) are the counts of each image. The share itself is no mean over images; to the first
    order it moves with them as the mean of these parts does (the delta method). NaN where nothing is below.
    """
    total = below.sum(axis=0, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = above.sum(axis=0) / total
        return ratio + len(below) * (above - ratio * below) / total
