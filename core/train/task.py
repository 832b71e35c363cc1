"""What a problem means by loss and by counts. Segmentation will be a second task of the same shape."""

import numpy as np
import torch

from core.metrics.intervals import wilson
from core.recipe import LossChoice
from core.train.losses import build_loss


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

    @property
    def loss(self) -> float:
        """Mean loss over the images so far. Reading it waits for the device."""
        return self._loss.item() / max(1, self.images)

    def metrics(self) -> dict[str, float]:
        """Loss and accuracy of the pass."""
        return {"loss": self.loss, "accuracy": self._hits() / max(1, self.images)}

    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy."""
        found = wilson(self._hits(), self.images)
        return found.low, found.high

    def _hits(self) -> int:
        confusion = self._confusion.cpu().numpy().reshape(self._classes, self._classes)
        return int(np.trace(confusion))


class ClassificationTask:
    """One label per image."""

    def __init__(self, classes: int, loss: LossChoice, device: torch.device) -> None:
        self._classes, self._device = classes, device
        self._loss = build_loss(loss)

    def tally(self) -> Tally:
        """Fresh counts for one pass."""
        return Tally(self._classes, self._device)

    def losses(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """One loss per image, (n,) float32."""
        return self._loss(logits.float(), targets)

    @staticmethod
    def better(one: dict[str, float], other: dict[str, float] | None) -> bool:
        """Whether `one` is the better validation: higher accuracy, and at equal accuracy the lower loss."""
        if other is None:
            return True
        return (one["accuracy"], -one["loss"]) > (other["accuracy"], -other["loss"])
