"""How far a run has come and how long it will still take, read from its journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.augment.catalog import resolve
from core.recipe import Recipe

# What an epoch costs, in passes of the training images through the backbone. Learning in every layer takes about 4.5
# passes (see core.train.estimate); a head that learns from stored features takes next to nothing.
FULL_EPOCH = 4.5
STORED_EPOCH = 0.03


@dataclass(frozen=True)
class Pace:
    """Where a run stands in time."""

    epoch: int  # the one it is in, from 1; 0 before the first
    epochs: int  # of all phases
    fraction: float  # of the whole work, in [0, 1]; by cost, so that the bar moves evenly
    seconds_left: float | None  # None until there is something to measure
    images_per_second: float | None  # latest
    passing: bool  # the frozen backbone is still looking at the images for the first time


def pace(recipe: Recipe, entries: Sequence[dict[str, Any]]) -> Pace:
    """The pace of a run of `recipe` whose journal holds `entries`."""
    costs = epoch_costs(recipe)
    ends = [entry for entry in entries if entry.get("kind") == "epoch"]
    done = min(len(costs), max((entry["epoch"] for entry in ends), default=0))
    work, seconds = sum(costs[:done]), sum(entry["seconds"] for entry in ends)
    latest = ends[-1]["images_per_second"] if ends else None

    running = (
        entries[-1] if entries and entries[-1].get("kind") == "step" and entries[-1]["epoch"] == done + 1 else None
    )
    if running and done < len(costs):
        work += costs[done] * running["step"] / max(1, running["steps"])
        latest = running["images_per_second"]
        seconds += running["step"] * recipe.batch_size / latest if latest else 0.0

    whole = sum(costs)
    epoch = min(len(costs), done + 1) if running else done
    return Pace(
        epoch=epoch,
        epochs=len(costs),
        fraction=min(1.0, work / whole),
        seconds_left=seconds / work * (whole - work) if work else None,
        images_per_second=latest,
        passing=done < len(costs) and costs[done] == 1.0,
    )


def epoch_costs(recipe: Recipe) -> list[float]:
    """The cost of every epoch, in passes of the training images through the backbone.

    While the backbone is frozen only the first epochs look at images, one for each stored view; later ones reuse them.
    """
    views = recipe.augment.views if any(row.probability > 0 for row in resolve(recipe.augment)) else 1
    costs: list[float] = []
    for phase in recipe.phases:
        if phase.trainable == "head":
            costs += [1.0 if number < views else STORED_EPOCH for number in range(phase.epochs)]
        else:
            costs += [FULL_EPOCH] * phase.epochs
    return costs
