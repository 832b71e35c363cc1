"""What a run will cost, said before it starts: figures of the catalog, and rates seen on this machine. Torch-free."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.augment.catalog import resolve
from core.models.catalog import find_row
from core.recipe import Phase, Recipe

# A rule of thumb for one pass of one image through a backbone on one CPU core, used until this machine has trained
# something: mobile networks are bound by memory traffic and reach about 20 GMAC/s, and a training step costs about 4.5
# passes (measured with lite0 at 224 px: 51 images/s inference, 11 images/s training per core).
GMACS_PER_CORE_SECOND = 20.0
PASSES_PER_STEP = 4.5
START_SECONDS = 3.0  # loading the model and writing the report


@dataclass(frozen=True)
class Rate:
    """Training images per second that an earlier run reached, and under which choices."""

    backbone: str
    image_size: int
    trainable: str
    images_per_second: float


@dataclass(frozen=True)
class Estimate:
    """Facts of a run before its start; None where the backbone is not in the catalog."""

    parameters: int | None
    trainable: int | None  # parameters that may change in the last phase
    seconds: float | None  # of the whole run on this machine
    measured: bool  # the seconds come from an earlier run here, not from a rule of thumb


def estimate(recipe: Recipe, classes: int, splits: dict[str, int], cores: int, rates: Sequence[Rate] = ()) -> Estimate:
    """Parameters and seconds of a run over `splits` {"train": n, "validation": n} images, on `cores` CPU cores."""
    row = find_row(recipe.model.backbone)
    if row is None:
        return Estimate(None, None, None, False)
    head = (row.features + 1) * classes
    parameters = row.parameters + head
    trainable = {"head": head, "everything": parameters}.get(recipe.phases[-1].trainable)

    gmacs = row.gmacs * (recipe.image_size / row.image_size) ** 2
    pass_seconds = gmacs / (GMACS_PER_CORE_SECOND * max(1, cores))
    train, validation = splits.get("train", 0), splits.get("validation", 0)
    views = recipe.augment.views if any(row.probability > 0 for row in resolve(recipe.augment)) else 1
    seconds, measured = START_SECONDS, False
    for phase in recipe.phases:
        if phase.trainable == "head":
            seconds += pass_seconds * (train * min(views, phase.epochs) + validation)
            continue
        rate = _rate(recipe, phase, rates)
        step = 1 / rate if rate else pass_seconds * PASSES_PER_STEP
        measured = measured or rate is not None
        seconds += phase.epochs * (train * step + validation * pass_seconds)
    return Estimate(parameters, trainable, seconds, measured)


def _rate(recipe: Recipe, phase: Phase, rates: Sequence[Rate]) -> float | None:
    same = (recipe.model.backbone, recipe.image_size, phase.trainable)
    seen = [r.images_per_second for r in rates if (r.backbone, r.image_size, r.trainable) == same]
    return seen[0] if seen else None
