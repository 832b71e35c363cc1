"""What the commands share: what one is, and how options are read and progress is told."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import FoveaError, RecipeError, shown
from core.workspace import Workspace


@dataclass(frozen=True)
class Command:
    """One command: its arguments, what it does, and how its answer reads in a terminal."""

    name: str
    sentence: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Workspace], Any]  # gives plain data, which --json prints as it is
    show: Callable[[Any], Iterator[str]]
    fault: Callable[[Any], FoveaError | None] = lambda answer: None  # what to complain of although there is an answer


def no_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes none of its own."""


def add_set(parser: argparse.ArgumentParser, metavar: str, sentence: str) -> None:
    """The option --set, which may be given again and again."""
    parser.add_argument("--set", action="append", default=[], metavar=metavar, help=sentence)


def add_detach(parser: argparse.ArgumentParser) -> None:
    """The option --detach."""
    parser.add_argument("--detach", action="store_true", help="answer at once; a worker of its own does the rest")


def pairs(texts: list[str], option: str = "--set", expected: str = "name=value") -> dict[str, str]:
    """{"a": "1"} from ["a=1"]. Raises RecipeError, about the option, for a text without its equals sign."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise RecipeError(option, found=repr(text), expected=expected)
        pairs[name.strip()] = value
    return pairs


def listed(text: str) -> list[str]:
    """The parts of a text with commas, without blanks and empty ones."""
    return [part.strip() for part in text.split(",") if part.strip()]


def whole(text: str, option: str, expected: str) -> int:
    """A whole number from a text. Raises RecipeError, about the option, for any other text."""
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise RecipeError(option, found=shown(text), expected=expected)
    return int(text)


def number(value: float | None) -> str:
    """A figure as a terminal shows it."""
    return "–" if value is None else f"{value:.3f}"


def bounds(interval: Sequence[float] | None) -> str:
    """An interval as a terminal shows it, behind its figure; nothing where there is none."""
    return "" if interval is None else f" [{interval[0]:.3f}, {interval[1]:.3f}]"


class Progress:
    """Says on standard error how far a long job is, at most every two seconds."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._told = time.monotonic()

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """`what` is said of a part of the work that has a name of its own: "unpacking"."""
        if time.monotonic() - self._told >= 2:
            self._told = time.monotonic()
            tell(f"{what}: {done} of {total}" if what else f"{done} of {total} {self._unit}")


def tell(line: str) -> None:
    """A line on standard error, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
