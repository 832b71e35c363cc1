"""What a run will cost, said before it starts: figures of the catalogs, and rates seen on this machine. Torch-free."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.augment.catalog import views
from core.models.architectures import ARCHITECTURES, find_encoder
from core.models.catalog import PASSES_PER_STEP, find_row
from core.models.heads import head_row
from core.recipe import ModelChoice, Phase, Recipe, SegmenterChoice

# A rule of thumb for one pass of one image through a network on one CPU core, used until this machine has trained
# something: mobile networks are bound by memory traffic and reach about 20 GMAC/s, the wide maps of decoders about 25.
GMACS_PER_CORE_SECOND = 20.0
DECODER_GMACS_PER_CORE_SECOND = 25.0
# What learning from an image costs a segmentation network, in passes (measured with the U-Net on lite0 at 256 px).
MASK_PASSES_PER_STEP = 4.0
FROZEN_PASSES_PER_STEP = 2.8  # the same where the encoder stays as it is
# A head that found every feature stored has a pace of thousands, which says nothing about looking at pictures. No CPU
# is so many times quicker than the rule of thumb.
CREDIBLE = 5.0
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


@dataclass(frozen=True)
class _Network:
    """What is known of a network before it is built."""

    gmacs: float  # one pass of one image of the recipe's size
    gmacs_per_second: float  # on one CPU core
    parameters: int | None = None
    head: int | None = None  # parameters of what always learns


def estimate(
    recipe: Recipe,
    classes: int,
    splits: dict[str, int],
    cores: int,
    rates: Sequence[Rate] = (),
    *,
    gpu: bool = False,
    described: Mapping[str, Any] | None = None,
) -> Estimate:
    """Parameters and seconds of a run over `splits` {"train": n, "validation": n} images, on `cores` CPU cores.

    `rates` are those of earlier runs here, newest first. With `gpu` this machine may have a GPU: then the time is known
    only for a run that is told to use the CPU, and by the rule of thumb, as earlier runs may have used either.
    `described` is what `core.train.rehearsal.describe` says of the recipe. Without it nothing is known of a backbone
    outside the catalog nor of how many parameters of some layers or blocks may change, and of a segmentation network
    only a rough time.
    """
    told = described or {}
    if isinstance(recipe.model, SegmenterChoice):
        network = _segmenter(recipe.model, recipe.image_size, told)
    else:
        network = _classifier(recipe.model, recipe.image_size, classes, told)
    if network is None:
        return Estimate(None, None, None, False)
    trainable = {"head": network.head, "everything": network.parameters}.get(recipe.phases[-1].trainable)
    if told.get("phases"):
        trainable = told["phases"][-1]["trainable"]

    if gpu and recipe.device != "cpu":
        return Estimate(network.parameters, trainable, None, False)

    pass_seconds = network.gmacs / (network.gmacs_per_second * max(1, cores))
    seconds, measured = START_SECONDS, False
    for phase in recipe.phases:
        rate = None if gpu else _rate(recipe, phase, rates, most=CREDIBLE / pass_seconds)
        measured = measured or rate is not None
        seconds += _phase_seconds(recipe, phase, splits, pass_seconds, rate)
    return Estimate(network.parameters, trainable, seconds, measured)


def _phase_seconds(
    recipe: Recipe, phase: Phase, splits: dict[str, int], pass_seconds: float, rate: float | None
) -> float:
    train, validation = splits.get("train", 0), splits.get("validation", 0)
    frozen = phase.trainable == "head"
    if frozen and recipe.task == "classification" and not recipe.mix.on:  # one look at each picture: features are kept
        looks = views(recipe.augment) if phase.solver == "convex" else min(views(recipe.augment), phase.epochs)
        return (train * looks + validation) * (1 / rate if rate else pass_seconds)
    if recipe.task == "classification":
        passes = 1.0 if frozen else PASSES_PER_STEP  # mixed pictures are new ones at every step
    else:
        passes = FROZEN_PASSES_PER_STEP if frozen else MASK_PASSES_PER_STEP
    step = 1 / rate if rate else pass_seconds * passes
    return phase.epochs * (train + validation / passes) * step


def _classifier(choice: ModelChoice, image_size: int, classes: int, described: Mapping[str, Any]) -> _Network | None:
    if described.get("gmacs"):
        return _Network(described["gmacs"], GMACS_PER_CORE_SECOND, described["parameters"], described["head"])
    row = find_row(choice.backbone)
    if row is None:
        return None
    head = head_row(choice.head).parameters(row.features, classes, choice.hidden)
    gmacs = row.gmacs * (image_size / row.image_size) ** 2
    return _Network(gmacs, GMACS_PER_CORE_SECOND, row.parameters + head, head)


def _segmenter(choice: SegmenterChoice, image_size: int, described: Mapping[str, Any]) -> _Network | None:
    if described.get("gmacs"):
        told = described["parameters"], described["head"]
        return _Network(described["gmacs"], DECODER_GMACS_PER_CORE_SECOND, *told)
    row = next((row for row in ARCHITECTURES if row.name == choice.architecture), None)
    encoder_row = find_encoder(choice.encoder)
    if row is None or encoder_row is None:
        return None
    gmacs = encoder_row.gmacs * row.encoder_factor + row.decoder_gmacs
    return _Network(gmacs * (image_size / 224) ** 2, DECODER_GMACS_PER_CORE_SECOND)


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
