"""Progress that crosses processes: a small file that the one at work replaces and whoever waits reads."""

import time
from pathlib import Path

from core.workspace import read_json, write_json

SECONDS_BETWEEN_WRITES = 0.1


class ProgressFile:
    """Call it with (done, total) where the work happens; ask `read` where somebody waits. Travels between processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._told = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Tell how much is done; at most ten times a second, and always the end. Raises StorageError on a full disk."""
        now = time.monotonic()
        if done < total and now - self._told < SECONDS_BETWEEN_WRITES:
            return
        self._told = now
        write_json(self.path, {"done": done, "total": total})

    def read(self) -> tuple[int, int] | None:
        """(done, total) as told last; None before the first word."""
        told = read_json(self.path)
        return (told["done"], told["total"]) if told else None

    def forget(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)
