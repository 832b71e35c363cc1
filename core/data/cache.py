"""What can be computed again and is kept to save time: decoded images and frozen-backbone features.

cache/<dataset fingerprint>/
    images/      decoded images, one table for each size and fit
    features/    features, one table for each backbone and view

Everything made from one dataset stands in one folder, so it goes with the dataset, and what was not used for longest
goes first when there is too much.
"""

import os
import re
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 20 * 10**9
MOST_OF_DISK = 0.25  # of what would be free without the cache


def cache_folder(cache: Path, fingerprint: str) -> Path:
    """The folder, under the workspace's `cache`, for what is made from the dataset with this fingerprint."""
    return cache / fingerprint


def mark_used(cache: Path, fingerprint: str) -> None:
    """Remember that this dataset's folder was used now."""
    with suppress(OSError):  # then it counts as used when its last table was made
        os.utime(cache_folder(cache, fingerprint))


def forget(cache: Path, fingerprint: str) -> None:
    """Delete what was kept for a dataset. Files that cannot be deleted, as open ones on Windows, stay for `trim`."""
    if _is_fingerprint(fingerprint):
        shutil.rmtree(cache_folder(cache, fingerprint), ignore_errors=True)


def trim(cache: Path, in_use: Callable[[], Collection[str]], limit: float | None = None) -> list[str]:
    """Delete the folders that were not used for longest until all of them together take at most `limit` bytes.

    Without a limit it is 20 GB, or a quarter of the disk's free space if that is less. `in_use`, asked only when there
    is too much, names the fingerprints that must stay, whatever they take. Returns the fingerprints deleted.
    """
    found = {folder.name: folder for folder in cache.glob("*") if _is_fingerprint(folder.name)}
    sizes = {name: _bytes(folder) for name, folder in found.items()}
    total = sum(sizes.values())
    if limit is None:
        limit = min(MOST_BYTES, MOST_OF_DISK * (shutil.disk_usage(cache).free + total)) if found else 0
    if total <= limit:
        return []
    stay, gone = in_use(), []
    for name in sorted(found, key=lambda name: _last_used(found[name])):
        if total <= limit:
            break
        if name not in stay:
            forget(cache, name)
            total -= sizes[name]
            gone.append(name)
    return gone


def _is_fingerprint(name: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{16}", name) is not None


def _last_used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # deleted this very moment
        return 0.0


def _bytes(folder: Path) -> int:
    """What the tables take on the disk, where the system tells: their empty rows take nothing on most."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                about = os.stat(os.path.join(place, name))
                total += about.st_blocks * 512 if hasattr(about, "st_blocks") else about.st_size
    return total
