"""One class per pixel: losses over masks, judged by the Dice of the classes without the background."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.augment.pipeline import Augmentation
from core.data.dataset import IGNORE, Dataset, Sample
from core.data.loading import DecodedImages
from core.data.mask_files import DecodedMasks
from core.metrics.segmentation import background_of, dice, mean_dice, mean_interval, mean_iou
from core.recipe import SegmentationRecipe
from core.train.best import is_better
from core.train.events import Look, Looks
from core.train.mask_losses import build_mask_loss, class_weights
from core.train.sources import MaskSource

if TYPE_CHECKING:
    from core.models.unets import Segmenter

MOST_LOOKS = 4  # validation images shown after each epoch
CLASSES_AT_ONCE = 8  # of which pixels are counted together: few steps for a GPU, and no map of a hundred classes


class MaskTally:
    """Additive counts over a pass: summed loss and, of each image and class, three numbers of pixels.

    Neither logits nor masks are kept: an image takes 12 bytes a class, whatever its size.
    """

    def __init__(self, classes: Sequence[str], device: torch.device) -> None:
        self._classes, self._background, self._device = len(classes), background_of(classes), device
        self._loss = torch.zeros((), dtype=torch.float64, device="cpu" if device.type == "mps" else device)
        self._batches: list[torch.Tensor] = []
        self.images = 0

    def add(self, losses: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor) -> None:
        """Count one batch: losses (n,), logits (n, K, S, S), targets (n, S, S) with 255 for what is ignored."""
        self._loss += losses.detach().sum().to(self._loss)
        self._batches.append(pixel_counts(logits.detach(), targets))
        self.images += len(targets)

    def state(self) -> dict[str, Any]:
        """The counts so far."""
        return {"loss": self._loss.cpu(), "counts": torch.from_numpy(self.counts), "images": self.images}

    def absorb(self, state: dict[str, Any]) -> None:
        """Add the counts of another tally."""
        self._loss += state["loss"].to(self._loss)
        self._batches.append(state["counts"].to(self._device, torch.int32))
        self.images += state["images"]

    @property
    def counts(self) -> np.ndarray:
        """Pixels (n, K, 3) int64 of the images so far: hits, predicted, truth."""
        if not self._batches:
            return np.zeros((0, self._classes, 3), np.int64)
        return torch.cat(self._batches).cpu().numpy().astype(np.int64)

    @property
    def loss(self) -> float:
        """Mean loss over the images so far. Reading it waits for the device."""
        return self._loss.item() / max(1, self.images)

    def metrics(self) -> dict[str, float]:
        """Loss, and mean Dice and IoU of the classes without the background, pooled over the pixels of the pass.

        Both are 0 where there was nothing to find and nothing was found: nothing speaks for the model then.
        """
        pooled = self.counts.sum(axis=0)
        scores = {"dice": mean_dice(pooled, self._background), "iou": mean_iou(pooled, self._background)}
        return {"loss": self.loss} | {name: float(np.nan_to_num(value)) for name, value in scores.items()}

    def per_class(self) -> tuple[float | None, ...]:
        """Dice of each class, pooled over pixels; None where neither truth nor answer has a pixel of it."""
        return tuple(None if np.isnan(value) else float(value) for value in dice(self.counts.sum(axis=0)))

    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the mean Dice from drawing images again; None where they are too few."""
        found = mean_interval(self.counts, self._background)
        return None if found is None else (found.low, found.high)


def pixel_counts(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Pixels (n, K, 3) int32 of logits (n, K, S, S) and targets (n, S, S): hits, predicted, truth for each class.

    Ignored pixels are in none of them. Nothing here waits for the device, as a count of bins would.
    """
    predicted = logits.argmax(1).to(targets.dtype).masked_fill(targets == IGNORE, IGNORE)
    parts = []
    for classes in torch.arange(logits.shape[1], dtype=targets.dtype, device=targets.device).split(CLASSES_AT_ONCE):
        answer, truth = (masks[:, None] == classes[:, None, None] for masks in (predicted, targets))
        pixels = [each.sum((2, 3), dtype=torch.int32) for each in (answer & truth, answer, truth)]
        parts.append(torch.stack(pixels, dim=2))
    return torch.cat(parts, dim=1)


class SegmentationTask:
    """See `core.train.task.Task`."""

    # The features of a frozen encoder are megabytes for each picture and save little time, since the decoder takes the
    # most of it: they are computed anew, without gradients, so that pictures can be varied at every epoch.
    stores_features = False

    def __init__(self, recipe: SegmentationRecipe, dataset: Dataset, device: torch.device, cache: Path) -> None:
        self._recipe, self._dataset, self._device = recipe, dataset, device
        weights = class_weights(recipe.loss, dataset)
        self._loss = build_mask_loss(recipe.loss, len(dataset.classes), weights, device)
        self.images = DecodedImages(dataset, recipe.image_size, recipe.fit, cache)
        self._masks = DecodedMasks(dataset, recipe.image_size, recipe.fit, cache)
        self.validation_batch = recipe.batch_size
        self._shown = images_to_show(dataset)

    @staticmethod
    def network(
        recipe: SegmentationRecipe, classes: int, *, pretrained: bool = True, names: Sequence[str] = ()
    ) -> "Segmenter":
        """The segmentation network that a recipe asks for."""
        from core.models.unets import build_segmenter  # here, because classifiers train without SMP installed

        return build_segmenter(recipe.model, classes, recipe.image_size, pretrained=pretrained, names=names)

    def build(self, *, pretrained: bool = True) -> "Segmenter":
        """The network, its decoder drawn from torch's global generator."""
        names = self._dataset.classes
        return self.network(self._recipe, len(names), pretrained=pretrained, names=names)

    def source(self, augmentation: Augmentation) -> MaskSource:
        """Images and masks."""
        return MaskSource(self.images, self._masks, self._dataset, augmentation, self._recipe.draw_seed)

    def mixing(self) -> None:
        """Nothing: a mask of two pictures at once means nothing."""

    def losses(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of a batch, once for each of its images, (n,) float32, of logits (n, K, S, S), targets (n, S, S).

        A Dice over the pixels of a batch cannot be told apart by image.
        """
        return self._loss(logits.float(), targets.long()).expand(len(targets))

    def tally(self) -> MaskTally:
        """Fresh counts for one pass."""
        return MaskTally(self._dataset.classes, self._device)

    def better(self, one: dict[str, float], other: dict[str, float] | None) -> bool:
        """Higher mean Dice, and at equal Dice the lower loss; or the other way round."""
        return is_better(self._recipe, one, other)

    def looks(self) -> Iterator[Looks]:
        """A few validation images and their masks."""
        rows = self._shown
        ids = tuple(self._dataset.samples[row].id for row in rows)
        yield Looks(ids, self.images.get(rows), self._masks.get(rows))

    def look(self, epoch: int, forward: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[Look]:
        """The masks that the model, in evaluation mode, gives them."""
        images = torch.from_numpy(self.images.get(self._shown)).permute(0, 3, 1, 2)
        masks = [forward(batch.to(self._device)).argmax(1) for batch in images.split(self.validation_batch)]
        yield Look(epoch, torch.cat(masks).to(torch.uint8).cpu().numpy())

    def facts(self) -> dict[str, Any]:
        """`picture`: the median width and height, in pixels, of the pictures that the model has learned from."""
        samples = self._dataset.of("train")
        return {"picture": [round(median(getattr(one, side) for one in samples)) for side in ("width", "height")]}

    def close(self) -> None:
        """Let go of the images and masks."""
        self.images.close()
        self._masks.close()


def images_to_show(dataset: Dataset, most: int = MOST_LOOKS) -> list[int]:
    """Rows of up to `most` validation images that together hold as many classes as so few can, in dataset order."""
    left = {row: sample for row, sample in enumerate(dataset.samples) if sample.split == "validation"}
    chosen: list[int] = []
    seen: set[int] = set()

    def gain(row: int) -> tuple[int, int, int]:
        sample: Sample = left[row]
        return len(set(sample.holds) - seen), len(sample.holds), -row

    while left and len(chosen) < most:
        best = max(left, key=gain)
        seen.update(left.pop(best).holds)
        chosen.append(best)
    return sorted(chosen)
