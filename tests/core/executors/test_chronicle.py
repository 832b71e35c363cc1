import os
import time

import pytest

from core.executors.chronicle import SECONDS_BETWEEN_STATES, Chronicle, Heartbeat
from core.runs.journal import Journal
from core.runs.run import RunPaths, RunState, RunStatus, read_status, write_status


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def paths(tmp_path):
    found = RunPaths(tmp_path)
    write_status(found, RunStatus(RunState.RUNNING, since=1.0, sentence="Going on.", epochs=50, seconds=10.0))
    return found


def chronicle(paths, clock=None, told=lambda entry: None):
    return Chronicle(paths, read_status(paths), told, clock or Clock())


def epoch(number, accuracy=0.5, best=False):
    return {
        "kind": "epoch",
        "epoch": number,
        "train": {"loss": 1.0, "accuracy": 0.25},
        "validation": {"loss": 2.0, "accuracy": accuracy},
        "interval": [accuracy - 0.1, accuracy + 0.1],
        "images_per_second": 80.0,
        "best": best,
    }


def test_every_entry_is_journaled_with_its_time_and_told(paths):
    heard, before = [], time.time()
    chronicle(paths, told=heard.append).record({"kind": "step", "epoch": 1})
    entries = Journal(paths.epochs).read()
    assert entries == heard
    assert before <= entries[0]["time"] <= time.time()


def test_the_state_is_written_at_most_once_a_second(paths):
    clock = Clock()
    written = chronicle(paths, clock)
    for number in range(1, 11):
        written.record(epoch(number))
    assert read_status(paths).epochs_done == 0
    clock.now += SECONDS_BETWEEN_STATES
    written.record(epoch(11))
    assert read_status(paths).epochs_done == 11
    written.record(epoch(12))
    assert read_status(paths).epochs_done == 11
    assert len(Journal(paths.epochs).read()) == 12


def test_the_best_epoch_and_its_interval_are_kept(paths):
    written = chronicle(paths)
    written.record(epoch(1, accuracy=0.6, best=True))
    written.record(epoch(2, accuracy=0.4))
    written.say("Still going on.")
    status = read_status(paths)
    assert status.best == {"accuracy": 0.6, "loss": 2.0, "epoch": 1}
    assert status.interval == pytest.approx((0.5, 0.7))
    assert (status.epochs_done, status.images_per_second, status.sentence) == (2, 80.0, "Still going on.")


def test_a_resumed_run_is_back_where_it_was_saved(paths):
    written = chronicle(paths)
    written.record(epoch(7))
    written.record({"kind": "resume", "epoch": 5})
    written.say("Going on.")
    assert read_status(paths).epochs_done == 5


def test_working_time_adds_up_over_attempts(paths):
    clock = Clock()
    written = chronicle(paths, clock)
    clock.now += 7.5
    written.end(RunState.FINISHED, "Done.")
    assert read_status(paths).seconds == pytest.approx(17.5)


def test_the_last_words_are_in_state_journal_and_log(paths):
    paths.ballast.write_bytes(b"x")
    chronicle(paths).end(RunState.FAILED, "The loss is no number.", epochs_done=3)
    status = read_status(paths)
    assert (status.state, status.sentence, status.epochs_done) == (RunState.FAILED, "The loss is no number.", 3)
    assert Journal(paths.epochs).read()[-1]["state"] == "failed"
    assert paths.log.read_text().endswith("failed: The loss is no number.\n")
    assert not paths.ballast.exists()


def test_the_log_tells_each_epoch_to_people(paths):
    chronicle(paths).record(epoch(3, accuracy=0.5))
    expected = "epoch 3 of 50: train loss 1.000, train accuracy 0.250, validation loss 2.000, validation accuracy 0.500"
    assert expected in paths.log.read_text()


def test_a_heart_beats_until_it_is_left(tmp_path):
    heartbeat = tmp_path / "heartbeat"
    with Heartbeat(heartbeat, seconds=0.01):
        deadline = time.monotonic() + 10
        while not heartbeat.exists():
            assert time.monotonic() < deadline
        os.utime(heartbeat, (0, 0))
        while heartbeat.stat().st_mtime == 0:
            assert time.monotonic() < deadline
    os.utime(heartbeat, (0, 0))
    time.sleep(0.1)
    assert heartbeat.stat().st_mtime == 0
