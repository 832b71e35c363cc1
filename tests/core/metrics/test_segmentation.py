import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import segmentation_models_pytorch.metrics as smp
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.metrics.intervals import Interval
from core.metrics.segmentation import (
    EMPTY_RULES,
    HITS,
    METRICS,
    background_of,
    class_counts,
    class_mean,
    dice,
    image_scores,
    iou,
    mask_confusion,
    mean_dice,
    mean_interval,
    mean_iou,
    nothing_found,
    per_image,
    pooled_scores,
)

THEIRS = {"iou": smp.iou_score, "dice": smp.f1_score, "precision": smp.precision, "recall": smp.recall}


def counts_of(truth: np.ndarray, predicted: np.ndarray, k: int) -> np.ndarray:
    """Counts (N, K, 3) of masks (N, H, W)."""
    pairs = zip(truth, predicted, strict=True)
    return class_counts(np.stack([mask_confusion(one, other, k) for one, other in pairs]))


def random_masks(n: int = 7, k: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Masks (N, 12, 9) of which some lack classes, answers that are half right, and some pixels to ignore."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, k, (n, 12, 9)).astype(np.uint8)
    truth[:3][truth[:3] >= 2] = 0  # the first images lack the last classes
    wrong = generator.integers(0, k, truth.shape).astype(np.uint8)
    predicted = np.where(generator.random(truth.shape) < 0.6, truth, wrong)
    predicted[:2][predicted[:2] >= 2] = 1
    truth[generator.random(truth.shape) < 0.1] = 255
    return truth, predicted


def smp_stats(truth: np.ndarray, predicted: np.ndarray, k: int) -> tuple[torch.Tensor, ...]:
    """SMP's counts: it wants what is ignored to be so in the answer as well."""
    predicted = np.where(truth == 255, 255, predicted)
    return smp.get_stats(
        torch.from_numpy(predicted).long(),
        torch.from_numpy(truth).long(),
        mode="multiclass",
        num_classes=k,
        ignore_index=255,
    )


def test_three_images_worked_out_by_hand():
    """image 1: 2 classes          image 2: class 1 missed        image 3: nothing to find
    truth                  0 0 1 1                     0 0 0 1                         0 0 0 0
    answer                 0 1 1 1                     0 0 0 0                         0 0 0 0
    """
    truth = np.array([[[0, 0, 1, 1]], [[0, 0, 0, 1]], [[0, 0, 0, 0]]], np.uint8)
    answer = np.array([[[0, 1, 1, 1]], [[0, 0, 0, 0]], [[0, 0, 0, 0]]], np.uint8)
    counts = counts_of(truth, answer, 2)
    assert counts.tolist() == [[[1, 1, 2], [2, 3, 2]], [[3, 4, 3], [0, 0, 1]], [[4, 4, 4], [0, 0, 0]]]

    pooled = pooled_scores(counts, 0)
    background, object_ = pooled.classes
    assert (object_.iou, object_.dice, object_.precision, object_.recall) == pytest.approx((2 / 4, 4 / 6, 2 / 3, 2 / 3))
    assert (background.iou, background.dice) == pytest.approx((8 / 10, 16 / 18))
    assert pooled.mean.dice == object_.dice
    assert pooled.mean_with_background.iou == pytest.approx((2 / 4 + 8 / 10) / 2)

    means = {rule: image_scores(counts, 0, empty=rule).classes[1] for rule in EMPTY_RULES}
    assert means["skip"].dice == pytest.approx((4 / 5 + 0) / 2)
    assert means["one"].dice == pytest.approx((4 / 5 + 0 + 1) / 3)
    assert means["zero"].dice == pytest.approx((4 / 5 + 0 + 0) / 3)
    assert means["skip"].iou == pytest.approx((2 / 3 + 0) / 2)
    assert means["skip"].precision == pytest.approx(2 / 3), "image 2 answers nothing: its precision is not defined"
    assert means["one"].precision == pytest.approx((2 / 3 + 1) / 2)
    assert means["skip"].recall == pytest.approx((1 + 0) / 2)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("metric", METRICS)
def test_pooled_over_pixels_smp_agrees(metric, seed):
    truth, predicted = random_masks(seed=seed)
    stats, counts = smp_stats(truth, predicted, 4), counts_of(truth, predicted, 4)
    ours = pooled_scores(counts, None)
    classes = [getattr(score, metric) for score in ours.classes]
    theirs = THEIRS[metric](*(stat.sum(0, keepdim=True) for stat in stats), reduction="none")[0]
    assert classes == pytest.approx(theirs.tolist(), abs=1e-6)
    assert getattr(ours.mean, metric) == pytest.approx(float(THEIRS[metric](*stats, reduction="macro")), abs=1e-6)
    micro = float(METRICS[metric](counts.sum(axis=(0, 1))))
    assert micro == pytest.approx(float(THEIRS[metric](*stats, reduction="micro")), abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("metric", ["iou", "dice"])
@pytest.mark.parametrize(("rule", "zero_division"), [("one", 1.0), ("zero", 0.0)])
def test_over_images_smp_agrees_under_both_rules_that_it_has(rule, zero_division, metric, seed):
    truth, predicted = random_masks(seed=seed)
    stats, counts = smp_stats(truth, predicted, 4), counts_of(truth, predicted, 4)
    ours = image_scores(counts, None, empty=rule)
    with warnings.catch_warnings(action="ignore"):  # of the divisions that the rule is for
        each = THEIRS[metric](*stats, reduction="none", zero_division=zero_division)
        imagewise = THEIRS[metric](*stats, reduction="macro-imagewise", zero_division=zero_division)
        micro = THEIRS[metric](*stats, reduction="micro-imagewise", zero_division=zero_division)
    assert (counts[..., 1:].sum(axis=-1) == 0).any(), "the rule matters here"
    place = list(METRICS).index(metric)
    assert per_image(counts, empty=rule)[:, place] == pytest.approx(each.numpy(), abs=1e-6)
    assert getattr(ours.mean, metric) == pytest.approx(float(imagewise), abs=1e-6)
    assert float(METRICS[metric](counts.sum(axis=1)).mean()) == pytest.approx(float(micro), abs=1e-6)


def test_the_counts_are_smps():
    truth, predicted = random_masks()
    counts = counts_of(truth, predicted, 4)
    tp, fp, fn, _ = (stat.numpy() for stat in smp_stats(truth, predicted, 4))
    assert np.array_equal(counts, np.stack([tp, tp + fp, tp + fn], axis=-1))


@given(st.integers(0, 2**32 - 1))
def test_every_metric_lies_in_0_and_1_and_dice_and_iou_tell_the_same(seed):
    truth, predicted = random_masks(n=3, seed=seed)
    counts = counts_of(truth, predicted, 4)
    for metric in METRICS.values():
        values = metric(counts)
        assert ((values >= 0) & (values <= 1) | np.isnan(values)).all()
    assert dice(counts) == pytest.approx(2 * iou(counts) / (1 + iou(counts)), nan_ok=True)


@pytest.mark.parametrize(
    ("classes", "place"),
    [
        (("background", "cell"), 0),
        ((" Background", "cell"), 0),
        (("BACKGROUND",), 0),
        (("cell", "background"), None),
        (("backgrounds", "cell"), None),
        ((), None),
    ],
)
def test_the_background_is_the_first_class_if_it_is_called_so(classes, place):
    assert background_of(classes) == place


def test_what_is_ignored_counts_nowhere_whatever_the_answer_says_there():
    truth = np.array([[0, 1, 255, 255]], np.uint8)
    for there in (0, 1, 255):
        answer = np.array([[0, 1, there, there]], np.uint8)
        assert mask_confusion(truth, answer, 2).tolist() == [[1, 0], [0, 1]]


def test_a_mask_of_254_classes_is_counted_as_one_of_two():
    truth = np.arange(256, dtype=np.uint8)[None]
    counts = mask_confusion(truth, np.minimum(truth, 253), 254)
    assert np.array_equal(counts, np.eye(254))


def test_masks_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match=r"a true mask \(2, 2\) and an answer \(2, 3\)"):
        mask_confusion(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), 2)
    with pytest.raises(ValueError, match="holds class 2, expected 0 to 1"):
        mask_confusion(np.zeros((1, 1), np.uint8), np.full((1, 1), 2, np.uint8), 2)
    with pytest.raises(ValueError, match="not one of skip, one, zero"):
        image_scores(np.zeros((1, 2, 3), int), 0, empty="perhaps")


def test_a_class_that_occurs_nowhere_has_no_value_and_stays_out_of_the_mean():
    truth, answer = np.zeros((6, 1, 4), np.uint8), np.zeros((6, 1, 4), np.uint8)
    truth[:, :, :2], answer[:, :, :1] = 1, 1
    scores = pooled_scores(counts_of(truth, answer, 3), 0)
    nowhere = scores.classes[2]
    assert (nowhere.iou, nowhere.dice, nowhere.precision, nowhere.recall, nowhere.dice_interval) == (None,) * 5
    assert scores.mean.dice == scores.classes[1].dice
    assert scores.mean.dice_interval is not None
    assert image_scores(counts_of(truth, answer, 3), 0).mean.iou == pytest.approx(1 / 2)


def test_a_class_mean_of_nothing_is_undefined():
    assert np.isnan(class_mean(np.array([1.0, np.nan]), 0))


def test_an_answer_of_nothing_but_background_still_shows_a_mean_iou_near_one_half():
    """Nine tenths of the pixels are background: IoU 0.9 for it, 0 for the rest, 0.45 on average."""
    truth = np.zeros((5, 10, 10), np.uint8)
    truth[:, 0] = 1
    counts = counts_of(truth, truth, 2)
    idle = pooled_scores(nothing_found(counts, 0), 0, intervals=False)
    assert idle.mean_with_background.iou == pytest.approx(0.45)
    assert idle.mean.iou == idle.mean.dice == 0
    assert idle.mean.precision is None
    assert np.array_equal(nothing_found(counts, 0), counts_of(truth, np.zeros_like(truth), 2))


def test_intervals_hold_their_values_and_grow_with_fewer_images():
    truth, predicted = random_masks(n=60)
    many, few = (pooled_scores(counts_of(truth[-n:], predicted[-n:], 4), 0) for n in (60, 8))
    for scores in (many, few):
        for score in (*scores.classes, scores.mean, scores.mean_with_background):
            for metric in METRICS:
                interval = getattr(score, f"{metric}_interval")
                assert interval.low < getattr(score, metric) < interval.high
    assert np.diff(few.mean.dice_interval) > 1.5 * np.diff(many.mean.dice_interval)


def test_a_number_that_rests_on_fewer_than_five_images_has_no_interval():
    truth, answer = np.zeros((20, 2, 4), np.uint8), np.zeros((20, 2, 4), np.uint8)
    truth[:, 0], answer[::2, 0] = 1, 1
    truth[:4, 1], answer[:4, 1, :3] = 2, 2
    counts = counts_of(truth, answer, 3)
    for scores in (pooled_scores(counts, 0), image_scores(counts, 0)):
        assert scores.classes[1].dice_interval is not None
        assert scores.classes[2].dice is not None
        assert scores.classes[2].dice_interval is None
        assert scores.mean.dice_interval is None, "one of its classes occurs in four images"
    assert mean_interval(counts, 0) is None
    assert image_scores(counts, 0, empty="one").classes[2].dice_interval is not None, "all twenty count"
    assert pooled_scores(counts[:4], 0).classes[1].dice_interval is None


def test_the_interval_of_the_loop_is_that_of_the_report():
    truth, predicted = random_masks(n=30)
    counts = counts_of(truth, predicted, 4)
    report = pooled_scores(counts, 0)
    assert mean_interval(counts, 0) == pytest.approx(report.mean.dice_interval)
    assert mean_dice(counts.sum(axis=0), 0) == pytest.approx(report.mean.dice)
    assert mean_iou(counts.sum(axis=0), 0) == pytest.approx(report.mean.iou)


def test_finding_nothing_in_any_image_is_not_certain_to_go_on():
    truth = np.zeros((40, 2, 4), np.uint8)
    truth[:, 0] = 1
    dice_now = pooled_scores(counts_of(truth, np.zeros_like(truth), 2), 0).classes[1]
    assert dice_now.dice == 0
    assert dice_now.dice_interval == pytest.approx(Interval(0.0, 0.0876), abs=1e-4)  # Wilson, none of forty
    perfect = pooled_scores(counts_of(truth, truth, 2), 0).classes[1]
    assert perfect.dice_interval == pytest.approx(Interval(0.9124, 1.0), abs=1e-4)


def test_the_loop_can_afford_an_interval_each_epoch():
    counts = np.random.default_rng(0).integers(1, 4000, (60, 3, 3))
    counts[..., HITS] = counts.min(axis=-1)
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        mean_interval(counts, 0)
        seconds.append(time.process_time() - begun)
    assert min(seconds) < 0.01


def test_metrics_of_masks_need_nothing_heavy():
    code = """
import sys, numpy
from core.metrics.segmentation import pooled_scores
pooled_scores(numpy.ones((9, 2, 3), int), 0)
assert not {"torch", "scipy", "sklearn", "segmentation_models_pytorch"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
