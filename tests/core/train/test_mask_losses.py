"""Losses that can be worked out by hand, on masks of a few pixels."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from core.data.dataset import IGNORE
from core.errors import RecipeError
from core.recipe import MaskLossChoice, SegmentationRecipe
from core.train.mask_losses import (
    MASK_LOSSES,
    MOST_BALANCE,
    build_mask_loss,
    class_weights,
    knob_values,
    mask_loss_row,
)
from tests.shapes import shapes_dataset

CPU = torch.device("cpu")
ROWS = pytest.mark.parametrize("row", MASK_LOSSES, ids=lambda row: row.name)

WEIGHTED = pytest.mark.parametrize(
    ("row", "weights"),
    [(row, None) for row in MASK_LOSSES] + [(row, (1.0, 2.0, 3.0)) for row in MASK_LOSSES if row.weighted],
    ids=lambda value: getattr(value, "name", "weighted" if value else "equal"),
)

# Four pixels in a row, two classes; the model gives the second class these probabilities.
TRUTH = torch.tensor([[[0, 0, 1, 1]]])
SECOND = (0.2, 0.4, 0.5, 0.9)


def logits_of(second=SECOND) -> torch.Tensor:
    """Logits (1, 2, 1, 4) whose softmax gives the second class these probabilities."""
    p = torch.tensor(second, dtype=torch.float64)
    return torch.stack([torch.log(1 - p), torch.log(p)]).view(1, 2, 1, 4).float()


def loss_of(name: str, logits=None, truth=TRUTH, weights=None, **values) -> float:
    loss = build_mask_loss(MaskLossChoice(name=name, values=values), 2, weights, CPU)
    return float(loss(logits_of() if logits is None else logits, truth))


def noise(classes: int = 3, side: int = 6, images: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that require gradients, and a truth with every class and some ignored pixels."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(images, classes, side, side, generator=generator).requires_grad_()
    truth = torch.randint(0, classes, (images, side, side), generator=generator)
    truth[0, :2] = IGNORE
    return logits, truth


# For the second class: hits 0.5 + 0.9 = 1.4, found 0.2 + 0.4 + 0.5 + 0.9 = 2.0, there 2.
# For the first:        hits 0.8 + 0.6 = 1.4, found 0.8 + 0.6 + 0.5 + 0.1 = 2.0, there 2.
CROSS_ENTROPY = -sum(math.log(p) for p in (0.8, 0.6, 0.5, 0.9)) / 4


def test_dice_by_hand():
    assert loss_of("dice") == pytest.approx(1 - 2 * 1.4 / (2.0 + 2), abs=1e-6)


def test_dice_with_squares_below_by_hand():
    second = 1 - 2 * 1.4 / (0.04 + 0.16 + 0.25 + 0.81 + 2)
    first = 1 - 2 * 1.4 / (0.64 + 0.36 + 0.25 + 0.01 + 2)
    assert loss_of("dice", squared=True) == pytest.approx((first + second) / 2, abs=1e-6)
    assert loss_of("dice", squared=True, background=False) == pytest.approx(second, abs=1e-6)


def test_cross_entropy_by_hand():
    assert loss_of("cross-entropy") == pytest.approx(CROSS_ENTROPY, abs=1e-6)


def test_the_sum_of_both_is_plain_unless_a_share_is_chosen():
    dice = loss_of("dice")
    assert loss_of("dice+cross-entropy") == pytest.approx(dice + CROSS_ENTROPY, abs=1e-6)
    assert loss_of("dice+cross-entropy", share=1.0) == pytest.approx(2 * dice, abs=1e-6)
    assert loss_of("dice+cross-entropy", share=0.0) == pytest.approx(2 * CROSS_ENTROPY, abs=1e-6)


def test_the_reports_loss_is_dice_with_squares_and_cross_entropy():
    found = loss_of("dice+cross-entropy", squared=True)
    assert found == pytest.approx(loss_of("dice", squared=True) + CROSS_ENTROPY, abs=1e-6)


def test_focal_by_hand():
    by_hand = sum((1 - p) ** 2 * -math.log(p) for p in (0.8, 0.6, 0.5, 0.9)) / 4
    assert loss_of("focal") == pytest.approx(by_hand, abs=1e-6)
    assert loss_of("focal", gamma=0.0) == pytest.approx(CROSS_ENTROPY, abs=1e-6)


def test_tversky_by_hand_and_its_two_ends():
    # Second class: invented 0.2 + 0.4 = 0.6, missed 0.5 + 0.1 = 0.6; the first the other way round.
    assert loss_of("tversky", alpha=0.3, beta=0.7) == pytest.approx(1 - 1.4 / (1.4 + 0.6), abs=1e-6)
    lopsided = logits_of((0.2, 0.4, 0.9, 0.9))  # invented 0.6, missed 0.2 of the second class
    second = 1 - 1.8 / (1.8 + 0.3 * 0.6 + 0.7 * 0.2)
    first = 1 - 1.4 / (1.4 + 0.3 * 0.2 + 0.7 * 0.6)
    assert loss_of("tversky", lopsided) == pytest.approx((first + second) / 2, abs=1e-6)
    assert loss_of("tversky", lopsided, alpha=0.5, beta=0.5) == pytest.approx(loss_of("dice", lopsided), abs=1e-6)
    assert loss_of("tversky", lopsided, alpha=1.0, beta=1.0) == pytest.approx(loss_of("jaccard", lopsided), abs=1e-6)


def test_jaccard_by_hand():
    assert loss_of("jaccard") == pytest.approx(1 - 1.4 / (2.0 + 2 - 1.4), abs=1e-6)


def test_lovasz_is_one_minus_intersection_over_union_for_a_model_that_is_sure():
    sure = logits_of((1e-9, 1 - 1e-7, 1 - 1e-7, 1 - 1e-7))  # answers 0 1 1 1: IoU 1/2 and 2/3
    assert loss_of("lovasz", sure) == pytest.approx(1 - (1 / 2 + 2 / 3) / 2, abs=1e-5)


@ROWS
def test_a_perfect_answer_costs_nothing_and_a_wrong_one_more_than_a_doubtful_one(row):
    right, doubtful, wrong = (
        loss_of(row.name, logits_of(second))
        for second in ((1e-6, 1e-6, 1 - 1e-6, 1 - 1e-6), SECOND, (1 - 1e-6, 1 - 1e-6, 1e-6, 1e-6))
    )
    assert right == pytest.approx(0, abs=1e-4)
    assert right < doubtful < wrong


@WEIGHTED
def test_ignored_pixels_change_neither_the_loss_nor_the_gradient(row, weights):
    loss = build_mask_loss(MaskLossChoice(name=row.name), 3, weights, CPU)
    logits, truth = noise()
    value = loss(logits, truth)
    (gradient,) = torch.autograd.grad(value, logits)
    value = value.detach()
    assert value.shape == ()
    assert gradient[0, :, :2].abs().sum() == 0
    assert gradient[0, :, 2:].abs().sum() > 0
    other = logits.detach().clone()
    other[0, :, :2] = 50.0
    other[0, 0, :2] = -50.0
    assert float(loss(other, truth)) == pytest.approx(float(value), abs=1e-6)
    # The same pixels without the ignored ones, as one strip.
    kept = truth.flatten() != IGNORE
    strip = logits.detach().permute(1, 0, 2, 3).flatten(1)[:, kept].view(1, 3, 1, -1)
    assert float(loss(strip, truth.flatten()[kept].view(1, 1, -1))) == pytest.approx(float(value), abs=1e-6)


@WEIGHTED
def test_a_batch_of_ignored_pixels_alone_costs_nothing_and_teaches_nothing(row, weights):
    loss = build_mask_loss(MaskLossChoice(name=row.name), 3, weights, CPU)
    logits, truth = noise()
    value = loss(logits, torch.full_like(truth, IGNORE))
    (gradient,) = torch.autograd.grad(value, logits)
    assert float(value.detach()) == 0
    assert gradient.abs().sum() == 0


@ROWS
def test_every_loss_goes_down_when_it_is_followed(row):
    loss = build_mask_loss(MaskLossChoice(name=row.name), 3, None, CPU)
    logits, truth = noise()
    before = loss(logits, truth)
    (gradient,) = torch.autograd.grad(before, logits)
    assert gradient.isfinite().all()
    assert loss(logits - gradient / gradient.norm(), truth) < before


@ROWS
def test_extreme_logits_give_numbers(row):
    loss = build_mask_loss(MaskLossChoice(name=row.name), 3, None, CPU)
    logits, truth = noise()
    extreme = (logits.detach() * 1e4).requires_grad_()
    value = loss(extreme, truth)
    (gradient,) = torch.autograd.grad(value, extreme)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_a_focal_loss_of_a_low_power_learns_from_pixels_that_are_right_already():
    loss = build_mask_loss(MaskLossChoice(name="focal", values={"gamma": 0.5}), 2, None, CPU)
    logits = torch.tensor([100.0, -100.0]).view(1, 2, 1, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, torch.zeros(1, 1, 1, dtype=torch.long)), logits)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", ["dice", "tversky", "jaccard"])
def test_a_class_that_a_batch_lacks_is_left_out_of_a_region_loss(name):
    logits, truth = torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long)
    loss = build_mask_loss(MaskLossChoice(name=name), 3, None, CPU)
    # Of the first class 4/3 of 4 pixels are hit; the two others are not there and cost nothing.
    first = {"dice": 1 - 2 * 4 / 3 / (4 / 3 + 4), "tversky": 1 - (4 / 3) / (4 / 3 + 0.7 * 8 / 3), "jaccard": 2 / 3}
    assert float(loss(logits, truth)) == pytest.approx(first[name] / 3, abs=1e-6)


def test_class_weights_of_cross_entropy_are_pytorchs():
    logits, truth = noise()
    weights = torch.tensor([0.5, 1.0, 1.5])
    logits = logits.detach()
    ours = build_mask_loss(MaskLossChoice(name="cross-entropy"), 3, weights, CPU)(logits, truth)
    assert float(ours) == pytest.approx(float(cross_entropy(logits, truth, weights, ignore_index=IGNORE)), abs=1e-6)
    focal = build_mask_loss(MaskLossChoice(name="focal", values={"gamma": 0}), 3, weights, CPU)(logits, truth)
    assert float(focal) == pytest.approx(float(ours), abs=1e-6)


@pytest.mark.parametrize("row", [row for row in MASK_LOSSES if row.weighted], ids=lambda row: row.name)
def test_a_class_that_weighs_more_matters_more(row):
    only_second_wrong = logits_of((0.05, 0.05, 0.3, 0.3))
    only_first_wrong = logits_of((0.7, 0.7, 0.95, 0.95))
    second_heavy = (0.2, 1.8)
    gap = [
        loss_of(row.name, only_second_wrong, weights=weights) - loss_of(row.name, only_first_wrong, weights=weights)
        for weights in (None, second_heavy)
    ]
    assert gap[0] < gap[1]


def test_weights_are_refused_by_a_loss_that_takes_none():
    with pytest.raises(RecipeError, match=r"loss\.class_weights.*Lovász takes no"):
        build_mask_loss(MaskLossChoice(name="lovasz"), 2, (1.0, 2.0), CPU)


@pytest.fixture
def shapes(tmp_path):
    return shapes_dataset(tmp_path / "shapes")


def test_balanced_weights_are_the_inverse_of_the_pixels_that_train(shapes):
    train = [sample.pixels for sample in shapes.of("train")]
    pixels = [sum(counts) for counts in zip(*train, strict=True)]
    weights = class_weights(MaskLossChoice(class_weights="balanced"), shapes)
    assert sum(weights) / 3 == pytest.approx(1)
    assert weights[1] / weights[0] == pytest.approx(pixels[0] / pixels[1])
    assert weights[2] / weights[1] == pytest.approx(pixels[1] / pixels[2])
    assert weights[1] > weights[0]


def test_a_class_of_a_handful_of_pixels_is_not_weighed_without_bound(shapes):
    few = tuple(
        replace(sample, pixels=(100_000, sample.pixels[1], 0 if number else 1))
        for number, sample in enumerate(shapes.samples)
    )
    weights = class_weights(MaskLossChoice(class_weights="balanced"), replace(shapes, samples=few))
    assert max(weights) / min(weights) == pytest.approx(MOST_BALANCE)


def test_given_weights_are_brought_to_a_mean_of_one_and_must_be_one_for_each_class(shapes):
    assert class_weights(MaskLossChoice(), shapes) is None
    assert class_weights(MaskLossChoice(class_weights=(1, 2, 3)), shapes) == pytest.approx((0.5, 1, 1.5))
    with pytest.raises(RecipeError, match=r"found 2 numbers, expected one for each of the 3 classes: background, disc"):
        class_weights(MaskLossChoice(class_weights=(1, 2)), shapes)


def test_rows_have_names_of_their_own_and_say_something():
    assert len({row.name for row in MASK_LOSSES}) == len({row.label for row in MASK_LOSSES}) == len(MASK_LOSSES)
    assert all(row.sentence.endswith(".") and row.source.startswith("https://") for row in MASK_LOSSES)
    assert MASK_LOSSES[0].name == SegmentationRecipe().loss.name


def test_an_unknown_loss_or_knob_is_refused_with_the_names_there_are():
    with pytest.raises(
        RecipeError, match=r"loss\.name: found 'dyce', expected one of dice\+cross-entropy, dice, cross"
    ):
        mask_loss_row("dyce")
    with pytest.raises(RecipeError, match=r"loss\.values\.gama.*gamma"):
        knob_values(MaskLossChoice(name="focal", values={"gama": 2}))
    with pytest.raises(RecipeError, match=r"loss\.values\.gamma: found 9, expected a number from 0 to 5"):
        knob_values(MaskLossChoice(name="focal", values={"gamma": 9}))


def test_the_rows_can_be_read_without_torch():
    code = "import sys, core.train.mask_losses; assert not {'torch', 'segmentation_models_pytorch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
