import re
from dataclasses import replace

import pytest

from core.evaluate.mistakes import confused_pairs
from core.evaluate.predictions import PredictionTable
from core.evaluate.views import current_views
from core.runs.run import RunState, write_status
from core.runs.seal import open_seal, openings
from core.workspace import read_json, write_json
from tests.pages.conftest import well, words
from tests.running import until


def test_without_a_trained_model_the_page_shows_the_way_to_one(visit, tiny_dataset):
    app = visit("evaluate")

    assert "No model has learned anything yet" in words(app)


def test_the_report_shows_each_metric_with_its_interval(visit, finished_run):
    app = visit("evaluate")

    accuracy, macro_f1, images = (metric for metric in app.metric if metric.label in ("accuracy", "macro F1", "images"))
    assert accuracy.value == f"{finished_run.status.best['accuracy']:.3f}"
    assert accuracy.delta.startswith("[")
    assert macro_f1.delta.startswith("[")
    assert images.value == str(finished_run.facts.samples["validation"])
    classes = app.dataframe[-1].value
    assert list(classes["class"]) == list(finished_run.facts.classes)
    assert {"recall", "precision", "F1", "images"} <= set(classes.columns)


def test_a_mixed_up_pair_shows_its_pictures(visit, finished_run):
    table = PredictionTable.read(finished_run.paths.predictions("validation"))
    [pair, *_] = confused_pairs(table)
    app = visit("evaluate")
    app.button(key="pair_0").click().run()
    well(app)

    assert f"{pair.truth} taken for {pair.predicted}" in [heading.value for heading in app.subheader]
    app.button(key="clear_cell").click().run()
    assert "Most confident mistakes" in [heading.value for heading in app.subheader]


def test_the_report_says_what_the_brackets_are_that_cells_can_be_clicked_and_how_often_the_test_was_opened(
    visit, finished_run
):
    open_seal(finished_run.paths, "a test")
    told = words(visit("evaluate"))

    assert "95 % interval" in told
    assert "confusion matrix" in told
    assert "Click a cell" in told
    assert "The test split was opened 1 time." in told


def test_what_speaks_against_the_scores_of_a_run_stands_beside_them(visit, finished_run):
    caution = "2 groups are in more than one split."
    write_json(finished_run.paths.facts, read_json(finished_run.paths.facts) | {"cautions": [caution]})

    assert caution.rstrip(".") in words(visit("evaluate"))


@pytest.mark.parametrize("now", [RunState.QUEUED, RunState.FAILED])
def test_the_report_follows_the_weights_of_a_run_that_trains_or_broke_off(visit, finished_run, now):
    report = read_json(finished_run.paths.results("validation"))
    write_json(finished_run.paths.results("validation"), report | {"accuracy": 0.123, "checkpoint": "epoch 0, old"})
    write_status(finished_run.paths, replace(finished_run.status, state=now))
    app = visit("evaluate")

    [accuracy] = [metric.value for metric in app.metric if metric.label == "accuracy"]
    assert accuracy == f"{finished_run.status.best['accuracy']:.3f}"


@pytest.mark.slow
def test_the_test_split_is_sealed_until_somebody_opens_it_and_that_is_written_down(visit, finished_run):
    app = visit("evaluate")
    app.segmented_control(key="evaluate_split").set_value("test").run()
    well(app)
    assert "sealed" in words(app)
    assert "Opened 0 times" in words(app)
    assert not [metric for metric in app.metric if metric.label == "accuracy"]
    assert openings(finished_run.paths) == []

    app.button(key="open_test").click().run()
    well(app)
    assert [look["by"] for look in openings(finished_run.paths)] == ["page"]
    assert "Opened 1 time" in words(app)
    assert [metric for metric in app.metric if metric.label == "accuracy"]

    app.run()
    assert len(openings(finished_run.paths)) == 1, "looking again at what was opened opens nothing"


def test_a_report_stays_when_the_dataset_is_gone(visit, finished_run, workspace):
    from core.data.library import Library

    Library(workspace).delete(finished_run.recipe.dataset)
    app = visit("evaluate")

    assert "accuracy" in words(app)


def tab(app, name):
    """Open a tab below the figures."""
    app.session_state["label_tabs"] = name
    app.run()
    well(app)
    return app


def test_every_tab_below_the_figures_opens_and_its_numbers_have_intervals(visit, finished_run):
    app = visit("evaluate")
    assert "Best: " in words(app)
    assert "Mean AUROC" in words(tab(app, "ROC"))
    assert re.search(r"Mean AUROC [\d.]+ \[[\d.]+–[\d.]+\]", words(app))
    assert re.search(r"Mean average precision [\d.]+ \[[\d.]+–[\d.]+\]", words(tab(app, "Precision and recall")))
    tab(app, "Calibration")
    figures = {metric.label: metric for metric in app.metric}
    for name in ("calibration error", "confidence less accuracy", "Brier score"):
        assert figures[name].delta.startswith("[")
        assert "95 % interval" in figures[name].help
    assert "Surest of being so" in words(tab(app, "Best and worst"))


def test_test_time_augmentation_is_offered_done_in_a_helper_and_told_beside_the_plain_figures(visit, finished_run):
    app = tab(visit("evaluate"), "Test-time augmentation")
    app.button(key="views_start").click().run()
    until(lambda: current_views(finished_run.paths, "validation", "mirrored") is not None)
    app = tab(visit("evaluate"), "Test-time augmentation")

    [told] = [frame.value for frame in app.dataframe if "one look" in frame.value.columns]
    assert list(told["figure"]) == ["accuracy", "macro F1", "AUROC"]
    assert all("[" in cell for cell in told["2 looks"])
    assert "have another answer" in words(app)


def test_figures_of_a_run_that_was_evaluated_before_there_were_any_are_computed_when_asked_for(visit, finished_run):
    finished_run.paths.depth("validation").unlink()
    app = tab(visit("evaluate"), "Calibration")
    assert [metric for metric in app.metric if metric.label == "calibration error"]
    assert finished_run.paths.depth("validation").exists()
