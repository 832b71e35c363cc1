"""Repeats: the runs that are made, and the figures that they give together, checked by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from core.data.split import folded
from core.errors import DatasetError, RecipeError
from core.evaluate.classification import evaluate_table
from core.evaluate.predictions import PredictionTable
from core.executors.inline import InlineExecutor
from core.executors.local import LocalExecutor
from core.recipe import SegmentationRecipe
from core.runs.run import RunState, write_status
from core.runs.store import RunStore
from core.studies import repeats
from core.studies.repeats import RepeatTable, spread, standing, summarise, variations
from core.studies.study import StudyStore
from core.workspace import write_json
from tests.running import small
from tests.shapes import SMALL_MASKS, kept_shapes


@pytest.fixture
def store(workspace):
    return RunStore(workspace)


@pytest.fixture
def made(workspace, tiny_dataset):
    """Make a study of the small recipe, whose runs nobody has started."""

    def make(seeds=(), folds=0, **changes):
        recipe = small(tiny_dataset).set(changes)
        id = repeats.make(str(workspace.root), recipe.to_json(), tiny_dataset.id, list(seeds), folds)
        return StudyStore(workspace).get(id)

    return make


def end(store, run_id, predicted, loss):
    """Let a run be finished, with a report on two images of "a" and four of "b" that were taken for `predicted`."""
    truth = np.array([0, 0, 1, 1, 1, 1])
    ids = tuple(f"{row:06d}" for row in range(6))
    table = PredictionTable(("a", "b"), ids, ids, truth, np.eye(2)[predicted], "validation", "epoch 1, 0")
    run = store.get(run_id)
    write_json(run.paths.results("validation"), evaluate_table(table).to_json())
    write_status(run.paths, replace(run.status, state=RunState.FINISHED, best={"loss": loss, "accuracy": 0.5}))


def figures(table):
    return {one.name: one for one in table.figures}


def test_mean_deviation_and_interval_are_those_of_a_textbook():
    found = spread("accuracy", "accuracy", [0.8, None, 0.9, 1.0])
    assert (found.n, found.values) == (3, (0.8, None, 0.9, 1.0))
    assert found.mean == pytest.approx(0.9)
    assert found.std == pytest.approx(0.1)  # divided by n - 1
    half = 4.302653 * 0.1 / 3**0.5  # the table of t, two degrees of freedom, 97.5 %
    assert found.interval == pytest.approx((0.9 - half, 0.9 + half), abs=1e-6)


def test_of_one_run_there_is_a_mean_and_of_none_nothing():
    one, none = spread("loss", "loss", [0.5, None]), spread("loss", "loss", [None])
    assert (one.n, one.mean, one.std, one.interval) == (1, 0.5, None, None)
    assert (none.n, none.mean, none.std, none.interval) == (0, None, None, None)


def test_seeds_and_folds_make_one_run_for_each_combination(tiny_dataset):
    recipe = small(tiny_dataset)
    assert [row["seed"] for row in variations(recipe, [3, 1], 0)] == [3, 1]
    assert [(row["fold"], row.get("seed")) for row in variations(recipe, [], 3)] == [(0, None), (1, None), (2, None)]
    both = [(row["fold"], row["seed"]) for row in variations(recipe, [0, 1], 2)]
    assert both == [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize(
    ("seeds", "folds", "told"),
    [
        ([0, 0], 0, "each seed once"),
        ([0], 0, "a single run"),
        ([], 0, "a single run"),
        (list(range(101)), 0, "101 runs"),
    ],
)
def test_what_is_no_repetition_is_refused(tiny_dataset, seeds, folds, told):
    with pytest.raises(RecipeError, match=told):
        variations(small(tiny_dataset), seeds, folds)


def test_runs_of_a_study_are_tagged_and_say_what_they_vary(made, store, tiny_dataset):
    study = made(folds=3, seed=4)
    runs = [store.get(member.run) for member in study.members]
    assert [run.name for run in runs] == [f"test_efficientnet, head, fold {fold} of 3" for fold in (1, 2, 3)]
    assert all(run.facts.tags == (f"study:{study.id}",) for run in runs)
    assert [(run.recipe.folds, run.recipe.fold, run.recipe.seed) for run in runs] == [(3, 0, 4), (3, 1, 4), (3, 2, 4)]
    held_out = [set(json.loads(run.paths.split.read_text())["validation"]) for run in runs]
    fold = folded(tiny_dataset, 3, 1, seed=4)
    assert held_out[1] == {sample.id for sample in fold.of("validation")}
    assert not held_out[0] & held_out[1]
    assert store.unfinished() == [], "they wait for `submit`"


@pytest.mark.parametrize(
    ("changes", "error"), [({"folds": 30}, DatasetError), ({"seeds": [0, 1], "batch_size": 900}, RecipeError)]
)
def test_what_cannot_train_is_refused_before_any_run_is_made(made, store, workspace, changes, error):
    with pytest.raises(error):
        made(**changes)
    assert store.list() == []
    assert StudyStore(workspace).list() == []


def test_the_table_is_that_of_its_finished_runs(made, store, workspace):
    study = made(seeds=[0, 1, 2, 3, 4])
    runs = [member.run for member in study.members]
    end(store, runs[0], [0, 0, 1, 1, 1, 1], loss=0.1)  # all right
    end(store, runs[1], [0, 1, 1, 1, 1, 1], loss=0.3)  # one "a" is missed
    write_status(store.get(runs[2]).paths, replace(store.status(runs[2]), state=RunState.FAILED, sentence="It burnt."))
    store.delete(runs[3])

    table = RepeatTable.from_json(summarise(str(workspace.root), study.id))
    assert (table.planned, table.counted) == (5, 2)
    accuracy, loss = figures(table)["accuracy"], figures(table)["loss"]
    assert accuracy.values == pytest.approx((1.0, 5 / 6, None, None, None), nan_ok=True)
    assert accuracy.mean == pytest.approx(11 / 12)
    assert accuracy.std == pytest.approx((1 / 6) / 2**0.5)
    assert loss.mean == pytest.approx(0.2)
    assert figures(table)["macro_f1"].values[1] == pytest.approx((2 / 3 + 8 / 9) / 2)
    recalls = {one.label: one for one in table.per_class}
    assert recalls["a"].mean == pytest.approx(0.75)
    assert recalls["a"].std == pytest.approx(0.5 / 2**0.5)
    assert (recalls["b"].mean, recalls["b"].std) == (1.0, 0.0)
    told = [(line.label, line.state, line.sentence) for line in table.runs]
    assert told == [
        ("seed 0", "finished", ""),
        ("seed 1", "finished", ""),
        ("seed 2", "failed", "It burnt."),
        ("seed 3", "missing", "Its run was deleted."),
        ("seed 4", "queued", "Waiting for its turn."),
    ]
    assert "other images" in table.caution


def test_folds_come_with_the_caution_that_they_share_training_images(made, workspace):
    assert "share most of their training images" in summarise(str(workspace.root), made(folds=2).id)["caution"]


def test_a_study_says_how_far_it_is(made, store):
    study = made(seeds=[0, 1, 2, 3])
    runs = [member.run for member in study.members]
    states = {runs[0]: RunState.FINISHED, runs[1]: RunState.RUNNING, runs[2]: RunState.STOPPED}
    now = standing(study, states)
    assert (now.planned, now.finished, now.at_work, now.ended, now.gone) == (4, 1, 1, 1, 1)
    assert not now.is_over
    assert standing(study, {runs[0]: RunState.FINISHED}).is_over


def test_a_study_of_folds_trains_to_its_table(made, workspace):
    study = made(folds=2, **{"phases.0.epochs": 1})
    repeats.submit(InlineExecutor(workspace), study)
    table = RepeatTable.from_json(summarise(str(workspace.root), study.id))
    assert table.counted == 2
    assert 0 <= figures(table)["accuracy"].mean <= 1
    assert figures(table)["loss"].std is not None


def test_a_study_of_masks_tells_of_dice_and_iou(workspace, store):
    dataset = kept_shapes(workspace)
    recipe = SegmentationRecipe(dataset=dataset.id).set(SMALL_MASKS | {"phases.0.epochs": 1})
    id = repeats.make(str(workspace.root), recipe.to_json(), dataset.id, [], 2)
    repeats.submit(InlineExecutor(workspace), StudyStore(workspace).get(id))
    table = RepeatTable.from_json(summarise(str(workspace.root), id))
    assert table.counted == 2, [line.sentence for line in table.runs]
    assert [one.name for one in table.figures] == ["mean_dice", "mean_iou", "loss"]
    assert figures(table)["mean_dice"].mean > 0
    assert [(one.label, one.name) for one in table.per_class][2:4] == [("disc", "recall"), ("disc", "dice")]


def test_stopping_a_study_stops_all_that_waits_and_it_can_be_taken_up_again(made, store, workspace, monkeypatch):
    study = made(seeds=[0, 1, 2])
    executor = LocalExecutor(workspace)
    monkeypatch.setattr(LocalExecutor, "advance", lambda self: None)  # nobody works
    repeats.submit(executor, study)
    assert len(store.queue()) == 3
    repeats.stop(executor, study)
    assert store.queue() == []
    assert {store.status(member.run).state for member in study.members} == {RunState.STOPPED}
    repeats.take_up(executor, study)
    assert len(store.queue()) == 3
    store.dequeue(study.members[1].run)  # as if its maker had ended before it was submitted
    repeats.take_up(executor, study)
    assert len(store.queue()) == 3
