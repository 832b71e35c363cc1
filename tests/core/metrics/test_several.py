"""Paired differences against SciPy, statsmodels and scikit-learn, and how often chance is taken for a difference."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import f1_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from core.metrics.intervals import Interval
from core.metrics.segmentation import mean_dice
from core.metrics.several import holm, in_words, level_of, p_words, paired_difference, paired_interval, together
from tests.core.metrics.test_parts import answers, pixels


def test_accuracy_is_compared_by_the_exact_test_of_mcnemar():
    truth, a = answers(seed=0, skill=0.3)
    b = answers(seed=0, skill=0.7)[1]
    ours, theirs = (side.argmax(1) == truth for side in (a, b))
    table = [[int((ours & theirs).sum()), int((ours & ~theirs).sum())], [int((~ours & theirs).sum()), 0]]
    found = paired_difference("accuracy", truth, a, b)
    assert found.p == pytest.approx(mcnemar(table, exact=True).pvalue, abs=1e-9)
    assert found.value == pytest.approx((b.argmax(1) == truth).mean() - (a.argmax(1) == truth).mean(), abs=1e-12)
    assert found.method.startswith("McNemar")
    assert found.n == len(truth)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
def test_the_interval_leaves_out_zero_exactly_where_the_exact_test_finds_a_difference(level):
    for gained in range(12):
        for lost in range(12 - gained):
            interval = paired_interval(gained, lost, 60, level)
            p = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
            assert (not interval.low <= 0 <= interval.high) == (p < 1 - level), (gained, lost)
            assert interval.low <= (gained - lost) / 60 <= interval.high
            mirrored = paired_interval(lost, gained, 60, level)
            assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low))


def test_without_a_change_the_interval_says_what_could_have_been_missed():
    assert paired_interval(0, 0, 60).high == pytest.approx(3.8415 / 63.8415, abs=1e-4)  # Wilson's limit of 0 of 60


def test_intervals_of_accuracy_hold_the_true_difference():
    generator = np.random.default_rng(0)
    for n, chances in ((50, [0.85, 0.05, 0.1, 0.0]), (500, [0.9, 0.04, 0.05, 0.01])):
        draws = generator.multinomial(n, chances, size=200)
        held = [low <= chances[2] - chances[1] <= high for low, high in (paired_interval(d[2], d[1], n) for d in draws)]
        assert np.mean(held) > 0.93


@pytest.mark.parametrize("name", ["macro_f1", "auroc", "f1", "precision"])
def test_resampled_figures_are_those_of_scikit_learn(name):
    truth, a = answers(seed=0, skill=0.3)
    b = answers(seed=0, skill=0.6)[1]

    def figure(p):
        if name == "auroc":
            return roc_auc_score(truth, p, multi_class="ovr")
        if name == "macro_f1":
            return f1_score(truth, p.argmax(1), average="macro")
        hits = ((p.argmax(1) == 2) & (truth == 2)).sum()
        said, there = (p.argmax(1) == 2).sum(), (truth == 2).sum()
        return hits / said if name == "precision" else 2 * hits / (said + there)

    found = paired_difference(name, truth, a, b, place=2, draws=300)
    assert (found.first, found.second) == pytest.approx((figure(a), figure(b)), abs=1e-9)
    assert found.value == pytest.approx(found.second - found.first)
    assert found.interval.low < found.value < found.interval.high
    assert found == paired_difference(name, truth, a, b, place=2, draws=300), "the same seed, the same answer"
    turned = paired_difference(name, truth, b, a, place=2, draws=300)
    assert turned.value == pytest.approx(-found.value)
    assert turned.p == pytest.approx(found.p)


def test_masks_are_resampled_image_by_image():
    a = pixels(40, seed=0)
    b = a.copy()
    b[:30, 1:, 0] += 5
    found = paired_difference("mean_dice", None, a, b, background=0)
    expected = mean_dice(b.sum(axis=0), 0) - mean_dice(a.sum(axis=0), 0)
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.differing == 30
    assert found.different
    assert found.p < 0.001


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "f1"])
def test_four_images_that_change_sides_prove_nothing_and_twelve_do(name):
    truth = np.repeat([0, 1], 50)
    for changed, different in ((4, False), (12, True)):
        a, b = truth.copy(), truth.copy()
        a[:changed] = 1
        assert paired_difference(name, truth, a, b, place=0).different == different


def test_equal_answers_are_no_proof_of_equality():
    truth, a = answers()
    for name in ("accuracy", "macro_f1", "auroc"):
        found = paired_difference(name, truth, a, a)
        assert (found.value, found.p, found.different) == (0.0, 1.0, False)
        assert found.interval.high == pytest.approx(-found.interval.low)
        assert 0.01 < found.interval.high < 0.1


def test_figures_that_are_not_defined_have_no_difference():
    truth = np.array([0, 0, 1, 1])
    one = np.zeros(4, int)
    assert paired_difference("precision", truth, one, truth, place=1) is None
    assert paired_difference("recall", truth, one, truth, place=3) is None
    assert paired_difference("auroc", one, np.eye(2)[truth], np.eye(2)[truth]) is None


def test_chance_is_taken_for_a_difference_in_at_most_5_of_100():
    generator = np.random.default_rng(0)
    found = {"macro_f1": 0, "auroc": 0}
    for _ in range(120):
        truth = generator.integers(0, 3, 120)
        a, b = (generator.dirichlet(np.ones(3), 120) + 0.5 * np.eye(3)[truth] for _ in range(2))
        for name in found:
            found[name] += paired_difference(name, truth, a, b, draws=300).different
    assert max(found.values()) <= 0.075 * 120, found


# Several at once


def test_p_values_are_adjusted_as_statsmodels_does_and_intervals_go_with_them():
    ps = [0.001, 0.02, 0.03, 0.5]
    intervals = [Interval(0.01, 0.1), Interval(-0.01, 0.08), Interval(-0.09, 0.02), Interval(-0.1, 0.1)]
    found = together(ps, intervals)
    assert [one.p for one in found] == pytest.approx(multipletests(ps, method="holm")[1].tolist(), abs=1e-12)
    assert [one.different for one in found] == [True, False, False, False]
    assert [one.interval for one in found] == intervals


@pytest.mark.parametrize("number", [1, 2, 7, 40])
def test_holm_is_that_of_statsmodels(number):
    ps = np.random.default_rng(number).random(number).round(2) ** 3  # some are equal, some are nothing
    assert holm(list(ps)) == pytest.approx(multipletests(ps, method="holm")[1].tolist(), abs=1e-9)


def test_where_holm_is_sharper_than_its_intervals_they_end_at_zero():
    found = together([0.01, 0.04], [Interval(0.02, 0.1), Interval(-0.08, 0.01)])
    assert [one.different for one in found] == [True, True]
    assert found[1].interval == (-0.08, 0.0)


def test_one_comparison_needs_no_correction_and_none_is_none():
    assert together([0.04], [Interval(0.01, 0.1)])[0].p == pytest.approx(0.04)
    assert together([], []) == []
    assert (level_of(1), level_of(10)) == pytest.approx((0.95, 0.995))


def test_a_difference_is_told_in_words():
    names = ("light", "heavy")
    told = in_words("accuracy", 0.021, Interval(0.004, 0.039), 0.0123, names)
    assert told == (
        "heavy has 2.1 points more accuracy than light (95 % interval +0.4 to +3.9, p = 0.012): more than chance in "
        "these images explains."
    )
    assert in_words("macro F1", -0.021, Interval(-0.05, 0.01), 0.21, names).startswith(
        "Within noise: heavy has 2.1 points less macro F1 than light"
    )
    assert "have the same accuracy" in in_words("accuracy", 0.0, Interval(-0.02, 0.02), 1.0, names)
    assert [p_words(p) for p in (0.0001, 0.0213, 0.4)] == ["p < 0.001", "p = 0.021", "p = 0.40"]
