"""What the Runs page wants to know of all runs, however many there are: found out once for each list."""

from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from core.runs.listing import Listing, listed
from core.runs.run import RunState
from core.runs.summary import RunSummary
from pages.shared import cache

_MOST = 32  # questions whose answers are kept


@dataclass(frozen=True)
class Census:
    """All runs together."""

    archived: int  # runs that were put away
    states: tuple[RunState, ...]  # those that occur
    data: dict[str, str]  # id -> name of each dataset that runs have learned from
    tags: tuple[str, ...]  # that people gave, in order
    guessed: bool  # whether some run began with a hypothesis
    at_work: bool  # whether something may still change by itself


@dataclass
class _Kept:
    """What was found out about one list."""

    runs: list[RunSummary]
    census: Census
    asked: dict[Listing, list[RunSummary]] = field(default_factory=dict)


def census() -> Census:
    """What there is among the runs."""
    return _kept().census


def asked_for(listing: Listing) -> list[RunSummary]:
    """The runs that are asked for. Raises what `core.runs.listing.listed` does."""
    kept = _kept()
    if listing not in kept.asked:
        for old in list(kept.asked)[:-_MOST]:
            kept.asked.pop(old, None)
        kept.asked[listing] = listed(kept.runs, listing)
    return kept.asked[listing]


def _kept() -> _Kept:
    runs, shelf = cache.runs(), _shelf(cache.workspace().root)
    kept = shelf.get("runs")
    if kept is None or kept.runs is not runs:  # the same list for as long as nothing changes
        kept = shelf["runs"] = _Kept(runs, _counted(runs))
    return kept


@st.cache_resource(max_entries=2, show_spinner=False)
def _shelf(root: Path) -> dict[str, _Kept]:
    return {}


def _counted(runs: list[RunSummary]) -> Census:
    archived, guessed = 0, False
    states: set[RunState] = set()
    data: dict[str, str] = {}
    tags: set[str] = set()
    for run in runs:
        labels = run.labels
        archived += labels.archived
        guessed = guessed or bool(run.hypothesis)
        states.add(run.state)
        if run.dataset and run.dataset not in data:
            data[run.dataset] = run.dataset_name
        if labels.tags:
            tags.update(labels.tags)
    names = list(data.values())
    return Census(
        archived=archived,
        states=tuple(state for state in RunState if state in states),
        data={id: name if names.count(name) == 1 else f"{name} · {id[-6:]}" for id, name in data.items()},
        tags=tuple(sorted(tags, key=str.casefold)),
        guessed=guessed,
        at_work=any(not state.is_finished for state in states),
    )
