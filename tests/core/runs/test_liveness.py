import os
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from core.runs.liveness import ProcessMark, heard_of, worker_alive


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_this_process_is_alive():
    assert ProcessMark.here().alive
    assert ProcessMark.here().pid == os.getpid()


def test_a_killed_process_is_dead_even_while_it_is_a_zombie(child):
    mark = ProcessMark.of(child.pid)
    assert mark.alive
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has buried it
    os.kill(child.pid, 0)  # which is why this is no sign of life
    assert not mark.alive


def test_a_process_id_that_is_used_again_is_another_process(child):
    earlier = replace(ProcessMark.of(child.pid), created=ProcessMark.of(child.pid).created - 100)
    assert not earlier.alive


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system keeps a date that does not move")
def test_a_clock_that_is_set_kills_nobody(child, monkeypatch):
    mark = ProcessMark.of(child.pid)
    told = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: told(process) + 3600)  # as after a long sleep
    assert mark.alive
    assert ProcessMark.of(child.pid) == mark


def test_a_mark_that_went_through_a_command_line_is_the_same(child):
    mark = ProcessMark.of(child.pid)
    assert replace(mark, created=float(str(mark.created))) == mark
    assert replace(mark, created=float(str(mark.created))).alive


def test_a_process_id_that_nobody_has_is_dead(child):
    child.kill()
    child.wait()
    assert not ProcessMark.of(child.pid).alive


def test_a_mark_survives_its_json():
    here = ProcessMark.here()
    assert ProcessMark.from_json(here.to_json()) == here


def test_a_worker_on_another_machine_is_alive_as_long_as_its_heart_beats(tmp_path):
    elsewhere, heartbeat = replace(ProcessMark.here(), host="another-machine"), tmp_path / "heartbeat"
    assert not worker_alive(elsewhere, heartbeat)
    heartbeat.touch()
    assert worker_alive(elsewhere, heartbeat)
    os.utime(heartbeat, (time.time() - 3600, time.time() - 3600))
    assert not worker_alive(elsewhere, heartbeat)


def test_a_process_of_another_machine_is_not_looked_up_here():
    assert not replace(ProcessMark.here(), host="another-machine").is_local


def test_a_heart_that_never_beat_was_never_heard(tmp_path):
    assert heard_of(tmp_path / "heartbeat") is None
