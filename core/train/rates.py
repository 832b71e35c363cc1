"""What a learning-rate range test found: the loss at each rate, and which rate to begin with. Torch-free.

Smith 2017, https://arxiv.org/abs/1506.01186
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

FEWEST_POINTS = 6  # of a curve from which anything is suggested
LEAST_FALL = 0.02  # of the loss at the start; less is noise


@dataclass(frozen=True)
class RateTest:
    """One range test: the rate rose step by step, and this is what the loss did."""

    phase: str  # name of the recipe's phase whose rate was looked for
    rates: tuple[float, ...]  # of each step of the optimizer, rising
    losses: tuple[float, ...]  # mean training loss of the batch of that step, before it
    smoothed: tuple[float, ...]  # the same without the noise of single batches
    steepest: float | None  # where the smoothed loss falls fastest; None where it never really fell
    valley: float | None  # in the middle of its longest fall
    ended: Literal["highest rate", "explosion", "time"]  # why the test went no further
    planned: int  # steps from the lowest to the highest rate
    images: int  # training images that were learned from
    seconds: float  # that the whole test took

    @property
    def suggestion(self) -> float | None:
        """The rate to begin with: where the loss falls fastest.

        Of the two rules it comes within a factor of ten of the best rate of a grid; the longest fall begins where the
        loss hardly moves yet, and its middle is up to a hundred times too small (see docs/LOG.md).
        """
        return self.steepest

    @property
    def sentence(self) -> str:
        """What it found and what it took, for a person."""
        took = f"{len(self.rates)} steps in {self.seconds:.0f} s"
        if self.suggestion is not None:
            return f"Begin with {self.suggestion:g}: there the loss falls fastest ({took})."
        if self.ended == "time":
            return f"Too slow to tell: {took}, of {self.planned}. Smaller images, batches or networks are quicker."
        return f"No rate made the loss fall clearly ({took}). Other choices may: weights, batch, optimizer."

    def to_json(self) -> dict[str, Any]:
        """Plain data, as the command line gives it."""
        return {"suggestion": self.suggestion, "sentence": self.sentence, **asdict(self)}


def smooth(losses: Sequence[float], planned: int) -> np.ndarray:
    """The losses without the noise of single batches, (n,): a Gaussian mean over a 25th of the planned steps.

    It looks both ways, so that unlike a running mean it does not move what it smooths towards higher rates.
    """
    from scipy.ndimage import gaussian_filter1d  # here, because pages import this file

    return gaussian_filter1d(np.asarray(losses, dtype=np.float64), sigma=max(1.0, planned / 25), mode="nearest")


def steepest(rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """The rate at which the smoothed loss falls fastest per decade of rates, before it is lowest.

    None where the curve has too few points or never falls by as much as 2 %.
    """
    losses = np.asarray(smoothed)
    if not _falls(losses):
        return None
    lowest = int(np.argmin(losses))
    slopes = np.gradient(losses, np.log10(rates))[: lowest + 1]
    return float(rates[int(np.argmin(slopes))])


def valley(rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """The rate in the middle of the longest fall of the smoothed loss.

    The longest fall is the longest row of points, not necessarily neighbours, each lower than the one before: a bump on
    the way down does not end it. (The rule is fastai's.) None as for `steepest`.
    """
    losses = np.asarray(smoothed)
    if not _falls(losses):
        return None
    length, before = np.ones(len(losses), dtype=int), np.full(len(losses), -1)
    for end in range(1, len(losses)):
        higher = np.flatnonzero(losses[:end] > losses[end])
        if higher.size:
            best = higher[np.argmax(length[higher])]
            length[end], before[end] = length[best] + 1, best
    last = first = int(np.argmax(length))
    while before[first] >= 0:
        first = int(before[first])
    return float(rates[(first + last) // 2])


def _falls(losses: np.ndarray) -> bool:
    if len(losses) < FEWEST_POINTS:
        return False
    lowest = int(np.argmin(losses))
    return bool(losses[: lowest + 1].max() - losses[lowest] > LEAST_FALL * abs(losses[0]))


def two_digits(rate: float | None) -> float | None:
    """A rate as a person would write it: 0.0023."""
    return None if rate is None else float(f"{rate:.1e}")
