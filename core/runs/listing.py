"""Which runs somebody wants to see, and in which order: the same for the Runs page and the command `runs`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from core.knobs import find
from core.runs.run import RunState
from core.runs.summary import RunSummary


@dataclass(frozen=True)
class Order:
    """A way to sort runs; those that have no such value come last."""

    name: str
    label: str
    value: Callable[[RunSummary], Any]  # to sort by; None where a run has none
    falling: bool = True  # the largest first


ORDERS = (
    Order("newest", "Newest first", lambda run: run.created),
    Order("oldest", "Oldest first", lambda run: run.created, falling=False),
    Order("score", "Best score first", lambda run: run.score),
    Order("name", "By name", lambda run: run.name.casefold(), falling=False),
    Order("time", "Longest first", lambda run: run.seconds or None),
)


@dataclass(frozen=True)
class Listing:
    """What is asked of a run to be listed. Empty ones ask nothing."""

    words: str = ""  # each of them somewhere in its name, tags, note, data, network, policy, preset or id
    states: tuple[RunState, ...] = ()  # one of these
    data: tuple[str, ...] = ()  # ids of datasets, one of these
    tags: tuple[str, ...] = ()  # all of these
    hypothesis: bool = False  # begun with one
    archived: bool = False  # those that were put away, too
    order: str = ORDERS[0].name

    @property
    def narrows(self) -> bool:
        """Whether runs are left out that are not put away."""
        return bool(self.words.split() or self.states or self.data or self.tags or self.hypothesis)


def listed(runs: Iterable[RunSummary], listing: Listing) -> list[RunSummary]:
    """The runs, of all of them newest first, that are asked for. Raises RecipeError for an order that there is not."""
    order = find(ORDERS, listing.order, "The order of runs")
    found = [run for run in runs if _wanted(run, listing)]
    if words := listing.words.casefold().split():
        found = [run for run in found if _says(run, words)]
    if order is ORDERS[0]:
        return found
    valued = [(value, run) for run in found if (value := order.value(run)) is not None]
    valued.sort(key=lambda pair: pair[0], reverse=order.falling)
    there = {run.id for _, run in valued}
    return [run for _, run in valued] + [run for run in found if run.id not in there]


def tags_in(runs: Iterable[RunSummary]) -> list[str]:
    """Every tag that people gave, in order."""
    return sorted({tag for run in runs for tag in run.labels.tags}, key=str.casefold)


def _wanted(run: RunSummary, listing: Listing) -> bool:
    if run.labels.archived and not listing.archived:
        return False
    if listing.states and run.state not in listing.states:
        return False
    if listing.data and run.dataset not in listing.data:
        return False
    if listing.hypothesis and not run.hypothesis:
        return False
    return not listing.tags or set(listing.tags) <= set(run.labels.tags)


def _says(run: RunSummary, words: list[str]) -> bool:
    of_run = (run.name, run.id, run.dataset_name, run.network, run.policy, run.preset, run.hypothesis)
    told = "\n".join((*of_run, *run.labels.tags, run.labels.note)).casefold()
    return all(word in told for word in words)
