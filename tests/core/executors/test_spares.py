"""Waiting and claiming, without the seconds that a real spare takes to import torch."""

import subprocess
import sys
import threading

import pytest

from core.errors import StorageError
from core.executors.spares import announce, claimed, leave, new_spare_folder, wait, waiting_spares
from core.runs.liveness import ProcessMark
from core.runs.store import RunStore
from tests.running import until


@pytest.fixture
def store(workspace):
    return RunStore(workspace)


@pytest.fixture
def folder(workspace):
    found = new_spare_folder(workspace)
    announce(found, ProcessMark.here(), warm=False)
    return found


@pytest.fixture
def ended():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    mark = ProcessMark.of(process.pid)
    process.kill()
    process.wait()
    return mark


def never(*_):
    raise AssertionError("not to be called")


def still():
    return True


def test_warm_spares_are_chosen_first(workspace):
    cold, warm = new_spare_folder(workspace), new_spare_folder(workspace)
    announce(cold, ProcessMark.here(), warm=False)
    announce(warm, ProcessMark.here(), warm=True)
    assert [spare.folder for spare in waiting_spares(workspace)] == [warm, cold]


def test_a_claimed_spare_waits_no_longer(workspace, folder):
    waiting_spares(workspace)[0].claim("run-1")
    assert waiting_spares(workspace) == []
    assert claimed(folder) == "run-1"
    assert folder.exists()


def test_what_dead_spares_left_behind_is_cleared_away(workspace, folder, ended):
    announce(folder, ended, warm=True)
    unannounced = new_spare_folder(workspace)
    assert waiting_spares(workspace) == []
    assert not folder.exists()
    assert not unannounced.exists()


def test_a_spare_that_was_claimed_goes_to_its_run(store, folder):
    waiting_spares(store.workspace)[0].claim("run-1")
    assert wait(store, folder, warm_up=never, quiet=still, needed=never) == "run-1"


def test_a_spare_warms_up_once_when_nothing_is_at_work_any_more_and_says_so(store, folder):
    warmed, found, at_work = [], [], [True]

    def stay(waited):
        if waited > 0.5:
            assert not warmed or not at_work
            at_work.clear()
        return True

    def warm_up():
        warmed.append(1)

    thread = threading.Thread(
        target=lambda: found.append(wait(store, folder, warm_up=warm_up, quiet=lambda: bool(at_work), needed=stay))
    )
    thread.start()
    until(lambda: waiting_spares(store.workspace)[0].warm, 10)
    assert not at_work
    waiting_spares(store.workspace)[0].claim("run-1")
    thread.join(10)
    assert (warmed, found) == ([1], ["run-1"])


def test_a_spare_that_nobody_needs_leaves_no_trace(store, folder):
    assert wait(store, folder, warm_up=never, quiet=still, needed=lambda waited: False) is None
    assert not folder.exists()


def test_a_claim_that_comes_while_a_spare_is_about_to_leave_is_not_lost(store, folder):
    def claimed_just_now(waited):
        waiting_spares(store.workspace)[0].claim("run-1")
        return False

    assert wait(store, folder, warm_up=never, quiet=still, needed=claimed_just_now) == "run-1"


def test_a_spare_whose_workspace_was_deleted_ends_and_makes_no_new_one(store, folder, workspace):
    leave(workspace.root)
    assert wait(store, folder, warm_up=never, quiet=still, needed=lambda waited: True) is None
    assert not workspace.root.exists()


def test_a_spare_that_cannot_write_for_a_while_waits_on(store, folder):
    tries = []

    def needed(waited):
        tries.append(waited)
        if len(tries) == 1:
            raise StorageError("Nothing more can be written")
        return False

    assert wait(store, folder, warm_up=never, quiet=still, needed=needed) is None
    assert len(tries) == 2
