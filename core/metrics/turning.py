"""Where a course that falls begins to rise, beyond chance: the place, how sure it is, and how much is lost by its end.

The lowest point of a curve that wavers is always followed by higher ones, so that alone says nothing. Here the course
that falls throughout and fits best is held against the best one that falls and then rises again. The second always fits
better; by how much chance alone would make it fit better is found by drawing courses that fall throughout and waver as
this one does. Neither course has any other form than falling and rising (isotonic regression), so no curve is assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from core.metrics.intervals import Interval
from core.seeding import derive

FEWEST = 8  # points; from fewer a turn cannot be told from wavering
MOST = 80  # points that are looked at one by one; of a longer course neighbours are put together
DRAWS = 400
_SHORTEST_MEMORY, _LONGEST_MEMORY = 0.33, 0.8  # how much of its wavering a point may share with the one before it
_TINY = 1e-12


@dataclass(frozen=True)
class Turning:
    """A course that may turn. Places count from 0."""

    place: int  # of the lowest point of the course that fits best
    places: tuple[int, int]  # where it plausibly lies, 95 %
    p: float  # how often a course that falls throughout seems to rise as clearly
    loss: float  # by how much the end lies above the lowest stretch
    interval: Interval  # 95 %, of the loss
    before: tuple[int, int]  # first and last place of the lowest stretch
    after: tuple[int, int]  # of the end


def turning(values: Sequence[float], *, draws: int = DRAWS, seed: int = 0) -> Turning | None:
    """Where a course turns from falling to rising; None for fewer than eight points.

    The wavering is drawn as a first-order autoregression with the spread and the memory that the course itself shows.
    Barlow, Bartholomew, Bremner & Brunk 1972, Statistical Inference under Order Restrictions; all starts of a course
    are fitted in one pass as Stout 2008 shows, https://doi.org/10.1016/j.csda.2008.08.005
    """
    whole = np.asarray(values, np.float64)
    if len(whole) < FEWEST:
        return None
    step = -(-len(whole) // MOST)
    starts = np.arange(0, len(whole), step)
    course = np.add.reduceat(whole, starts) / np.diff([*starts, len(whole)])
    falls, last, rises = _errors(course)
    valley, fall = _valley(course, last), _fitted(course, increasing=False)
    spread, memory = _wavering(course, valley)
    generator = np.random.default_rng(derive(seed, "turning"))
    noise = _drawn(generator, draws, len(course), spread, memory)

    clear = (falls - rises) / (rises + _TINY)
    chance = [_clearness(fall + one) for one in noise]
    lowest, end = _stretches(valley)
    found = _loss(course, lowest, end)
    expected, places, losses = _loss(valley, lowest, end), [], []
    for one in noise:
        again = _valley(valley + one, _errors(valley + one)[1])
        places.append(int(again.argmin()))
        losses.append(_loss(valley + one, *_stretches(again)) - expected)
    low, high = np.quantile(losses, [0.025, 0.975])
    sides = np.quantile([int(valley.argmin()), *places], [0.025, 0.975])
    return Turning(
        place=_whole(lowest[0] + (lowest[1] - lowest[0]) // 2, step, len(whole)),
        places=(_whole(int(np.floor(sides[0])), step, len(whole)), _whole(int(np.ceil(sides[1])), step, len(whole))),
        p=(1 + sum(one >= clear for one in chance)) / (1 + draws),
        loss=found,
        interval=Interval(float(found - high), float(found - low)),
        before=(lowest[0] * step, min(len(whole) - 1, lowest[1] * step + step - 1)),
        after=(end[0] * step, len(whole) - 1),
    )


def _whole(place: int, step: int, length: int) -> int:
    """A place of the course as it was, of one whose neighbours were put together."""
    return min(length - 1, place * step + (step - 1) // 2)


def _loss(course: np.ndarray, lowest: tuple[int, int], end: tuple[int, int]) -> float:
    """How far the mean of the end lies above that of the lowest stretch; both are closed."""
    one, other = (course[first : last + 1].mean() for first, last in (end, lowest))
    return float(one - other)


def _stretches(valley: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """The lowest stretch of a valley, three points about its lowest, and its end, as many; a shorter end where the
    lowest point is near to it."""
    last = len(valley) - 1
    flat = np.flatnonzero(valley <= valley.min() + _TINY)
    middle = int(flat[len(flat) // 2])
    lowest = max(0, middle - 1), min(last, middle + 1)
    return lowest, (min(last, max(lowest[1] + 1, last - 2)), last)


def _clearness(course: np.ndarray) -> float:
    falls, _, rises = _errors(course)
    return (falls - rises) / (rises + _TINY)


def _errors(course: np.ndarray) -> tuple[float, int, float]:
    """The squared error of the best fall, where the best valley ends to fall, and the squared error of that."""
    down, up = _of_starts(-course), _of_starts(-course[::-1])[::-1]
    both = np.append(down, 0.0)[:-1] + np.append(up[1:], 0.0)
    last = int(both.argmin())
    rising = float(up[0])
    if rising < both[last]:  # it rises from its first point on
        return float(down[-1]), -1, rising
    return float(down[-1]), last, float(both[last])


def _of_starts(course: np.ndarray) -> np.ndarray:
    """The squared error of the best rising fit to each start of a course, (N,), pooling violators as they come."""
    blocks: list[tuple[float, float, int, float]] = []  # sum, sum of squares, points, error of all blocks before
    errors = np.empty(len(course))
    for place, value in enumerate(course.tolist()):
        total, squares, points = value, value * value, 1
        while blocks and blocks[-1][0] * points >= total * blocks[-1][2]:
            above = blocks.pop()
            total, squares, points = total + above[0], squares + above[1], points + above[2]
        before = 0.0
        if blocks:
            one = blocks[-1]
            before = one[3] + max(0.0, one[1] - one[0] * one[0] / one[2])
        blocks.append((total, squares, points, before))
        errors[place] = before + max(0.0, squares - total * total / points)
    return errors


def _valley(course: np.ndarray, last: int) -> np.ndarray:
    """The best course that falls up to this place and rises after it."""
    parts = [_fitted(course[: last + 1], increasing=False), _fitted(course[last + 1 :], increasing=True)]
    return np.concatenate(parts)


def _fitted(course: np.ndarray, *, increasing: bool) -> np.ndarray:
    from scipy.optimize import isotonic_regression  # here, because pages read stored results only

    return isotonic_regression(course, increasing=increasing).x if len(course) else course


def _wavering(course: np.ndarray, fitted: np.ndarray) -> tuple[float, float]:
    """The standard deviation of the wavering, and how much of it a point shares with the one before.

    What the fit leaves says too little where the course is steep, since whatever falls is fitted to the point. So the
    bends of the lower half of the course count as well: of three neighbours the middle one lies off the line through
    the others by 1.5 times the variance. The larger of the two is taken. The memory of few points looks shorter than it
    is (Marriott & Pope 1954), and is never taken for less than a third.
    """
    rest = course - fitted
    freedom = max(len(course) / 2, len(course) - len(np.unique(fitted)))
    left = sqrt(float((rest**2).sum()) / freedom)
    memory = float((rest[1:] * rest[:-1]).sum() / (rest**2).sum()) if left > _TINY else 0.0
    memory = min(_LONGEST_MEMORY, max(_SHORTEST_MEMORY, memory + (1 + 4 * memory) / len(course)))
    bends = course[1:-1] - (course[:-2] + course[2:]) / 2
    low = fitted[1:-1] <= np.median(fitted[1:-1])
    alone = 1.5 - 2 * memory + memory * memory / 2  # of such wavering
    return max(left, sqrt(float((bends[low] ** 2).mean()) / alone)), memory


def _drawn(generator: np.random.Generator, draws: int, points: int, spread: float, memory: float) -> np.ndarray:
    """Wavering (draws, points) with this deviation and memory."""
    noise = generator.standard_normal((draws, points))
    for place in range(1, points):
        noise[:, place] = memory * noise[:, place - 1] + sqrt(1 - memory * memory) * noise[:, place]
    return spread * noise
