"""Work that a page waits for, in a real process: how far it is, and ending it."""

import pytest

from core.errors import Cancelled
from pages.shared import atwork, cache
from tests.running import until

WORK = "tests.core.executors.labwork:dawdle"


@pytest.fixture
def begin(workspace, helper, monkeypatch):
    monkeypatch.setattr(cache, "workspace", lambda: workspace)
    monkeypatch.setattr(cache, "desk", lambda: helper)
    monkeypatch.setattr(atwork, "PATIENCE", 0.5)
    return lambda place, listens: atwork.begin("Dawdling", WORK, place, listens=listens)


def test_work_tells_how_far_it_is_and_how_long_it_will_still_take(begin, tmp_path):
    work = begin(tmp_path / "made", True)
    until(lambda: (told := work.progress.read()) and told.left)

    told, fraction = atwork._told(work)

    assert "of 36,000 files · about" in told
    assert "left" in told
    assert 0 < fraction < 0.1
    work.call_off()


def test_work_that_listens_ends_tidily_when_it_is_called_off(begin, helper, tmp_path):
    pid = helper.call("os:getpid")
    work = begin(tmp_path / "made", True)
    until(lambda: work.progress.read())

    work.call_off()

    with pytest.raises(Cancelled):
        until(lambda: work.done, 10) and work.result()
    assert not (tmp_path / "made").exists()
    assert helper.call("os:getpid") == pid
    assert not list(work.progress.path.parent.iterdir())


def test_work_that_is_deaf_ends_with_its_process(begin, helper, tmp_path):
    pid = helper.call("os:getpid")
    work = begin(tmp_path / "made", False)
    until(lambda: work.progress.read())

    work.call_off()

    with pytest.raises(Cancelled):
        until(lambda: work.done, 10) and work.result()
    assert helper.call("os:getpid") != pid


def test_work_that_waits_for_its_turn_is_not_begun_when_it_is_called_off(begin, tmp_path):
    first, second = begin(tmp_path / "first", True), begin(tmp_path / "second", True)
    until(lambda: first.progress.read())
    assert atwork._told(second)[0] == "waiting for other work to end"

    second.call_off()

    with pytest.raises(Cancelled):
        second.result()
    first.call_off()
    until(lambda: first.done, 10)
    assert not (tmp_path / "second").exists()


def test_a_click_that_comes_when_the_work_is_over_leaves_nothing_behind(begin, tmp_path):
    work = begin(tmp_path / "made", True)
    until(lambda: work.progress.read())
    work.progress.cancel()
    until(lambda: work.done, 10)

    work.call_off()

    assert work.called_off
    until(lambda: not list(work.progress.path.parent.iterdir()), 5)


def test_an_end_in_the_middle_of_a_write_leaves_nothing_behind(begin, tmp_path):
    work = begin(tmp_path / "made", True)
    until(lambda: work.progress.read())
    half = work.progress.path.with_name(f".{work.progress.path.name}.1.abc123.tmp")
    half.write_text("{")

    work.call_off()

    until(lambda: work.done and not half.exists(), 10)
