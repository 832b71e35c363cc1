"""What an epoch reads: which rows in which order, and the inputs and targets that belong to them.

A source answers `__getitems__`, PyTorch's batched look-up, with inputs and targets. Each index is a pair (row, draw):
the row of the dataset and the draw number of the augmentation, or None for the image as it is. Because the draw travels
with the index, any process can make any item, and an epoch can be replayed on its own.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from core.augment.pipeline import Augmentation, sample_seed
from core.data.dataset import Dataset
from core.data.loading import DecodedImages
from core.data.mask_files import DecodedMasks
from core.seeding import derive
from core.train.features import FrozenFeatures

Index = tuple[int, int | None]  # row of the dataset, draw of the augmentation
Order = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # the rows of an epoch in the order they come in


class ShuffledBatches:
    """Batches of (row, draw) for one epoch at a time, shuffled by seed and epoch alone.

    A last batch of one image joins the batch before it, since batch normalisation cannot learn from one, and so does
    one that leaves a process with fewer than `least`. `shares` (which of how many) gives a process its part of every
    batch; `order(rows, generator)` arranges the rows of an epoch, a permutation unless told.
    """

    def __init__(
        self,
        rows: Sequence[int],
        batch_size: int,
        seed: int,
        *,
        order: Order | None = None,
        shares: tuple[int, int] = (0, 1),
        least: int = 2,
    ) -> None:
        self._rows = np.asarray(rows)
        self._seed, self._order = seed, order or _permuted
        self._mine, self._shares = shares
        whole, rest = divmod(len(self._rows), batch_size)
        batches = max(1, whole + (rest >= max(2, least * self._shares)))
        self._ends = [*range(batch_size, batch_size * batches, batch_size), len(self._rows)]
        self._draw, self._done = 0, 0

    def start(self, draw: int, done: int = 0) -> None:
        """Choose the epoch by its draw number, from 0, and leave out the first `done` batches of it."""
        self._draw, self._done = draw, done

    def __len__(self) -> int:
        return len(self._ends)

    def images(self, first: int, last: int) -> int:
        """How many images the batches from `first` to `last` have together, over all processes; both count from 1."""
        return self._ends[last - 1] - (self._ends[first - 2] if first > 1 else 0)

    def __iter__(self) -> Iterator[list[Index]]:
        order = self._order(self._rows, np.random.default_rng(derive(self._seed, "shuffle", self._draw)))
        starts = [0, *self._ends]
        for start, end in list(zip(starts, self._ends, strict=False))[self._done :]:
            yield [(int(row), self._draw) for row in order[start:end][self._mine :: self._shares]]


class OrderedBatches:
    """Batches of (row, None) in the order of the dataset, for validation; `shares` as in ShuffledBatches."""

    def __init__(self, rows: Sequence[int], batch_size: int, *, shares: tuple[int, int] = (0, 1)) -> None:
        self._rows, self._batch_size = list(rows[shares[0] :: shares[1]]), batch_size

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def __iter__(self) -> Iterator[list[Index]]:
        for start in range(0, len(self._rows), self._batch_size):
            yield [(row, None) for row in self._rows[start : start + self._batch_size]]


class Itinerary:
    """The batches that a loader reads next: an epoch's or the validation's.

    One loader serves both, so that processes which prepare images are started once. `ahead` is told the indices of the
    batch after the one that is given out, to prepare what it needs.
    """

    def __init__(self, batches: ShuffledBatches | OrderedBatches, ahead: Callable[[list[Index]], None]) -> None:
        self.batches = batches
        self._ahead = ahead

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Index]]:
        coming = iter(self.batches)
        batch = next(coming, None)
        while batch is not None:
            following = next(coming, None)
            if following is not None:
                self._ahead(following)
            yield batch
            batch = following


def _permuted(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return generator.permutation(rows)


class ImageSource(torch.utils.data.Dataset):
    """Images (n, 3, S, S) uint8 and labels (n,) int64; augmented where a draw number is given."""

    def __init__(self, images: DecodedImages, dataset: Dataset, augmentation: Augmentation, seed: int) -> None:
        self._images, self._augmentation, self._seed = images, augmentation, seed
        self._digests = [sample.digest for sample in dataset.samples]
        self._labels = torch.tensor([sample.label for sample in dataset.samples])

    def __getitems__(self, indices: Sequence[Index]) -> tuple[torch.Tensor, torch.Tensor]:
        rows = [row for row, _ in indices]
        images = torch.from_numpy(self._images.get(rows)).permute(0, 3, 1, 2)
        if indices[0][1] is not None:
            images = self._augmentation(
                images, [sample_seed(self._seed, self._digests[row], draw) for row, draw in indices]
            )
        return images, self._labels[rows]

    def prefetch(self, indices: Sequence[Index]) -> None:
        """Begin to decode these images in the background."""
        self._images.prefetch([row for row, _ in indices])


class MaskSource(torch.utils.data.Dataset):
    """Images (n, 3, S, S) uint8 and masks (n, S, S) uint8, varied by one draw where a draw number is given."""

    def __init__(
        self, images: DecodedImages, masks: DecodedMasks, dataset: Dataset, augmentation: Augmentation, seed: int
    ) -> None:
        self._images, self._masks, self._augmentation, self._seed = images, masks, augmentation, seed
        self._digests = [sample.digest for sample in dataset.samples]

    def __getitems__(self, indices: Sequence[Index]) -> tuple[torch.Tensor, torch.Tensor]:
        rows = [row for row, _ in indices]
        images = torch.from_numpy(self._images.get(rows)).permute(0, 3, 1, 2)
        masks = torch.from_numpy(self._masks.get(rows))
        if indices[0][1] is None:
            return images, masks
        seeds = [sample_seed(self._seed, self._digests[row], draw) for row, draw in indices]
        return self._augmentation(images, seeds, masks)

    def prefetch(self, indices: Sequence[Index]) -> None:
        """Begin to decode these images and masks in the background."""
        rows = [row for row, _ in indices]
        self._images.prefetch(rows)
        self._masks.prefetch(rows)


class FeatureSource(torch.utils.data.Dataset):
    """Frozen-backbone features (n, F) float32 and labels (n,) int64."""

    def __init__(self, features: FrozenFeatures, dataset: Dataset) -> None:
        self._features = features
        self._labels = torch.tensor([sample.label for sample in dataset.samples])

    def __getitems__(self, indices: Sequence[Index]) -> tuple[torch.Tensor, torch.Tensor]:
        rows, view = self._asked(indices)
        return self._features.get(rows, view), self._labels[rows]

    def prefetch(self, indices: Sequence[Index]) -> None:
        """Begin to decode those of these images whose features are not there yet."""
        self._features.prefetch(*self._asked(indices))

    def _asked(self, indices: Sequence[Index]) -> tuple[list[int], int | None]:
        draw = indices[0][1]
        return [row for row, _ in indices], None if draw is None else self._features.training_view(draw)
