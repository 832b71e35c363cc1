"""What a classifier and a segmentation network share: they scale pixels as their backbone was trained with."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from core.models.stages import depths


class PixelNetwork(nn.Module):
    """`forward(normalise(images))`: logits (N, K, ...) of images.

    The pixel mean and standard deviation of the backbone's training are buffers: they travel with the weights, so a
    saved model can never be fed pictures scaled in another way.
    """

    mean: torch.Tensor
    std: torch.Tensor
    origin: str = ""  # one sentence: which of its parts start from which weights

    def __init__(self, *, mean: Any, std: Any) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1))

    def group_matcher(self, coarse: bool = False) -> Callable[[str], int]:
        """The depth of a parameter by its name, from 0 at the input; the head is the deepest.

        What timm's layer-wise decay of the learning rate asks a model for; `coarse` counts blocks instead of layers.
        """
        deep = depths(self.backbone, coarse=coarse)
        inside = {id(parameter): deep[name] for name, parameter in self.backbone.named_parameters()}
        known = {name: inside[id(one)] for name, one in self.named_parameters() if id(one) in inside}
        deepest = 1 + max(known.values(), default=-1)
        return lambda name: known.get(name, deepest)

    def no_weight_decay(self) -> set[str]:
        """The parameters that the backbone's makers spare of weight decay, such as positions and class tokens."""
        spared = getattr(self.backbone, "no_weight_decay", set)()
        return {f"backbone.{name}" for name in spared}

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 3, S, S) uint8, on the model's device, as the float32 that the backbone expects, channels last."""
        pixels = images.to(torch.float32, memory_format=torch.channels_last)
        return pixels.div(255).sub_(self.mean).div_(self.std)

    @torch.inference_mode()
    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Class probabilities (N, K, ...) float32 on the CPU of images (N, 3, S, S) uint8 from anywhere.

        Raises ValueError in training mode, where dropout and batch statistics would make them a matter of chance.
        """
        if self.training:
            raise ValueError("probabilities are asked of a model in training mode; call eval() first")
        logits = self(self.normalise(images.to(self.mean.device)))
        return torch.softmax(logits.float(), dim=1).cpu()
