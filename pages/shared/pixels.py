"""Pictures and their masks in the size of a screen: what is laid over them is drawn at that size, so that outlines and
patterns come out sharp on small pictures and quick on large ones."""

from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image

from core.figures.overlay import ERROR_LEGEND, draw_errors

SMALLEST, LARGEST = 480, 960  # pixels, long side
_SWATCH = 28  # pixels


def size_on_screen(width: int, height: int) -> tuple[int, int]:
    """The width and height in which a picture is drawn: a large one is reduced; a small one is enlarged a whole number
    of times, so that every pixel of its mask stays a square."""
    longest = max(width, height)
    scale = LARGEST / longest if longest > LARGEST else max(1, -(-SMALLEST // longest))
    return max(1, round(width * scale)), max(1, round(height * scale))


def picture_on_screen(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """An RGB image as uint8 (H, W, 3) of this width and height."""
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0))


def mask_on_screen(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask (h, w) uint8 in this width and height, by the nearest neighbour."""
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))


def grey(pixels: np.ndarray) -> np.ndarray:
    """Pixels (H, W, 3) uint8 without their own colours: what is marked on them has the colours of its legend."""
    return np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))


def outline_width(size: tuple[int, int]) -> int:
    """How wide, in pixels, the outlines on a picture of this size are, to be seen beside each other on any colour."""
    return max(2, round(max(size) / 160))


def photo(pixels: np.ndarray) -> bytes:
    """Pixels (H, W, 3) uint8 as a JPEG whose colours are as sharp as its brightness: outlines stay thin lines."""
    Image.fromarray(np.ascontiguousarray(pixels)).save(file := BytesIO(), "JPEG", quality=90, subsampling=0)
    return file.getvalue()


@cache
def error_swatches() -> tuple[tuple[bytes, str], ...]:
    """For each kind of pixel in an error overlay a small PNG of its colour and pattern, and its name."""
    truth = {"hit": 1, "missed": 1, "invented": 0, "confused": 1}
    answer = {"hit": 1, "missed": 0, "invented": 1, "confused": 2}
    side = SMALLEST  # cut from a whole picture, so that the pattern is as coarse as there
    grey = np.full((side, side, 3), 150, np.uint8)
    swatches = []
    for name, *_ in ERROR_LEGEND:
        masks = (np.full((side, side), kinds[name], np.uint8) for kinds in (truth, answer))
        square = draw_errors(grey, *masks)[:_SWATCH, :_SWATCH]
        Image.fromarray(np.ascontiguousarray(square)).save(file := BytesIO(), "PNG")
        swatches.append((file.getvalue(), name))
    return tuple(swatches)
