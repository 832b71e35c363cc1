import pytest

from core.recipe import Recipe
from core.runs.pace import FULL_EPOCH, STORED_EPOCH, epoch_costs, pace

WHOLE = Recipe().set({"batch_size": 10, "phases.0": {"trainable": "everything", "epochs": 4, "learning_rate": 1e-4}})


def epoch(number: int, seconds: float = 10.0) -> dict:
    return {"kind": "epoch", "epoch": number, "seconds": seconds, "images_per_second": 20.0}


def step(epoch_number: int, number: int, steps: int = 20, rate: float = 20.0) -> dict:
    return {"kind": "step", "epoch": epoch_number, "step": number, "steps": steps, "images_per_second": rate}


def test_before_the_first_step_nothing_is_known():
    now = pace(WHOLE, [])

    assert (now.epoch, now.epochs, now.fraction, now.seconds_left, now.images_per_second) == (0, 4, 0.0, None, None)


def test_a_quarter_done_in_ten_seconds_leaves_thirty():
    now = pace(WHOLE, [epoch(1)])

    assert now.fraction == pytest.approx(0.25)
    assert now.seconds_left == pytest.approx(30)


def test_the_epoch_at_work_counts_with_its_steps():
    now = pace(WHOLE, [epoch(1), step(2, 10)])  # ten steps of ten images at 20 images/s: 5 s

    assert now.epoch == 2
    assert now.fraction == pytest.approx(1.5 / 4)
    assert now.seconds_left == pytest.approx(15 / 1.5 * 2.5)


def test_a_finished_run_has_no_time_left():
    now = pace(WHOLE, [epoch(number) for number in range(1, 5)])

    assert (now.epoch, now.fraction, now.seconds_left) == (4, 1.0, 0.0)


def test_a_frozen_backbone_looks_at_images_once_for_each_view():
    recipe = Recipe().set({"augment.policy": "light", "augment.views": 2, "phases.0.epochs": 5})
    assert epoch_costs(recipe) == [1.0, 1.0, STORED_EPOCH, STORED_EPOCH, STORED_EPOCH]

    without = recipe.set({"augment.policy": "none"})
    assert epoch_costs(without) == [1.0] + [STORED_EPOCH] * 4
    assert pace(without, [step(1, 3)]).passing
    assert not pace(without, [epoch(1)]).passing


def test_every_epoch_of_the_whole_network_costs_the_same():
    assert epoch_costs(WHOLE) == [FULL_EPOCH] * 4
