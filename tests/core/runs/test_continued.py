"""A run that goes on after its end is the run whose recipe had those epochs from the start."""

import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from core.errors import DatasetError, RecipeError, RunError
from core.executors.inline import InlineExecutor
from core.recipe import Recipe, SegmentationRecipe
from core.runs.continued import continue_run, longer
from core.runs.run import Origin, RunState, read_status, write_status
from core.runs.seal import open_seal, openings
from core.runs.snapshots import epochs_to_visit
from core.runs.store import RunStore
from core.train.snapshots import Past
from tests.running import small
from tests.shapes import SMALL_MASKS, kept_shapes

EVERYTHING = {"phases.0.trainable": "everything", "model.dropout": 0.3, "ema": 0.9, "schedule.name": "plateau"}
BEST = {"restore_best": True, "early_stopping.patience": 1, "phases.0.epochs": 6, "phases.0.learning_rate": 0.5}


@pytest.fixture
def finished(workspace, tiny_dataset):
    """`finished(changes)` is a run of two epochs that has finished."""
    executor = InlineExecutor(workspace)

    def run(changes=None):
        recipe = small(tiny_dataset).set({"phases.0.epochs": 2} | (changes or {}))
        run_id = executor.store.create(recipe, tiny_dataset)
        executor.submit(run_id)
        found = executor.store.get(run_id)
        assert found.status.state is RunState.FINISHED, found.status.sentence
        return found

    return run


@pytest.fixture
def store(workspace):
    return RunStore(workspace)


def end_of(paths):
    """The weights at the end of a run."""
    saved = torch.load(paths.last)
    assert saved["upon_best"]
    return load_file(paths.best) | saved["model"]


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, EVERYTHING, BEST], ids=["head", "everything", "best restored"])
def test_a_continued_run_is_to_the_bit_what_its_recipe_gives_from_the_start(
    store, finished, tiny_dataset, changes, monkeypatch
):
    monkeypatch.setattr("core.train.snapshots.FREE_SECONDS", float("inf"))  # every epoch is kept, however slow this is
    before = finished(changes)
    files = {path: path.read_bytes() for path in before.paths.folder.iterdir() if path.is_file()}
    executor = InlineExecutor(store.workspace)
    run_id = continue_run(store, before.id, 2, 0.001)
    waiting = store.get(run_id)
    assert waiting.status.state is RunState.QUEUED
    assert (waiting.status.epochs_done, waiting.status.best) == (before.status.epochs_done, before.status.best)
    executor.submit(run_id)
    longer_run = store.get(run_id)
    assert longer_run.status.state is RunState.FINISHED, longer_run.status.sentence
    assert longer_run.status.epochs_done == before.status.epochs_done + 2

    whole = store.create(longer_run.recipe, tiny_dataset)
    executor.submit(whole)
    straight = store.get(whole)
    assert longer_run.paths.epochs.read_bytes() == straight.paths.epochs.read_bytes()
    ends = end_of(longer_run.paths), end_of(straight.paths)
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    best = load_file(longer_run.paths.best), load_file(straight.paths.best)
    assert all(torch.equal(best[0][name], best[1][name]) for name in best[0])
    assert epochs_to_visit(longer_run.paths) == epochs_to_visit(straight.paths)
    for epoch in epochs_to_visit(straight.paths):
        then = [
            Past.of(run.paths.best, run.status.best["epoch"], run.paths.snapshots).weights(epoch)
            for run in (longer_run, straight)
        ]
        assert all(torch.equal(then[0][name], then[1][name]) for name in then[0]), f"epoch {epoch}"
    assert {path: path.read_bytes() for path in files} == files, "the finished run is as it was"
    epochs = [entry for entry in longer_run.journal.read() if entry["kind"] == "epoch"]
    assert len(epochs) == longer_run.status.epochs_done
    assert all("seconds" in entry for entry in epochs)
    if not changes:  # nothing but the head differs from the best, so hardly anything is kept
        assert before.paths.last.stat().st_size < before.paths.best.stat().st_size / 10


@pytest.mark.slow
def test_a_continued_run_on_masks_still_shows_its_earlier_looks(store):
    dataset = kept_shapes(store.workspace)
    executor = InlineExecutor(store.workspace)
    first = store.create(SegmentationRecipe(dataset=dataset.id).set(SMALL_MASKS | {"phases.0.epochs": 1}), dataset)
    executor.submit(first)
    run_id = continue_run(store, first, 1)
    executor.submit(run_id)
    run = store.get(run_id)
    assert run.status.epochs_done == 2, run.status.sentence
    ids = next(entry["ids"] for entry in run.journal.read() if entry["kind"] == "looks")
    assert all(run.paths.look(ids[0], f"epoch-000{epoch}.png").is_file() for epoch in (1, 2))


@pytest.mark.slow
def test_a_continued_run_stands_on_its_own_and_tells_where_it_comes_from(store, finished):
    before = finished()
    open_seal(before.paths, "page")
    run_id = continue_run(store, before.id, 1)
    store.delete(before.id)
    run = store.get(run_id)
    assert run.facts.origin == Origin(run=before.id, how="continued", epoch=2)
    assert len(openings(run.paths)) == 1, "its test images have been looked at"
    assert run.status.seconds == before.status.seconds
    InlineExecutor(store.workspace).submit(run_id)
    status = store.status(run_id)
    assert (status.state, status.epochs_done) == (RunState.FINISHED, 3), status.sentence
    assert status.seconds > before.status.seconds


@pytest.mark.slow
def test_a_fold_is_continued_as_it_was_written_down_however_it_would_be_dealt_today(store, finished, monkeypatch):
    before = finished({"folds": 4, "fold": 2, "phases.0.epochs": 1})
    monkeypatch.setattr("core.data.split.derive", lambda *_: 1)
    run = store.get(continue_run(store, before.id, 1))
    assert run.paths.split.read_bytes() == before.paths.split.read_bytes()
    assert run.facts.split_rule == before.facts.split_rule


@pytest.mark.slow
def test_a_run_that_left_nothing_to_go_on_from_is_trained_again_first(store, finished):
    before = finished()
    before.paths.last.unlink()
    run_id = continue_run(store, before.id, 1)
    assert not store.paths(run_id).best.exists()
    assert store.status(run_id).epochs_done == 0
    InlineExecutor(store.workspace).submit(run_id)
    assert store.status(run_id).epochs_done == 3


@pytest.mark.slow
def test_a_run_can_be_continued_again_and_again(store, finished):
    run_id = finished().id
    for times in (1, 2):
        run_id = continue_run(store, run_id, 1)
        InlineExecutor(store.workspace).submit(run_id)
        assert store.status(run_id).epochs_done == 2 + times
    assert [phase.name for phase in store.get(run_id).recipe.phases] == ["head", "continued", "continued 2"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunState.QUEUED, "has not finished"),
        (RunState.STOPPED, "Resume it instead"),
        (RunState.PAUSED, "Resume it instead"),
        (RunState.FAILED, "Resume it instead"),
    ],
)
def test_only_a_finished_run_is_continued(store, tiny_dataset, state, words):
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    paths = store.paths(run_id)
    write_status(paths, _in(read_status(paths), state))
    with pytest.raises(RunError, match=words):
        continue_run(store, run_id, 3)
    assert len(store.list()) == 1


def test_data_that_are_gone_are_told_of_before_anything_is_made(store, tiny_dataset):
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    paths = store.paths(run_id)
    write_status(paths, _in(read_status(paths), RunState.FINISHED))
    shutil.rmtree(tiny_dataset.folder)
    with pytest.raises(DatasetError):
        continue_run(store, run_id, 3)
    assert len(store.list()) == 1


@pytest.mark.parametrize("epochs", [0, -1, 5000])
def test_a_number_of_epochs_that_no_phase_may_have_is_refused(epochs):
    with pytest.raises(RecipeError, match=r"phases\.1\.epochs"):
        longer(Recipe(), epochs)


def test_the_new_phase_does_what_the_last_one_did_at_its_rate_or_another():
    recipe = Recipe().set({"phases.1": {"name": "all", "trainable": "last 40%", "epochs": 3, "learning_rate": 1e-4}})
    added = longer(recipe, 7).phases[-1]
    assert (added.name, added.trainable, added.epochs, added.learning_rate) == ("continued", "last 40%", 7, 1e-4)
    assert longer(recipe, 7, 1e-5).phases[-1].learning_rate == 1e-5
    assert longer(recipe, 7).phases[:-1] == recipe.phases


def test_a_head_that_was_solved_for_is_not_continued():
    with pytest.raises(RunError, match="at its best already"):
        longer(Recipe().set({"phases.0.solver": "convex"}), 3)


def test_the_run_whose_weights_another_starts_from_is_written_down(store, tiny_dataset):
    first = store.create(small(tiny_dataset), tiny_dataset)
    paths = store.paths(first)
    paths.best_facts.write_text('{"epoch": 4}')
    second = store.create(small(tiny_dataset).set({"model.weights": str(paths.best)}), tiny_dataset)
    assert store.get(second).facts.origin == Origin(run=first, how="weights", epoch=4)
    own = store.create(small(tiny_dataset).set({"model.weights": "/elsewhere/best.safetensors"}), tiny_dataset)
    assert store.get(own).facts.origin is None


def _in(status, state):

    return replace(status, state=state)
