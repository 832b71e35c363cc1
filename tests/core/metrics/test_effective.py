import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metrics.effective import effective_interval, wilson_share
from core.metrics.intervals import wilson

QUANTILE = 1.959963984540054


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_in_whole_numbers_it_is_wilsons_interval(trials):
    successes, n = trials
    assert wilson_share(successes / n, n, QUANTILE) == pytest.approx(wilson(successes, n), abs=1e-9)


def test_it_is_statsmodels_interval_of_a_share_of_any_number_of_trials():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    theirs = proportion.proportion_confint(0.83 * 17.4, 17.4, method="wilson")
    assert wilson_share(0.83, 17.4, QUANTILE) == pytest.approx(theirs, abs=1e-9)


def test_with_many_mistakes_the_share_of_plain_trials_gets_its_plain_interval():
    right = np.repeat([1.0, 0.0], [1400, 600])
    assert effective_interval(0.7, right, 2000) == pytest.approx(wilson(1400, 2000), abs=2e-4)


def test_without_a_mistake_it_is_as_sure_as_it_was_told_to_be():
    assert effective_interval(1.0, np.ones(50), 20) == pytest.approx(wilson(20, 20), abs=1e-9)


def test_what_the_parts_do_not_show_makes_it_wider():
    parts = np.random.default_rng(0).normal(0.8, 0.2, 100)
    plain, more = (effective_interval(0.8, parts, 100, unseen=unseen) for unseen in (0.0, 0.01))
    assert more.low < plain.low < plain.high < more.high


def test_a_figure_that_reads_too_high_is_corrected_and_still_lies_within_its_interval():
    parts = np.random.default_rng(0).normal(0, 0.1, 400)
    plain, corrected = (effective_interval(0.8, parts, 100, bias=bias) for bias in (0.0, 0.03))
    assert corrected.low < plain.low
    assert corrected.low <= 0.8 <= corrected.high


def test_nothing_is_worth_no_trial():
    with pytest.raises(ValueError, match="worth"):
        effective_interval(0.5, np.ones(3), 0)
