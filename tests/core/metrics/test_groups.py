import numpy as np
import pytest
from scipy.stats import ttest_1samp

from core.metrics.crossed import crossed
from core.metrics.groups import grouped, p_value
from core.metrics.intervals import Interval
from tests.chance import WORLDS


def right(generator, runs, ease, shift=0.0, of_seeds=0.2, of_images=0.3, of_each=0.4):
    suits, luck = generator.normal(0, of_images, len(ease)), generator.normal(0, of_seeds, (runs, 1))
    return (ease + shift + suits + luck + generator.normal(0, of_each, (runs, len(ease))) > 0).astype(float)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("runs", "images"), [((3, 3), 200), ((3, 6), 60)])
def test_two_groups_of_equally_good_runs_are_called_different_in_at_most_5_of_100(world, runs, images):
    generator, how = np.random.default_rng(0), dict(WORLDS[world])
    easy = how.pop("easy", 1.5)
    found = []
    for _ in range(300):
        ease = generator.normal(easy, 2.0, images)
        found.append(grouped(*(right(generator, many, ease, **how) for many in runs)).verdict)
    assert found.count("no evidence") >= 0.95 * len(found)


def test_a_difference_that_is_there_is_found_and_has_a_direction():
    generator = np.random.default_rng(0)
    ease = generator.normal(1.5, 2.0, 300)
    worse, better = right(generator, 5, ease), right(generator, 5, ease, shift=1.2)
    assert grouped(worse, better).verdict == "better"
    assert grouped(better, worse).verdict == "worse"
    assert grouped(worse, better).mean == pytest.approx(better.mean() - worse.mean())


def test_images_alone_do_not_make_a_recipe_better_when_its_seeds_scatter():
    """Three seeds each, of which one was lucky on very many images: the images are certain, the recipe is not."""
    first = np.zeros((3, 5000))
    second = np.zeros((3, 5000))
    second[0, :1500] = 1
    assert grouped(first, second).verdict == "no evidence"
    assert grouped(first, second).seed_error > 10 * grouped(first, second).image_error


def test_few_images_that_differ_are_not_believed():
    for number, verdict in ((4, "no evidence"), (5, "no evidence"), (6, "better")):
        first, second = np.zeros((4, 60)), np.zeros((4, 60))
        second[:, :number] = 1.0
        assert grouped(first, second).verdict == verdict


@pytest.mark.parametrize("shapes", [((2, 50), (5, 50)), ((3, 50), (3, 40)), ((3, 1), (3, 1))])
def test_too_few_runs_or_other_images_are_refused(shapes):
    with pytest.raises(ValueError, match="groups of"):
        grouped(*(np.zeros(shape) for shape in shapes))


def test_p_values_go_with_intervals():
    values = np.random.default_rng(0).normal(0.3, 1.0, 30)
    test = ttest_1samp(values, 0)
    found = p_value(lambda level: Interval(*test.confidence_interval(level)))
    assert found == pytest.approx(test.pvalue, rel=1e-6)
    table = np.random.default_rng(1).choice([0.0, 1.0, -1.0], (4, 80), p=[0.7, 0.2, 0.1])
    p = p_value(lambda level: crossed(table, level).interval)
    assert crossed(table, 1 - 1.001 * p).interval.low > 0 >= crossed(table, 1 - 0.999 * p).interval.low
    assert p_value(lambda level: Interval(-1.0, 1.0)) == 1.0
    assert p_value(lambda level: Interval(1.0, 2.0)) < 1e-9
