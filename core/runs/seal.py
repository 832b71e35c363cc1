"""The seal of the test split: opening it is allowed, but it leaves a line that nobody can overlook."""

import time
from typing import TypedDict

from core.runs.journal import Journal
from core.runs.run import RunPaths


class Opening(TypedDict):
    """One look at the test split: when, in seconds since 1970, and from where ("page", "command line", ...)."""

    time: float
    by: str


def open_seal(paths: RunPaths, by: str) -> None:
    """Log that the test split is about to be looked at. To be called first, so that no look goes unlogged."""
    Journal(paths.seal).append(dict(Opening(time=time.time(), by=by)))


def openings(paths: RunPaths) -> list[Opening]:
    """Every look at the test split of this run, oldest first. Empty while the seal is whole."""
    return [Opening(time=entry["time"], by=entry["by"]) for entry in Journal(paths.seal).read()]
