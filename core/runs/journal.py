"""The journal of a run: append-only lines of JSON, safe to read while it is written and after it was cut off.

One writer appends; any number of readers follow. A line counts only when it is complete and is a JSON object, so a
process killed in the middle of a line costs that line and nothing else.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from core.errors import storage_errors

Entry = dict[str, Any]

_ENDING_BYTES = 256  # an entry of training tells its time to the microsecond, so no two files end the same


@dataclass(frozen=True)
class Journal:
    """The lines of one file. The file appears with the first entry."""

    path: Path

    def append(self, entry: Entry) -> None:
        """Add one entry as one line, handed to the system before this returns. Raises StorageError on a full disk."""
        line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        with storage_errors(self.path), open(self.path, "ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # the last writer was cut off: leave its half line, start a fresh one
                    line = b"\n" + line
            while line:  # a nearly full disk takes a part of the line first, and says so at the next call
                line = line[file.write(line) :]

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


class JournalReader:
    """A journal that is looked at again and again: each look reads what was added since the last one.

    Any number of threads may look. A list once given never changes.
    """

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path)
        self._lock = Lock()
        self._entries: list[Entry] = []
        self._offset = 0
        self._ending = b""  # of what was read: if it no longer stands there, this is another file

    def read(self) -> list[Entry]:
        """What `Journal.read` gives."""
        with self._lock:
            if self._before(self._offset) != self._ending:
                self._entries, self._offset = [], 0
            new, self._offset = self._journal.read_since(self._offset)
            self._ending = self._before(self._offset)
            if new or not self._offset:
                self._entries = standing(new, self._entries)
            return self._entries

    def _before(self, offset: int) -> bytes:
        try:
            with open(self._journal.path, "rb") as file:
                file.seek(max(0, offset - _ENDING_BYTES))
                return file.read(min(offset, _ENDING_BYTES))
        except FileNotFoundError:
            return b""


def standing(entries: Iterable[Entry], earlier: Iterable[Entry] = ()) -> list[Entry]:
    """The entries that count: {"kind": "resume", "epoch": k} undoes what was written before it about epochs after k.

    `earlier` are entries before them that were found to count already.
    """
    kept = list(earlier)
    for entry in entries:
        if entry.get("kind") == "resume":
            kept = [earlier for earlier in kept if earlier.get("epoch", 0) <= entry.get("epoch", 0)]
        kept.append(entry)
    return kept


def _parse(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:  # half a line, or bytes that are no text
        return None
    return entry if isinstance(entry, dict) else None
