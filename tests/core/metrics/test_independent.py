"""Two figures from different images, held against statsmodels and SciPy."""

import numpy as np
import pytest
from scipy.stats import boschloo_exact, chi2_contingency, ttest_ind
from statsmodels.stats.proportion import confint_proportions_2indep

from core.metrics.independent import means_apart, shares_apart

PAIRS = [((45, 50), (40, 50)), ((9, 10), (1, 10)), ((300, 400), (310, 420)), ((0, 12), (12, 12)), ((5, 5), (30, 40))]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_interval_is_that_of_statsmodels(first, second):
    found = shares_apart(first, second)
    low, high = confint_proportions_2indep(*second, *first, method="newcomb", compare="diff")
    assert found.interval == pytest.approx((low, high), abs=1e-9)
    assert found.value == pytest.approx(second[0] / second[1] - first[0] / first[1])


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_test_is_exact_for_few_images_and_the_score_test_for_many(first, second):
    found = shares_apart(first, second)
    table = [[first[0], second[0]], [first[1] - first[0], second[1] - second[0]]]
    if first[1] * second[1] <= 40_000:
        assert found.p == pytest.approx(boschloo_exact(table).pvalue, abs=1e-9)
    else:
        assert found.p == pytest.approx(chi2_contingency(table, correction=False).pvalue, abs=1e-9)


def test_what_is_all_right_on_both_sides_is_no_different():
    found = shares_apart((7, 7), (9, 9))
    assert (found.value, found.p) == (0, 1)
    assert found.interval.low < 0 < found.interval.high


def test_means_are_compared_as_welch_does():
    generator = np.random.default_rng(0)
    one, two = generator.normal(0.6, 0.2, 30), generator.normal(0.7, 0.1, 50)
    found, theirs = means_apart(one, two), ttest_ind(two, one, equal_var=False)
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-12)
    assert found.interval == pytest.approx(theirs.confidence_interval(), abs=1e-12)


def test_so_few_that_nothing_can_be_said_are_refused():
    with pytest.raises(ValueError, match="0 of 0"):
        shares_apart((0, 0), (1, 2))
    with pytest.raises(ValueError, match="1 and 3"):
        means_apart(np.ones(1), np.ones(3))
