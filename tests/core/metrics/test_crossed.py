"""Paired differences over seeds and images: by hand, and by how often chance alone would be taken for a difference."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from core.metrics.crossed import crossed, parts_of_ratio
from tests.chance import WORLDS, answers


def verdicts(times, **how):
    generator = np.random.default_rng(0)
    return [crossed(answers(generator, **how)).verdict for _ in range(times)]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("seeds", "images"), [(3, 200), (5, 60)])
def test_chance_alone_is_taken_for_a_difference_in_at_most_7_of_100(world, seeds, images):
    found = verdicts(300, seeds=seeds, images=images, **WORLDS[world])
    assert found.count("no evidence") >= 0.93 * len(found)


def test_a_difference_that_is_there_is_found_and_has_a_direction():
    assert verdicts(100, seeds=5, images=200, gain=1.0).count("better") >= 95
    assert verdicts(100, seeds=5, images=200, gain=-1.0).count("worse") >= 95
    assert verdicts(100, seeds=5, images=60, gain=1.5).count("better") >= 80


def test_a_difference_as_large_as_the_told_one_is_noticed_four_times_in_five():
    generator = np.random.default_rng(1)
    found = [crossed(answers(generator, 5, 200, gain=0.56)) for _ in range(200)]
    size = np.mean([one.unnoticed for one in found])
    assert np.mean([one.mean for one in found]) == pytest.approx(size, rel=0.05), "this gain is as large as that"
    assert 0.7 < np.mean([one.verdict == "better" for one in found]) < 0.9


def test_either_source_alone_would_be_fooled():
    """Why both count: an interval from the seeds alone, and one from the images alone, cry wolf."""
    generator = np.random.default_rng(2)
    by_seeds = by_images = 0
    for _ in range(200):
        table = answers(generator, 5, 200, **WORLDS["luck of images"])
        by_seeds += ttest_rel(table.mean(axis=1), np.zeros(5)).pvalue < 0.05
        table = answers(generator, 5, 200, **WORLDS["luck of seeds"])
        by_images += ttest_rel(table.mean(axis=0), np.zeros(200)).pvalue < 0.05
    assert by_seeds > 0.15 * 200
    assert by_images > 0.3 * 200


def test_like_the_exact_test_it_asks_for_six_images_that_speak_for_one_side():
    for number, verdict in ((4, "no evidence"), (5, "no evidence"), (6, "better")):
        table = np.zeros((5, 60))
        table[:, :number] = 1.0
        assert crossed(table).verdict == verdict
        assert crossed(-table).verdict == {"better": "worse"}.get(verdict, verdict)
        assert crossed(0.04 * table).verdict == verdict, "in whatever unit"


def test_equal_answers_are_no_proof_of_equality():
    found = crossed(np.zeros((5, 60)))
    assert (found.mean, found.verdict) == (0.0, "no evidence")
    assert found.interval.low == pytest.approx(-found.interval.high)
    assert 0.03 < found.unnoticed < 0.1, "of sixty images none was seen to change; one in twenty could"
    assert crossed(np.zeros((5, 600))).unnoticed < 0.2 * found.unnoticed


def test_the_mean_is_that_of_the_real_images():
    table = np.array([[1.0, 0, 0, -1], [1, 0, 1, 0], [0, 0, 1, 0]])
    found = crossed(table)
    assert found.mean == pytest.approx(3 / 12)
    assert (found.seeds, found.images) == (3, 4)
    assert found.interval.low < found.mean < found.interval.high


def test_one_lucky_seed_widens_the_interval_and_more_seeds_narrow_it():
    generator = np.random.default_rng(3)
    calm = np.tile(generator.choice([0.0, 1.0, -1.0], 80, p=[0.8, 0.15, 0.05]), (4, 1))
    lucky = calm.copy()
    lucky[0, 40:] = 1.0
    assert np.ptp(crossed(lucky).interval) > 2 * np.ptp(crossed(calm).interval)
    assert np.ptp(crossed(np.tile(lucky, (3, 1))).interval) < 0.7 * np.ptp(crossed(lucky).interval)


@pytest.mark.parametrize("shape", [(2, 50), (5, 1)])
def test_too_few_seeds_or_images_are_refused(shape):
    with pytest.raises(ValueError, match="seeds and"):
        crossed(np.zeros(shape))


def test_parts_of_a_pooled_share_have_it_as_their_mean():
    above, below = np.array([3.0, 0.0, 5.0]), np.array([4.0, 2.0, 6.0])
    parts = parts_of_ratio(above, below)
    assert parts.mean() == pytest.approx(8 / 12)
    without = (above.sum() - above[0]) / (below.sum() - below[0])  # leaving an image out moves the share as parts say
    assert parts[0] - parts.mean() == pytest.approx(3 * (8 / 12 - without) * (8 / 12), abs=0.2)
    assert np.isnan(parts_of_ratio(np.zeros((3, 1)), np.zeros((3, 1)))).all()


def test_without_padding_it_is_the_t_interval_of_images_where_seeds_agree():
    from scipy.stats import t

    images = np.random.default_rng(0).normal(0.3, 0.2, 30)
    found = crossed(np.tile(images, (4, 1)), padded=False)
    half = t.ppf(0.975, 29) * images.std(ddof=1) / np.sqrt(30)

    assert found.interval == pytest.approx((images.mean() - half, images.mean() + half), abs=1e-12)
    assert crossed(np.ones((3, 5)), padded=False).interval == (1, 1), "what never varies is known"
