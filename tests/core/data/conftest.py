"""Small pictures and folders of them for the tests of core.data."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def paint(seed: int = 0, width: int = 16, height: int = 12) -> Image.Image:
    """A small colourful picture; another seed, another picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The bytes of an image file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(name="paint")
def _paint() -> Callable[..., Image.Image]:
    return paint


@pytest.fixture(name="encode")
def _encode() -> Callable[..., bytes]:
    return encode


@pytest.fixture
def plant(tmp_path) -> Callable[..., Path]:
    """Make a folder: plant("name", {"cat/1.png": bytes, "dog/": 5}); a number means so many different pictures."""

    def make(name: str, content: dict[str, bytes | int]) -> Path:
        root = tmp_path / name
        root.mkdir(parents=True, exist_ok=True)
        for place, what in content.items():
            if isinstance(what, bytes):
                (root / place).parent.mkdir(parents=True, exist_ok=True)
                (root / place).write_bytes(what)
                continue
            (root / place).mkdir(parents=True, exist_ok=True)
            for number in range(what):
                seed = sum(place.encode()) * 1000 + number
                (root / place / f"{number}.png").write_bytes(encode(paint(seed)))
        return root

    return make
