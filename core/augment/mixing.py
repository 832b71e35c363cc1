"""Mixing the images of a batch with one another, and their labels in the same proportion."""

import torch
from torchvision.transforms import v2

from core.recipe import MixChoice


class Mixing:
    """MixUp and CutMix as a recipe chooses them; of both, one or the other for each batch with equal chance.

    Each image is mixed with the one before it in the batch, so batches are to come shuffled.
    """

    def __init__(self, choice: MixChoice, classes: int) -> None:
        self._probability, self._classes = choice.probability, classes
        kinds = [(choice.mixup, v2.MixUp), (choice.cutmix, v2.CutMix)]
        self._mixes = [kind(alpha=alpha, num_classes=classes) for alpha, kind in kinds if alpha > 0]

    def __call__(self, images: torch.Tensor, labels: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (n, 3, S, S) float32 and soft targets (n, K) float32 of images of that kind and labels (n,) int64.

        Every draw comes from `seed`; torch's own generator is left as it was, and so are the images given.
        """
        with torch.random.fork_rng(devices=[]):  # all draws are made on the CPU; no GPU's generator is touched
            torch.default_generator.manual_seed(seed)
            if self._mixes and float(torch.rand(())) < self._probability:
                mix = self._mixes[int(torch.randint(len(self._mixes), ()))]
                return mix(images, labels)
        return images, torch.nn.functional.one_hot(labels, self._classes).float()
