"""What every executor promises. An executor that is added gets a row in conftest.py and must pass all of it."""

import json
import shutil
import threading

import pytest
from safetensors.numpy import load_file

from core.errors import RunError
from core.executors.inline import InlineExecutor
from core.executors.local import LocalExecutor
from core.recipe import FIGURES
from core.runs.run import RunState
from tests.running import clear_away, long, small, until, until_finished, until_training

pytestmark = pytest.mark.slow


def begin(act, run_id):
    """Have an executor work on a run without waiting for it: one that works right here gets a thread."""
    thread = threading.Thread(target=act, args=(run_id,), daemon=True)
    thread.start()
    return thread


class TestEveryExecutor:
    def test_a_submitted_run_trains_to_its_end_and_leaves_everything_behind(self, executor, tiny_dataset):
        store = executor.store
        run_id = store.create(small(tiny_dataset), tiny_dataset)
        executor.submit(run_id)
        until_finished(store, run_id)

        run = store.get(run_id)
        assert run.status.state is RunState.FINISHED, run.status.sentence
        assert run.status.sentence == RunState.FINISHED.sentence
        assert (run.status.epochs_done, run.status.epochs, run.status.attempt) == (3, 3, 1)
        assert set(run.status.best) == {*FIGURES["classification"], "epoch"}
        low, high = run.status.interval
        assert low <= run.status.best["accuracy"] <= high
        assert run.status.seconds > 0
        assert run.status.images_per_second > 0

        kinds = [entry["kind"] for entry in run.journal.read()]
        assert kinds[:3] == ["start", "phase", "step"]
        assert kinds.count("epoch") == 3
        assert kinds[-2:] == ["outcome", "end"]
        assert run.journal.read()[-1]["state"] == "finished"
        assert "epoch 3 of 3: train loss" in store.log_tail(run_id)

        for path in (run.paths.best, run.paths.best_facts, run.paths.predictions("validation")):
            assert path.stat().st_size > 0, path
        report = json.loads(run.paths.results("validation").read_text())
        assert report["accuracy"] == pytest.approx(run.status.best["accuracy"])
        assert not run.paths.results("test").exists()  # the seal is whole
        assert not run.paths.ballast.exists()  # ten thousand of them would be much

    def test_a_stopped_run_keeps_its_best_and_goes_on_when_resumed(self, executor, tiny_dataset):
        store = executor.store
        run_id = store.create(long(tiny_dataset), tiny_dataset)
        begin(executor.submit, run_id)
        until_training(store, run_id)
        executor.stop(run_id)
        until_finished(store, run_id)
        stopped = store.get(run_id)
        assert stopped.status.state is RunState.STOPPED, stopped.status.sentence
        assert stopped.paths.best.exists()
        assert stopped.paths.results("validation").exists()

        begin(executor.resume, run_id)
        until_training(store, run_id, attempt=2)
        status = store.status(run_id)
        assert (status.state, status.attempt) == (RunState.RUNNING, 2)
        entries = store.get(run_id).journal.everything()
        (resumed,) = [entry["epoch"] for entry in entries if entry["kind"] == "resume"]
        assert resumed <= stopped.status.epochs_done  # after the last epoch that was saved
        executor.stop(run_id)
        until_finished(store, run_id)
        assert store.status(run_id).state is RunState.STOPPED
        assert store.status(run_id).seconds > stopped.status.seconds

    def test_a_paused_run_gives_its_place_back_and_goes_on_with_the_next_step(self, executor, tiny_dataset):
        store = executor.store
        run_id = store.create(long(tiny_dataset), tiny_dataset)
        begin(executor.submit, run_id)
        until_training(store, run_id)
        executor.pause(run_id)
        until_finished(store, run_id)
        paused = store.get(run_id)
        assert (paused.status.state, paused.status.sentence) == (RunState.PAUSED, RunState.PAUSED.sentence)
        assert paused.paths.last.exists()
        until(lambda: (executor.advance(), store.unfinished() == [])[1], 10)
        with pytest.raises(RunError, match="not at work"):
            executor.pause(run_id)

        begin(executor.resume, run_id)
        until_training(store, run_id, attempt=2)
        assert store.status(run_id).state is RunState.RUNNING
        (resumed,) = [entry for entry in store.get(run_id).journal.everything() if entry["kind"] == "resume"]
        assert resumed["epoch"] == paused.status.epochs_done
        executor.stop(run_id)
        until_finished(store, run_id)

    def test_a_run_paused_before_its_turn_waits_for_nobody_until_it_is_resumed(self, executor, tiny_dataset):
        store = executor.store
        run_id = store.create(small(tiny_dataset), tiny_dataset)
        executor.pause(run_id)
        executor.advance()
        assert store.status(run_id).state is RunState.PAUSED
        with pytest.raises(RunError, match="does not wait"):
            executor.submit(run_id)
        executor.resume(run_id)
        until_finished(store, run_id)
        assert store.status(run_id).state is RunState.FINISHED

    def test_a_run_stopped_before_its_turn_never_starts(self, executor, tiny_dataset):
        run_id = executor.store.create(small(tiny_dataset), tiny_dataset)
        executor.stop(run_id)
        executor.advance()
        status = executor.store.status(run_id)
        assert (status.state, status.sentence) == (RunState.STOPPED, "Stopped while it waited for its turn.")
        assert not executor.store.paths(run_id).epochs.exists()
        with pytest.raises(RunError, match="does not wait"):
            executor.submit(run_id)

    def test_a_run_that_cannot_train_says_why_in_one_sentence(self, executor, tiny_dataset, workspace):
        run_id = executor.store.create(small(tiny_dataset), tiny_dataset)
        shutil.rmtree(workspace.datasets / tiny_dataset.id)
        executor.submit(run_id)
        until_finished(executor.store, run_id)
        status = executor.store.status(run_id)
        assert status.state is RunState.FAILED
        assert "There is no such dataset" in status.sentence
        assert "\n" not in status.sentence
        assert "Traceback" not in executor.store.log_tail(run_id)

    def test_a_failed_run_can_be_resumed_once_its_cause_is_gone(self, executor, tiny_dataset, workspace):
        run_id = executor.store.create(small(tiny_dataset), tiny_dataset)
        (workspace.datasets / tiny_dataset.id).rename(workspace.root / "aside")
        executor.submit(run_id)
        until_finished(executor.store, run_id)
        (workspace.root / "aside").rename(workspace.datasets / tiny_dataset.id)
        executor.resume(run_id)
        until_finished(executor.store, run_id)
        status = executor.store.status(run_id)
        assert (status.state, status.attempt, status.epochs_done) == (RunState.FINISHED, 2, 3)

    def test_a_finished_run_is_neither_stopped_nor_resumed_nor_submitted(self, executor, tiny_dataset):
        run_id = executor.store.create(small(tiny_dataset), tiny_dataset)
        executor.submit(run_id)
        until_finished(executor.store, run_id)
        before = executor.store.status(run_id)
        for act in (executor.stop, executor.resume, executor.submit):
            with pytest.raises(RunError, match="finished"):
                act(run_id)
        assert executor.store.status(run_id) == before

    def test_a_run_at_work_is_neither_deleted_nor_resumed_nor_submitted(self, executor, tiny_dataset):
        store = executor.store
        run_id = store.create(long(tiny_dataset), tiny_dataset)
        begin(executor.submit, run_id)
        until_training(store, run_id)
        for act in (store.delete, executor.resume, executor.submit):
            with pytest.raises(RunError):
                act(run_id)
        assert store.status(run_id).state is RunState.RUNNING
        executor.stop(run_id)
        until_finished(store, run_id)
        store.delete(run_id)
        assert store.list() == []

    def test_a_run_that_is_not_there_is_named(self, executor):
        for act in (executor.submit, executor.stop, executor.resume):
            with pytest.raises(RunError, match="There is no such run"):
                act("nothing-here")


def test_where_a_run_is_worked_on_makes_no_difference_to_its_weights(workspace, tiny_dataset):
    weights = []
    for executor in (InlineExecutor(workspace), LocalExecutor(workspace)):
        run_id = executor.store.create(small(tiny_dataset), tiny_dataset)
        executor.submit(run_id)
        until_finished(executor.store, run_id)
        weights.append(load_file(executor.store.paths(run_id).best))
    clear_away(workspace)
    here, there = weights
    assert here.keys() == there.keys()
    assert all((here[name] == there[name]).all() for name in here)
