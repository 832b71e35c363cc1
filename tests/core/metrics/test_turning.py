"""Where a course turns from falling to rising, and how rarely one that does not turn is said to."""

import numpy as np
import pytest
from sklearn.isotonic import isotonic_regression

from core.metrics.turning import _errors, _of_starts, turning


def falling(points, generator, noise=0.03, memory=0.0):
    waver = generator.standard_normal(points)
    for place in range(1, points):
        waver[place] = memory * waver[place - 1] + np.sqrt(1 - memory**2) * waver[place]
    return 0.4 + 0.8 * np.exp(-np.arange(points) / (points / 6)) + noise * waver


def turned(points, at, rise, generator, noise=0.02):
    places = np.arange(points)
    climb = np.where(places > at, rise * (places - at) / (points - 1 - at), 0)
    return 0.4 + 0.8 * np.exp(-places / (at / 4)) + climb + noise * generator.standard_normal(points)


@pytest.mark.parametrize(("points", "at", "rise"), [(12, 4, 0.4), (30, 10, 0.3), (60, 20, 0.3), (300, 100, 0.3)])
def test_a_turn_is_found_with_its_place_and_what_it_costs(points, at, rise):
    found = turning(turned(points, at, rise, np.random.default_rng(0)))
    assert found.p < 0.01
    assert found.places[0] <= at + 2
    assert found.places[1] >= at - 2
    assert found.places[1] - found.places[0] <= points / 3
    assert found.interval.low > 0
    assert found.interval.low < found.loss < found.interval.high
    assert found.loss == pytest.approx(rise, abs=0.35 * rise)


@pytest.mark.parametrize("memory", [0.0, 0.5])
@pytest.mark.parametrize("points", [8, 12, pytest.param(30, marks=pytest.mark.slow)])
def test_a_course_that_only_falls_and_wavers_is_hardly_ever_called_turned(points, memory):
    generator = np.random.default_rng(points)
    told = [turning(falling(points, generator, memory=memory), draws=100) for _ in range(40)]
    assert sum(one.p < 0.01 and one.interval.low > 0 for one in told) <= 2


def test_a_smooth_fall_never_turns_and_the_lowest_of_a_flat_course_is_no_turn():
    smooth = turning(np.exp(-np.arange(40) / 9))
    assert smooth.p > 0.5
    assert smooth.loss <= 0.02
    assert turning([0.5] * 20).p > 0.5


def test_what_falls_after_a_bump_has_not_turned():
    """A schedule with a high rate in the middle makes the loss rise and fall again."""
    places = np.arange(40)
    bump = np.where((places > 10) & (places < 25), 0.3 * np.sin((places - 10) / 15 * np.pi), 0)
    course = 0.4 + 0.6 * np.exp(-places / 12) + bump + 0.01 * np.random.default_rng(0).standard_normal(40)
    found = turning(course)
    assert found.interval.low <= 0 or found.p > 0.01


def test_too_few_points_tell_nothing():
    assert turning([3, 2, 1, 2, 3, 4, 5]) is None


def test_the_errors_of_all_starts_are_those_of_scikit_learn():
    course = np.random.default_rng(3).normal(size=25)
    theirs = [((course[: end + 1] - isotonic_regression(course[: end + 1])) ** 2).sum() for end in range(25)]
    assert _of_starts(course) == pytest.approx(theirs, abs=1e-9)


def test_the_best_valley_is_the_best_of_all():
    course = np.random.default_rng(4).normal(size=20)
    falls, last, rises = _errors(course)

    def error(end):
        parts = course[:end], course[end:]
        fits = isotonic_regression(parts[0], increasing=False) if end else parts[0], isotonic_regression(parts[1])
        return sum(((part - fit) ** 2).sum() for part, fit in zip(parts, fits, strict=True))

    every = [error(end) for end in range(20)]
    assert rises == pytest.approx(min(every), abs=1e-9)
    assert error(last + 1) == pytest.approx(rises, abs=1e-9)
    assert falls == pytest.approx(((course - isotonic_regression(course, increasing=False)) ** 2).sum(), abs=1e-9)
