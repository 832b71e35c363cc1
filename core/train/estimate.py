"""What a run will cost, said before it starts: figures of the catalog, and rates seen on this machine. Torch-free."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.augment.catalog import views
from core.models.catalog import PASSES_PER_STEP, find_row
from core.recipe import Phase, Recipe

# A rule of thumb for one pass of one image through a backbone on one CPU core, used until this machine has trained
# something: mobile networks are bound by memory traffic and reach about 20 GMAC/s.
GMACS_PER_CORE_SECOND = 20.0
# A head that found every feature stored has a pace of thousands, which says nothing about looking at pictures. No CPU
# is so many times quicker than the rule of thumb.
CREDIBLE = 20.0
START_SECONDS = 3.0  # loading the model and writing the report


@dataclass(frozen=True)
class Rate:
    """Training images per second that an earlier run reached, and under which choices."""

    network: str
    image_size: int
    trainable: str
    images_per_second: float


@dataclass(frozen=True)
class Estimate:
    """Facts of a run before its start; None where they are not known: all of them outside the catalog."""

    parameters: int | None
    trainable: int | None  # parameters that may change in the last phase
    seconds: float | None  # of the whole run on this machine's CPU; None where it would run on a GPU
    measured: bool  # the seconds come from an earlier run here, not from a rule of thumb


def estimate(
    recipe: Recipe, classes: int, splits: dict[str, int], cores: int, rates: Sequence[Rate] = (), *, gpu: bool = False
) -> Estimate:
    """Parameters and seconds of a run over `splits` {"train": n, "validation": n} images, on `cores` CPU cores.

    `rates` are those of earlier runs here, newest first. With `gpu` this machine may have a GPU: then the time is known
    only for a run that is told to use the CPU, and by the rule of thumb, as earlier runs may have used either.
    """
    row = find_row(recipe.model.backbone)
    if row is None:
        return Estimate(None, None, None, False)
    head = (row.features + 1) * classes
    parameters = row.parameters + head
    trainable = {"head": head, "everything": parameters}.get(recipe.phases[-1].trainable)

    if gpu and recipe.device != "cpu":
        return Estimate(parameters, trainable, None, False)

    gmacs = row.gmacs * (recipe.image_size / row.image_size) ** 2
    pass_seconds = gmacs / (GMACS_PER_CORE_SECOND * max(1, cores))
    train, validation = splits.get("train", 0), splits.get("validation", 0)
    looks = views(recipe.augment)
    seconds, measured = START_SECONDS, False
    for phase in recipe.phases:
        rate = None if gpu else _rate(recipe, phase, rates, most=CREDIBLE / pass_seconds)
        measured = measured or rate is not None
        if phase.trainable == "head":
            seconds += (train * min(looks, phase.epochs) + validation) * (1 / rate if rate else pass_seconds)
        else:
            step = 1 / rate if rate else pass_seconds * PASSES_PER_STEP
            seconds += phase.epochs * (train + validation / PASSES_PER_STEP) * step
    return Estimate(parameters, trainable, seconds, measured)


def _rate(recipe: Recipe, phase: Phase, rates: Sequence[Rate], most: float) -> float | None:
    same = (recipe.model.network, recipe.image_size, phase.trainable)
    return next(
        (
            rate.images_per_second
            for rate in rates
            if (rate.network, rate.image_size, rate.trainable) == same and rate.images_per_second < most
        ),
        None,
    )
