"""Promises about processes, kept by real processes: what is killed, stopped, claimed and queued here is."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from core.errors import RunError, StorageError
from core.executors.local import LocalExecutor
from core.executors.spares import Spare, announce, claimed, new_spare_folder, waiting_spares
from core.runs.liveness import ProcessMark
from core.runs.run import RunState, read_status, write_status
from core.runs.store import read_mark
from tests.opened import OpenedUnder
from tests.running import long, small, until, until_finished, until_training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="sends signals that Windows does not have"),
]


def worker_of(store, run_id) -> psutil.Process:
    return psutil.Process(read_mark(store.paths(run_id)).pid)


def warm_spare(local):
    """Keep one spare and wait until it has imported everything."""
    local.advance()
    until(lambda: any(spare.warm for spare in waiting_spares(local.store.workspace)))
    return waiting_spares(local.store.workspace)[0]


def test_a_killed_worker_is_noticed_with_the_end_of_its_log_and_its_run_can_be_resumed(local, tiny_dataset):
    store = local.store
    run_id = store.create(long(tiny_dataset), tiny_dataset)
    local.submit(run_id)
    until_training(store, run_id)
    until(store.paths(run_id).last.exists)  # something to go on from
    worker = worker_of(store, run_id)
    assert worker.nice() >= 10

    worker.kill()
    noticed = until(lambda: store.status(run_id).state is RunState.FAILED, 15)
    assert noticed < 15
    status = store.status(run_id)
    assert f"The worker ended without a word (process {worker.pid}, last heard of at " in status.sentence
    assert "epoch" in store.log_tail(run_id)
    saved = max(entry["epoch"] for entry in store.get(run_id).journal.read() if entry["kind"] == "epoch")

    local.resume(run_id)
    until_training(store, run_id, attempt=2)
    entries = store.get(run_id).journal.everything()
    (resumed,) = [entry["epoch"] for entry in entries if entry["kind"] == "resume"]
    assert 1 <= resumed <= saved
    epochs = [entry["epoch"] for entry in store.get(run_id).journal.read() if entry["kind"] == "epoch"]
    assert epochs == list(range(1, len(epochs) + 1))  # as if it had never been killed
    local.stop(run_id)
    until_finished(store, run_id)
    assert store.status(run_id).state is RunState.STOPPED


def test_the_warm_spare_is_given_the_run_and_takes_its_first_step(local, tiny_dataset):
    store, spare = local.store, warm_spare(local)
    run_id = store.create(long(tiny_dataset), tiny_dataset)
    local.submit(run_id)
    assert read_mark(store.paths(run_id)) == spare.mark
    assert store.status(run_id).state in (RunState.STARTING, RunState.RUNNING)
    until_training(store, run_id)
    started = next(entry for entry in store.get(run_id).journal.read() if entry["kind"] == "start")
    assert started["pid"] == spare.mark.pid  # how soon it steps is measured in benchmarks/first_step.py
    until(lambda: [other.mark for other in waiting_spares(store.workspace)] != [spare.mark], 60)
    assert not spare.folder.exists()
    assert len(waiting_spares(store.workspace)) == 1  # the next one, which lets this start go first
    assert not waiting_spares(store.workspace)[0].warm


def test_asking_often_never_makes_a_second_spare(local):
    for _ in range(5):
        local.advance()
    other = LocalExecutor(local.store.workspace)  # as from another session
    other.advance()
    assert len(waiting_spares(local.store.workspace)) == 1


def test_a_worker_that_was_claimed_but_has_not_begun_counts_as_alive(local, tiny_dataset):
    store, spare = local.store, warm_spare(local)
    os.kill(spare.mark.pid, signal.SIGSTOP)
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    local.submit(run_id)
    local.advance()
    assert store.status(run_id).state is RunState.STARTING
    with pytest.raises(RunError):
        store.delete(run_id)
    os.kill(spare.mark.pid, signal.SIGCONT)
    until_finished(store, run_id)
    assert store.status(run_id).state is RunState.FINISHED


def test_a_worker_that_dies_before_it_began_is_noticed(local, tiny_dataset):
    store, spare = local.store, warm_spare(local)
    os.kill(spare.mark.pid, signal.SIGSTOP)
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    local.submit(run_id)
    os.kill(spare.mark.pid, signal.SIGKILL)
    until(lambda: store.status(run_id).state is RunState.FAILED, 15)
    assert f"process {spare.mark.pid}" in store.status(run_id).sentence


def test_a_second_run_waits_in_its_place_and_starts_when_the_first_is_killed(local, tiny_dataset):
    store = local.store
    first, second, third = (store.create(long(tiny_dataset), tiny_dataset) for _ in range(3))
    for run_id in (first, second, third):
        local.submit(run_id)
    assert [store.place(run_id) for run_id in (first, second, third)] == [None, 1, 2]
    assert store.status(second).state is RunState.QUEUED
    until_training(store, first)
    local.stop(second)
    assert store.place(third) == 1

    # Nobody asks anything of the executor from here on: the spare is the one who notices.
    worker_of(store, first).kill()
    until(lambda: store.status(third).state.has_worker)
    assert read_status(store.paths(first)).state is RunState.FAILED  # written down, not only looked up
    assert store.status(second).state is RunState.STOPPED
    local.stop(third)
    until_finished(store, third)
    until(lambda: store.unfinished() == [], 10)


def test_a_second_copy_of_a_worker_refuses_and_the_first_goes_on(local, tiny_dataset):
    store = local.store
    run_id = store.create(long(tiny_dataset), tiny_dataset)
    local.submit(run_id)
    until_training(store, run_id)
    command = [sys.executable, "-m", "core.executors.worker", str(store.paths(run_id).folder)]
    copy = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert copy.returncode == 2
    assert copy.stderr.startswith(f"Another process is at work on the run {run_id}")
    assert copy.stderr.count("\n") == 1
    assert store.status(run_id).state is RunState.RUNNING
    assert worker_of(store, run_id).pid == read_mark(store.paths(run_id)).pid


def test_a_worker_asked_by_the_system_to_end_keeps_the_best_and_starts_nothing_more(local, tiny_dataset):
    store = local.store
    run_id = store.create(long(tiny_dataset), tiny_dataset)
    local.submit(run_id)
    until_training(store, run_id)
    worker = worker_of(store, run_id)
    worker.terminate()
    until_finished(store, run_id)
    status = store.status(run_id)
    assert status.state is RunState.STOPPED
    assert "The machine asked the worker to end" in status.sentence
    assert store.paths(run_id).best.exists()


SERVER = """
import sys, time
from pathlib import Path
from core.executors.local import LocalExecutor
from core.workspace import Workspace
executor = LocalExecutor(Workspace(Path(sys.argv[1])))
for run_id in sys.argv[2:]:
    executor.submit(run_id)
assert "torch" not in sys.modules
print("submitted", flush=True)
time.sleep(120)
"""


@pytest.fixture
def server(workspace):
    """`server(runs)` is another process that submits these runs and stays."""
    started = []

    def start(*run_ids):
        command = [sys.executable, "-c", SERVER, str(workspace.root), *run_ids]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"submitted\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_when_the_server_is_gone_its_spare_ends_and_the_run_goes_on(local, server, tiny_dataset):
    store = local.store
    run_id = store.create(long(tiny_dataset), tiny_dataset)
    process = server(run_id)
    until_training(store, run_id)
    worker = worker_of(store, run_id)
    (spare,) = waiting_spares(store.workspace)
    process.kill()
    process.wait()

    until(lambda: not spare.mark.alive, 30)
    assert not spare.folder.exists()
    steps = len(store.get(run_id).journal.read())
    until(lambda: len(store.get(run_id).journal.read()) > steps + 2)
    assert store.status(run_id).state is RunState.RUNNING
    local.stop(run_id)  # from a new server
    until_finished(store, run_id)
    assert store.status(run_id).state is RunState.STOPPED
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 30)


def test_the_queue_advances_with_no_web_process(local, server, tiny_dataset):
    store = local.store
    ids = [store.create(small(tiny_dataset), tiny_dataset) for _ in range(3)]
    process = server(*ids)
    process.kill()
    process.wait()
    for run_id in ids:
        until_finished(store, run_id)
        assert store.status(run_id).state is RunState.FINISHED
    ends = [store.status(run_id).since for run_id in ids]
    assert ends == sorted(ends)
    until(lambda: waiting_spares(store.workspace) == [], 30)  # and then everything is quiet


def test_two_slots_are_two_runs_at_work(workspace, tiny_dataset, local):
    store, wide = local.store, LocalExecutor(workspace, slots=2)
    ids = [store.create(long(tiny_dataset), tiny_dataset) for _ in range(3)]
    for run_id in ids:
        wide.submit(run_id)
    assert [store.status(run_id).state.has_worker for run_id in ids] == [True, True, False]
    assert store.place(ids[2]) == 1


def test_a_run_that_could_not_be_given_to_the_spare_still_waits_and_starts_next_time(local, tiny_dataset, monkeypatch):
    store = local.store
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        folder = new_spare_folder(store.workspace)
        announce(folder, ProcessMark.of(process.pid), warm=True)

        def full(spare, run_id):
            raise StorageError("Nothing more can be written")

        run_id = store.create(small(tiny_dataset), tiny_dataset)
        with monkeypatch.context() as full_disk, pytest.raises(StorageError):
            full_disk.setattr(Spare, "claim", full)
            local.submit(run_id)
        assert store.queue() == [run_id]

        local.advance()
        assert claimed(folder) == run_id
        assert store.status(run_id).state is RunState.STARTING
    finally:
        process.kill()
        process.wait()


def test_ended_children_are_buried(local, tiny_dataset):
    run_id = local.store.create(small(tiny_dataset), tiny_dataset)
    local.submit(run_id)
    until_finished(local.store, run_id)
    pid = read_mark(local.store.paths(run_id)).pid

    def buried():
        local.advance()
        return not psutil.pid_exists(pid)

    until(buried, 30)


def test_a_mark_of_a_dead_server_keeps_no_spare(workspace):
    dead = ProcessMark(os.getpid(), 1.0, ProcessMark.here().host)
    LocalExecutor(workspace, server=dead).advance()
    assert waiting_spares(workspace) == []


def test_the_first_look_sweeps_what_was_left_behind(workspace):
    server = ProcessMark(os.getpid(), 1.0, ProcessMark.here().host)  # a dead one, so that no spare is started
    graves = (workspace.runs / ".deleted-a-1", workspace.datasets / ".cats-000000.deleted")
    for grave in graves:
        grave.mkdir(parents=True)
    LocalExecutor(workspace, server=server).advance()
    assert not any(grave.exists() for grave in graves)


def test_asking_opens_no_file_of_runs_that_have_ended(local, tiny_dataset):
    """Pages may ask as often as they like."""
    store = local.store
    for _ in range(5):
        paths = store.paths(store.create(small(tiny_dataset), tiny_dataset))
        write_status(paths, replace(read_status(paths), state=RunState.FINISHED))
    local.advance()
    with OpenedUnder(store.workspace.runs) as opened:
        local.advance()
    assert opened.paths == []


def test_one_process_works_on_runs_that_wait_and_each_is_as_if_it_were_alone(local, tiny_dataset):
    store = local.store
    recipes = [small(tiny_dataset).set({"seed": seed}) for seed in (0, 1, 0)]
    runs = [store.create(recipe, tiny_dataset) for recipe in recipes]
    for run_id in runs:
        store.enqueue(run_id)
    local.advance()
    for run_id in runs:
        until_finished(store, run_id)
        assert store.status(run_id).state is RunState.FINISHED, store.status(run_id).sentence
    started = [
        entry["pid"] for run_id in runs for entry in store.get(run_id).journal.read() if entry["kind"] == "start"
    ]
    assert len(started) == 3
    assert len(set(started)) == 1
    tables = [store.paths(run_id).epochs.read_bytes() for run_id in runs]
    assert tables[0] == tables[2] != tables[1]
    logs = [store.log_tail(run_id) for run_id in runs]
    assert all(log.count("attempt 1") == 1 for log in logs), "each has a log of its own"
    until(lambda: store.queue() == [] and store.unfinished() == [])
    assert [spare.mark.pid for spare in waiting_spares(store.workspace)] != started[:1]


def test_after_a_failed_run_another_process_takes_the_next(local, tiny_dataset):
    store = local.store
    failing = store.create(small(tiny_dataset), tiny_dataset)
    after = store.create(small(tiny_dataset), tiny_dataset)
    tiny_dataset.path(tiny_dataset.of("train")[0]).write_bytes(b"")
    for run_id in (failing, after):
        store.enqueue(run_id)
    local.advance()
    until_finished(store, failing)
    until_finished(store, after)
    assert store.status(failing).state is RunState.FAILED
    first, second = (read_mark(store.paths(run_id)).pid for run_id in (failing, after))
    assert first != second


def test_what_holds_a_gpu_or_other_processes_ends_with_its_run(workspace, tiny_dataset, monkeypatch):
    from core.executors import worker

    local = LocalExecutor(workspace)
    run_id = local.store.create(small(tiny_dataset), tiny_dataset)
    several = local.store.create(small(tiny_dataset).set({"processes": 2}), tiny_dataset)
    anywhere = local.store.create(small(tiny_dataset).set({"device": "auto"}), tiny_dataset)
    for gpu in (False, True):
        monkeypatch.setattr(worker, "gpu_here", lambda gpu=gpu: gpu)
        assert worker._keeps_nothing(local, run_id)
        assert not worker._keeps_nothing(local, several)
        assert worker._keeps_nothing(local, anywhere) is not gpu
