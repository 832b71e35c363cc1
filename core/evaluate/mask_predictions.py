"""Let a segmentation network answer a whole split at the size of each picture, in memory that does not grow with it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from core.data.dataset import Dataset, Sample
from core.data.loading import LARGE_PIXELS, DecodedImages
from core.data.mask_files import mask_png, read_mask, restored
from core.errors import DatasetError
from core.evaluate.masks import Levels, MaskTable, count_levels, levels_of
from core.machine import cores
from core.metrics.boundary import boundary_errors
from core.metrics.segmentation import mask_confusion
from core.models.classifiers import in_chunks
from core.recipe import Recipe
from core.runs.run import mask_name
from core.workspace import replacing

if TYPE_CHECKING:
    from core.models.unets import Segmenter  # not at work: classifiers are evaluated where SMP is not installed

CHUNK = 4  # images a pass: few, because what comes out is K maps of S x S for each

_one_large_picture = threading.Lock()


def predict_masks(
    model: "Segmenter",
    dataset: Dataset,
    split: str,
    recipe: Recipe,
    cache: Path,
    folder: Path,
    *,
    checkpoint: str = "",
    report: Callable[[int, int], None] | None = None,
) -> tuple[MaskTable, Levels | None]:
    """What `model`, in evaluation mode and on any device, makes of every image of a split, without augmentation.

    The model sees images as squares; its probabilities are brought back to the size of the picture, and there they are
    held against the mask. The answer goes to `folder` as an index PNG named by the sample's id. Levels are counted for
    two classes. Images go through the model in passes of one fixed size, so the same weights always give the same
    table, bit for bit on a CPU; besides the counts no more than two passes are in memory. `report` is told how many
    images are done, of how many; what it raises ends the work.

    Raises DatasetError when the split is empty or a mask is gone or does not fit, StorageError when the disk is full.
    """
    rows = [row for row, sample in enumerate(dataset.samples) if sample.split == split]
    if not rows:
        raise DatasetError(f"The {split} split of {dataset.name!r} has no images")
    samples = [dataset.samples[row] for row in rows]
    found: list[_Found] = []
    with (
        DecodedImages(dataset, recipe.image_size, recipe.fit, cache) as decoded,
        ThreadPoolExecutor(min(CHUNK, cores()), thread_name_prefix="restore") as threads,
    ):
        waiting: list[Future[_Found]] = []
        for samples_now, maps in _answers(model, decoded, rows, samples):
            found += [future.result() for future in waiting]  # of the pass before: done while the model was at this one
            if report:
                report(len(found), len(rows))
            waiting = [
                threads.submit(_judge, dataset, sample, each, recipe, folder)
                for sample, each in zip(samples_now, maps, strict=True)
            ]
        found += [future.result() for future in waiting]
    table = MaskTable(
        classes=dataset.classes,
        ids=tuple(sample.id for sample in samples),
        files=tuple(sample.name for sample in samples),
        sizes=np.array([(sample.width, sample.height) for sample in samples], dtype=np.int64),
        confusion=np.stack([each.confusion for each in found]),
        outlines=np.stack([each.outlines for each in found]),
        split=split,
        checkpoint=checkpoint,
    )
    levels = [each.levels for each in found if each.levels is not None]
    return table, Levels(np.stack(levels), checkpoint) if levels else None


def level_png(model: "Segmenter", dataset: Dataset, sample: Sample, recipe: Recipe, cache: Path) -> bytes:
    """The bins (see `Levels`) of one picture of a dataset with two classes, as an 8-bit grey PNG of its size."""
    row = dataset.samples.index(sample)
    with DecodedImages(dataset, recipe.image_size, recipe.fit, cache) as decoded:
        _, maps = next(_answers(model, decoded, [row], [sample]))
    levels = np.empty((sample.height, sample.width), np.uint8)
    for top, strip in restored(maps[0], sample.width, sample.height, recipe.fit):
        levels[top : top + strip.shape[1]] = levels_of(strip)
    return mask_png(levels)


@dataclass(frozen=True, eq=False)
class _Found:
    """What came out for one image, in counts."""

    confusion: np.ndarray  # (K, K)
    outlines: np.ndarray  # (K, 2)
    levels: np.ndarray | None  # (2, 100), for two classes


def _answers(
    model: "Segmenter", decoded: DecodedImages, rows: Sequence[int], samples: Sequence[Sample]
) -> Iterator[tuple[Sequence[Sample], np.ndarray]]:
    """A pass of samples and their probabilities (n, K, S, S), pass after pass."""
    for start in range(0, len(rows), CHUNK):
        images = torch.from_numpy(decoded.get(rows[start : start + CHUNK])).permute(0, 3, 1, 2)
        decoded.prefetch(rows[start + CHUNK : start + 3 * CHUNK])  # decoded while the model is at these
        yield samples[start : start + CHUNK], in_chunks(model.probabilities, images, CHUNK).numpy()


def _judge(dataset: Dataset, sample: Sample, maps: np.ndarray, recipe: Recipe, folder: Path) -> _Found:
    """Hold the probabilities (K, S, S) of one image against its mask, and keep the answer as a file."""
    with _one_large_picture if sample.width * sample.height > LARGE_PIXELS else nullcontext():
        truth = read_mask(dataset.mask(sample), name=sample.name)
        if truth.shape != (sample.height, sample.width):
            raise DatasetError(
                f"The mask of {sample.name} has another size than its image",
                found=f"{truth.shape[1]} x {truth.shape[0]} pixels",
                expected=f"{sample.width} x {sample.height}",
                do="Import the dataset again",
            )
        k = len(maps)
        answer = np.empty_like(truth)
        confusion = np.zeros((k, k), np.int64)
        levels = np.zeros((2, 100), np.int64) if k == 2 else None
        for top, strip in restored(maps, sample.width, sample.height, recipe.fit):
            part = slice(top, top + strip.shape[1])
            answer[part] = strip.argmax(axis=0)
            confusion += mask_confusion(truth[part], answer[part], k)
            if levels is not None:
                levels += count_levels(truth[part], levels_of(strip))
        with replacing(folder / mask_name(sample.id)) as temporary:
            temporary.write_bytes(mask_png(answer))
        return _Found(confusion, boundary_errors(truth, answer, k), levels)
