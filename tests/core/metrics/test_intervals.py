import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, t

from core.metrics import intervals
from core.metrics.intervals import (
    Interval,
    bootstrap_confusion,
    bootstrap_images,
    image_intervals,
    resampled_sums,
    wilson,
)


def accuracy(counts: np.ndarray) -> np.ndarray:
    return np.trace(counts, axis1=-2, axis2=-1) / counts.sum(axis=(-2, -1))


def hits_and_misses(hits: int, misses: int) -> np.ndarray:
    return np.array([[hits, misses], [0, 0]])


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.8, 0.95]))
def test_wilson_agrees_with_scipy(trials, level):
    successes, n = trials
    theirs = binomtest(successes, n).proportion_ci(level, method="wilson")
    assert wilson(successes, n, level) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_within_its_own_interval_and_the_interval_within_0_and_1(trials):
    successes, n = trials
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1


def test_ten_of_ten_is_not_certainty():
    assert wilson(10, 10) == pytest.approx((0.722, 1.0), abs=5e-4)


def test_nothing_is_known_after_no_trial():
    assert wilson(0, 0) == Interval(0.0, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match="successes of"):
        wilson(successes, n)


def test_an_interval_made_from_numpy_counts_is_made_of_plain_numbers():
    low, high = wilson(np.int64(3), np.int64(4))
    assert type(low) is float
    assert type(high) is float


def test_the_bootstrap_of_a_proportion_comes_near_wilsons_interval():
    counts = hits_and_misses(400, 100)
    assert bootstrap_confusion(counts, accuracy) == pytest.approx(wilson(400, 500), abs=0.006)


def test_the_bootstrap_is_the_same_for_the_same_seed_and_another_for_another():
    counts = hits_and_misses(350, 150)
    one, again, other = (bootstrap_confusion(counts, accuracy, draws=50, seed=seed) for seed in (3, 3, 4))
    assert one == again != other


def test_a_wider_level_gives_a_wider_interval():
    counts = hits_and_misses(35, 15)
    narrow, wide = (bootstrap_confusion(counts, accuracy, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_bootstrap_of_nothing_is_none():
    assert bootstrap_confusion(np.zeros((3, 3), dtype=int), accuracy) is None


def test_draws_without_a_value_are_left_out_and_none_is_the_answer_when_no_draw_has_one():
    counts = hits_and_misses(5, 5)

    def only_with_many_hits(matrices: np.ndarray) -> np.ndarray:
        return np.where(matrices[:, 0, 0] >= 5, 1.0, np.nan)

    assert bootstrap_confusion(counts, only_with_many_hits) == Interval(1.0, 1.0)
    assert bootstrap_confusion(counts, lambda matrices: np.full(len(matrices), np.nan)) is None


def test_every_resampled_matrix_has_as_many_samples_and_fills_only_cells_that_were_filled():
    counts = np.array([[7, 0, 3], [0, 0, 0], [0, 2, 8]])
    seen = []

    def remember(matrices: np.ndarray) -> np.ndarray:
        seen.append(matrices)
        return np.zeros(len(matrices))

    bootstrap_confusion(counts, remember, draws=50)
    matrices = np.concatenate(seen)
    assert matrices.shape == (50, 3, 3)
    assert (matrices.sum(axis=(1, 2)) == 20).all()
    assert (matrices[:, counts == 0] == 0).all()


def test_a_matrix_of_many_classes_is_resampled_in_parts_that_fit_memory():
    sizes = []

    def measure(matrices: np.ndarray) -> np.ndarray:
        sizes.append(matrices.nbytes)
        return accuracy(matrices)

    counts = np.eye(1000, dtype=int)
    counts[0, 1] = 500
    found = bootstrap_confusion(counts, measure, draws=10)
    assert max(sizes) <= 32_000_000
    assert found.low < 1000 / 1500 < found.high


def mean_share(sums: np.ndarray) -> np.ndarray:
    """Of counts (..., 2): the first for each of the second."""
    return sums[..., 0] / sums[..., 1]


def test_images_are_drawn_whole_and_with_replacement():
    counts = np.array([[1, 0], [10, 0], [100, 0], [1000, 1], [10000, 1]])
    sums = resampled_sums(counts, draws=200)
    assert sums.shape == (200, 2)
    assert (sums[:, 0] % 1 == 0).all()
    digits = np.array([[int(digit) for digit in f"{int(value):05d}"] for value in sums[:, 0]])
    assert (digits.sum(axis=1) == 5).all(), "five images in every draw"
    assert (digits[:, 0] + digits[:, 1] == sums[:, 1]).all(), "all counts of an image go together"
    assert digits.max() > 1


def test_drawing_images_gives_the_same_interval_for_the_same_seed():
    counts = np.random.default_rng(0).integers(1, 50, (20, 2))
    one, again, other = (bootstrap_images(counts, mean_share, draws=50, seed=seed) for seed in (3, 3, 4))
    assert one == again != other


def test_many_images_that_do_not_fit_memory_at_once_are_drawn_in_parts(monkeypatch):
    counts = np.random.default_rng(0).integers(1, 50, (40, 2))
    whole = bootstrap_images(counts, mean_share)
    monkeypatch.setattr(intervals, "_CELLS_AT_ONCE", 1000)
    assert bootstrap_images(counts, mean_share) == pytest.approx(whole, rel=0.02)


def test_four_images_are_too_few():
    counts = np.random.default_rng(0).integers(1, 50, (20, 2))
    assert bootstrap_images(counts[:4], mean_share) is None
    assert bootstrap_images(counts, mean_share, images=4) is None
    assert bootstrap_images(counts[:5], mean_share) is not None
    assert bootstrap_images(0 * counts, lambda sums: np.full(len(sums), np.nan)) is None


def test_a_distance_is_no_share():
    drawn = np.ones((50, 1))
    assert image_intervals(np.ones(1), drawn, np.array([20]), shares=False) == [Interval(1.0, 1.0)]
    assert image_intervals(np.ones(1), drawn, np.array([20]))[0].low < 0.9


@pytest.mark.parametrize("n", [5, 6, 8, 20, 60, 1000])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_the_tail_that_is_left_out_is_as_far_out_as_students_t(n, level):
    reach = t.ppf((1 + level) / 2, n - 1) * np.sqrt(n / (n - 1))
    assert -norm.ppf(intervals._tail(n, level)) == pytest.approx(reach, rel=0.015)


@pytest.mark.slow
def test_intervals_of_few_images_hold_the_true_value_about_as_often_as_they_say():
    """A share of pixels that varies between images of different sizes; plain percentiles would hold it in 86 %."""
    generator = np.random.default_rng(0)
    held = []
    for _ in range(400):
        pixels = generator.lognormal(6, 0.7, 8)
        hits = pixels * generator.beta(6, 2, 8)
        interval = bootstrap_images(np.stack([hits, pixels], axis=1), mean_share)
        held.append(interval.low <= 0.75 <= interval.high)
    assert 0.9 < np.mean(held) < 0.98
