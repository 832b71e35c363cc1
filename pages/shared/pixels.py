"""Pictures and their masks in the size of a screen, and small squares that say what a colour stands for."""

from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO

import numpy as np
import streamlit as st
from PIL import Image, ImageColor

from core.figures.colours import class_colour
from pages.shared.words import plain

SMALLEST, LARGEST = 480, 960  # pixels, long side
SWATCH = 20  # pixels


def size_on_screen(width: int, height: int) -> tuple[int, int]:
    """How large a picture is drawn before anything is laid over it: large ones are reduced; small ones are enlarged a
    whole number of times, so that every pixel of a mask stays a square."""
    longest = max(width, height)
    scale = LARGEST / longest if longest > LARGEST else max(1, -(-SMALLEST // longest))
    return max(1, round(width * scale)), max(1, round(height * scale))


def picture_on_screen(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """An RGB image as uint8 (H, W, 3) of this width and height."""
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0))


def mask_on_screen(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask (h, w) uint8 in this width and height, by the nearest neighbour."""
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))


def photo(pixels: np.ndarray) -> bytes:
    """Pixels (H, W, 3) uint8 as a JPEG whose colours are as sharp as its brightness: outlines stay thin lines."""
    Image.fromarray(np.ascontiguousarray(pixels)).save(file := BytesIO(), "JPEG", quality=90, subsampling=0)
    return file.getvalue()


def drawing(pixels: np.ndarray) -> bytes:
    """Pixels (H, W, 3) or (H, W) uint8 as a PNG."""
    Image.fromarray(np.ascontiguousarray(pixels)).save(file := BytesIO(), "PNG", compress_level=3)
    return file.getvalue()


@lru_cache(maxsize=64)
def swatch(colour: str) -> bytes:
    """A small square of one colour ("#rrggbb"), as a PNG."""
    return drawing(np.full((SWATCH, SWATCH, 3), ImageColor.getrgb(colour), np.uint8))


def legend(entries: Sequence[tuple[bytes, str]], key: str) -> None:
    """Small squares, each with its name beside it."""
    with st.container(horizontal=True, gap="small", key=f"legend_{key}"):
        for place, (square, name) in enumerate(entries):
            with st.container(
                horizontal=True, gap="xsmall", vertical_alignment="center", width="content", key=f"{key}_{place}"
            ):
                st.image(square, width=14, alt="")
                st.caption(plain(name, 40), width="content")


def class_legend(classes: Sequence[str], key: str, *, without: int | None = None) -> None:
    """The colours of the classes; `without` is the background, which is never tinted."""
    legend([(swatch(class_colour(place)), name) for place, name in enumerate(classes) if place != without], key)
