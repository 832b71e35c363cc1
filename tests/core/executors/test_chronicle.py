import os
import time

import numpy as np
import pytest
from PIL import Image

from core.errors import StorageError
from core.executors.chronicle import SECONDS_BETWEEN_STATES, Chronicle, Heartbeat
from core.runs.journal import RunJournal
from core.runs.run import RunPaths, RunState, RunStatus, look_name, read_status, write_status
from core.train.events import Look, Looks


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
    entries = RunJournal(paths.epochs, paths.clock).read()
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
    assert len(RunJournal(paths.epochs, paths.clock).read()) == 12


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
    assert RunJournal(paths.epochs, paths.clock).read()[-1]["state"] == "failed"
    assert paths.log.read_text().endswith("failed: The loss is no number.\n")
    assert not paths.ballast.exists()


def test_the_log_tells_each_epoch_to_people(paths):
    chronicle(paths).record(epoch(3, accuracy=0.5))
    expected = "epoch 3 of 50: train loss 1.000, train accuracy 0.250, validation loss 2.000, validation accuracy 0.500"
    assert expected in paths.log.read_text()


def test_what_a_person_should_know_is_the_sentence_of_the_run_at_once(paths):
    chronicle(paths).record({"kind": "said", "epoch": 2, "step": 3, "sentence": "A batch is now 8."})
    assert read_status(paths).sentence == "A batch is now 8."
    assert "A batch is now 8." in paths.log.read_text()


def test_a_resumed_run_has_forgotten_the_epochs_it_does_again(paths):
    chronicle(paths).record(epoch(1))
    before = paths.epochs.read_bytes()
    written = chronicle(paths)
    for number in (2, 3):
        written.record(epoch(number))
    chronicle(paths).record({"kind": "resume", "epoch": 1, "step": 0})
    assert paths.epochs.read_bytes() == before


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


def looks(count=2, size=24):
    images = np.full((count, size, size, 3), 90, np.uint8)
    truth = np.zeros((count, size, size), np.uint8)
    truth[:, :5], truth[:, 5:9] = 2, 255
    return Looks(tuple(f"{number:06d}" for number in range(count)), images, truth)


def test_pictures_are_there_before_the_journal_tells_of_them(paths):
    there = []

    def told(entry):
        names = ["image.jpg", "truth.png"] if entry["kind"] == "looks" else [look_name(entry["epoch"])]
        there.append([paths.look(sample, name).is_file() for sample in ("000000", "000001") for name in names])

    written = chronicle(paths, told=told)
    written.show(looks())
    written.look(Look(1, np.ones((2, 24, 24), np.uint8)))
    assert there == [[True] * 4, [True] * 2]
    entries = [
        {key: value for key, value in entry.items() if key != "time"}
        for entry in RunJournal(paths.epochs, paths.clock).read()
    ]
    assert entries == [{"kind": "looks", "ids": ["000000", "000001"]}, {"kind": "look", "epoch": 1}]


def test_masks_are_kept_as_class_indices_pixel_for_pixel(paths):
    written, shown = chronicle(paths), looks()
    predicted = np.random.default_rng(0).integers(0, 3, (2, 24, 24), dtype=np.uint8)
    written.show(shown)
    written.look(Look(12, predicted))
    for number, sample in enumerate(shown.ids):
        assert np.array_equal(np.asarray(Image.open(paths.look(sample, "truth.png"))), shown.truth[number])
        assert np.array_equal(np.asarray(Image.open(paths.look(sample, "epoch-0012.png"))), predicted[number])
        assert Image.open(paths.look(sample, "image.jpg")).size == (24, 24)


def test_what_a_resumed_run_repeats_takes_the_place_of_what_was_there(paths):
    for value in (1, 2):
        written = chronicle(paths)
        written.show(looks())
        written.record({"kind": "resume", "epoch": 0})
        written.look(Look(1, np.full((2, 24, 24), value, np.uint8)))
    assert np.asarray(Image.open(paths.look("000001", look_name(1)))).max() == 2
    assert len([entry for entry in RunJournal(paths.epochs, paths.clock).read() if entry["kind"] == "look"]) == 1


def test_a_score_without_an_interval_is_kept_without_one(paths):
    written = chronicle(paths)
    written.record(epoch(1, best=True) | {"interval": None})
    written.say("Going on.")
    assert read_status(paths).interval is None


def test_pictures_that_cannot_be_kept_are_told_of_in_a_sentence(paths):
    (paths.folder / "looks").write_text("something else in their place")
    with pytest.raises(StorageError, match="Nothing can be written"):
        chronicle(paths).show(looks())
    assert RunJournal(paths.epochs, paths.clock).read() == [], "nothing is told that is not there"
