import json
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runs.journal import Journal, JournalReader, standing


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


def test_a_reader_reads_on_and_gives_what_reading_everything_gives(tmp_path):
    found = journal(tmp_path)
    reader = JournalReader(found.path)
    assert reader.read() == []
    for entry in (
        {"kind": "start"},
        {"kind": "epoch", "epoch": 1},
        {"kind": "epoch", "epoch": 2},
        {"kind": "resume", "epoch": 1},
        {"kind": "epoch", "epoch": 2, "again": True},
    ):
        found.append(entry)
        before = reader.read()
        assert before == found.read()
        assert reader.read() is before  # nothing new, nothing done
    assert [entry["kind"] for entry in before] == ["start", "epoch", "resume", "epoch"]


def test_a_reader_reads_no_byte_twice_but_the_last_ones(tmp_path):
    found = journal(tmp_path, *({"kind": "step", "epoch": 1, "step": step} for step in range(1000)))
    reader = JournalReader(found.path)
    assert len(reader.read()) == 1000
    data = bytearray(found.path.read_bytes())
    data[:10_000] = b"x" * 10_000  # what was read before is not looked at again
    found.path.write_bytes(data)
    found.append({"kind": "end"})
    assert len(reader.read()) == 1001


def test_a_half_line_is_read_once_it_is_whole(tmp_path):
    found = journal(tmp_path, {"n": 1})
    reader = JournalReader(found.path)
    with found.path.open("ab") as file:
        file.write(b'{"n": ')
    assert reader.read() == [{"n": 1}]
    with found.path.open("ab") as file:
        file.write(b"2}\n")
    assert reader.read() == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("entries", [[], [{"n": 7}], [{"n": 7}, {"n": 8}, {"n": 9}]], ids=len)
def test_a_journal_that_shrank_or_was_replaced_is_read_from_its_start(tmp_path, entries):
    reader = JournalReader(journal(tmp_path, {"n": 1}, {"n": 2}).path)
    assert len(reader.read()) == 2
    (tmp_path / "epochs.jsonl").unlink()
    assert journal(tmp_path, *entries).read() == entries == reader.read()


def test_a_list_that_was_given_never_changes(tmp_path):
    found = journal(tmp_path, {"n": 1})
    reader = JournalReader(found.path)
    first = reader.read()
    found.append({"n": 2})
    assert (len(reader.read()), len(first)) == (2, 1)


def test_threads_that_look_at_once_see_every_entry_once(tmp_path):
    found = journal(tmp_path)
    reader = JournalReader(found.path)
    over, wrong = threading.Event(), []

    def look():
        while not over.is_set():
            seen = [entry["n"] for entry in reader.read()]
            if seen != list(range(len(seen))):
                wrong.append(seen)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(300):
        found.append({"n": n})
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(reader.read()) == 300


def test_what_stands_does_not_depend_on_how_often_it_is_asked():
    entries = [{"kind": "epoch", "epoch": 1}, {"kind": "resume", "epoch": 0}, {"kind": "epoch", "epoch": 1}]
    assert standing(standing(entries)) == standing(entries) == entries[1:]
