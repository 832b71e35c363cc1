import pickle

import pytest

from core.errors import Cancelled
from core.executors.progress import Progress, ProgressFile


def test_progress_told_in_one_process_is_read_in_another(tmp_path):
    here = ProgressFile(tmp_path / "deep" / "progress.json")
    there = pickle.loads(pickle.dumps(here))
    assert here.read() is None

    there(3, 10)

    assert (here.read().done, here.read().total) == (3, 10)


def test_the_end_is_always_told_however_quickly_it_comes(tmp_path):
    progress = ProgressFile(tmp_path / "progress.json")
    for done in range(1, 101):
        progress(done, 100)

    assert progress.read().done == 100


def test_the_time_left_goes_by_the_pace_so_far():
    assert Progress(30, 90, "", seconds=15.0).left == pytest.approx(30.0)
    assert Progress(90, 90, "", seconds=15.0).left == 0


@pytest.mark.parametrize("so_far", [Progress(0, 90, "", 20.0), Progress(1, 90, "", 0.2)], ids=["none", "too soon"])
def test_without_a_pace_no_time_left_is_told(so_far):
    assert so_far.left is None


def test_each_part_of_the_work_has_a_clock_of_its_own(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("core.executors.progress.time.monotonic", lambda: now[0])
    progress = ProgressFile(tmp_path / "progress.json")
    progress(0, 4, "unpacking")
    now[0] = 150.0
    progress(4, 4, "unpacking")
    assert progress.read().seconds == 50.0

    progress(0, 4)
    now[0] = 152.0
    progress(1, 4)

    assert progress.read() == Progress(1, 4, "", 2.0)
    assert progress.read().left == pytest.approx(6.0)


def test_whoever_waits_can_call_the_work_off(tmp_path):
    here = ProgressFile(tmp_path / "progress.json")
    there = pickle.loads(pickle.dumps(here))
    there(1, 10)
    assert not here.cancelled

    here.cancel()

    assert there.cancelled
    with pytest.raises(Cancelled):
        there(10, 10)
    assert here.read().done == 1


def test_forgetting_removes_the_files_and_may_be_done_twice(tmp_path):
    progress = ProgressFile(tmp_path / "progress.json")
    progress(1, 1)
    progress.cancel()
    progress.forget()
    progress.forget()

    assert progress.read() is None
    assert not list(tmp_path.iterdir())
