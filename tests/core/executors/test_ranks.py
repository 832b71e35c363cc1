"""One run trained by several real processes, which begin and end with its worker."""

import os
import subprocess
import sys

import psutil
import pytest

from core.errors import RecipeError, TrainingError
from core.executors import ranks as module
from core.executors.inline import InlineExecutor
from core.executors.ranks import Watch, ranks
from core.recipe import Recipe
from core.runs.run import RunPaths, RunState
from core.runs.store import read_mark
from tests.running import LONG, small, until, until_finished, until_training

TWO = {"processes": 2, "phases.0.trainable": "everything", "phases.0.norms": "still", "augment.policy": "none"}


def others_of(pid):
    """The other processes of the run that process `pid` works on."""
    found = []
    for child in psutil.Process(pid).children():
        if module.MODULE in child.cmdline():
            found.append(child)
    return found


def refuse(sentence):
    raise AssertionError(sentence)


def ended(*commands):
    return [subprocess.Popen([sys.executable, "-c", command]) for command in commands]


def test_one_process_needs_no_others(tmp_path):
    before = dict(os.environ)
    with ranks(Recipe(), RunPaths(tmp_path), resume=False, give_up=refuse):
        assert dict(os.environ) == before


@pytest.mark.slow
def test_two_processes_train_one_model_like_one(workspace, tiny_dataset):
    executor = InlineExecutor(workspace)
    ends = []
    for count in (1, 2):
        run_id = executor.store.create(
            small(tiny_dataset).set(TWO | {"processes": count, "phases.0.epochs": 2}), tiny_dataset
        )
        executor.submit(run_id)
        run = executor.store.get(run_id)
        assert run.status.state is RunState.FINISHED, run.status.sentence + executor.store.log_tail(run_id)
        ends.append([entry for entry in run.journal.read() if entry["kind"] == "epoch"])
        assert run.paths.results("validation").exists()
    for one, two in zip(*ends, strict=True):
        assert one["validation"] == pytest.approx(two["validation"], abs=1e-4)
        assert one["train"] == pytest.approx(two["train"], abs=1e-4)
    assert not {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} & set(os.environ)
    assert others_of(os.getpid()) == []


@pytest.mark.slow
def test_when_one_of_them_dies_the_run_ends_with_a_sentence_and_can_be_resumed(local, tiny_dataset):
    store = local.store
    run_id = store.create(Recipe(dataset=tiny_dataset.id).set(LONG | {"processes": 2}), tiny_dataset)
    local.submit(run_id)
    until_training(store, run_id)
    (other,) = others_of(read_mark(store.paths(run_id)).pid)
    other.kill()
    until_finished(store, run_id)
    status = store.status(run_id)
    assert status.state is RunState.FAILED
    assert status.sentence.startswith("Process 2 of 2 ended before the others: found signal 9."), status.sentence

    local.resume(run_id)
    until_training(store, run_id, attempt=2)
    worker = psutil.Process(read_mark(store.paths(run_id)).pid)
    (other,) = others_of(worker.pid)
    worker.kill()
    until(lambda: not other.is_running() or other.status() == psutil.STATUS_ZOMBIE, 30)


def test_a_process_that_ends_by_an_error_is_told_of(tmp_path):
    watch = Watch(ended("", "import sys; sys.exit(3)"), refuse)
    assert watch.told(30) == "Process 3 of 3 ended before the others: found exit code 3"
    watch.over()


def test_processes_that_end_well_are_not(tmp_path):
    watch = Watch(ended("", ""), refuse)
    assert watch.told(30) == ""
    watch.over()


def test_a_worker_that_hangs_because_of_another_process_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    told = []
    watch = Watch(ended("import sys; sys.exit(3)"), told.append)
    until(lambda: told, 30)
    assert told == [
        "Process 2 of 2 ended before the others: found exit code 3. The end of the run's log may say why; "
        "resume goes on."
    ]
    watch.over()


def test_an_error_of_this_process_alone_is_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MODULE", "this")  # prints a poem, and ends well
    with (
        pytest.raises(ZeroDivisionError),
        ranks(Recipe(processes=2, device="cpu"), RunPaths(tmp_path), resume=False, give_up=refuse),
    ):
        raise ZeroDivisionError
    monkeypatch.setattr(module, "MODULE", "no_such_module")
    with (
        pytest.raises(TrainingError, match="Process 2 of 2 ended before the others: found exit code 1"),
        ranks(Recipe(processes=2, device="cpu"), RunPaths(tmp_path), resume=False, give_up=refuse),
    ):
        raise RuntimeError("Connection closed by peer")


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_more_processes_than_gpus_are_refused_before_the_start(tmp_path, monkeypatch, device):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    recipe = Recipe(processes=3, device=device)
    with (
        pytest.raises(RecipeError, match="processes: found 3, expected at most one for each of the 2 GPUs here"),
        ranks(recipe, RunPaths(tmp_path), resume=False, give_up=refuse),
    ):
        raise AssertionError
