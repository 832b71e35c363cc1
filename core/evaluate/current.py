"""Whether a stored report is still about the weights of its run. Torch-free and cheap, so that a page can ask."""

import hashlib
from functools import lru_cache
from pathlib import Path

from core.evaluate.results import Result, read_result
from core.runs.run import RunPaths


def current_result(paths: RunPaths, split: str) -> Result | None:
    """The stored report on a split; None when there is none or the run has other weights by now."""
    result = read_result(paths.results(split))
    if result is None or not paths.predictions(split).exists():
        return None
    try:
        return result if result.checkpoint.endswith(digest_of(paths.best)) else None
    except FileNotFoundError:
        return None


def digest_of(best: Path) -> str:
    """16 digits of the SHA-256 of a weight file, computed once for as long as nobody replaces the file.

    Raises FileNotFoundError when there is none.
    """
    about = best.stat()
    return _digest(best, about.st_mtime_ns, about.st_size, about.st_ino)


@lru_cache(maxsize=64)
def _digest(best: Path, _written: int, _size: int, _inode: int) -> str:
    with best.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
