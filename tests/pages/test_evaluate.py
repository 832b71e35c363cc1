from dataclasses import replace

import pytest

from core.evaluate.mistakes import confused_pairs
from core.evaluate.predictions import PredictionTable
from core.runs.run import RunState, write_status
from core.runs.seal import open_seal, openings
from core.workspace import read_json, write_json
from tests.pages.conftest import well, words


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
