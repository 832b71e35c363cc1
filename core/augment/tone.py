"""Transforms of light, colour and sharpness that torchvision lacks, or has only with the strength of one fixed draw.

They change images and leave masks and boxes alone.
"""

import math
from typing import Any

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from core.augment.warp import uniform


class Tone(v2.Transform):
    """A transform that changes pixel values (..., 3, S, S) uint8 where they are."""

    def change(self, image: torch.Tensor, params: dict[str, Any]) -> torch.Tensor:
        """The changed image, of the same shape and type."""
        raise NotImplementedError

    def transform(self, inpt: torch.Tensor, params: dict[str, Any]) -> torch.Tensor:
        if isinstance(inpt, tv_tensors.TVTensor) and not isinstance(inpt, tv_tensors.Image):
            return inpt
        return self.change(inpt, params)


class Gamma(Tone):
    """Each value v in [0, 1] becomes v ** gamma, with gamma from `lowest` to `highest`, all as likely."""

    def __init__(self, lowest: float, highest: float) -> None:
        super().__init__()
        self._lowest, self._highest = lowest, highest

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"gamma": uniform(self._lowest, self._highest)}

    def change(self, image: torch.Tensor, params: dict[str, Any]) -> torch.Tensor:
        return functional.adjust_gamma(image, params["gamma"])


class ChannelShift(Tone):
    """Up to `steps` of 255 added to, or taken from, each of red, green and blue."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"shift": torch.randint(-self._steps, self._steps + 1, (3, 1, 1), dtype=torch.int16)}

    def change(self, image: torch.Tensor, params: dict[str, Any]) -> torch.Tensor:
        return (image.to(torch.int16) + params["shift"]).clamp_(0, 255).to(image.dtype)


class Blur(Tone):
    """A Gaussian blur whose standard deviation is up to `largest` of the side, so that it looks alike at every size."""

    def __init__(self, largest: float) -> None:
        super().__init__()
        self._largest = largest

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"share": uniform(0.0, self._largest)}

    def change(self, image: torch.Tensor, params: dict[str, Any]) -> torch.Tensor:
        sigma = params["share"] * image.shape[-1]
        if sigma < 0.1:  # a tenth of a pixel: nothing would change
            return image
        reach = min(math.ceil(3 * sigma), image.shape[-1] - 1)  # three deviations hold all but a thousandth
        wide = 2 * reach + 1
        across = functional.gaussian_blur(image.float(), [wide, 1], [sigma, sigma])  # one way, then the other: at 11
        both = functional.gaussian_blur(across, [1, wide], [sigma, sigma])  # pixels a ninth of the time of both at once
        return both.round_().to(image.dtype)


class Sharpness(Tone):
    """Edges softened or stressed: by a factor from 1 - `strength`, at least 0, which blurs, to 1 + `strength`."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self._strength = strength

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"factor": uniform(max(0.0, 1 - self._strength), 1 + self._strength)}

    def change(self, image: torch.Tensor, params: dict[str, Any]) -> torch.Tensor:
        return functional.adjust_sharpness(image, params["factor"])


class Noise(Tone):
    """Grain: to every value a number is added whose standard deviation is up to `strength` of white."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self._strength = strength

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        image = flat_inputs[0]
        return {"grain": 255 * uniform(0.0, self._strength) * torch.randn(image.shape)}

    def change(self, image: torch.Tensor, params: dict[str, Any]) -> torch.Tensor:
        return (image + params["grain"]).round_().clamp_(0, 255).to(image.dtype)
