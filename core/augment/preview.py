"""What an augmentation does to images of a dataset: the very variants that training draws, as pictures for a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from core.augment.catalog import resolve
from core.augment.pipeline import Augmentation, sample_seed
from core.data.dataset import load_dataset
from core.data.loading import Fit, fit_image, jpeg, read_image
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
    and fit learns from in its epoch v + 1 (while the backbone is frozen: in view v).

    Raises RecipeError for rows that cannot be used, DatasetError for a dataset or sample that is not there, ImageError
    for an image that cannot be read.
    """
    augmentation = Augmentation(resolve(Recipe.parse({"augment": {"rows": list(rows)}}).augment))
    dataset = load_dataset(Path(dataset_folder))
    lines = []
    for sample in map(dataset.sample, sample_ids):
        original = fit_image(read_image(dataset.path(sample), name=sample.name), size, fit)
        images = torch.from_numpy(original).permute(2, 0, 1).expand(variants, -1, -1, -1)
        varied = augmentation(images, [sample_seed(seed, sample.id, draw) for draw in range(variants)])
        lines.append([jpeg(original), *(jpeg(image.permute(1, 2, 0).numpy()) for image in varied)])
    return lines
