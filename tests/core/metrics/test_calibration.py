import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from core.metrics.calibration import bins_of, brier_scores, calibration, mean_interval


def answers(n: int, k: int = 3, seed: int = 0, sharper: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and classes drawn from them, so that they are right as often as they say; then sharpened."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet([0.4] * k, n)
    truth = (generator.random(n)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1).clip(0, k - 1)
    probabilities = probabilities**sharper
    return truth, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_the_bins_are_those_of_scikit_learn():
    truth, probabilities = answers(500)
    right = probabilities.argmax(axis=1) == truth
    theirs, said = calibration_curve(right, probabilities.max(axis=1), n_bins=10)
    bins = [one for one in calibration(truth, probabilities).bins if one.n]

    assert [one.accuracy for one in bins] == pytest.approx(theirs, abs=1e-9)
    assert [one.confidence for one in bins] == pytest.approx(said, abs=1e-9)
    assert sum(one.n for one in bins) == 500


@pytest.mark.parametrize("k", [2, 5])
def test_the_brier_score_is_that_of_scikit_learn(k):
    truth, probabilities = answers(300, k)
    theirs = (
        brier_score_loss(truth, probabilities, labels=range(k))
        if k > 2
        else brier_score_loss(truth, probabilities[:, 1])
    )
    assert calibration(truth, probabilities).brier == pytest.approx(theirs, abs=1e-9)


def test_the_error_is_the_mean_distance_over_the_bins():
    confidence, right = np.array([0.95, 0.95, 0.65, 0.65]), np.array([True, False, True, True])
    [low, high] = [one for one in bins_of(confidence, right) if one.n]
    assert (low.accuracy, high.accuracy) == (1, 0.5)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    found = calibration(np.where(right, 0, 1), probabilities)
    assert found.error == pytest.approx((2 * 0.35 + 2 * 0.45) / 4)
    assert found.gap == pytest.approx(0.8 - 0.75)


def test_a_model_that_is_right_as_often_as_it_says_is_not_accused_by_few_images():
    found = calibration(*answers(60, seed=3))
    assert found.error > 0.02, "chance alone"
    assert found.error_interval.low == 0
    assert 0.02 < found.by_chance < 0.2
    assert found.gap_interval.low < 0 < found.gap_interval.high


def test_a_model_that_is_too_sure_of_itself_is_found_out():
    found = calibration(*answers(800, sharper=4.0))
    assert found.gap_interval.low > 0
    assert found.error_interval.low > 0.05


def test_an_unseen_mistake_has_its_place_in_the_interval():
    """A hundred sure answers, all right: one sure mistake would cost as much as all of them together."""
    sure = np.full(100, 0.99)
    probabilities = np.stack([sure, 1 - sure], axis=1)
    found = calibration(np.zeros(100, int), probabilities)
    assert found.brier == pytest.approx(0.0001)
    assert 0 <= found.brier_interval.low <= 0.0001 + 1e-9
    assert found.brier_interval.high > 0.02
    assert found.error_interval.high > 0.02


def test_where_mistakes_cost_nothing_it_is_students_interval():
    from scipy.stats import t

    scores = np.random.default_rng(0).normal(3, 1, 200)
    low, high = mean_interval(scores, np.zeros(200, bool), np.full(200, scores.mean()), np.ones(200))
    theirs = t.interval(0.95, 199, scores.mean(), scores.std(ddof=1) / np.sqrt(200))
    assert (low, high) == pytest.approx(theirs, rel=1e-3)


def test_squared_distances_lie_between_nothing_and_two():
    assert list(brier_scores(np.array([0, 0]), np.array([[1.0, 0, 0], [0, 1, 0]]))) == [0, 2]
    assert list(brier_scores(np.array([0]), np.array([[0.0, 1.0]]))) == [1]
