"""Functions for the lab to call in tests."""

import sys

from core.errors import RecipeError


def refuse(field: str) -> None:
    raise RecipeError(field, found="'many'", expected="a whole number")


def imported(module: str) -> bool:
    return module in sys.modules
