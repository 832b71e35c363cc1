"""The curve of a range test, by its numbers."""

from dataclasses import replace

import pytest

from core.figures.finder import rate_curve
from core.train.rates import RateTest

FOUND = RateTest(
    phase="head",
    rates=(1e-4, 1e-3, 1e-2, 1e-1),
    losses=(2.0, 1.9, 1.0, 90.0),
    smoothed=(2.0, 1.8, 1.2, 60.0),
    steepest=3e-3,
    valley=1e-3,
    ended="explosion",
    planned=6,
    images=32,
    seconds=4.0,
)


def test_every_step_is_a_point_and_the_smoothed_loss_a_line_over_the_rates():
    points, line = rate_curve(FOUND).data
    assert (points.mode, line.mode) == ("markers", "lines")
    assert tuple(points.x) == tuple(line.x) == FOUND.rates
    assert tuple(points.y) == FOUND.losses
    assert tuple(line.y) == FOUND.smoothed
    assert rate_curve(FOUND).layout.xaxis.type == "log"


def test_the_suggestion_is_marked_where_it_is():
    figure = rate_curve(FOUND)
    assert [shape.x0 for shape in figure.layout.shapes] == [3e-3]
    assert "0.003" in figure.layout.annotations[0].text
    assert not rate_curve(replace(FOUND, steepest=None)).layout.shapes


def test_the_note_stands_on_the_logarithm_that_plotly_wants_there():
    assert rate_curve(FOUND).layout.annotations[0].x == pytest.approx(-2.523, abs=1e-3)


def test_an_explosion_does_not_flatten_what_matters():
    low, high = rate_curve(FOUND).layout.yaxis.range
    assert low < 1.2
    assert 2.0 < high < 4
