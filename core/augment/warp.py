"""Transforms that move pixels, as coordinate maps that can be joined and then resampled once.

A map is a matrix (3, 3) that takes a place of the result to the place of the source that is shown there. Places are
(x, y, 1) with x and y from -1 to 1 across the square image. One map after another is one matrix product, so however
many are drawn, an image is resampled once and blurs once. What lies outside the image is its mirror image: no black
corners that give the transform away, neither to the eye nor to the network.

A matrix whose last row is not (0, 0, 1) shows the image as a plane seen at an angle; it joins with the others all the
same. Bending is no matrix, and resamples by itself.
"""

import math
from typing import Any

import torch
from torch.nn.functional import grid_sample, interpolate
from torchvision import tv_tensors
from torchvision.transforms import v2

# How near a plane seen at an angle may come, of the distance of its middle. Nothing is shown that is behind the eye, as
# would be, upside down, where an image is made much smaller too.
_NEAREST = 0.1
# How far a bump may pull a place, of the distance to the next one: further, and the image could fold over itself.
_MOST_BENT = 0.25


def warp(images: torch.Tensor, matrices: torch.Tensor, *, nearest: bool = False) -> torch.Tensor:
    """Square images (N, C, S, S) uint8 seen through the maps (N, 3, 3) float32; the same shape and type.

    A pixel is mixed of the four around its place, or with `nearest` taken from the one nearest to it, as masks need.
    """
    return _resample(images, _places(matrices, images.shape[-1]), nearest)


def _resample(images: torch.Tensor, places: torch.Tensor, nearest: bool) -> torch.Tensor:
    pixels = images.to(torch.float32, memory_format=torch.contiguous_format)
    mode = "nearest" if nearest else "bilinear"
    moved = grid_sample(pixels, places, mode=mode, padding_mode="reflection", align_corners=False)
    return moved.round_().to(images.dtype)


def _places(matrices: torch.Tensor, side: int) -> torch.Tensor:
    """Where each pixel of the result is shown from, (N, side, side, 2).

    torch's affine_grid gives the same by a product of matrices; half of the time of a warp would be spent in it.
    """
    middles = _middles(side)
    found = torch.empty(len(matrices), side, side, 2)
    for axis in (0, 1):
        along_x, along_y, start = matrices[:, axis, :, None].unbind(1)
        torch.add((along_y * middles + start)[:, :, None], (along_x * middles)[:, None, :], out=found[..., axis])
    if (matrices[:, 2, :2] != 0).any():  # divided by how far away each place is; by exactly 1 where nothing is slanted
        along_x, along_y, start = matrices[:, 2, :, None].unbind(1)
        away = (along_y * middles + start)[:, :, None] + (along_x * middles)[:, None, :]
        found /= away.clamp_(min=_NEAREST)[..., None]
    return found


def _middles(side: int) -> torch.Tensor:
    """Where the middles of `side` pixels are between -1 and 1."""
    return (2 * torch.arange(side) + 1) / side - 1


class Warp(v2.Transform):
    """A transform that moves the pixels of images and masks by a map it draws."""

    def draw(self) -> torch.Tensor:
        """A map (3, 3) float32 drawn from torch's generator."""
        raise NotImplementedError

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"matrix": self.draw()}

    def transform(self, inpt: torch.Tensor, params: dict[str, Any]) -> torch.Tensor:
        return _moved(inpt, _places(params["matrix"][None], inpt.shape[-1]))


def _moved(inpt: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """An image or a mask (..., S, S) seen at places (1, S, S, 2), of the same kind."""
    layers = inpt.as_subclass(torch.Tensor).reshape(1, -1, *inpt.shape[-2:])  # all of them move alike
    moved = _resample(layers, places, isinstance(inpt, tv_tensors.Mask)).reshape(inpt.shape)
    return tv_tensors.wrap(moved, like=inpt) if isinstance(inpt, tv_tensors.TVTensor) else moved


class QuarterTurn(Warp):
    """A turn by 90, 180 or 270 degrees, each as likely; every pixel lands on a pixel."""

    def draw(self) -> torch.Tensor:
        x, y = ((0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(torch.randint(3, ()))]
        return torch.tensor([[x, -y, 0.0], [y, x, 0.0], [0.0, 0.0, 1.0]])


class Rotation(Warp):
    """A turn by an angle from -degrees to degrees, all as likely."""

    def __init__(self, degrees: float) -> None:
        super().__init__()
        self._degrees = degrees

    def draw(self) -> torch.Tensor:
        angle = math.radians(uniform(-self._degrees, self._degrees))
        x, y = math.cos(angle), math.sin(angle)
        return torch.tensor([[x, -y, 0.0], [y, x, 0.0], [0.0, 0.0, 1.0]])


class Zoom(Warp):
    """Larger or smaller about the centre, by a factor from `smallest` to `largest`; twice is as likely as half."""

    def __init__(self, smallest: float, largest: float) -> None:
        super().__init__()
        self._smallest, self._largest = smallest, largest

    def draw(self) -> torch.Tensor:
        factor = _log_uniform(self._smallest, self._largest)
        return torch.diag(torch.tensor([1 / factor, 1 / factor, 1.0]))


class Shift(Warp):
    """Moved by up to `share` of the side, in x and in y on their own."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def draw(self) -> torch.Tensor:
        x, y = (2 * uniform(-self._share, self._share) for _ in range(2))  # the side is 2 long in these coordinates
        return torch.tensor([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


class Shear(Warp):
    """Slanted by an angle from -degrees to degrees, either sideways or upwards."""

    def __init__(self, degrees: float) -> None:
        super().__init__()
        self._degrees = degrees

    def draw(self) -> torch.Tensor:
        slant = math.tan(math.radians(uniform(-self._degrees, self._degrees)))
        x, y = (slant, 0.0) if torch.rand(()) < 0.5 else (0.0, slant)
        return torch.tensor([[1.0, x, 0.0], [y, 1.0, 0.0], [0.0, 0.0, 1.0]])


class Crop(Warp):
    """A part of at least `area` of the image, with sides that differ by up to `stretch` times, made full size."""

    def __init__(self, area: float, stretch: float) -> None:
        super().__init__()
        self._area, self._stretch = area, stretch

    def draw(self) -> torch.Tensor:
        side = math.sqrt(uniform(self._area, 1.0))
        stretch = math.sqrt(_log_uniform(1 / self._stretch, self._stretch))
        width, height = min(1.0, side * stretch), min(1.0, side / stretch)
        x, y = uniform(width - 1, 1 - width), uniform(height - 1, 1 - height)
        return torch.tensor([[width, 0.0, x], [0.0, height, y], [0.0, 0.0, 1.0]])


class Cut(Warp):
    """A square of `side` of the image's side, from any place in it, made full size."""

    def __init__(self, side: float) -> None:
        super().__init__()
        self._side = side

    def draw(self) -> torch.Tensor:
        x, y = (uniform(self._side - 1, 1 - self._side) for _ in range(2))
        return torch.tensor([[self._side, 0.0, x], [0.0, self._side, y], [0.0, 0.0, 1.0]])


class Affine(Warp):
    """A turn, a zoom by up to `zoom` times either way, a shift and a slant, all drawn at once."""

    def __init__(self, degrees: float, zoom: float, share: float, shear: float) -> None:
        super().__init__()
        self._parts = (Rotation(degrees), Shear(shear), Zoom(1 / zoom, zoom), Shift(share))

    def draw(self) -> torch.Tensor:
        return torch.linalg.multi_dot([part.draw() for part in self._parts])


class Perspective(Warp):
    """Seen at an angle: each corner shows a place up to `share` of the side away from it, in x and in y.

    Below a quarter of the side four corners always keep their order, so that nothing folds over.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def draw(self) -> torch.Tensor:
        rows, values = [], []
        for x, y in ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)):
            u, v = (at + 2 * uniform(-self._share, self._share) for at in (x, y))
            rows += [[x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y], [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y]]
            values += [u, v]
        found = torch.linalg.solve(torch.tensor(rows, dtype=torch.float64), torch.tensor(values, dtype=torch.float64))
        return torch.cat([found, found.new_ones(1)]).reshape(3, 3).float()


class Elastic(v2.Transform):
    """Bent smoothly, with `bumps` across the image, each pulled any way by up to `strength` of what does not fold.

    Places between are found by cubic interpolation: as smooth as blurred noise (Simard et al. 2003,
    https://doi.org/10.1109/ICDAR.2003.1227801) and several times faster.
    """

    def __init__(self, strength: float, bumps: int) -> None:
        super().__init__()
        self._strength, self._bumps = strength, bumps

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        pulled = 2 * torch.rand(1, 2, self._bumps + 1, self._bumps + 1) - 1
        return {"pulls": pulled * self._strength * _MOST_BENT * 2 / self._bumps}

    def transform(self, inpt: torch.Tensor, params: dict[str, Any]) -> torch.Tensor:
        side = inpt.shape[-1]
        pulls = interpolate(params["pulls"], (side, side), mode="bicubic", align_corners=True)[0]
        places = pulls + torch.stack(torch.meshgrid(_middles(side), _middles(side), indexing="xy"))
        return _moved(inpt, places.permute(1, 2, 0)[None])


def uniform(low: float, high: float) -> float:
    """A number from low to high, all as likely, from torch's generator."""
    return low + (high - low) * float(torch.rand((), dtype=torch.float64))


def _log_uniform(low: float, high: float) -> float:
    return math.exp(uniform(math.log(low), math.log(high)))
