"""The journal of a run: append-only lines of JSON, safe to read while they are written and after they were cut off.

It is two files. `epochs.jsonl` holds only what the recipe determines: phases, and what each epoch measured. Two runs of
one recipe on one machine write the same bytes, whether or not one of them was killed and resumed on the way.
`clock.jsonl` holds what depends on the day: when, how fast, starts, resumes, steps, sentences, ends. Each determined
entry has a line of the same kind and number there, so that it alone gives the order; readers join the two.

One writer appends; any number of readers follow. A line counts only when it is complete and is a JSON object, so a
process killed in the middle of a line costs that line and nothing else.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from core.errors import storage_errors
from core.workspace import replacing

Entry = dict[str, Any]
Key = tuple[str, Any]  # kind of a determined entry, and the number of the phase or epoch it is about

# Kinds that the recipe determines, with the field that says which phase or epoch an entry is about.
DETERMINED = {"looks": None, "phase": "phase", "epoch": "epoch", "look": "epoch"}
# Their fields that it does not: clocks, and whether another run had stored the features already.
CLOCK_FIELDS = frozenset({"time", "seconds", "images_per_second", "stored"})
_TOLD_AGAIN = ("looks", "phase")  # by a run that is resumed, since they come before the epochs they are about

_ENDING_BYTES = 256  # an entry of training holds measured figures or times, so no two files end the same
_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Journal:
    """The lines of one file. The file appears with the first entry."""

    path: Path

    def append(self, entry: Entry) -> None:
        """Add one entry as one line, handed to the system before this returns. Raises StorageError on a full disk."""
        with OpenJournal(self.path) as journal:
            journal.append(entry)

    def read(self) -> list[Entry]:
        """All entries that still count, oldest first: what a later resume repeats is left out."""
        return standing(self.read_since(0)[0])

    def read_since(self, offset: int) -> tuple[list[Entry], int]:
        """The complete lines from byte `offset` on, and the offset to go on from.

        Nothing is left out here; give everything read so far to `standing` to see what counts.
        """
        try:
            with open(self.path, "rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return [], 0
        complete = data[: data.rfind(b"\n") + 1]
        return [entry for line in complete.splitlines() if (entry := _parse(line)) is not None], offset + len(complete)


class OpenJournal:
    """A file of lines that one writer keeps open: an entry costs one call of the system, and none is held back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with storage_errors(path):
            self._file = open(path, "ab+", buffering=0)  # noqa: SIM115
        self._torn = False  # the last writer, or this one on a full disk, was cut off within a line
        if size := self._file.seek(0, os.SEEK_END):
            self._file.seek(size - 1)
            self._torn = self._file.read(1) != b"\n"

    def append(self, entry: Entry) -> None:
        """Add one entry as one line, handed to the system before this returns. Raises StorageError on a full disk."""
        self.write(_line(entry))

    def write(self, line: bytes) -> None:
        """Add one whole line. Raises StorageError on a full disk."""
        if self._torn:
            line = b"\n" + line
        with storage_errors(self._path):
            self._torn = True
            while line:  # a nearly full disk takes a part of the line first, and says so at the next call
                line = line[self._file.write(line) :]
            self._torn = False

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "OpenJournal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RunWriter:
    """The one writer of a run's journal. Entries go to the system at once: what a kill costs is half a line."""

    def __init__(self, epochs: Path, clock: Path) -> None:
        self._path = epochs
        if epochs.exists() and not clock.exists():  # a run from before there were two files
            _rewrite(clock, [clock_half(entry) for entry in Journal(epochs).read_since(0)[0]])
            _rewrite(epochs, determined_in(Journal(epochs).read()))
        self._clock = OpenJournal(clock)
        self._open()

    def _open(self) -> None:
        self._epochs = OpenJournal(self._path)
        there = Journal(self._path).read_since(0)[0]
        self._told = {_line(entry) for entry in there if entry.get("kind") in _TOLD_AGAIN}

    def append(self, entry: Entry) -> None:
        """Add one entry. Raises StorageError when the disk is full.

        What a resumed run tells again, such as the phase it is in, is not written again.
        """
        if (half := determined_half(entry)) is not None:
            line = _line(half)
            if line not in self._told:
                self._epochs.write(line)
            if half["kind"] in _TOLD_AGAIN:
                self._told.add(line)
        self._clock.append(clock_half(entry))  # second: a reader who sees it finds the other half

    def cut_back(self, epoch: int) -> None:
        """Leave of the determined entries those up to the end of this epoch, all at once. Raises StorageError."""
        self._epochs.close()
        _rewrite(self._path, kept_until(determined_in(Journal(self._path).read_since(0)[0]), epoch))
        self._open()

    def close(self) -> None:
        """Close both files."""
        self._epochs.close()
        self._clock.close()


@dataclass(frozen=True)
class RunJournal:
    """The two files of a run, read as one."""

    epochs: Path
    clock: Path

    def read(self) -> list[Entry]:
        """All entries that still count, oldest first: what a later resume repeats is left out."""
        return RunReader(self.epochs, self.clock).read()

    def clock_halves(self) -> list[Entry]:
        """The clock's half of the entries that count."""
        return [clock_half(entry) for entry in self.read()]

    def everything(self) -> list[Entry]:
        """Every entry there ever was, also those of epochs that were done again: these without what they measured."""
        clock = Journal(self.clock).read_since(0)[0]
        halves = Journal(self.epochs).read_since(0)[0]
        return _joined(clock, {_key(half): half for half in halves}) if clock else halves


class RunReader:
    """A run's journal that is looked at again and again: each look reads what was added since the last one.

    Any number of threads may look. A list once given never changes.
    """

    def __init__(self, epochs: Path, clock: Path) -> None:
        self._clock, self._epochs = _Follower(clock), _Follower(epochs)
        self._lock = Lock()
        self._entries: list[Entry] = []
        self._halves: dict[Key, Entry] = {}

    def read(self) -> list[Entry]:
        """What `RunJournal.read` gives."""
        with self._lock:
            if self._clock.replaced() or self._epochs.replaced():
                self._clock.restart()
                self._epochs.restart()
                self._entries, self._halves = [], {}
            alone = not self._clock.began  # a run from before there were two files, or one whose clock was not kept
            told = self._clock.read()  # first: the other half of each of these is there by now
            halves = self._epochs.read()
            self._halves |= {_key(half): half for half in halves}
            if alone and told:
                self._entries = []
            new = _joined(told, self._halves) if self._clock.began else halves
            if new:
                self._entries = standing(new, self._entries)
            return self._entries


class _Follower:
    """One file of lines, read on from where the last look ended."""

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path)
        self.restart()

    def restart(self) -> None:
        self._offset = 0
        self._ending = b""  # of what was read: if it no longer stands there, this is another file

    @property
    def began(self) -> bool:
        """Whether anything was ever read."""
        return self._offset > 0

    def replaced(self) -> bool:
        """Whether this is no longer the file that was read so far."""
        return self._before(self._offset) != self._ending

    def read(self) -> list[Entry]:
        new, self._offset = self._journal.read_since(self._offset)
        self._ending = self._before(self._offset)
        return new

    def _before(self, offset: int) -> bytes:
        try:
            with open(self._journal.path, "rb") as file:
                file.seek(max(0, offset - _ENDING_BYTES))
                return file.read(min(offset, _ENDING_BYTES))
        except FileNotFoundError:
            return b""


def standing(entries: Iterable[Entry], earlier: Iterable[Entry] = ()) -> list[Entry]:
    """The entries that count: {"kind": "resume", "epoch": k, "step": s} undoes what was written before it about epochs
    after k, but for the first s steps of the one that it goes on with.

    `earlier` are entries before them that were found to count already.
    """
    kept = list(earlier)
    for entry in entries:
        if entry.get("kind") == "resume":
            place = entry.get("epoch", 0), entry.get("step") or 0
            kept = [earlier for earlier in kept if _counts(earlier, *place)]
        kept.append(entry)
    return kept


def _counts(entry: Entry, epoch: int, step: int) -> bool:
    number = entry.get("epoch") or 0
    if number <= epoch:
        return True
    return number == epoch + 1 and entry.get("kind") != "epoch" and 0 < (entry.get("step") or 0) <= step


def determined_half(entry: Entry) -> Entry | None:
    """What the recipe determines of an entry; None for one that is about the day only."""
    if entry.get("kind") not in DETERMINED:
        return None
    return {name: value for name, value in entry.items() if name not in CLOCK_FIELDS}


def clock_half(entry: Entry) -> Entry:
    """The rest of it, with its kind and number."""
    if entry.get("kind") not in DETERMINED:
        return entry
    named = ("kind", DETERMINED[entry["kind"]])
    return {name: value for name, value in entry.items() if name in named or name in CLOCK_FIELDS}


def determined_in(entries: Iterable[Entry]) -> list[Entry]:
    """The determined halves of some entries, each once, where it was told first."""
    found: dict[Key, Entry] = {}
    for entry in entries:
        if (half := determined_half(entry)) is not None:
            found[_key(half)] = half
    return list(found.values())


def kept_until(halves: Iterable[Entry], epoch: int) -> list[Entry]:
    """The entries up to the end of an epoch, with what was told before it: of epoch 0 there are none."""
    halves = list(halves)
    ends = [place for place, half in enumerate(halves) if 0 < half.get("epoch", 0) <= epoch]
    return halves[: ends[-1] + 1] if ends else []


def _joined(clock: Iterable[Entry], halves: Mapping[Key, Entry]) -> list[Entry]:
    """Entries as they were told: an entry of which only the clock's half is left stands for nothing."""
    found = []
    for entry in clock:
        if entry.get("kind") not in DETERMINED:
            found.append(entry)
        elif half := halves.get(_key(entry)):
            found.append(half | entry)
    return found


def _key(entry: Entry) -> Key:
    kind = entry.get("kind")
    field = DETERMINED.get(kind)
    return kind, entry.get(field) if field else None


def _rewrite(path: Path, entries: Iterable[Entry]) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(b"".join(map(_line, entries)))


def _line(entry: Entry) -> bytes:
    return _encode(entry).encode() + b"\n"


def _parse(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:  # half a line, or bytes that are no text
        return None
    return entry if isinstance(entry, dict) else None
