"""Which rate a range test suggests, on curves whose answer can be seen."""

import json
from dataclasses import replace

import numpy as np
import pytest

from core.train.rates import RateTest, smooth, steepest, two_digits, valley

RATES = np.logspace(-5, 0, 51)  # ten to a decade


def curve(falls_at: float, rises_at: float) -> np.ndarray:
    """A loss of 2 that falls to 0.5 around one rate and shoots up around another one."""
    place = np.log10(RATES)
    fall = 1 / (1 + np.exp(-6 * (place - np.log10(falls_at))))
    return 2 - 1.5 * fall + np.exp(8 * (place - np.log10(rises_at)))


def found(**changes) -> RateTest:
    numbers = {"rates": (1e-3, 1e-2), "losses": (1.0, 0.5), "smoothed": (1.0, 0.5), "planned": 2, "images": 8}
    return replace(
        RateTest("head", **numbers, steepest=2e-3, valley=1e-3, ended="highest rate", seconds=3.2), **changes
    )


@pytest.mark.parametrize("falls_at", [1e-4, 1e-3, 1e-2])
def test_the_steepest_descent_is_where_the_loss_falls_fastest(falls_at):
    assert steepest(RATES, curve(falls_at, rises_at=1.0)) == pytest.approx(falls_at, rel=0.3)


def test_a_steeper_fall_after_the_lowest_loss_is_no_descent():
    losses = curve(1e-3, rises_at=0.1)
    losses[-1] = 0.6  # an explosion that happens to come down again
    assert steepest(RATES, losses) == pytest.approx(1e-3, rel=0.3)


def test_the_valley_is_the_middle_of_the_longest_fall_and_a_bump_does_not_end_it():
    losses = np.array([0.85, 1.1, 0.9, 0.8, 0.85, 0.7, 0.6, 0.5, 2.0, 1.9, 1.8])
    rates = np.logspace(-10, 0, 11)
    assert valley(rates, losses) == pytest.approx(rates[4])  # from 1.1 at place 1 to 0.5 at place 7


@pytest.mark.parametrize("rule", [steepest, valley])
@pytest.mark.parametrize("losses", [np.full(51, 1.4), np.linspace(1.4, 3.0, 51), np.linspace(1.4, 1.38, 51), [2, 1, 0]])
def test_a_loss_that_never_falls_clearly_or_too_short_a_curve_suggests_nothing(rule, losses):
    assert rule(RATES[: len(losses)], losses) is None


def test_smoothing_takes_the_noise_of_batches_and_moves_nothing():
    noise = np.random.default_rng(0).normal(0, 0.1, 51)
    clean = curve(1e-3, rises_at=1.0)
    calm = smooth(clean + noise, planned=50)
    assert np.abs(calm - clean)[:40].mean() < 0.8 * np.abs(noise[:40]).mean()
    assert steepest(RATES, smooth(clean, planned=50)) == pytest.approx(1e-3, rel=0.3)


def test_rates_are_told_as_people_write_them():
    assert (two_digits(0.0023456), two_digits(None)) == (0.0023, None)


def test_the_sentence_says_what_was_found_and_what_it_took():
    assert found().sentence == "Begin with 0.002: there the loss falls fastest (2 steps in 3 s)."
    assert found(steepest=None).sentence.startswith("No rate made the loss fall clearly (2 steps")
    slow = found(steepest=None, ended="time", planned=16)
    assert slow.sentence.startswith("Too slow to tell: 2 steps in 3 s, of 16.")


def test_the_answer_is_plain_data():
    assert json.loads(json.dumps(found().to_json()))["suggestion"] == 2e-3
