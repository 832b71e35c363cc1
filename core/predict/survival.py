"""What survives: whether a trained model still recognises pictures once a policy has varied them.

A policy that destroys what a picture shows teaches wrong labels. A model that never saw the variants is no perfect
judge, since what it never learned may well be learned, but what it loses is what a person should look at. Only pictures
that it recognises as they are count, and none that it has learned from.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.augment.catalog import insist_on_masks, resolve, transform
from core.augment.pipeline import Augmentation, one_thread, sample_seed
from core.data.dataset import IGNORE, Dataset, Sample
from core.data.library import Library
from core.data.loading import fit_image, jpeg, read_image
from core.data.mask_files import fit_mask, read_mask
from core.data.split import units
from core.errors import DatasetError
from core.metrics.intervals import bootstrap_images
from core.metrics.segmentation import background_of
from core.models.classifiers import CHUNK
from core.predict.predictor import trained_model
from core.predict.survived import Kept, LostPicture, RowKept, Survival
from core.recipe import Recipe
from core.runs.data import dataset_of
from core.runs.store import RunStore
from core.seeding import derive
from core.train.checkpoint import Trained
from core.workspace import Workspace

LEAST_DICE = 0.5  # from which a class counts as recognised in a mask
_SHOWN = 8  # lost pictures of the policy, and of each of its rows


def survival(
    run_folder: str,
    dataset_reference: str,
    rows: Sequence[dict[str, Any]],
    *,
    pictures: int = 24,
    variants: int = 4,
    seed: int = 0,
    report: Callable[[int, int, str], None] | None = None,
) -> Survival:
    """What a policy leaves of validation pictures of a dataset, by the best model of a run in the same workspace.

    `dataset_reference` is "id" or "id@revision"; `rows` are those of an AugmentChoice as plain data. Up to `pictures`
    are drawn, the same number of each class as near as can be. Variant v of a picture is the one that a run with this
    seed learns from in its epoch v + 1, as in previews. Of a classifier a picture is recognised when its class is the
    most probable one; of a segmentation network each class in a mask by itself, from a Dice of a half on, and only
    where the varied mask still holds it. `report` is told (done, total, what) in pictures.

    Raises RunError and WeightsError for a run without a usable model, RecipeError for rows that cannot be used,
    DatasetError for a dataset that is gone, has other classes than the run or no picture to look at, ImageError for a
    picture that cannot be read.
    """
    chosen = resolve(Recipe.parse({"augment": {"rows": list(rows)}}).augment)
    folder = Path(run_folder)
    trained = trained_model(folder)
    dataset, samples = _unseen(folder, dataset_reference, trained)
    if dataset.task == "segmentation":
        insist_on_masks(chosen)
    drawn = [row for row in chosen if row.probability > 0]
    policies = [chosen, *((row.model_copy(update={"probability": 1.0}),) for row in drawn)]
    tried = [(Augmentation(policy), _Tally()) for policy in policies]
    looked, recognised = _some(samples, pictures, seed), 0
    for done, (sample, square, found) in enumerate(_as_they_are(trained, dataset, looked)):
        if report is not None:
            report(done, len(looked), "looking at pictures")
        known = {thing: one for thing, one in found.items() if one.recognised}
        recognised += bool(known)
        if not known:
            continue
        seeds = [sample_seed(seed, sample.digest, draw) for draw in range(variants)]
        varied = [_vary(square, augmentation, seeds) for augmentation, _ in tried]
        answers = iter(_look(trained, dataset, [one for some in varied for one in some]))
        for (_, tally), some in zip(tried, varied, strict=True):
            tally.add(sample, square, known, [(one, next(answers)) for one in some])
    if report is not None:
        report(len(looked), len(looked), "looking at pictures")
    (_, whole), *alone = tried
    return Survival(
        pictures=len(looked),
        recognised=recognised,
        variants=variants,
        overall=whole.kept(),
        classes={dataset.classes[thing]: whole.kept(thing) for thing in _things(dataset)},
        rows=tuple(
            RowKept(row.name, transform(row.name).label, tally.kept(), tally.lost(dataset.classes))
            for row, (_, tally) in zip(drawn, alone, strict=True)
        ),
        lost=whole.lost(dataset.classes),
    )


@dataclass(frozen=True)
class _Square:
    """A picture as the model is shown it, with what there is to be recognised."""

    image: torch.Tensor  # (3, S, S) uint8
    label: int  # -1 where there is a mask
    mask: torch.Tensor | None  # (S, S) uint8


@dataclass(frozen=True)
class _Found:
    """What a model makes of one thing in a picture."""

    recognised: bool
    sure: float  # probability of the class, or Dice
    answer: int  # class that it says instead; -1 for masks


class _Tally:
    """Counts of one policy, picture by picture, and the variants that were lost the most."""

    def __init__(self) -> None:
        self._counts: list[dict[int, list[int]]] = []  # for each picture, by class: [kept, of]
        self._lost: list[tuple[float, int, Sample, _Square, _Square, _Found, _Found]] = []

    def add(
        self,
        sample: Sample,
        square: _Square,
        known: dict[int, _Found],
        variants: list[tuple[_Square, dict[int, _Found]]],
    ) -> None:
        """Count the variants of one picture, of which `known` was recognised."""
        counts = {thing: [0, 0] for thing in known}
        worst = None
        for variant, found in variants:
            for thing in known.keys() & found.keys():
                counts[thing][0] += found[thing].recognised
                counts[thing][1] += 1
                if not found[thing].recognised and (worst is None or found[thing].sure < worst[0]):
                    worst = found[thing].sure, thing, sample, square, variant, known[thing], found[thing]
        self._counts.append(counts)
        if worst is not None:  # only so many are held
            self._lost = sorted([*self._lost, worst], key=lambda one: (one[0], one[2].id))[:_SHOWN]

    def kept(self, thing: int | None = None) -> Kept:
        """Of one class, or of all."""
        pairs = [[n for found, n in one.items() if thing in (None, found)] for one in self._counts]
        counts = np.array([np.sum(some, axis=0) for some in pairs if some], dtype=np.int64).reshape(-1, 2)
        counts = counts[counts[:, 1] > 0]
        kept, of = counts.sum(0).tolist()
        interval = bootstrap_images(counts, _share) if of else None
        return Kept(kept, of, tuple(interval) if interval else None)

    def lost(self, classes: Sequence[str]) -> tuple[LostPicture, ...]:
        """The most lost first."""
        return tuple(
            LostPicture(
                sample=sample.id,
                name=sample.name,
                truth=classes[thing],
                answer=classes[after.answer] if after.answer >= 0 else "",
                before=before.sure,
                after=after.sure,
                original=_jpeg(square),
                variant=_jpeg(variant),
            )
            for _, thing, sample, square, variant, before, after in self._lost
        )


def _share(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0] / sums[:, 1]


def _unseen(folder: Path, reference: str, trained: Trained) -> tuple[Dataset, list[Sample]]:
    """The dataset in the splits of the run where it is the run's own, and the pictures to judge by: those of the
    validation split that the model has not learned from, nor from a near duplicate or another of their group, and that
    are not sealed in the same way as its test pictures."""
    workspace = Workspace(folder.absolute().parent.parent)
    own = dataset_of(workspace, RunStore(workspace).get(folder.name))
    dataset = Library(workspace).get(reference)
    if dataset.fingerprint == own.fingerprint:
        dataset = own
    if (dataset.task, dataset.classes) != (own.task, trained.classes):
        raise DatasetError(
            f"The model was not trained for the classes of {dataset.name!r}",
            found=", ".join(dataset.classes),
            expected=", ".join(trained.classes),
            do="Choose a run on this dataset",
        )
    unit_of = {sample.digest: unit for sample, unit in zip(own.samples, units(own.samples), strict=True)}
    closed = {unit_of[sample.digest] for split in ("train", "test") for sample in own.of(split)}
    samples = [one for one in dataset.of("validation") if unit_of.get(one.digest, one.digest) not in closed]
    if not samples:
        raise DatasetError(
            f"There is no picture in {dataset.name!r} to judge by",
            found="no validation picture that is new to the model and not sealed for its test",
            do="Choose a run on this dataset, or split it anew",
        )
    return dataset, samples


def _some(samples: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    """Up to `count` of them, drawn from the classes in turn, in the order of the dataset."""
    shuffled = sorted(samples, key=lambda sample: derive(seed, "survival", sample.digest))
    turns: Counter[int] = Counter()
    placed = []
    for sample in shuffled:
        thing = min(sample.holds, key=lambda one: turns[one], default=-1)  # of a mask, what was seen least
        placed.append((turns[thing], len(placed), sample))
        turns[thing] += 1
    return sorted((sample for *_, sample in sorted(placed)[:count]), key=lambda sample: sample.id)


def _things(dataset: Dataset) -> list[int]:
    """The classes that there are to be recognised."""
    background = background_of(dataset.classes) if dataset.task == "segmentation" else None
    return [place for place in range(len(dataset.classes)) if place != background]


def _as_they_are(
    trained: Trained, dataset: Dataset, samples: Sequence[Sample]
) -> Iterator[tuple[Sample, _Square, dict[int, _Found]]]:
    """Each picture, read, and what the model makes of it; a few in memory at a time."""
    for start in range(0, len(samples), CHUNK):
        some = samples[start : start + CHUNK]
        squares = [_read(dataset, sample, trained.recipe) for sample in some]
        yield from zip(some, squares, _look(trained, dataset, squares), strict=True)


def _read(dataset: Dataset, sample: Sample, recipe: Recipe) -> _Square:
    pixels = fit_image(read_image(dataset.path(sample), name=sample.name), recipe.image_size, recipe.fit)
    mask = None
    if sample.mask:
        fitted = fit_mask(read_mask(dataset.mask(sample), name=sample.name), recipe.image_size, recipe.fit)
        mask = torch.from_numpy(fitted)
    return _Square(torch.from_numpy(pixels).permute(2, 0, 1), sample.label, mask)


@one_thread()
def _vary(square: _Square, augmentation: Augmentation, seeds: Sequence[int]) -> list[_Square]:
    images = square.image.expand(len(seeds), -1, -1, -1)
    if square.mask is None:
        return [_Square(image, square.label, None) for image in augmentation(images, seeds)]
    varied, moved = augmentation(images, seeds, square.mask.expand(len(seeds), -1, -1))
    return [_Square(image, square.label, mask) for image, mask in zip(varied, moved, strict=True)]


def _look(trained: Trained, dataset: Dataset, squares: Sequence[_Square]) -> list[dict[int, _Found]]:
    """For each square, what the model makes of each class in it."""
    found = []
    for start in range(0, len(squares), CHUNK):
        some = squares[start : start + CHUNK]
        answers = trained.model.probabilities(torch.stack([one.image for one in some]))
        for one, maps in zip(some, answers, strict=True):
            found.append(_label_of(one, maps) if one.mask is None else _classes_of(one.mask, maps, _things(dataset)))
    return found


def _label_of(square: _Square, probabilities: torch.Tensor) -> dict[int, _Found]:
    answer = int(probabilities.argmax())
    return {square.label: _Found(answer == square.label, float(probabilities[square.label]), answer)}


def _classes_of(mask: torch.Tensor, maps: torch.Tensor, things: Sequence[int]) -> dict[int, _Found]:
    """The Dice of each class that a mask (S, S) holds, by maps (K, S, S); what the mask leaves out counts nowhere."""
    answer = maps.argmax(0)[mask != IGNORE]
    truth = mask[mask != IGNORE]
    found = {}
    for thing in things:
        there, said = truth == thing, answer == thing
        if there.any():
            dice = 2 * float((there & said).sum()) / float(there.sum() + said.sum())
            found[thing] = _Found(dice >= LEAST_DICE, dice, -1)
    return found


def _jpeg(square: _Square) -> bytes:
    return jpeg(square.image.permute(1, 2, 0).numpy())
