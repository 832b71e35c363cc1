import numpy as np
import pytest

from core.metrics.paired import paired


def test_images_that_changed_sides_are_counted():
    truth = np.array([0, 0, 1, 1, 2, 2])
    before = np.array([0, 1, 1, 0, 0, 2])
    now = np.array([0, 0, 0, 2, 2, 2])
    found = paired(truth, before, now)
    assert (found.images, found.gained, found.lost, found.moved) == (6, 2, 1, 1)
    assert found.difference == pytest.approx(1 / 6)


@pytest.mark.parametrize(("gained", "lost", "p"), [(0, 0, 1.0), (3, 3, 1.0), (5, 0, 0.0625), (9, 1, 0.021484375)])
def test_the_exact_test_is_the_two_sided_sign_test_of_those(gained, lost, p):
    """9 of 10: 2 * (1 + 10) / 2**10."""
    truth = np.zeros(20, int)
    before, now = truth.copy(), truth.copy()
    before[:gained] = 1
    now[10 : 10 + lost] = 1
    assert paired(truth, before, now).p == pytest.approx(p)
