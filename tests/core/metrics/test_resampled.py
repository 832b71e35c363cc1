import numpy as np
import pytest

from core.metrics.parts import metric
from core.metrics.resampled import differs, resample
from tests.core.metrics.test_parts import answers, pixels


def test_every_class_keeps_its_number_in_every_draw():
    truth = np.repeat([0, 1, 2], [50, 8, 2])
    said = truth.copy()
    said[::7] = 0
    found = resample("f1", truth, said, place=2, draws=500)
    assert not np.isnan(found.drawn).any(), "the two images of the rarest class are never all left out"
    assert found.drawn.shape == (500,)


def test_two_answers_see_the_same_draws():
    truth, probabilities = answers()
    one, other = (resample("auroc", truth, given, draws=50) for given in (probabilities, probabilities))
    assert (one.drawn == other.drawn).all()
    assert one.drawn.std() > 0
    counts = pixels()
    one, other = (resample("mean_dice", None, counts, draws=50) for _ in range(2))
    assert (one.drawn == other.drawn).all()


def test_the_scatter_of_the_draws_is_that_of_samples():
    """Of F1 of one class among 200 images, in new samples and in draws of one sample."""
    generator = np.random.default_rng(0)

    def sample():
        truth = generator.integers(0, 2, 200)
        return truth, np.where(generator.random(200) < 0.8, truth, 1 - truth)

    anew = np.std([resample("f1", *sample(), place=1, draws=1).value for _ in range(300)])
    again = np.mean([resample("f1", *sample(), place=1, draws=200).drawn.std() for _ in range(20)])
    assert again == pytest.approx(anew, rel=0.15)


def test_what_differs_is_what_the_figure_looks_at():
    a, b = np.array([0, 1, 2, 2]), np.array([0, 2, 1, 2])
    assert differs(metric("accuracy"), a, b, None, None).sum() == 2
    assert differs(metric("f1"), a, b, 0, None).sum() == 0
    counts = np.zeros((3, 2, 3), int)
    other = counts.copy()
    other[1, 0, 0] = 5
    assert differs(metric("mean_dice"), counts, other, None, None).sum() == 1
    assert differs(metric("mean_dice"), counts, other, None, 0).sum() == 0, "the background is not looked at"


def test_many_images_get_fewer_draws():
    truth = np.zeros(100_000, int)
    truth[::2] = 1
    assert len(resample("macro_f1", truth, truth).drawn) == 200
