"""Studies on the Runs page: repeats with their table, and searches beside them."""

import time
from dataclasses import replace

import pytest

from core.executors.inline import InlineExecutor
from core.recipe import SegmentationRecipe
from core.runs.run import RunState, write_status
from core.runs.store import RunStore
from core.studies import repeats
from core.studies.study import StudyStore
from pages.shared.studies import HELD, VIEW
from tests.pages.conftest import well, words
from tests.running import small
from tests.shapes import SMALL_MASKS


@pytest.fixture
def made(workspace, tiny_dataset):
    """Make a study of the small recipe; its runs wait until they are submitted."""

    def make(seeds=(), folds=0, name=""):
        recipe = small(tiny_dataset).set({"phases.0.epochs": 1})
        id = repeats.make(str(workspace.root), recipe.to_json(), tiny_dataset.id, list(seeds), folds, name)
        return StudyStore(workspace).get(id)

    return make


def opened(visit, study):
    """The Runs page with a study, once the lab has answered."""
    app = visit("runs")
    app.segmented_control(key=VIEW).set_value("studies").run()
    app.selectbox(key=HELD).set_value(study.id).run()
    for _ in range(100):
        if "Adding up" not in words(app):
            break
        time.sleep(0.1)
        app.run()
    well(app)
    return app


def table(app, column):
    return next(frame.value for frame in app.dataframe if column in frame.value.columns)


def test_without_studies_the_runs_page_says_nothing_of_them(visit, finished_run):
    assert "Studies" not in str(visit("runs").segmented_control)


def test_a_finished_study_tells_mean_deviation_and_interval(visit, made, workspace):
    study = made(seeds=[0, 1], name="Two seeds")
    repeats.submit(InlineExecutor(workspace), study)
    app = opened(visit, study)
    assert "Two seeds" in words(app)
    assert "2 of 2 runs finished" in words(app)
    assert "have the same images" in words(app)
    figures = table(app, "mean ± std")
    assert list(figures["figure"]) == ["accuracy", "macro F1", "loss"]
    assert all("±" in told for told in figures["mean ± std"])
    assert all(told.startswith("[") for told in figures["95 % interval of the mean"])
    assert list(table(app, "run")["run"]) == ["seed 0", "seed 1"]
    assert len(app.get("plotly_chart")) == 2


def test_a_study_at_work_tells_how_far_it_is_and_stops(visit, made, workspace):
    study = made(folds=3)
    InlineExecutor(workspace).submit(study.members[0].run)
    app = opened(visit, study)
    assert "1 of 3 runs finished" in str([bar.proto for bar in app.get("progress")])
    assert "share most of their training images" in words(app)
    assert list(table(app, "run")["state"]) == ["finished", "queued", "queued"]
    app.button(key="study_stop").click().run()
    well(app)
    states = [RunStore(workspace).status(member.run).state for member in study.members]
    assert states == [RunState.FINISHED, RunState.STOPPED, RunState.STOPPED]


def test_runs_that_failed_are_told_and_can_be_taken_up(visit, made, workspace):
    study = made(seeds=[0, 1])
    store = RunStore(workspace)
    for member in study.members:
        write_status(
            store.paths(member.run), replace(store.status(member.run), state=RunState.FAILED, sentence="Burnt.")
        )
    app = opened(visit, study)
    assert "2 stopped, paused or failed" in words(app)
    assert "No run has finished yet" in words(app)
    assert "Burnt." in str(table(app, "run").values)
    app.button(key="study_again").click().run()
    well(app)
    assert {store.status(member.run).state for member in study.members} == {RunState.FINISHED}


def test_a_study_is_deleted_and_its_runs_only_if_asked(visit, made, workspace):
    kept, gone = made(seeds=[0, 1]), made(seeds=[2, 3])
    app = opened(visit, gone)
    app.toggle(key=f"study_runs_too_{gone.id}").set_value(True).run()
    app.button(key="study_delete").click().run()
    well(app)
    assert {run.id for run in RunStore(workspace).list()} == {member.run for member in kept.members}
    app = opened(visit, kept)
    app.button(key="study_delete").click().run()
    well(app)
    assert StudyStore(workspace).list() == []
    assert len(RunStore(workspace).list()) == 2


def test_a_study_whose_runs_were_all_deleted_is_still_there_to_delete(visit, made, workspace):
    study = made(seeds=[0, 1])
    for member in study.members:
        RunStore(workspace).delete(member.run)
    app = opened(visit, study)
    assert "2 deleted" in words(app)


def test_a_study_of_masks_tells_of_dice(visit, mask_dataset, workspace):
    recipe = SegmentationRecipe(dataset=mask_dataset.id).set(SMALL_MASKS | {"phases.0.epochs": 1})
    id = repeats.make(str(workspace.root), recipe.to_json(), mask_dataset.id, [0, 1], 0)
    study = StudyStore(workspace).get(id)
    repeats.submit(InlineExecutor(workspace), study)
    app = opened(visit, study)
    assert list(table(app, "mean ± std")["figure"]) == ["mean Dice", "mean IoU", "loss"]
    assert "Dice" in set(table(app, "class")["figure"])
