"""What can be computed again and is kept to save time: decoded images and frozen-backbone features.

cache/<16 digits for the dataset>/
    images/      decoded images, one shelf for each size and fit
    features/    features, one shelf for each backbone and view

Everything made from one dataset stands in one folder, so it goes with the dataset, and what was not used for longest
goes first when there is too much. Within a shelf the pictures are known by their content (`core.data.shelf`), so all
labels, divisions and revisions of a dataset share them.
"""

import os
import re
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from core.seeding import fingerprint

MOST_BYTES = 20 * 10**9
MOST_OF_DISK = 0.25  # of what would be free without the cache
_FOLDER = re.compile(r"[0-9a-f]{16}")  # names of folders that are deleted here, and of no others


def cache_folder(cache: Path, dataset_id: str) -> Path:
    """The folder, under the workspace's `cache`, for what is made from the dataset with this id."""
    return cache / fingerprint("cache of a dataset", dataset_id)


def mark_used(cache: Path, dataset_id: str) -> None:
    """Remember that this dataset's folder was used now."""
    with suppress(OSError):  # then it counts as used when its last table was made
        os.utime(cache_folder(cache, dataset_id))


def forget(cache: Path, dataset_id: str) -> None:
    """Delete what was kept for a dataset. Files that cannot be deleted, as open ones on Windows, stay for `trim`."""
    shutil.rmtree(cache_folder(cache, dataset_id), ignore_errors=True)


def trim(cache: Path, in_use: Callable[[], Collection[str]], limit: float | None = None) -> list[str]:
    """Delete the folders that were not used for longest until all of them together take at most `limit` bytes.

    Without a limit it is 20 GB, or a quarter of the disk's free space if that is less. `in_use`, asked only when there
    is too much, gives the ids of datasets whose folders must stay, whatever they take. Returns the folders deleted.
    """
    found = {folder.name: folder for folder in cache.glob("*") if _FOLDER.fullmatch(folder.name)}
    sizes = {name: _bytes(folder) for name, folder in found.items()}
    total = sum(sizes.values())
    if limit is None:
        limit = min(MOST_BYTES, MOST_OF_DISK * (shutil.disk_usage(cache).free + total)) if found else 0
    if total <= limit:
        return []
    stay, gone = {cache_folder(cache, dataset_id).name for dataset_id in in_use()}, []
    for name in sorted(found, key=lambda name: _last_used(found[name])):
        if total <= limit:
            break
        if name not in stay:
            shutil.rmtree(found[name], ignore_errors=True)
            total -= sizes[name]
            gone.append(name)
    return gone


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
