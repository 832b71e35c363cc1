"""Progress that crosses processes: a small file that the one at work replaces and whoever waits reads.

The other way goes a wish: whoever waits can leave word that the work is no longer wanted, and the next time the one at
work tells how far it is, it learns so by an exception. All that it has made then goes the way it goes after any error.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import Cancelled
from core.workspace import read_json, write_json

SECONDS_BETWEEN_WRITES = 0.1
SECONDS_UNTIL_KNOWN = 1.0  # before that, how long it will still take is a guess


@dataclass(frozen=True)
class Progress:
    """How far one part of some work is."""

    done: int
    total: int
    what: str  # what is being done in this part, as in "unpacking"; "" where the work has one part only
    seconds: float  # since this part began

    @property
    def fraction(self) -> float:
        """Of this part, in [0, 1]."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def left(self) -> float | None:
        """Seconds that this part will still take at the pace it had so far; None while that cannot be known."""
        if not self.done or self.seconds < SECONDS_UNTIL_KNOWN:
            return None
        return self.seconds / self.done * max(0, self.total - self.done)


class ProgressFile:
    """Call it with (done, total) where the work happens; ask `read` where somebody waits. Travels between processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._told = 0.0
        self._part: tuple[str, int] | None = None  # what this part does, and of how many
        self._began = 0.0

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Tell how much is done; at most ten times a second, and always the end of a part.

        Raises Cancelled where somebody has left word, StorageError on a full disk.
        """
        now = time.monotonic()
        if self._part != (what, total):
            self._part, self._began = (what, total), now
        elif done < total and now - self._told < SECONDS_BETWEEN_WRITES:
            return
        self._told = now
        if self._word.exists():
            raise Cancelled("This was cancelled")
        write_json(self.path, asdict(Progress(done, total, what, now - self._began)))

    def read(self) -> Progress | None:
        """What was told last; None before the first word."""
        told = read_json(self.path)
        return Progress(**told) if told else None

    def cancel(self) -> None:
        """Leave word that the work is no longer wanted. Raises StorageError on a full disk."""
        write_json(self._word, {})

    @property
    def cancelled(self) -> bool:
        """Whether somebody has left that word."""
        return self._word.exists()

    def forget(self) -> None:
        """Remove the file and the word, and what a process that was ended while it wrote them left half written."""
        for file in (self.path, self._word):
            for half in self.path.parent.glob(f".{file.name}.*.tmp"):
                half.unlink(missing_ok=True)
            file.unlink(missing_ok=True)

    @property
    def _word(self) -> Path:
        return self.path.with_suffix(".cancel")
