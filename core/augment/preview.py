"""What an augmentation does to images of a dataset: the very variants that training draws, as pictures for a page."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from core.augment.catalog import resolve
from core.augment.mixing import Mixing
from core.augment.pipeline import Augmentation, one_thread, sample_seed
from core.data.dataset import DESCRIPTION, Dataset, Sample, load_dataset, newest_revision
from core.data.loading import Fit, fit_image, jpeg, read_image
from core.data.mask_files import fit_mask, mask_png, read_mask
from core.errors import DatasetError, RecipeError
from core.recipe import MixChoice, Recipe
from core.seeding import derive

_SQUARES_KEPT = 48  # 7 MB at 224 pixels: whoever moves a knob looks at the same pictures again


@one_thread()
def preview(
    dataset_folder: str,
    sample_ids: Sequence[str],
    rows: Sequence[dict[str, Any]],
    *,
    seed: int,
    size: int,
    fit: Fit,
    variants: int,
) -> list[list[bytes]]:
    """For each sample: the square that the model is shown, then its variants 0, 1, 2 ..., as JPEG files.

    `rows` are those of an AugmentChoice as plain data. Variant v of a sample is what a run with this seed, image size
    and fit learns from in its epoch v + 1 (while the backbone of a classifier is frozen: in view v).

    Raises RecipeError for rows that cannot be used, DatasetError for a dataset or sample that is not there, ImageError
    for an image that cannot be read.
    """
    augmentation, dataset = _augmentation(rows), _dataset(Path(dataset_folder))
    lines = []
    for sample, images in _squares(dataset, sample_ids, size, fit, variants):
        varied = augmentation(images[1:], _seeds(seed, sample, variants))
        lines.append([_jpeg(images[0]), *map(_jpeg, varied)])
    return lines


@one_thread()
def preview_masks(
    dataset_folder: str,
    sample_ids: Sequence[str],
    rows: Sequence[dict[str, Any]],
    *,
    seed: int,
    size: int,
    fit: Fit,
    variants: int,
) -> list[list[tuple[bytes, bytes]]]:
    """As `preview`, of a segmentation dataset: each square as a JPEG file and its mask as an index PNG.

    Raises also DatasetError for a dataset without masks or a mask that cannot be read.
    """
    augmentation, dataset = _augmentation(rows), _dataset(Path(dataset_folder))
    if dataset.task != "segmentation":
        raise DatasetError(f"{dataset.name!r} has no masks", found=f"data for {dataset.task}", expected="segmentation")
    lines = []
    for sample, images in _squares(dataset, sample_ids, size, fit, variants):
        mask = torch.from_numpy(fit_mask(read_mask(dataset.mask(sample), name=sample.name), size, fit))
        varied, moved = augmentation(images[1:], _seeds(seed, sample, variants), mask.expand(variants, -1, -1))
        shown = [(images[0], mask), *zip(varied, moved, strict=True)]
        lines.append([(_jpeg(image), mask_png(beside.numpy())) for image, beside in shown])
    return lines


@one_thread()
def preview_mix(
    dataset_folder: str,
    sample_ids: Sequence[str],
    mix: Mapping[str, Any] | MixChoice,
    *,
    seed: int,
    size: int,
    fit: Fit,
    rows: Sequence[dict[str, Any]] = (),
) -> list[tuple[bytes, dict[str, float]]]:
    """The samples mixed with one another as a batch of training is: each as a JPEG file, and its soft label.

    A soft label is the share of each class that is in the picture at all, the largest first; together they are 1. Each
    sample is mixed with the one before it, the first with the last. `mix` is a MixChoice or one as plain data; whatever
    its probability, these are mixed. `rows` vary each sample beforehand.

    Raises RecipeError for a mix of neither kind and for values and rows that cannot be used, and what `preview` does;
    DatasetError also for a dataset whose images have masks, which cannot be mixed.
    """
    choice = Recipe.parse({"mix": dict(mix)}).mix.model_copy(update={"probability": 1.0})
    if not choice.on:
        raise RecipeError("mix", found="mixup 0 and cutmix 0", expected="a number above 0 for one of them")
    augmentation, dataset = _augmentation(rows), _dataset(Path(dataset_folder))
    if dataset.task != "classification":
        raise DatasetError(
            f"{dataset.name!r} cannot be mixed", found="images with masks", expected="images with labels"
        )
    squares, labels = [], []
    for sample, images in _squares(dataset, sample_ids, size, fit, 0):
        squares.append(augmentation(images, _seeds(seed, sample, 1)))
        labels.append(sample.label)
    if not squares:
        return []
    images, targets = torch.cat(squares).float(), torch.tensor(labels)
    mixed, shares = Mixing(choice, len(dataset.classes))(images, targets, derive(seed, "mix"))
    pictures = map(_jpeg, mixed.round().to(torch.uint8))
    return [(picture, _soft(dataset.classes, share)) for picture, share in zip(pictures, shares.tolist(), strict=True)]


def _soft(classes: Sequence[str], shares: Sequence[float]) -> dict[str, float]:
    found = [(share, name) for name, share in zip(classes, shares, strict=True) if share > 0]
    return {name: share for share, name in sorted(found, key=lambda pair: -pair[0])}


def _augmentation(rows: Sequence[dict[str, Any]]) -> Augmentation:
    return Augmentation(resolve(Recipe.parse({"augment": {"rows": list(rows)}}).augment))


def _squares(
    dataset: Dataset, sample_ids: Sequence[str], size: int, fit: Fit, variants: int
) -> Iterator[tuple[Sample, torch.Tensor]]:
    """Each sample with its square, as it is and once for each variant: (1 + variants, 3, size, size) uint8."""
    for sample in map(dataset.sample, sample_ids):
        square = _square(dataset.path(sample), sample.name, size, fit)
        yield sample, square.expand(1 + variants, -1, -1, -1)


@lru_cache(maxsize=_SQUARES_KEPT)
def _square(path: Path, name: str, size: int, fit: Fit) -> torch.Tensor:
    """A picture as (3, size, size) uint8, which nobody writes into. What a path holds in a dataset never changes."""
    return torch.from_numpy(fit_image(read_image(path, name=name), size, fit)).permute(2, 0, 1)


def _dataset(folder: Path) -> Dataset:
    """The newest revision of a dataset; its table is read once, since 10,000 lines take longer than a preview."""
    try:
        written = (folder / DESCRIPTION).stat().st_mtime_ns
    except OSError:
        return load_dataset(folder)  # which says what is wrong
    return _loaded(folder, newest_revision(folder), written)


@lru_cache(maxsize=4)
def _loaded(folder: Path, revision: int, _written: int) -> Dataset:
    return load_dataset(folder, revision)


def _seeds(seed: int, sample: Sample, variants: int) -> list[int]:
    return [sample_seed(seed, sample.digest, draw) for draw in range(variants)]


def _jpeg(image: torch.Tensor) -> bytes:
    return jpeg(image.permute(1, 2, 0).numpy())
