"""One label per image: cross-entropy over classes, judged by accuracy."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.augment.mixing import Mixing
from core.augment.pipeline import Augmentation
from core.data.dataset import Dataset
from core.data.loading import DecodedImages
from core.metrics.intervals import wilson
from core.models.classifiers import CHUNK, Classifier, build_classifier
from core.recipe import Recipe
from core.train.best import is_better
from core.train.events import Look, Looks
from core.train.losses import build_loss, training_counts
from core.train.sources import ImageSource


class Tally:
    """Additive counts over a pass: summed loss and a confusion matrix. Nothing that grows with the number of images."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self._classes = classes
        self._loss = torch.zeros((), dtype=torch.float64, device="cpu" if device.type == "mps" else device)
        self._confusion = torch.zeros(classes * classes, dtype=torch.int64, device=device)
        self.images = 0

    def add(self, losses: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor) -> None:
        """Count one batch: losses (n,), logits (n, K), targets (n,)."""
        self._loss += losses.detach().sum().to(self._loss)
        cells = targets * self._classes + logits.detach().argmax(1)
        self._confusion += torch.bincount(cells, minlength=self._classes**2)
        self.images += len(targets)

    def state(self) -> dict[str, Any]:
        """The counts so far."""
        return {"loss": self._loss.cpu(), "confusion": self._confusion.cpu(), "images": self.images}

    def absorb(self, state: dict[str, Any]) -> None:
        """Add the counts of another tally."""
        self._loss += state["loss"].to(self._loss)
        self._confusion += state["confusion"].to(self._confusion)
        self.images += state["images"]

    @property
    def loss(self) -> float:
        """Mean loss over the images so far. Reading it waits for the device."""
        return self._loss.item() / max(1, self.images)

    def metrics(self) -> dict[str, float]:
        """Loss and accuracy of the pass, and F1 averaged over the classes that were there or were answered."""
        confusion = self._cells()
        hits, seen = np.diagonal(confusion), confusion.sum(0) + confusion.sum(1)
        f1 = (2 * hits[seen > 0] / seen[seen > 0]).mean() if self.images else 0.0
        return {"loss": self.loss, "accuracy": self._hits() / max(1, self.images), "macro_f1": float(f1)}

    def per_class(self) -> tuple[float | None, ...]:
        """Nothing: a class of a few images has no figure worth a curve; the report has them with their intervals."""
        return ()

    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy."""
        found = wilson(self._hits(), self.images)
        return found.low, found.high

    def _hits(self) -> int:
        return int(np.trace(self._cells()))

    def _cells(self) -> np.ndarray:
        return self._confusion.cpu().numpy().reshape(self._classes, self._classes)


class ClassificationTask:
    """See `core.train.task.Task`."""

    stores_features = True

    def __init__(self, recipe: Recipe, dataset: Dataset, device: torch.device, cache: Path) -> None:
        self._recipe, self._dataset, self._device = recipe, dataset, device
        self._loss = build_loss(recipe.loss, training_counts(dataset), device)
        self.images = DecodedImages(dataset, recipe.image_size, recipe.fit, cache)
        self.validation_batch = CHUNK if device.type == "cpu" else recipe.batch_size

    @staticmethod
    def network(recipe: Recipe, classes: int, *, pretrained: bool = True, names: Sequence[str] = ()) -> Classifier:
        """The classifier that a recipe asks for."""
        return build_classifier(recipe.model, classes, pretrained=pretrained, names=names)

    def build(self, *, pretrained: bool = True) -> Classifier:
        """The classifier, its head drawn from torch's global generator."""
        names = self._dataset.classes
        return self.network(self._recipe, len(names), pretrained=pretrained, names=names)

    def source(self, augmentation: Augmentation) -> ImageSource:
        """Images and labels."""
        return ImageSource(self.images, self._dataset, augmentation, self._recipe.draw_seed)

    def mixing(self) -> Mixing | None:
        """MixUp and CutMix as the recipe says."""
        return Mixing(self._recipe.mix, len(self._dataset.classes)) if self._recipe.mix.on else None

    def losses(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """One loss per image, (n,) float32, of logits (n, K) and targets (n,), or (n, K) where images are mixed."""
        return self._loss(logits.float(), targets)

    def tally(self) -> Tally:
        """Fresh counts for one pass."""
        return Tally(len(self._dataset.classes), self._device)

    def better(self, one: dict[str, float], other: dict[str, float] | None) -> bool:
        """Higher accuracy, and at equal accuracy the lower loss; or the other way round."""
        return is_better(self._recipe, one, other)

    def looks(self) -> Iterator[Looks]:
        """Nothing: a label is not looked at."""
        return iter(())

    def look(self, epoch: int, forward: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[Look]:
        """Nothing either."""
        return iter(())

    def facts(self) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def close(self) -> None:
        """Let go of the images."""
        self.images.close()
