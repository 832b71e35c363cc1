"""What the checks of a dataset are given, what each of them is, and words and repairs that they share."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from core.data.dataset import Change, Dataset
from core.data.health.facts import Facts
from core.data.health.finding import Finding, Repair
from core.data.prints import Pair

MOST_EVIDENCE = 24  # groups of pictures that a finding keeps to be looked at
MOST_FILES = 100  # names that it keeps


@dataclass(frozen=True)
class Subject:
    """A dataset with what was gathered of it."""

    dataset: Dataset
    facts: Facts
    pairs: tuple[Pair, ...] = ()  # of pictures that look nearly the same

    def names(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Where pictures came from, the first hundred."""
        return tuple(self.dataset.sample(id).name for id in list(ids)[:MOST_FILES])

    def leave_out(self, ids: Iterable[str], label: str, why: str) -> Repair:
        """The repair that leaves pictures out."""
        return Repair(label, (Change("exclude", tuple(sorted(ids)), why=why),))


@dataclass(frozen=True)
class Check:
    """One thing that is looked for."""

    name: str  # of its findings
    label: str  # of a list
    sentence: str  # what is looked for
    look: Callable[[Subject], Iterable[Finding]]


def number_of(count: int, one: str = "picture", many: str = "pictures") -> str:
    """ "1 picture" or "1,200 pictures"."""
    return f"{count:,} {one if count == 1 else many}"


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names of a row, and how many more there are: "a, b and 3 more"."""
    told = ", ".join(names[:most])
    return f"{told} and {len(names) - most:,} more" if len(names) > most else told


def possible(dataset: Dataset, finding: Finding) -> Finding:
    """The finding without those repairs that would leave too little to train and to validate with, or do nothing."""
    return replace(finding, repairs=tuple(one for one in finding.repairs if _leaves_enough(dataset, one)))


def _leaves_enough(dataset: Dataset, repair: Repair) -> bool:
    if not any(change.samples for change in repair.changes):
        return False
    splits = {sample.id: sample.split for sample in dataset.samples}
    labels = {sample.id: dataset.classes[sample.label] for sample in dataset.samples if not sample.mask}
    for change in repair.changes:
        for id in change.samples:
            if change.kind == "exclude":
                splits.pop(id, None)
                labels.pop(id, None)
            elif change.kind == "move":
                splits[id] = change.to
            elif change.kind == "relabel":
                labels[id] = change.to
    there = Counter(splits.values())
    return bool(there["train"] and there["validation"]) and (not labels or len(set(labels.values())) > 1)
