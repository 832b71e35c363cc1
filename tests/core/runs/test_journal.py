import json
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import StorageError
from core.runs.journal import Journal, OpenJournal, RunJournal, RunReader, RunWriter, standing


def journal(tmp_path, *entries):
    found = Journal(tmp_path / "epochs.jsonl")
    for entry in entries:
        found.append(entry)
    return found


def test_what_is_appended_is_read_in_order(tmp_path):
    assert journal(tmp_path, {"a": 1}, {"b": "Übung\n2"}).read() == [{"a": 1}, {"b": "Übung\n2"}]


def test_a_journal_that_nobody_began_is_empty(tmp_path):
    assert Journal(tmp_path / "nothing.jsonl").read() == []
    assert Journal(tmp_path / "nothing.jsonl").read_since(0) == ([], 0)


def test_every_entry_is_one_line_of_json(tmp_path):
    lines = journal(tmp_path, {"text": "two\nlines"}, {"n": 2}).path.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"text": "two\nlines"}, {"n": 2}]


def test_a_half_written_last_line_is_not_read(tmp_path):
    found = journal(tmp_path, {"n": 1}, {"n": 2})
    found.path.write_bytes(found.path.read_bytes()[:-4])
    assert found.read() == [{"n": 1}]


def test_after_a_half_line_the_next_entry_starts_on_a_fresh_one(tmp_path):
    found = journal(tmp_path, {"n": 1}, {"n": 2})
    found.path.write_bytes(found.path.read_bytes()[:-4])
    found.append({"n": 3})
    assert found.read() == [{"n": 1}, {"n": 3}]


@given(entries=st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=6)), max_size=4), cut=st.integers(0, 120))
def test_a_journal_cut_off_anywhere_keeps_every_whole_entry_and_takes_new_ones(entries, cut):
    with TemporaryDirectory() as folder:
        found = journal(Path(folder), *entries)
        written = found.path.read_bytes() if entries else b""
        found.path.write_bytes(written[:cut])
        whole = written[:cut].count(b"\n")
        assert found.read() == entries[:whole]
        found.append({"last": 1})
        # The one entry that lost nothing but its line end is whole again once a line follows it.
        rescued = [entries[whole]] if written[:cut] + b"\n" in _beginnings(written) else []
        assert found.read() == entries[:whole] + rescued + [{"last": 1}]


def _beginnings(written):
    return {written[: end + 1] for end, byte in enumerate(written) if byte == ord("\n")}


def test_bytes_that_are_no_text_cost_one_line(tmp_path):
    found = journal(tmp_path, {"n": 1})
    with found.path.open("ab") as file:
        file.write(b"\xff\xfe\x00\n[1, 2]\n\n")
    found.append({"n": 2})
    assert found.read() == [{"n": 1}, {"n": 2}]


def test_reading_on_gives_only_what_is_new(tmp_path):
    found = journal(tmp_path, {"n": 1})
    entries, offset = found.read_since(0)
    assert entries == [{"n": 1}]
    with found.path.open("ab") as file:
        file.write(b'{"n": ')
    assert found.read_since(offset) == ([], offset)
    with found.path.open("ab") as file:
        file.write(b'2}\n{"n": 3}\n')
    assert found.read_since(offset)[0] == [{"n": 2}, {"n": 3}]


def test_a_resume_hides_what_came_after_its_epoch(tmp_path):
    found = journal(
        tmp_path,
        {"kind": "start"},
        {"kind": "epoch", "epoch": 1, "loss": 0.9},
        {"kind": "epoch", "epoch": 2, "loss": 0.8},
        {"kind": "step", "epoch": 3, "loss": 0.7},
        {"kind": "resume", "epoch": 1},
        {"kind": "epoch", "epoch": 2, "loss": 0.5},
    )
    assert [(entry["kind"], entry.get("loss")) for entry in found.read()] == [
        ("start", None),
        ("epoch", 0.9),
        ("resume", None),
        ("epoch", 0.5),
    ]


def test_an_open_journal_cut_off_within_a_line_by_a_full_disk_goes_on_with_a_fresh_one(tmp_path, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file, self.room = file, 8

        def write(self, line):
            if not self.room:
                raise OSError(28, "No space left on device")
            taken, self.room = line[: self.room], 0
            return self.file.write(taken)

    path = tmp_path / "epochs.jsonl"
    with OpenJournal(path) as journal:
        journal.append({"n": 1})
        good, journal._file = journal._file, Full(journal._file)
        with pytest.raises(StorageError):
            journal.append({"n": 2, "text": "long enough"})
        journal._file = good
        journal.append({"n": 3})
    assert Journal(path).read() == [{"n": 1}, {"n": 3}]


# The two files of a run


@pytest.fixture
def files(tmp_path):
    return tmp_path / "epochs.jsonl", tmp_path / "clock.jsonl"


def epoch(number, seconds=1.0, loss=0.5):
    return {
        "kind": "epoch",
        "phase": 0,
        "epoch": number,
        "validation": {"loss": loss},
        "seconds": seconds,
        "images_per_second": 100 / seconds,
        "stored": seconds < 1,
        "time": 1000 + seconds,
    }


def phase(number, first):
    return {"kind": "phase", "phase": number, "epoch": first, "name": "head", "time": 5.0}


def step(number, place):
    return {"kind": "step", "epoch": number, "step": place, "time": 6.0}


START = {"kind": "start", "pid": 1, "time": 4.0}


def attempt(files, *entries):
    """What one process writes, until it is killed."""
    writer = RunWriter(*files)
    for entry in entries:
        if entry["kind"] == "resume":
            writer.cut_back(entry["epoch"])
        writer.append(entry)
    writer.close()


def test_entries_are_read_as_they_were_told(files):
    told = [START, phase(0, 1), step(1, 1), epoch(1), {"kind": "look", "epoch": 1, "time": 7.0}, {"kind": "end"}]
    attempt(files, *told)
    assert RunJournal(*files).read() == RunJournal(*files).everything() == told


def test_nothing_that_a_clock_says_stands_in_the_determined_file(files):
    attempt(files, START, phase(0, 1), step(1, 1), {"kind": "said", "epoch": 1, "sentence": "Memory."}, epoch(1))
    other = files[0].with_name("other.jsonl"), files[0].with_name("other-clock.jsonl")
    attempt(other, START, phase(0, 1), epoch(1, seconds=0.001))
    assert files[0].read_bytes() == other[0].read_bytes()
    assert [json.loads(line)["kind"] for line in files[0].read_text().splitlines()] == ["phase", "epoch"]
    assert not {"time", "seconds", "images_per_second", "stored"} & set(files[0].read_text().replace('"', " ").split())


WHOLE = [
    START,
    {"kind": "looks", "ids": ["a"]},
    phase(0, 1),
    epoch(1),
    {"kind": "look", "epoch": 1},
    epoch(2),
    {"kind": "look", "epoch": 2},
    phase(1, 3),
    epoch(3),
    {"kind": "look", "epoch": 3},
    epoch(4),
    {"kind": "look", "epoch": 4},
]


@pytest.mark.parametrize("killed_after", range(len(WHOLE) + 1))
@pytest.mark.parametrize("saved", range(5))
@pytest.mark.parametrize("half_line", [False, True])
def test_a_journal_of_a_run_killed_and_resumed_is_the_same_to_the_byte(files, killed_after, saved, half_line):
    done = [
        0,
        *(entry["epoch"] for entry in WHOLE[:killed_after] if entry["kind"] == "look"),
    ]  # nothing is saved before
    saved = min(saved, max(done))  # nothing is saved before the looks of its epoch
    attempt(files, *WHOLE[:killed_after])
    if half_line:
        for file in files:
            file.touch()
            file.write_bytes(file.read_bytes() + b'{"kind": "epo')
    again = [entry for entry in WHOLE[1:] if entry["kind"] == "looks" or entry.get("epoch", 0) > saved]
    if saved in (1, 3):
        again.insert(1, phase(saved // 2, saved))  # the phase that it is in is told again
    attempt(files, START, {"kind": "resume", "epoch": saved}, *again)
    straight = files[0].with_name("straight.jsonl"), files[0].with_name("straight-clock.jsonl")
    attempt(straight, *WHOLE)
    assert files[0].read_bytes() == straight[0].read_bytes()
    read = RunJournal(*files).read()
    assert [entry["epoch"] for entry in read if entry["kind"] == "epoch"] == [1, 2, 3, 4]


def test_steps_before_the_point_within_an_epoch_that_a_run_goes_on_from_still_count(files):
    attempt(files, START, phase(0, 1), epoch(1), step(2, 10), step(2, 20), step(2, 30))
    attempt(files, START, {"kind": "resume", "epoch": 1, "step": 20}, step(2, 21))
    assert [entry["step"] for entry in RunJournal(*files).read() if entry["kind"] == "step"] == [10, 20, 21]


def test_of_an_epoch_that_is_done_again_the_clock_alone_is_not_shown(files):
    attempt(files, START, phase(0, 1), epoch(1), epoch(2))
    writer = RunWriter(*files)
    writer.cut_back(1)  # and killed before it could say that it resumes
    writer.close()
    assert [entry.get("epoch") for entry in RunJournal(*files).read() if entry["kind"] == "epoch"] == [1]


OLD = [START, phase(0, 1), step(1, 1), epoch(1), epoch(2), {"kind": "resume", "epoch": 1, "time": 9.0}, epoch(2, 3.0)]


def test_a_run_from_before_there_were_two_files_is_read_as_ever_and_goes_on_in_two(files):
    for entry in OLD:
        Journal(files[0]).append(entry)
    reader = RunReader(*files)
    before = reader.read()
    assert before == standing(OLD)
    attempt(files, START, {"kind": "resume", "epoch": 2}, phase(0, 1), epoch(3))
    straight = files[0].with_name("straight.jsonl"), files[0].with_name("straight-clock.jsonl")
    attempt(straight, START, phase(0, 1), epoch(1), epoch(2), epoch(3))
    assert files[0].read_bytes() == straight[0].read_bytes()
    assert reader.read() == RunJournal(*files).read()
    assert reader.read()[: len(before)] == before


def test_a_journal_that_lost_its_clock_still_shows_what_was_measured(files):
    attempt(files, START, phase(0, 1), epoch(1), epoch(2))
    files[1].unlink()
    assert [entry["kind"] for entry in RunJournal(*files).read()] == ["phase", "epoch", "epoch"]


def test_a_reader_reads_on_and_gives_what_reading_everything_gives(files):
    reader = RunReader(*files)
    assert reader.read() == []
    writer = RunWriter(*files)
    for entry in (START, epoch(1), epoch(2), {"kind": "resume", "epoch": 1}, epoch(2)):
        if entry["kind"] == "resume":
            writer.cut_back(1)
        writer.append(entry)
        before = reader.read()
        assert before == RunJournal(*files).read()
        assert reader.read() is before  # nothing new, nothing done
    assert [entry["kind"] for entry in before] == ["start", "epoch", "resume", "epoch"]


def test_a_reader_reads_no_byte_twice_but_the_last_ones(files):
    attempt(files, *(step(1, number) for number in range(1000)))
    reader = RunReader(*files)
    assert len(reader.read()) == 1000
    data = bytearray(files[1].read_bytes())
    data[:10_000] = b"x" * 10_000  # what was read before is not looked at again
    files[1].write_bytes(data)
    attempt(files, {"kind": "end"})
    assert len(reader.read()) == 1001


def test_a_half_line_is_read_once_it_is_whole(files):
    attempt(files, {"kind": "start", "n": 1})
    reader = RunReader(*files)
    with files[1].open("ab") as file:
        file.write(b'{"n": ')
    assert len(reader.read()) == 1
    with files[1].open("ab") as file:
        file.write(b"2}\n")
    assert reader.read() == [{"kind": "start", "n": 1}, {"n": 2}]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_journal_that_shrank_or_was_replaced_is_read_from_its_start(files, count):
    attempt(files, START, epoch(1), epoch(2))
    reader = RunReader(*files)
    assert len(reader.read()) == 3
    for file in files:
        file.unlink()
    entries = [epoch(number, loss=0.25) for number in range(1, count + 1)]
    attempt(files, *entries)
    assert RunJournal(*files).read() == entries == reader.read()


def test_a_list_that_was_given_never_changes(files):
    attempt(files, step(1, 1))
    reader = RunReader(*files)
    first = reader.read()
    attempt(files, step(1, 2))
    assert (len(reader.read()), len(first)) == (2, 1)


def test_threads_that_look_at_once_see_every_entry_once(files):
    writer, reader = RunWriter(*files), RunReader(*files)
    over, wrong = threading.Event(), []

    def look():
        while not over.is_set():
            seen = [entry["epoch"] for entry in reader.read()]
            if seen != list(range(1, len(seen) + 1)):
                wrong.append(seen)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(1, 301):
        writer.append(epoch(n))
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(reader.read()) == 300


def test_what_stands_does_not_depend_on_how_often_it_is_asked():
    entries = [{"kind": "epoch", "epoch": 1}, {"kind": "resume", "epoch": 0}, {"kind": "epoch", "epoch": 1}]
    assert standing(standing(entries)) == standing(entries) == entries[1:]
