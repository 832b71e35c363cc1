import json
import time
from dataclasses import replace

import numpy as np
import pytest

from core.evaluate.masks import LEVELS, Levels, MaskTable
from core.evaluate.segmentation import (
    SegmentationResult,
    at_threshold,
    evaluate_masks,
    image_rows,
    threshold_figures,
)

CLASSES = ("background", "disc", "square")


def table(confusion: np.ndarray, classes: tuple[str, ...] = CLASSES, outlines: np.ndarray | None = None) -> MaskTable:
    n, k = confusion.shape[:2]
    ids = tuple(f"{number:06d}" for number in range(n))
    return MaskTable(
        classes=classes,
        ids=ids,
        files=tuple(f"{id}.png" for id in ids),
        sizes=np.full((n, 2), 10),
        confusion=confusion,
        outlines=np.full((n, k, 2), np.nan) if outlines is None else outlines,
        split="validation",
        checkpoint="epoch 4, 01",
    )


def random_table(n: int, seed: int = 0) -> MaskTable:
    generator = np.random.default_rng(seed)
    confusion = generator.integers(0, 4, (n, 3, 3)) + np.diag([60, 12, 5])
    return table(confusion, outlines=generator.random((n, 3, 2)) * [1, 3])


# Image 0: disc half found. Image 1: square missed, disc invented. Image 2: rightly empty. 100 pixels each.
THREE = np.array(
    [
        [[86, 2, 0], [4, 8, 0], [0, 0, 0]],
        [[90, 5, 0], [0, 0, 0], [5, 0, 0]],
        [[99, 0, 0], [0, 0, 0], [0, 0, 0]],
    ]
)


def test_three_images_worked_out_by_hand():
    result = evaluate_masks(table(THREE))
    background, disc, square = result.per_class
    assert (disc.dice, disc.iou) == pytest.approx((16 / 27, 8 / 19))
    assert (disc.precision, disc.recall) == pytest.approx((8 / 15, 8 / 12))
    assert (square.dice, square.recall, square.precision) == (0, 0, None)
    assert background.recall == pytest.approx(275 / 282)
    assert result.mean_dice == pytest.approx((16 / 27 + 0) / 2)
    assert result.with_background.mean_dice == pytest.approx((16 / 27 + 0 + background.dice) / 3)
    assert result.over_images.per_class[1].dice == pytest.approx((16 / 22 + 0) / 2), "image 2 is left out"
    assert evaluate_masks(table(THREE), empty="one").over_images.per_class[1].dice == pytest.approx((16 / 22 + 1) / 3)
    assert (disc.pixels, disc.images, square.pixels, square.images) == (12, 1, 5, 1)
    assert result.confusion == ((275, 7, 0), (4, 8, 0), (5, 0, 0))
    assert result.ignored == 1
    assert (result.n, result.background, result.empty) == (3, 0, "skip")
    assert result.mean_dice_interval is None, "three images are too few"


def test_the_rule_for_empty_images_leaves_pooled_figures_as_they_are():
    results = [evaluate_masks(table(THREE), empty=rule) for rule in ("skip", "one", "zero")]
    assert len({result.mean_dice for result in results}) == 1
    assert len({result.over_images.mean_dice for result in results}) == 3
    assert results[1].over_images.mean_dice > results[0].over_images.mean_dice > results[2].over_images.mean_dice
    with pytest.raises(ValueError, match="not one of skip, one, zero"):
        evaluate_masks(table(THREE), empty="maybe")


def test_a_model_that_finds_nothing_is_told_beside_what_it_would_score():
    result = evaluate_masks(table(THREE))
    idle = result.nothing_found
    assert idle.with_background.mean_iou == pytest.approx((282 / 299) / 3)
    assert idle.mean_iou == idle.mean_dice == 0
    assert idle.mean_iou_interval is None
    over_images = result.nothing_found_over_images
    assert over_images.with_background.mean_iou == pytest.approx(((88 + 95) / 100 + 1) / 9)
    alone = evaluate_masks(table(THREE, classes=("soil", "disc", "square")))
    assert alone.background is alone.nothing_found is alone.nothing_found_over_images is None
    assert alone.mean_dice == alone.with_background.mean_dice


def test_every_figure_of_thirty_images_has_an_interval_around_it():
    result = evaluate_masks(random_table(30))
    for means in (result, result.with_background, result.over_images, result.over_images.with_background):
        for name in ("mean_iou", "mean_dice", "mean_precision", "mean_recall"):
            interval = getattr(means, f"{name}_interval")
            assert interval.low < getattr(means, name) < interval.high
    for score in result.per_class:
        for name in ("iou", "dice", "precision", "recall", "boundary"):
            interval = getattr(score, f"{name}_interval")
            assert interval.low < getattr(score, name) < interval.high


def test_the_distance_of_outlines_is_the_mean_of_the_images_that_have_both():
    outlines = np.full((3, 3, 2), np.nan)
    outlines[0, 1], outlines[2, 1] = (2.0, 5.0), (4.0, 6.0)
    _, disc, square = evaluate_masks(table(THREE, outlines=outlines)).per_class
    assert (disc.boundary, disc.boundary95, disc.boundary_images) == (3.0, 5.5, 2)
    assert (square.boundary, square.boundary95, square.boundary_images) == (None, None, 0)


def test_outlines_that_all_lie_one_pixel_apart_lie_one_pixel_apart():
    outlines = np.ones((8, 3, 2))
    disc = evaluate_masks(table(np.repeat(THREE[:1], 8, axis=0), outlines=outlines)).per_class[1]
    assert disc.boundary_interval == (1.0, 1.0)


@pytest.mark.parametrize("n", [3, 30])
def test_a_result_comes_back_from_json(n):
    result = evaluate_masks(random_table(n))
    data = json.loads(json.dumps(result.to_json()))
    assert SegmentationResult.from_json(data) == result
    assert data["task"] == "segmentation"
    assert data["interval"] == data["mean_dice_interval"]
    assert next(iter(data["per_class"][1])) == "label"
    assert data["per_class"][1]["interval"] == data["per_class"][1]["dice_interval"]
    alone = evaluate_masks(table(THREE, classes=("soil", "disc", "square")))
    assert SegmentationResult.from_json(json.loads(json.dumps(alone.to_json()))) == alone


def test_the_same_table_gives_the_same_report(tmp_path):
    random_table(20).write(tmp_path / "table.csv")
    assert evaluate_masks(random_table(20)) == evaluate_masks(MaskTable.read(tmp_path / "table.csv"))


def test_images_come_worst_first_and_those_without_anything_last():
    rows = image_rows(table(THREE))
    assert [row.id for row in rows] == ["000001", "000000", "000002"]
    assert [row.dice for row in rows] == [0, pytest.approx(16 / 22), None]
    assert rows[0].classes == (pytest.approx(180 / 190), 0, 0)
    assert (rows[0].missed, rows[0].invented, rows[0].confused) == (0.05, 0.05, 0)
    assert (rows[1].missed, rows[1].invented) == (0.04, 0.02)
    assert [row.dice for row in image_rows(table(THREE), empty="one")] == [
        pytest.approx(1 / 3 * 0),
        0.8636363636363636,
        1,
    ]


def test_one_class_taken_for_another_is_confused_and_not_missed():
    swapped = np.array([[[80, 0, 0], [0, 0, 10], [0, 10, 0]]])
    (row,) = image_rows(table(swapped))
    assert (row.missed, row.invented, row.confused) == (0, 0, 0.2)


def two_classes(n: int = 6) -> tuple[MaskTable, Levels]:
    counts = np.random.default_rng(0).integers(0, 9, (n, 2, LEVELS))
    counts[:, 0, 70:] = 0
    confusion = np.stack([counts[..., :50].sum(axis=-1), counts[..., 50:].sum(axis=-1)], axis=-1)
    found = table(confusion, classes=("background", "disc"))
    return found, Levels(counts, found.checkpoint)


def test_a_threshold_of_one_half_gives_the_table_itself_and_0_and_1_the_extremes():
    found, levels = two_classes()
    assert np.array_equal(at_threshold(found, levels, 0.5).confusion, found.confusion)
    assert not at_threshold(found, levels, 0.0).confusion[..., 0].any()
    assert not at_threshold(found, levels, 1.0).confusion[..., 1].any()
    counts = at_threshold(found, levels, 0.29).confusion[2]
    assert counts[1, 1] == levels.counts[2, 1, 29:].sum()
    assert evaluate_masks(at_threshold(found, levels, 0.7)).per_class[1].precision == 1


def test_a_higher_threshold_never_finds_more():
    found, levels = two_classes()
    figures = threshold_figures(levels)
    assert len(figures["threshold"]) == LEVELS + 1
    assert (np.diff(figures["recall"]) <= 0).all()
    for place in (0, 29, 50, 99):
        score = evaluate_masks(at_threshold(found, levels, place / LEVELS)).per_class[1]
        now = [float(figures[name][place]) for name in ("dice", "iou", "precision", "recall")]
        assert now == pytest.approx([score.dice, score.iou, score.precision, score.recall])
    assert np.isnan(figures["precision"][-1]), "nothing is found there"


def test_levels_of_another_table_are_refused():
    found, levels = two_classes()
    for wrong in (replace(levels, checkpoint="epoch 5, 02"), Levels(levels.counts[1:], levels.checkpoint)):
        with pytest.raises(ValueError, match="rows of levels"):
            at_threshold(found, wrong, 0.5)
    with pytest.raises(ValueError, match="rows of levels"):
        at_threshold(table(THREE), levels, 0.5)


def test_a_switch_on_the_page_does_not_have_to_wait():
    large = random_table(300)
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        evaluate_masks(large)
        image_rows(large)
        seconds.append(time.process_time() - begun)
    assert min(seconds) < 0.1
