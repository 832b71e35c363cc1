"""An epoch of a balanced sampler, counted."""

import numpy as np
import pytest

from core.train.balance import balanced_order


def drawn(labels, seed=0):
    return balanced_order(np.array(labels), np.random.default_rng(seed))


def test_every_class_comes_equally_often_in_an_epoch_of_the_usual_length():
    labels = np.array([0] * 90 + [1] * 27 + [2] * 3)
    order = drawn(labels)
    assert len(order) == 120
    assert np.bincount(labels[order]).tolist() == [40, 40, 40]


def test_images_of_a_rare_class_come_again_as_evenly_as_can_be_and_no_frequent_one_twice():
    labels = np.array([0] * 90 + [1] * 27 + [2] * 3)
    times = np.bincount(drawn(labels), minlength=120)
    assert times[:90].max() == 1
    assert set(times[90:117]) == {1, 2}
    assert sorted(times[117:]) == [13, 13, 14]


def test_classes_that_share_alike_come_once_each():
    assert sorted(drawn([0, 1, 2, 0, 1, 2])) == list(range(6))


@pytest.mark.parametrize("images", range(3, 12))
def test_what_cannot_be_shared_out_evenly_differs_by_one(images):
    labels = np.array([0, 1] + [2] * (images - 2))
    counts = np.bincount(labels[drawn(labels)], minlength=3)
    assert counts.sum() == images
    assert counts.max() - counts.min() <= 1


def test_the_rest_goes_to_each_class_in_turn():
    labels = np.array([0, 1, 2, 2])
    extra = {int(np.bincount(labels[drawn(labels, seed)]).argmax()) for seed in range(50)}
    assert extra == {0, 1, 2}


def test_a_class_that_does_not_occur_is_left_out():
    labels = np.array([5, 5, 7, 7, 7, 7])
    assert np.bincount(labels[drawn(labels)]).tolist() == [0] * 5 + [3, 0, 3]


def test_the_same_generator_gives_the_same_order_and_another_another():
    labels = [0] * 20 + [1] * 5
    assert drawn(labels).tolist() == drawn(labels).tolist()
    assert drawn(labels).tolist() != drawn(labels, seed=1).tolist()
