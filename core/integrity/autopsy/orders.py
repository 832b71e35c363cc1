"""Orders of classes that people and programs make by accident: as text, alphabetical, counted from one, backwards."""

import math
from collections.abc import Sequence

import numpy as np

from core.data.tree import natural

_FROM_ONE, _FROM_ZERO = "counted from zero and not from one", "counted from one and not from zero"
_KNOWN = 0.6  # of the prior of a permutation: that it is one of those with a name


def known_orders(classes: Sequence[str], *, given: bool) -> dict[str, np.ndarray]:
    """Named orders: {name: (K,) the answer that means each class}. Only those that differ from the given one.

    Numbers sorted as text come out 0, 1, 10, 11, 2, ...: then class 2 is answered as the number of its place there.
    """
    number = len(classes)
    place = {name: row for row, name in enumerate(classes)}
    orders: dict[str, list[str]] = {
        "string order": sorted(classes, key=str) if all(map(_whole, classes)) else _as_text(classes),
        "alphabetical order": sorted(classes),
        "alphabetical order, capitals alike": sorted(classes, key=str.casefold),
        "natural order": sorted(classes, key=natural),
        "the classes backwards": list(reversed(classes)),
    }
    if not given:
        orders = {name: order for name, order in orders.items() if name in ("string order", "the classes backwards")}
    found: dict[str, np.ndarray] = {}
    for name, order in orders.items():
        answers = np.empty(number, np.int64)
        answers[[place[label] for label in order]] = np.arange(number)  # the class at place j is answered as j
        for called, mapping in ((name, answers), (name, np.argsort(answers))):
            if (mapping != np.arange(number)).any() and not any((mapping == other).all() for other in found.values()):
                found[called if called not in found else f"{called}, the other way round"] = mapping
    steps = np.arange(number)
    for name, mapping in ((_FROM_ONE, np.roll(steps, 1)), (_FROM_ZERO, np.roll(steps, -1))):
        if not any((mapping == other).all() for other in found.values()):
            found[name] = mapping
    return found


def _as_text(classes: Sequence[str]) -> list[str]:
    """The classes in the order in which their numbers come when they are sorted as text: 0, 1, 10, 11, 2, ..."""
    return [classes[number] for number in sorted(range(len(classes)), key=str)]


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit()


def name_of_order(counts: np.ndarray, mapping: np.ndarray, known: dict[str, np.ndarray]) -> str:
    """What an order is called that was found in counts (K, K); "" for one that has no name.

    Counting from another number leaves one class at the end without its answer: none of them comes in at the other end.
    """
    said = next((name for name, other in known.items() if (mapping == other).all()), "")
    around = {_FROM_ONE: 0, _FROM_ZERO: len(mapping) - 1}.get(said)
    return "" if around is not None and counts[around, mapping[around]] else said


def order_prior(counts: np.ndarray, mapping: np.ndarray, known: dict[str, np.ndarray]) -> float:
    """Log of how probable one order is among all: a share for those with a name, the rest for how many classes moved.

    Classes of which the counts (K, K) say nothing could be anything; the orders that differ only there count together.
    """
    number = len(mapping)
    said = name_of_order(counts, mapping, known)
    moved = int((mapping != np.arange(number)).sum())
    unsure = int((counts[np.arange(number), mapping] == 0).sum())
    ways = math.lgamma(number + 1) - math.lgamma(moved + 1) - math.lgamma(number - moved + 1) + _deranged(moved)
    general = -ways - math.log(max(1, number - 1)) + min(math.lgamma(unsure + 1), ways)
    if said:
        return float(np.logaddexp(math.log(_KNOWN / len(known)), math.log(1 - _KNOWN) + general))
    return math.log(1 - _KNOWN) + general


def _deranged(number: int) -> float:
    """Log of the number of ways to move all of so many."""
    return math.lgamma(number + 1) - 1 if number > 3 else math.log((1, 1, 1, 2)[number])
