"""A large picture in overlapping windows: each is shown to the network as a training picture was, and where windows
overlap their answers are blended.

A network learned structures of a certain size in pixels. A picture many times larger than those it learned from, seen
whole, shows it the same things far too small. Windows as large as the training pictures keep the scale.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from core.data.loading import PAD_GREY, Fit, inner_box
from core.errors import ImageError
from core.predict.views import Look

MOST_VALUES = 64_000_000  # of the blended maps held in memory: 256 MB
MOST_PIXELS_SEEN = 64_000_000  # by the network, overlaps and all; on two CPU cores that is some minutes
PIXELS_AT_ONCE = 1 << 20  # of one pass, so that the network's memory stays bounded: 16 squares of 256 pixels
MOST_AT_ONCE = 16


@dataclass(frozen=True)
class Tiling:
    """Windows over a picture, all of one size, laid out on the picture as the network would see it: `width` x `height`
    pixels at the model's scale, each window `wide` x `tall` of them."""

    width: int
    height: int
    wide: int
    tall: int
    lefts: tuple[int, ...]  # of the windows, ascending; the last one ends at `width`
    tops: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.lefts) * len(self.tops)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """(left, top) of every window, row by row."""
        return ((left, top) for top in self.tops for left in self.lefts)


def lay_out(picture: tuple[int, int], window: tuple[int, int], size: int, fit: Fit) -> Tiling:
    """Windows of `window` (width, height) pixels over a picture (width, height), overlapping by half at least.

    Each window becomes a square of `size` pixels as `fit` does it, "squash" or "pad". A window is never larger than the
    picture, so a small picture has a single one, which is the picture.
    """
    wide, tall = min(picture[0], window[0]), min(picture[1], window[1])
    if fit == "squash":
        inner_wide = inner_tall = size
    else:
        left, top, right, bottom = inner_box(wide, tall, size)
        inner_wide, inner_tall = right - left, bottom - top
    width, height = (
        max(inner, round(length * inner / part))
        for length, inner, part in zip(picture, (inner_wide, inner_tall), (wide, tall), strict=True)
    )
    lefts, tops = _starts(width, inner_wide), _starts(height, inner_tall)
    return Tiling(width, height, inner_wide, inner_tall, lefts, tops)


def _starts(length: int, window: int) -> tuple[int, ...]:
    """Where windows begin so that they cover 0 .. length and each overlaps the next by half at least."""
    room = length - window
    steps = math.ceil(room / max(1, window // 2))
    return tuple(round(room * step / steps) for step in range(steps + 1)) if steps else (0,)


def insist_on_bounds(tiling: Tiling, layers: int, size: int, views: int, name: str) -> None:
    """Raise ImageError when blending `layers` maps, or looking at every window `views` times, would be too much."""
    values, seen = layers * tiling.width * tiling.height, len(tiling) * size * size * views
    if values > MOST_VALUES or seen > MOST_PIXELS_SEEN:
        raise ImageError(
            f"{name} is too large for tiles",
            found=f"{len(tiling):,} tiles of {size} x {size} pixels"
            + (f", {views} views of each" if views > 1 else ""),
            expected=f"at most {MOST_PIXELS_SEEN // (size * size * views):,} tiles"
            if seen > MOST_PIXELS_SEEN
            else f"at most {MOST_VALUES // layers // 1_000_000} megapixels for {layers} maps",
            do="Look at the whole picture at once, or cut it into parts",
        )


def blended(look: Look, image: Image.Image, tiling: Tiling, size: int) -> np.ndarray:
    """The maps of all windows, blended, (K, tiling.height, tiling.width) float32.

    The weight of a window falls smoothly from its centre to its edge, where a network sees only half of what stands
    there, and the weights of all windows add up to one at every pixel.
    """
    weight = np.outer(_hill(tiling.tall), _hill(tiling.wide))
    left, top = (size - tiling.wide) // 2, (size - tiling.tall) // 2
    maps, weights = np.zeros(0, np.float32), np.zeros((tiling.height, tiling.width), np.float32)
    for places in _batches(list(tiling), size):
        squares = np.stack([_square(image, tiling, place, size) for place in places])
        answers = look(torch.from_numpy(squares).permute(0, 3, 1, 2)).numpy()
        inner = answers[:, :, top : top + tiling.tall, left : left + tiling.wide]
        if not maps.size:
            maps = np.zeros((inner.shape[1], tiling.height, tiling.width), np.float32)
        for (x, y), answer in zip(places, inner, strict=True):
            maps[:, y : y + tiling.tall, x : x + tiling.wide] += answer * weight
            weights[y : y + tiling.tall, x : x + tiling.wide] += weight
    maps /= weights
    return maps


def _hill(length: int) -> np.ndarray:
    """Weights of `length` pixels: a squared sine, which adds up to one with its neighbour half a length away, and is
    nowhere zero."""
    return np.sin(np.pi * (np.arange(length, dtype=np.float32) + 0.5) / length) ** 2


def _batches(places: Sequence[tuple[int, int]], size: int) -> Iterator[Sequence[tuple[int, int]]]:
    most = max(1, min(MOST_AT_ONCE, PIXELS_AT_ONCE // (size * size)))
    return (places[start : start + most] for start in range(0, len(places), most))


def _square(image: Image.Image, tiling: Tiling, place: tuple[int, int], size: int) -> np.ndarray:
    """One window as the network is to see it, uint8 (size, size, 3); grey around it as `fit_image` puts there."""
    across, down = image.width / tiling.width, image.height / tiling.height
    box = (
        place[0] * across,
        place[1] * down,
        min(image.width, (place[0] + tiling.wide) * across),
        min(image.height, (place[1] + tiling.tall) * down),
    )
    window = image.resize((tiling.wide, tiling.tall), Image.Resampling.BICUBIC, box=box)
    if window.size == (size, size):
        return np.asarray(window)
    square = Image.new("RGB", (size, size), (PAD_GREY,) * 3)
    square.paste(window, ((size - tiling.wide) // 2, (size - tiling.tall) // 2))
    return np.asarray(square)
