"""How far a run has come and how long it will still take, read from its journal."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.augment.catalog import views
from core.models.catalog import PASSES_PER_STEP
from core.recipe import Phase, Recipe

STORED_EPOCH = 0.03  # what a head that learns from stored features costs, in passes of the images through the backbone
# What a decoder that learns on a frozen encoder costs, in passes of the images through both: it takes most of a pass,
# and it alone goes back.
DECODER_EPOCH = 2.5


@dataclass(frozen=True)
class Pace:
    """Where a run stands in time."""

    epoch: int  # the one it is in, from 1; 0 before the first
    epochs: int  # of all phases
    fraction: float  # of the whole work, in [0, 1]; by cost, so that the bar moves evenly
    seconds_left: float | None  # None until an epoch of each kind that is still to come was seen
    images_per_second: float | None  # latest; of epochs on stored features only if there were no others
    passing: bool  # the frozen backbone of a classifier is looking at the images for the first time


@dataclass(frozen=True)
class EpochKind:
    """What an epoch does: epochs of one kind take the same time, and say nothing about another kind's."""

    trainable: str  # of its phase
    stored: bool  # every feature is read from the cache: no picture goes through the backbone
    task: str = "classification"

    @property
    def cost(self) -> float:
        """In passes of the training images through the backbone, or, for masks, through the whole network."""
        if self.trainable != "head":
            return PASSES_PER_STEP
        if self.task == "segmentation":
            return DECODER_EPOCH
        return STORED_EPOCH if self.stored else 1.0


def pace(recipe: Recipe, entries: Sequence[dict[str, Any]]) -> Pace:
    """The pace of a run of `recipe` whose journal holds `entries`."""
    recipe = as_it_went(recipe, entries)
    ends = [entry for entry in entries if entry.get("kind") == "epoch"]
    kinds = epoch_kinds(recipe, {entry["epoch"]: entry.get("stored", False) for entry in ends})
    done = min(len(kinds), max((entry["epoch"] for entry in ends), default=0))
    seen: dict[EpochKind, list[float]] = {}  # seconds that epochs of a kind took
    rates: dict[bool, float] = {}  # the latest images per second, by whether they were read from the cache
    for entry in (entry for entry in ends if "seconds" in entry):  # not where the journal lost its clock
        kind = kinds[entry["epoch"] - 1]
        seen.setdefault(kind, []).append(entry["seconds"])
        rates[kind.stored] = entry["images_per_second"]

    last = entries[-1] if entries else {}
    running = last if last.get("kind") == "step" and last["epoch"] == done + 1 <= len(kinds) else None
    share = 0.0  # of the epoch it is in
    if running:
        kind, share = kinds[done], running["step"] / max(1, running["steps"])
        rates[kind.stored] = rate = running["images_per_second"]
        if kind not in seen and rate:  # its own steps say how long it takes
            seen[kind] = [running["steps"] * recipe.batch_size / rate]

    work = sum(kind.cost for kind in kinds[:done]) + (kinds[done].cost * share if running else 0.0)
    looking, reading = EpochKind("head", stored=False), EpochKind("head", stored=True)
    if looking in seen and reading not in seen:  # such an epoch reads and learns as well, which is the least of it
        seen[reading] = [STORED_EPOCH * seconds for seconds in seen[looking]]
    return Pace(
        epoch=done + 1 if running else done,
        epochs=len(kinds),
        fraction=min(1.0, work / sum(kind.cost for kind in kinds)),
        seconds_left=_seconds(kinds[done:], share, seen),
        images_per_second=rates.get(False, rates.get(True)),
        passing=running is not None and kinds[done] == looking and not recipe.mix.on,
    )


def as_it_went(recipe: Recipe, entries: Sequence[dict[str, Any]]) -> Recipe:
    """The recipe with as many epochs in each phase that is over as it had: early stopping may have ended it."""
    had = Counter(entry["phase"] for entry in entries if entry.get("kind") == "epoch" and "phase" in entry)
    over = max((entry.get("phase", 0) for entry in entries), default=0)  # phases before this one
    if any(entry.get("kind") == "end" and entry.get("state") == "finished" for entry in entries):
        over = len(recipe.phases)
    phases = [
        phase.model_copy(update={"epochs": had[number]}) if number < over and had[number] else phase
        for number, phase in enumerate(recipe.phases)
    ]
    return recipe.model_copy(update={"phases": tuple(phases)})


def epoch_kinds(recipe: Recipe, stored: dict[int, bool] | None = None) -> list[EpochKind]:
    """The kind of every epoch: as `stored` tells it of those that are over, by their numbers; as expected of the rest.

    While the backbone is frozen every view of the images has to be looked at once. An earlier run may have done that:
    where the views of a phase so far were all read from the cache, its others are expected to be there as well. A
    network for masks looks at pictures at every epoch, and so does one that learns from mixed pictures.
    """
    kinds: list[EpochKind] = []
    for phase in recipe.phases:
        numbers = range(len(kinds) + 1, len(kinds) + phase.epochs + 1)
        if recipe.task == "segmentation":
            kinds += [EpochKind(phase.trainable, stored=False, task=recipe.task) for _ in numbers]
        elif recipe.mix.on:
            kinds += [EpochKind(phase.trainable, stored=False) for _ in numbers]
        else:
            kinds += _kinds(phase, numbers, views(recipe.augment), stored or {})
    return kinds


def _kinds(phase: Phase, numbers: range, views: int, stored: dict[int, bool]) -> list[EpochKind]:
    if phase.trainable != "head":
        return [EpochKind(phase.trainable, stored=False) for _ in numbers]
    kinds: list[EpochKind] = []
    looked_at: set[int] = set()  # views; they take turns
    for number in numbers:
        view = (number - 1) % views
        expected = view in looked_at or (bool(kinds) and all(kind.stored for kind in kinds))
        kinds.append(EpochKind(phase.trainable, stored.get(number, expected)))
        looked_at.add(view)
    return kinds


def _seconds(coming: Sequence[EpochKind], share: float, seen: dict[EpochKind, list[float]]) -> float | None:
    """What the epochs to come will take, the first of which is done by this share; None where that is not known."""
    if not all(kind in seen for kind in coming):
        return None
    each = [sum(seen[kind]) / len(seen[kind]) for kind in coming]
    return sum(each) - (share * each[0] if each else 0.0)
