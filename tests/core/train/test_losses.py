"""Losses of classes, their values worked out by hand."""

import math

import numpy as np
import pytest
import torch

from core.errors import RecipeError
from core.recipe import LossChoice
from core.train.losses import LOSSES, build_loss, class_weights, loss_values, weights_of

ROWS = pytest.mark.parametrize("row", LOSSES, ids=lambda row: row.name)
# Three to one for the second of two classes: probabilities 1/4 and 3/4.
LOGITS = torch.tensor([[0.0, math.log(3)]])
FIRST, SECOND = torch.tensor([0]), torch.tensor([1])
SOFT = torch.tensor([[0.5, 0.5]])


def loss(logits=LOGITS, targets=SECOND, *, counts=None, **choice) -> float:
    return build_loss(LossChoice(**choice), counts)(logits, targets).item()


@ROWS
def test_every_loss_gives_one_number_per_image_and_prefers_the_truth(row):
    values = build_loss(LossChoice(name=row.name))(torch.tensor([[4.0, 0.0], [0.0, 4.0]]), torch.tensor([0, 0]))
    assert values.shape == (2,)
    assert values[0] < values[1]


def test_cross_entropy_is_the_logarithm_of_the_probability():
    assert loss(targets=SECOND) == pytest.approx(-math.log(3 / 4))
    assert loss(targets=FIRST) == pytest.approx(-math.log(1 / 4))
    assert loss(torch.zeros(1, 2)) == pytest.approx(0.6931, abs=1e-4)  # a coin toss


def test_focal_takes_the_square_of_what_is_missing_to_certainty():
    assert loss(name="focal") == pytest.approx((1 / 4) ** 2 * -math.log(3 / 4))
    assert loss(name="focal", targets=FIRST) == pytest.approx((3 / 4) ** 2 * -math.log(1 / 4))
    assert loss(name="focal", values={"gamma": 0.5}) == pytest.approx((1 / 4) ** 0.5 * -math.log(3 / 4))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", ["none", "balanced"])
@pytest.mark.parametrize("targets", [FIRST, SOFT], ids=["hard", "soft"])
def test_focal_without_its_power_is_cross_entropy(smoothing, weights, targets):
    choice = {"targets": targets, "label_smoothing": smoothing, "class_weights": weights, "counts": (3, 1)}
    assert loss(name="focal", values={"gamma": 0.0}, **choice) == pytest.approx(loss(**choice))


def test_smoothing_gives_every_class_its_share_of_the_mass():
    # Of two classes and 0.2: 0.9 for the true one and 0.1 for the other.
    assert loss(label_smoothing=0.2) == pytest.approx(-0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4))
    expected = -0.9 * (1 / 4) ** 2 * math.log(3 / 4) - 0.1 * (3 / 4) ** 2 * math.log(1 / 4)
    assert loss(name="focal", label_smoothing=0.2) == pytest.approx(expected)


def test_a_mixed_image_costs_as_much_as_its_parts_in_their_proportion():
    mixed = torch.tensor([[0.3, 0.7]])
    for name in ("cross-entropy", "focal"):
        parts = 0.3 * loss(name=name, targets=FIRST) + 0.7 * loss(name=name, targets=SECOND)
        assert loss(name=name, targets=mixed) == pytest.approx(parts)


@ROWS
def test_an_image_counts_as_much_as_its_class(row):
    # Three images of the first class and one of the second: 4/3 and 4, scaled to 2/3 and 2.
    plain, weighted = (
        {"name": row.name, "class_weights": weights, "counts": (3, 1)} for weights in ("none", "balanced")
    )
    assert loss(targets=FIRST, **weighted) == pytest.approx(2 / 3 * loss(targets=FIRST, **plain))
    assert loss(targets=SECOND, **weighted) == pytest.approx(2 * loss(targets=SECOND, **plain))


@ROWS
@pytest.mark.parametrize("far", [40.0, 200.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_model_that_is_sure_gets_numbers_and_gradients_that_are_finite(row, far, smoothing):
    logits = torch.tensor([[far, -far], [-far, far]], requires_grad=True)
    values = {"gamma": 0.5} if row.knobs else {}
    losses = build_loss(LossChoice(name=row.name, label_smoothing=smoothing, values=values))(
        logits, torch.tensor([0, 0])
    )
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert torch.isfinite(logits.grad).all()


def test_balanced_weights_are_n_by_c_with_a_mean_of_one_over_the_images():
    counts = np.array([90, 9, 1])
    weights = class_weights(LossChoice(class_weights="balanced"), counts)
    assert weights == pytest.approx([100 / 90 / 3, 100 / 9 / 3, 100 / 1 / 3])
    assert (weights * counts).sum() / counts.sum() == pytest.approx(1)
    assert class_weights(LossChoice(), counts) is None


def test_weights_of_ones_own_keep_their_proportion_and_get_a_mean_of_one():
    weights = class_weights(LossChoice(class_weights=(1, 3)), (3, 1))
    assert weights == pytest.approx([4 / 6, 3 * 4 / 6])


def test_weights_come_from_the_training_split_alone(coloured):
    assert weights_of(LossChoice(class_weights="balanced"), coloured) == pytest.approx([1, 1, 1])


def test_numbers_that_are_not_one_for_each_class_are_refused():
    with pytest.raises(RecipeError, match=r"class_weights: found 1 number, expected one for each of the 2 classes\."):
        loss(counts=(3, 1), class_weights=(1.0,))


def test_an_unknown_name_or_knob_is_refused():
    with pytest.raises(RecipeError, match=r"loss\.name: found 'magic', expected one of cross-entropy, focal"):
        loss(name="magic")
    with pytest.raises(RecipeError, match=r"loss\.values\.gamma: found 9, expected a number from 0 to 5"):
        loss(name="focal", values={"gamma": 9})
    with pytest.raises(RecipeError, match=r"loss\.values\.gamma: found a name nobody knows"):
        loss(values={"gamma": 2})
    assert loss_values(LossChoice(name="focal")) == {"gamma": 2.0}
