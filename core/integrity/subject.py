"""What the checks of a dataset are given, and what each of them is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from core.data.dataset import Dataset
from core.data.health.facts import Facts
from core.data.health.finding import Finding


@dataclass(frozen=True)
class Subject:
    """A dataset with what was gathered of it."""

    dataset: Dataset
    facts: Facts


@dataclass(frozen=True)
class Check:
    """One thing that is looked for."""

    name: str  # of its findings
    label: str  # of a list
    sentence: str  # what is looked for
    look: Callable[[Subject], Iterable[Finding]]
