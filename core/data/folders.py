"""Folders of the server that somebody may look into to find their images."""

from pathlib import Path

from core.data.tree import natural
from core.errors import InputError

MOST_LISTED = 500


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in `folder`, in natural order, at most 500; hidden ones are left out.

    Raises InputError when it is no folder or may not be read.
    """
    try:
        names = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".") and entry.is_dir()]
    except OSError as error:
        reason = (error.strerror or "an error").lower()
        raise InputError("This folder cannot be read", found=reason, do="Choose another one") from error
    return sorted(names, key=natural)[:MOST_LISTED]
