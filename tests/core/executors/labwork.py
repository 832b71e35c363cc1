"""Functions for the lab to call in tests."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from core.errors import RecipeError


def refuse(field: str) -> None:
    raise RecipeError(field, found="'many'", expected="a whole number")


def imported(module: str) -> bool:
    return module in sys.modules


def dawdle(place: Path, report: Callable[[int, int], None], *, listens: bool) -> None:
    """Work that would take an hour in a folder that it removes when it is called off; it may be deaf to that."""
    place.mkdir(parents=True)
    try:
        for done in range(36_000):
            time.sleep(0.1)
            if listens or not done:
                report(done + 1, 36_000)
    except BaseException:
        place.rmdir()
        raise
