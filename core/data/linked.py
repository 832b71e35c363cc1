"""What is linked with what, also through others."""

from collections.abc import Iterable
from typing import TypeVar

Thing = TypeVar("Thing", int, str)


def linked(things: Iterable[Thing], links: Iterable[tuple[Thing, Thing]]) -> dict[Thing, Thing]:
    """For each thing the smallest of all that it is linked with; itself where that is nothing.

    Union-find, since SciPy's connected components may not be loaded where pages deal splits.
    """
    above = {thing: thing for thing in things}

    def root(thing: Thing) -> Thing:
        while above[thing] != thing:
            above[thing] = above[above[thing]]
            thing = above[thing]
        return thing

    for link in links:
        low, high = sorted(map(root, link))
        above[high] = low
    return {thing: root(thing) for thing in above}
