"""Evaluate for masks: both ways of summing up, the switches, the images from the worst on, and the threshold."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.data.library import Library
from core.evaluate.masks import MaskTable
from core.executors.inline import InlineExecutor
from core.recipe import SegmentationRecipe
from core.runs.seal import openings
from core.runs.store import Run, RunStore
from tests.pages.conftest import well, words
from tests.pages.mask_runs import box, evaluated_run, masked_dataset
from tests.shapes import SMALL_MASKS

EVIL = "leaf <b>*x*</b>"
CLASSES = ("background", EVIL, "vein")
# Boxes of 40 pixels; the answers hit all of it, half of it, nothing of it, or find one where there is none.
TRUTHS = [
    box(0, 0, 10, 4),
    box(0, 0, 10, 4),
    box(0, 0, 10, 4, 2),
    box(0, 0, 10, 4, 2),
    box(0, 0, 0, 0),
    box(0, 0, 0, 0),
]
ANSWERS = [
    box(0, 0, 10, 4),
    box(5, 0, 15, 4),
    box(0, 0, 10, 4, 2),
    box(0, 6, 10, 10, 2),
    box(0, 0, 0, 0),
    box(0, 0, 5, 4),
]


@pytest.fixture
def run(workspace) -> Run:
    """Three classes, six validation images, one of them answered wrongly in every way."""
    return evaluated_run(workspace, masked_dataset(workspace, CLASSES, TRUTHS), TRUTHS, ANSWERS)


@pytest.fixture
def two_classes(workspace) -> Run:
    """Background and one class."""
    truths, answers = ([np.minimum(mask, 1) for mask in masks] for masks in (TRUTHS, ANSWERS))
    return evaluated_run(workspace, masked_dataset(workspace, ("background", "polyp"), truths), truths, answers)


def figure(app: AppTest, label: str) -> str:
    [value] = [metric.value for metric in app.metric if metric.label == label]
    return value


def table(app: AppTest, column: str):
    """The table that has this column."""
    [found] = [each.value for each in app.dataframe if column in each.value.columns]
    return found


def shown_images(app: AppTest) -> list[str]:
    """What the pictures show, as it is told to those who cannot see them."""
    return [image.alt for element in app.get("image") for image in element.proto.imgs]


def test_mean_dice_and_iou_stand_in_both_ways_side_by_side(visit, run):
    app = visit("evaluate")

    # leaf: 60 of 80 + 100 pixels twice; vein: 40 of 80 + 80
    assert figure(app, "mean Dice pooled") == f"{(2 * 60 / 180 + 2 * 40 / 160) / 2:.3f}"
    assert figure(app, "mean IoU pooled") == f"{(60 / 120 + 40 / 120) / 2:.3f}"
    # leaf: 1, 0.5 and 0; vein: 1 and 0; images that have neither are left out
    assert figure(app, "mean Dice over images") == f"{(1.5 / 3 + 1 / 2) / 2:.3f}"
    assert "Pooled over pixels" in words(app)
    assert "Mean over images" in words(app)
    assert "left out of its mean" in words(app)


def test_every_figure_has_its_interval_where_there_are_images_enough(visit, workspace):
    truths, answers = 3 * TRUTHS, 3 * ANSWERS
    evaluated_run(workspace, masked_dataset(workspace, CLASSES, truths), truths, answers)
    app = visit("evaluate")

    means = [metric for metric in app.metric if metric.label.startswith("mean ")]
    assert len(means) == 4
    for metric in means:
        low, high = map(float, metric.delta.strip("[]").split("–"))
        assert low < float(metric.value) < high
    rows = table(app, "pooled over pixels")
    assert all(rows["pooled 95 %"])
    assert all(rows["over images 95 %"])


def test_too_few_images_for_an_interval_are_said_to_be_too_few(visit, run):
    app = visit("evaluate")

    assert {metric.delta for metric in app.metric if metric.label.startswith("mean ")} == {
        "too few images for an interval"
    }


def test_the_background_counts_when_it_is_switched_on(visit, run):
    app = visit("evaluate")
    before = float(figure(app, "mean IoU pooled"))
    app.toggle(key="with_background").set_value(True).run()
    well(app)

    assert float(figure(app, "mean IoU pooled")) > before
    assert "background included" in words(app)


def test_the_rule_for_empty_masks_is_stated_and_changes_the_means_over_images_only(visit, run):
    app = visit("evaluate")
    pooled = figure(app, "mean Dice pooled")
    app.segmented_control(key="empty_rule").set_value("one").run()
    well(app)

    # leaf is in neither mask of three images, vein of four
    assert figure(app, "mean Dice over images") == f"{((1.5 + 3) / 6 + (1 + 4) / 6) / 2:.3f}"
    assert figure(app, "mean Dice pooled") == pooled
    assert "counts as 1: rightly, nothing was found" in words(app)


def test_why_finding_nothing_can_look_good_is_told_with_the_figures_of_this_split(visit, run):
    told = words(visit("evaluate"))

    assert "mean of 0.45" in told
    background = 1 - 160 / 1200
    assert f"{background:.0%} of the pixels are background" in told
    assert f"mean IoU of **{background / 3:.3f}** with the background" in told
    assert "**0.000** without it" in told
    assert f"mean Dice over images of **{4 / 6:.3f}**" in told, "each class is in 2 of 6 masks"


def test_where_every_image_has_every_class_no_rule_flatters_and_that_is_said(visit, workspace):
    truths, answers = ([masks[0], masks[1]] for masks in (TRUTHS, ANSWERS))
    evaluated_run(workspace, masked_dataset(workspace, ("background", "polyp"), truths), truths, answers)

    assert "of **0.000** here, without any background, as every image has every class" in words(visit("evaluate"))


def test_every_class_has_every_metric_pooled_and_over_images_and_its_boundary_error(visit, run):
    app = visit("evaluate")
    rows = table(app, "pooled over pixels").set_index(["class", "metric"])

    assert rows.loc[(EVIL, "recall"), "pooled over pixels"] == pytest.approx(60 / 80)
    assert rows.loc[(EVIL, "precision"), "mean over images"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert set(rows.index.get_level_values("metric")) == {"Dice", "IoU", "precision", "recall"}
    assert list(table(app, "compared")["class"]) == [EVIL, "vein"]
    assert list(table(app, "compared")["error (px)"]) == [1.5, 1.5]


def test_images_stand_worst_first_and_the_worst_is_shown(visit, run):
    app = visit("evaluate")
    rows = table(app, "invented")

    assert list(rows["Dice"][:3]) == [0, 0, 0.5]
    assert rows["image"].iloc[-1] == "validation/picture 4.png"
    assert np.isnan(rows["Dice"].iloc[-1]), "nothing to find and nothing found has no Dice"
    worst = rows["image"][0]
    assert [told for told in shown_images(app) if worst in told] == [
        f"Truth: {worst}",
        f"Answer: {worst}",
        f"Where they differ: {worst}",
    ]


def test_a_row_opens_its_image_with_truth_answer_and_errors_and_keeps_it_under_the_switches(visit, run):
    app = visit("evaluate")
    third = table(app, "invented")["image"][2]
    app.button(key="better").click().run()
    app.button(key="better").click().run()
    well(app)
    assert third == "validation/picture 1.png"
    assert f"Truth: {third}" in shown_images(app)

    app.segmented_control(key="empty_rule").set_value("zero").run()
    well(app)
    assert f"Truth: {third}" in shown_images(app), "another order of the images, the same image"
    app.selectbox(key="overlay_class").set_value(2).run()
    app.segmented_control(key="overlay_style").set_value("fill").run()
    app.slider(key="overlay_opacity").set_value(0.2).run()
    well(app)
    assert f"Where they differ: {third}" in shown_images(app)


def test_two_classes_have_a_threshold_that_recomputes_the_figures(visit, two_classes):
    app = visit("evaluate")
    usual = figure(app, "recall")
    app.slider(key="threshold").set_value(85).run()
    well(app)

    assert usual == f"{100 / 160:.3f}"
    assert figure(app, "recall") == "0.000", "no pixel is that probable"
    app.slider(key="threshold").set_value(15).run()
    assert figure(app, "recall") == "1.000"
    assert figure(app, "precision") == f"{160 / 1200:.3f}", "everything is taken for it"


def test_three_classes_have_no_threshold(visit, run):
    assert not [slider for slider in visit("evaluate").slider if slider.key == "threshold"]


def test_names_from_files_and_people_are_text(visit, run):
    app = visit("evaluate")

    assert "<b>" not in words(app).replace(r"\<b", "")


def test_a_report_stays_when_the_dataset_is_gone(visit, run, workspace):
    Library(workspace).delete(run.recipe.dataset)
    app = visit("evaluate")

    assert figure(app, "mean Dice pooled")
    assert "the numbers stay" in "\n".join(info.value for info in app.info)


def test_a_mask_that_is_gone_costs_its_picture_and_nothing_else(visit, run):
    worst = MaskTable.read(run.paths.predictions("validation")).ids[3]
    (run.paths.masks("validation") / f"{worst}.png").unlink()
    app = visit("evaluate")

    assert figure(app, "mean Dice pooled")
    assert "cannot be read" in "\n".join(info.value for info in app.info)


@pytest.mark.slow
def test_a_network_that_was_trained_is_reported_cut_at_a_threshold_and_sealed_for_the_test_split(visit, workspace):
    masks = [box(left, 2, left + 8, 8) for left in range(0, 12, 2)]
    dataset = masked_dataset(workspace, ("background", "polyp"), masks)
    recipe = SegmentationRecipe().set({**SMALL_MASKS, "phases.0.epochs": 1})
    run = RunStore(workspace).create(recipe, dataset)
    InlineExecutor(workspace).submit(run)
    app = visit("evaluate")

    assert figure(app, "mean Dice pooled")
    worst = table(app, "invented")["image"][0]
    assert f"Answer at 50 %: {worst}" in shown_images(app)
    app.slider(key="threshold").set_value(2).run()
    well(app)
    assert f"Answer at 2 %: {worst}" in shown_images(app)
    assert figure(app, "recall") == "1.000", "a network that hardly began to learn is nowhere sure of background"

    app.segmented_control(key="evaluate_split").set_value("test").run()
    assert "sealed" in words(app)
    assert not [metric for metric in app.metric if "Dice" in metric.label]
    app.button(key="open_test").click().run()
    well(app)
    assert figure(app, "mean Dice pooled")
    assert "Opened 1 time" in words(app)
    assert [look["by"] for look in openings(RunStore(workspace).get(run).paths)] == ["page"]
