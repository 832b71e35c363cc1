"""Masks as files and as squares: read one, make it square beside its image, and bring an answer back to full size.

A mask is uint8 (H, W): the index of a class at each pixel, or IGNORE. It is only ever resized by the nearest neighbour,
so that no class appears that was not there.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from core.data.dataset import IGNORE, Sample
from core.data.loading import DecodedRows, Fit, inner_box
from core.errors import DatasetError

_VALUES_AT_ONCE = 16_000_000  # of a restored answer held in memory: 64 MB


def read_mask(path: Path, *, name: str = "") -> np.ndarray:
    """The mask in a file that `mask_png` made, uint8 (H, W). Raises DatasetError when it is gone or damaged."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.mode not in ("L", "P"):
                raise ValueError(f"a picture of mode {image.mode}")
            return np.array(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetError(
            f"The mask of {name or path.name} cannot be read", found=str(error), do="Import the dataset again"
        ) from error


def mask_png(mask: np.ndarray) -> bytes:
    """A mask (H, W) uint8 as the bytes of an 8-bit grey PNG, compressed without loss."""
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(mask, dtype=np.uint8)).save(file, "PNG", compress_level=6)
    return file.getvalue()


def fit_mask(mask: np.ndarray, size: int, fit: Fit) -> np.ndarray:
    """A mask (H, W) as a square, uint8 (size, size), pixel for pixel over the image that `fit_image` gives.

    What "pad" puts around is IGNORE.
    """
    image = Image.fromarray(mask)
    if fit == "squash":
        return np.array(image.resize((size, size), Image.Resampling.NEAREST))
    if fit != "pad":
        raise ValueError(f"fit is {fit!r}, not pad or squash")
    left, top, right, bottom = inner_box(*image.size, size)
    square = np.full((size, size), IGNORE, np.uint8)
    square[top:bottom, left:right] = image.resize((right - left, bottom - top), Image.Resampling.NEAREST)
    return square


def restored(values: np.ndarray, width: int, height: int, fit: Fit) -> Iterator[tuple[int, np.ndarray]]:
    """Maps (K, S, S) float32 of a square, such as probabilities, in the size of the picture it was made of.

    Maps (K, h, w) that cover the picture without being a square are brought back as those of "squash" are. Gives strips
    (first row, (K, h, width) float32) from the top down, bilinear, and together exactly `height` rows: a picture of any
    size needs little memory. Whoever wants a mask takes the argmax of each strip.
    """
    classes, tall_now, size = values.shape
    box = (0, 0, size, tall_now) if fit == "squash" else inner_box(width, height, size)
    layers = [Image.fromarray(np.ascontiguousarray(layer, dtype=np.float32)).crop(box) for layer in values]
    tall = layers[0].height / height
    rows = max(1, _VALUES_AT_ONCE // (classes * width))
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        part = (0, top * tall, layers[0].width, min(layers[0].height, bottom * tall))
        yield (
            top,
            np.stack([layer.resize((width, bottom - top), Image.Resampling.BILINEAR, box=part) for layer in layers]),
        )


def restored_mask(values: np.ndarray, width: int, height: int, fit: Fit) -> np.ndarray:
    """The most probable class at each pixel of the picture, uint8 (height, width), from maps (K, S, S) of a square."""
    mask = np.empty((height, width), np.uint8)
    for top, strip in restored(values, width, height, fit):
        mask[top : top + strip.shape[1]] = strip.argmax(axis=0)
    return mask


class DecodedMasks(DecodedRows):
    """The masks of a dataset as squares, uint8 (size, size), beside `DecodedImages` of the same size and fit."""

    KIND = "masks 1"
    CHANNELS = ()

    def content(self, sample: Sample) -> str:
        """The mask's file, which is named by its content, beside the picture and its pixels of each class."""
        return f"{sample.mask} {sample.digest} {sample.pixels}"

    def decode(self, sample: Sample) -> np.ndarray:
        """The mask of a sample."""
        return fit_mask(read_mask(self._dataset.mask(sample), name=sample.name), self._size, self._fit)
