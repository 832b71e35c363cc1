"""A head trained again at once is the head that a run of the same recipe gets."""

import numpy as np
import pytest

from core.data.library import Library
from core.errors import RecipeError, RunError
from core.evaluate.predictions import PredictionTable
from core.executors.inline import InlineExecutor
from core.executors.instant import TAG, can_retrain, keep, retrain
from core.recipe import Recipe, SegmentationRecipe
from core.runs.store import RunStore
from tests.running import small

CHANGES = {
    "phases.0.learning_rate": 0.03,
    "phases.0.epochs": 5,
    "model.dropout": 0.2,
    "optimizer.weight_decay": 0.1,
    "loss.label_smoothing": 0.1,
    "loss.class_weights": "balanced",
}
CLOCK = ("time", "seconds", "images_per_second", "stored", "kind")


@pytest.fixture
def trained(workspace, tiny_dataset):
    """`trained(changes)` is a finished run; `start(recipe_id)` works on another."""

    def run(changes=None):
        store = RunStore(workspace)
        id = store.create(small(tiny_dataset).set({"augment.views": 2, **(changes or {})}), tiny_dataset)
        InlineExecutor(workspace).submit(id)
        return store.get(id)

    return run


def told(entries):
    """Of each epoch what its recipe determines."""
    epochs = [entry for entry in entries if entry["kind"] == "epoch"]
    return [{name: value for name, value in plain(entry).items() if name not in CLOCK} for entry in epochs]


def plain(entry):
    return {name: list(value) if isinstance(value, tuple) else value for name, value in entry.items()}


def agrees(head, run):
    table = PredictionTable.read(run.paths.predictions("validation"))
    assert told(head.entries) == told(run.journal.read())
    assert head.best == run.status.best
    assert list(head.interval) == pytest.approx(run.status.interval)
    assert np.array_equal(head.predicted, table.predicted)
    assert np.array_equal(head.truth, table.truth)
    assert np.trace(np.array(head.confusion)) == (table.predicted == table.truth).sum()


def test_a_head_that_is_kept_as_a_run_ends_with_the_same_numbers_bit_for_bit(workspace, trained):
    run = trained()
    found = retrain(str(workspace.root), run.id, CHANGES)
    agrees(found.old, run)
    assert told(found.new.entries) != told(found.old.entries)
    assert len(found.new.entries) == 5
    assert not found.new.extracted
    before, now = found.old.predicted == found.old.truth, found.new.predicted == found.new.truth
    assert found.difference.gained == (~before & now).sum()
    assert found.difference.lost == (before & ~now).sum()

    executor = InlineExecutor(workspace)
    made = keep(workspace, run, found.new.recipe)
    executor.submit(made)
    kept = executor.store.get(made)
    assert TAG in kept.facts.tags
    agrees(found.new, kept)


def test_no_picture_is_looked_at_again(workspace, trained, tiny_dataset):
    run = trained()
    for sample in tiny_dataset.samples:
        tiny_dataset.path(sample).unlink()
    found = retrain(str(workspace.root), run.id, {"phases.0.solver": "convex", "phases.0.epochs": 1})
    assert not found.new.extracted
    assert len(found.new.entries) == 1


def test_of_several_phases_the_head_alone_is_trained_again(workspace, trained):
    follows = {"name": "rest", "trainable": "everything", "epochs": 1, "learning_rate": 1e-4}
    run = trained({"phases.1": follows})
    found = retrain(str(workspace.root), run.id, {})
    assert len(found.old.recipe.phases) == 1
    assert told(found.old.entries) == told(run.journal.read())[:3]


def test_what_needs_the_pictures_is_refused(workspace, trained):
    run = trained()
    with pytest.raises(RunError, match="need another look at the pictures: found image_size"):
        retrain(str(workspace.root), run.id, {"image_size": 48})
    with pytest.raises(RecipeError, match=r"phases\.0\.epochs"):
        retrain(str(workspace.root), run.id, {"phases.0.epochs": 0})


@pytest.mark.parametrize(
    "recipe",
    [
        SegmentationRecipe(),
        Recipe().set({"phases.0.trainable": "last 40%"}),
        Recipe().set({"mix.mixup": 0.2}),
        Recipe().set({"processes": 2}),
    ],
)
def test_a_run_whose_head_did_not_learn_on_stored_features_has_no_instant_head(recipe, workspace, tiny_dataset):
    assert not can_retrain(recipe)
    if recipe.task == "classification":
        id = RunStore(workspace).create(recipe, Library(workspace).get(tiny_dataset.id))
        with pytest.raises(RunError, match="cannot be trained again at once"):
            retrain(str(workspace.root), id, {})
