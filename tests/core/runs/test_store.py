import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from core.errors import RunError, StorageError
from core.runs.liveness import ProcessMark
from core.runs.run import RunState, read_status, write_status
from core.runs.store import BALLAST_BYTES, RunStore, sweep_temporaries
from core.workspace import write_json
from tests.running import small


@pytest.fixture
def store(workspace):
    return RunStore(workspace)


@pytest.fixture
def run_id(store, tiny_dataset):
    return store.create(small(tiny_dataset), tiny_dataset)


@pytest.fixture
def ended():
    """The mark of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    mark = ProcessMark.of(process.pid)
    process.kill()
    process.wait()
    return mark


def put(store, run_id, state, mark=None, **facts):
    paths = store.paths(run_id)
    if mark:
        write_json(paths.worker, mark.to_json())
    write_status(paths, replace(read_status(paths), state=state, **facts))


def test_a_new_run_waits_and_holds_all_that_a_worker_needs(store, run_id, tiny_dataset):
    run = store.get(run_id)
    assert run.status.state is RunState.QUEUED
    assert run.recipe == small(tiny_dataset)
    assert run.facts.dataset_name == "Tiny cells"
    assert run.facts.samples == tiny_dataset.split_counts()
    split = json.loads(run.paths.split.read_text())
    assert {name: tuple(ids) for name, ids in split.items()} == {
        name: tuple(sample.id for sample in tiny_dataset.of(name)) for name in tiny_dataset.split_counts()
    }
    assert run.paths.ballast.stat().st_size == BALLAST_BYTES


def test_a_run_on_a_split_with_copies_on_both_sides_keeps_that_for_good(store, tiny_dataset):
    assert store.get(store.create(small(tiny_dataset), tiny_dataset)).facts.cautions == ()
    first, second = tiny_dataset.of("train")[0], tiny_dataset.of("test")[0]
    samples = tuple(
        replace(sample, twins=first.id) if sample.id in (first.id, second.id) else sample
        for sample in tiny_dataset.samples
    )
    run = store.get(store.create(small(tiny_dataset), replace(tiny_dataset, samples=samples)))
    (caution,) = run.facts.cautions
    assert caution.startswith("1 set of near duplicates is in more than one split")


def test_two_runs_of_one_recipe_are_two_runs(store, tiny_dataset):
    first, second = (store.create(small(tiny_dataset), tiny_dataset) for _ in range(2))
    assert first != second
    assert {line.id for line in store.list()} == {first, second}


def test_a_run_always_names_the_dataset_it_was_made_for(store, tiny_dataset):
    recipe = small(tiny_dataset).set({"dataset": "another"})
    assert store.get(store.create(recipe, tiny_dataset)).recipe.dataset == tiny_dataset.id


@pytest.mark.parametrize("name", ['<script>alert("1")</script>', "🐈 & Katzen", "../../etc", "x" * 500, "a/b\\c", ""])
def test_any_name_makes_a_safe_folder_and_is_kept_as_it_is(store, tiny_dataset, workspace, name):
    run_id = store.create(small(tiny_dataset).set({"name": name}), tiny_dataset)
    assert (workspace.runs / run_id).parent == workspace.runs
    assert store.list()[0].name == (name or "test_efficientnet, head")


def test_the_list_is_newest_first_and_says_what_was_chosen(store, tiny_dataset):
    older, newer = (store.create(small(tiny_dataset), tiny_dataset, tags=("course",)) for _ in range(2))
    lines = store.list()
    assert [line.id for line in lines] == [newer, older]
    line = lines[0]
    assert (line.network, line.trainable, line.policy) == ("test_efficientnet", "head", "light")
    assert (line.image_size, line.epochs, line.epochs_done) == (32, 3, 0)
    assert (line.dataset_name, line.tags, line.state) == ("Tiny cells", ("course",), RunState.QUEUED)


def test_an_empty_workspace_has_no_runs_and_stays_empty(store, workspace):
    assert store.list() == []
    assert store.queue() == []
    assert not workspace.root.exists()


@pytest.mark.parametrize("wrong", ["nothing-here", "../datasets", "", "a/b", ".", "A"])
def test_a_run_that_is_not_there_is_named_in_one_sentence(store, run_id, wrong):
    with pytest.raises(RunError, match="There is no such run") as error:
        store.get(wrong)
    assert run_id in str(error.value)


def test_a_workspace_without_runs_says_what_to_do(store):
    with pytest.raises(RunError, match="Train a model first"):
        store.status("nothing-here")


# Where a run stands


def test_a_run_whose_worker_died_is_reported_as_failed(store, run_id, ended):
    put(store, run_id, RunState.RUNNING, ended, since=100.0)
    store.paths(run_id).heartbeat.touch()
    status = store.status(run_id)
    assert status.state is RunState.FAILED
    assert "The worker ended without a word" in status.sentence
    assert f"process {ended.pid}" in status.sentence
    assert "last heard of" in status.sentence
    assert status.since == store.paths(run_id).heartbeat.stat().st_mtime
    assert store.list()[0].state is RunState.FAILED
    assert store.get(run_id).status == status


def test_looking_at_a_run_changes_nothing(store, run_id, ended):
    put(store, run_id, RunState.RUNNING, ended)
    before = store.paths(run_id).state.read_bytes()
    store.status(run_id)
    store.list()
    assert store.paths(run_id).state.read_bytes() == before


def test_a_run_that_was_claimed_but_not_begun_is_alive_with_its_worker(store, run_id, ended):
    put(store, run_id, RunState.STARTING, ProcessMark.here())
    assert store.status(run_id).state is RunState.STARTING
    put(store, run_id, RunState.STARTING, ended)
    assert store.status(run_id).state is RunState.FAILED


def test_a_process_id_that_was_given_to_another_process_is_no_worker(store, run_id):
    put(store, run_id, RunState.RUNNING, replace(ProcessMark.here(), created=ProcessMark.here().created - 1000))
    assert store.status(run_id).state is RunState.FAILED


def test_a_run_at_work_without_any_word_about_its_worker_is_lost(store, run_id):
    put(store, run_id, RunState.RUNNING)
    assert store.status(run_id).state is RunState.FAILED
    store.paths(run_id).worker.write_text("{")
    assert store.status(run_id).state is RunState.FAILED


def test_the_last_word_of_a_worker_that_has_just_ended_counts(store, run_id, ended, monkeypatch):
    # The worker writes "finished" and ends between the reading of the state and the look at its process.
    put(store, run_id, RunState.RUNNING, ended)
    alive = ProcessMark.alive.fget

    def ending_now(mark):
        put(store, run_id, RunState.FINISHED)
        return alive(mark)

    monkeypatch.setattr(ProcessMark, "alive", property(ending_now))
    assert store.status(run_id).state is RunState.FINISHED


def test_a_run_asked_to_stop_says_so_while_it_still_works(store, run_id):
    put(store, run_id, RunState.RUNNING, ProcessMark.here())
    store.paths(run_id).stop.touch()
    assert store.status(run_id).sentence == "Stopping after this step."


# Deleting


def test_a_deleted_run_is_gone(store, run_id, workspace):
    store.enqueue(run_id)
    store.delete(run_id)
    assert store.list() == []
    assert store.queue() == []
    assert os.listdir(workspace.runs) == []


def test_a_run_at_work_is_not_deleted(store, run_id):
    put(store, run_id, RunState.RUNNING, ProcessMark.here())
    with pytest.raises(RunError, match="at work"):
        store.delete(run_id)
    assert store.paths(run_id).recipe.exists()


def test_a_run_whose_worker_died_can_be_deleted(store, run_id, ended):
    put(store, run_id, RunState.RUNNING, ended)
    store.delete(run_id)
    assert store.list() == []


# The queue


def test_the_queue_serves_in_the_order_of_submission(store, tiny_dataset):
    ids = [store.create(small(tiny_dataset), tiny_dataset) for _ in range(3)]
    for run_id in reversed(ids):
        store.enqueue(run_id)
    assert store.queue() == ids
    assert [store.place(run_id) for run_id in ids] == [1, 2, 3]


def test_a_run_at_work_or_never_submitted_has_no_place(store, tiny_dataset):
    working, waiting, unsubmitted = (store.create(small(tiny_dataset), tiny_dataset) for _ in range(3))
    store.enqueue(working)
    store.enqueue(waiting)
    put(store, working, RunState.RUNNING, ProcessMark.here())
    assert store.unfinished() == [working, waiting]
    assert store.place(working) is None
    assert store.place(waiting) == 1
    assert store.place(unsubmitted) is None


# The log


def test_the_end_of_the_log_is_its_last_lines(store, run_id):
    assert store.log_tail(run_id) == ""
    store.paths(run_id).log.write_bytes(b"".join(b"line %d\n" % n for n in range(50_000)) + b"\xff\xfe broken\rdone")
    tail = store.log_tail(run_id, lines=3).splitlines()
    assert tail[0] == "line 49999"
    assert tail[-1] == "done"
    assert len(tail) == 3


# A disk that cannot be written


def test_a_run_that_cannot_be_written_leaves_nothing_behind(store, tiny_dataset, workspace):
    whole = store.create(small(tiny_dataset), tiny_dataset)
    with file_size_limit(BALLAST_BYTES // 2), pytest.raises(StorageError, match="Nothing more can be written"):
        store.create(small(tiny_dataset), tiny_dataset)
    assert os.listdir(workspace.runs) == [whole]
    assert store.get(whole).status.state is RunState.QUEUED


class file_size_limit:
    """Writing beyond so many bytes fails as it does on a full disk, for this process."""

    def __init__(self, size):
        self.resource = pytest.importorskip("resource")
        self.size = size

    def __enter__(self):
        self.before = self.resource.getrlimit(self.resource.RLIMIT_FSIZE)
        self.resource.setrlimit(self.resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_):
        self.resource.setrlimit(self.resource.RLIMIT_FSIZE, self.before)


def test_runs_half_made_or_half_deleted_are_swept_and_those_being_made_are_not(store, run_id):
    runs = store.workspace.runs
    for name in (".deleted-a-1", ".new-left-behind", ".new-being-made"):
        (runs / name).mkdir()
        (runs / name / "recipe.json").write_text("{}")
    os.utime(runs / ".new-left-behind", (0, 0))
    store.sweep()
    assert {path.name for path in runs.iterdir()} == {run_id, ".new-being-made"}


def test_temporaries_of_dead_processes_are_swept_and_those_of_the_living_are_not(tmp_path, ended):
    dead, living = f".last.pt.{ended.pid}.c0ffee.tmp", f".last.pt.{os.getpid()}.c0ffee.tmp"
    for name in (dead, living, "best.safetensors", ".notes.tmp"):
        (tmp_path / name).write_text("")
    sweep_temporaries(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {living, "best.safetensors", ".notes.tmp"}
