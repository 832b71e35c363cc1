"""Knobs: what a person can set, as data. Pages draw a widget for each kind; recipes check values against them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from core.errors import FoveaError, RecipeError, shown


class Named(Protocol):
    """A row of a registry."""

    @property
    def name(self) -> str: ...


Row = TypeVar("Row", bound=Named)


def find(
    rows: Iterable[Row], name: str, field: str, *, error: type[FoveaError] = RecipeError, also: tuple[str, ...] = ()
) -> Row:
    """The row of this name. Raises RecipeError, or another `error`, about `field`, with the names there are.

    `also` names what the field takes beside the rows.
    """
    named = {row.name: row for row in rows}
    if name not in named:
        raise error(field, found=shown(name), expected="one of " + ", ".join([*named, *also]))
    return named[name]


@dataclass(frozen=True)
class FloatKnob:
    """A real number in [low, high], both included."""

    name: str
    label: str
    default: float
    low: float
    high: float
    step: float = 0.01
    unit: str = ""
    help: str = ""

    def check(self, value: Any, field: str = "") -> float:
        """The value as a float. Raises RecipeError with the field, what was found and what is allowed."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:
            raise RecipeError(
                field or self.name,
                found=shown(value),
                expected=f"a number from {self.low:g} to {self.high:g}{' ' + self.unit if self.unit else ''}",
            )
        return float(value)


@dataclass(frozen=True)
class IntKnob:
    """A whole number in [low, high], both included."""

    name: str
    label: str
    default: int
    low: int
    high: int
    step: int = 1
    unit: str = ""
    help: str = ""

    def check(self, value: Any, field: str = "") -> int:
        """The value as an int. Raises RecipeError with the field, what was found and what is allowed."""
        # int.is_integer is newer than Python 3.11, and float(value) overflows for a number of 400 digits.
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if not whole or isinstance(value, bool) or not self.low <= value <= self.high:
            raise RecipeError(
                field or self.name,
                found=shown(value),
                expected=f"a whole number from {self.low} to {self.high}{' ' + self.unit if self.unit else ''}",
            )
        return int(value)


@dataclass(frozen=True)
class ChoiceKnob:
    """One of a few named options."""

    name: str
    label: str
    default: str
    options: tuple[str, ...]
    help: str = ""

    def check(self, value: Any, field: str = "") -> str:
        """The value. Raises RecipeError with the field, what was found and the options."""
        if value not in self.options:
            raise RecipeError(field or self.name, found=shown(value), expected="one of " + ", ".join(self.options))
        return value


@dataclass(frozen=True)
class BoolKnob:
    """On or off."""

    name: str
    label: str
    default: bool
    help: str = ""

    def check(self, value: Any, field: str = "") -> bool:
        """The value. Raises RecipeError when it is neither true nor false."""
        if not isinstance(value, bool):
            raise RecipeError(field or self.name, found=shown(value), expected="true or false")
        return value


Knob = FloatKnob | IntKnob | ChoiceKnob | BoolKnob


def check_values(knobs: tuple[Knob, ...], values: dict[str, Any], field: str) -> dict[str, Any]:
    """Every knob's value: the given one, checked, or its default. Raises RecipeError where that cannot be."""
    known = {knob.name: knob for knob in knobs}
    for name in values:
        if name not in known:
            names = "one of " + ", ".join(known) if known else "nothing, since there is nothing to turn"
            raise RecipeError(f"{field}.{name}", found="a name nobody knows", expected=names)
    return {name: knob.check(values.get(name, knob.default), f"{field}.{name}") for name, knob in known.items()}
