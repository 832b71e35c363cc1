"""What an augmentation does to images of a dataset: the very variants that training draws, as pictures for a page."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from core.augment.catalog import resolve
from core.augment.pipeline import Augmentation, sample_seed
from core.data.dataset import Dataset, Sample, load_dataset
from core.data.loading import Fit, fit_image, jpeg, read_image
from core.data.mask_files import fit_mask, mask_png, read_mask
from core.errors import DatasetError
from core.recipe import Recipe


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
    augmentation, dataset = _augmentation(rows), load_dataset(Path(dataset_folder))
    lines = []
    for sample, images in _squares(dataset, sample_ids, size, fit, variants):
        varied = augmentation(images[1:], _seeds(seed, sample, variants))
        lines.append([_jpeg(images[0]), *map(_jpeg, varied)])
    return lines


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
    augmentation, dataset = _augmentation(rows), load_dataset(Path(dataset_folder))
    if dataset.task != "segmentation":
        raise DatasetError(f"{dataset.name!r} has no masks", found=f"data for {dataset.task}", expected="segmentation")
    lines = []
    for sample, images in _squares(dataset, sample_ids, size, fit, variants):
        mask = torch.from_numpy(fit_mask(read_mask(dataset.mask(sample), name=sample.name), size, fit))
        varied, moved = augmentation(images[1:], _seeds(seed, sample, variants), mask.expand(variants, -1, -1))
        shown = [(images[0], mask), *zip(varied, moved, strict=True)]
        lines.append([(_jpeg(image), mask_png(beside.numpy())) for image, beside in shown])
    return lines


def _augmentation(rows: Sequence[dict[str, Any]]) -> Augmentation:
    return Augmentation(resolve(Recipe.parse({"augment": {"rows": list(rows)}}).augment))


def _squares(
    dataset: Dataset, sample_ids: Sequence[str], size: int, fit: Fit, variants: int
) -> Iterator[tuple[Sample, torch.Tensor]]:
    """Each sample with its square, as it is and once for each variant: (1 + variants, 3, size, size) uint8."""
    for sample in map(dataset.sample, sample_ids):
        original = fit_image(read_image(dataset.path(sample), name=sample.name), size, fit)
        yield sample, torch.from_numpy(original).permute(2, 0, 1).expand(1 + variants, -1, -1, -1)


def _seeds(seed: int, sample: Sample, variants: int) -> list[int]:
    return [sample_seed(seed, sample.digest, draw) for draw in range(variants)]


def _jpeg(image: torch.Tensor) -> bytes:
    return jpeg(image.permute(1, 2, 0).numpy())
