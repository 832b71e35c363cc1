"""Find the mask of one picture: at once or in tiles, from one side or all eight, in the size the picture came in."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from core.data.loading import fit_image, jpeg, read_image
from core.data.mask_files import mask_png, restored
from core.errors import ImageError
from core.predict.answer import SHOWN_SIDE, MaskAnswer
from core.predict.tiles import blended, insist_on_bounds, lay_out
from core.predict.views import POSITIONS, Look, from_all_sides
from core.recipe import Recipe
from core.train.checkpoint import Trained

LONGEST_SIDE = 65_535  # pixels, as a JPEG's; a single line of a longer picture would not fit into memory as maps


def find_mask(trained: Trained, name: str, content: bytes, *, tiles: bool, views: bool) -> MaskAnswer:
    """The mask of a picture given as the content of its file; with its reason in `error` when there is none.

    Whole, the picture goes the way of an evaluation. In tiles it is seen in windows as large as the training pictures
    were (their median); with views every square is seen from all eight sides.
    """
    began = time.perf_counter()
    try:
        image = read_picture(content, name)
        maps, fit, seen = _look_at(trained, name, image, tiles=tiles, views=views)
    except ImageError as error:
        return MaskAnswer(name, error=str(error), milliseconds=_since(began))
    classes = len(trained.classes)
    mask, counts = _mask(maps[:classes], image.width, image.height, fit)
    small = looked_at(image)
    return MaskAnswer(
        name,
        width=image.width,
        height=image.height,
        mask=mask_png(mask),
        areas={label: count / mask.size for label, count in zip(trained.classes, counts, strict=True)},
        picture=jpeg(small),
        uncertainty=grey_png(maps[classes:], (small.shape[1], small.shape[0]), fit) if views else None,
        views=len(POSITIONS) if views else 1,
        tiles=seen,
        learned=training_picture(trained),
        milliseconds=_since(began),
    )


def read_picture(content: bytes, name: str) -> Image.Image:
    """The picture in a file, as `read_image` reads it. Raises ImageError also when one of its sides is too long."""
    image = read_image(content, name=name)
    if max(image.size) > LONGEST_SIDE:
        raise ImageError(
            f"{name} is too long",
            found=f"{image.width:,} x {image.height:,} pixels",
            expected=f"sides of at most {LONGEST_SIDE:,} pixels",
            do="Cut it into parts",
        )
    return image


def looked_at(image: Image.Image) -> np.ndarray:
    """The picture as a person looks at it, uint8 (h, w, 3): its long side at most SHOWN_SIDE pixels."""
    scale = SHOWN_SIDE / max(image.size)
    if scale < 1:
        image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    return np.asarray(image)


def grey_png(maps: np.ndarray, size: tuple[int, int], fit: str) -> bytes:
    """One map (1, h, w) in [0, 1] over a picture of this (width, height), as an 8-bit grey PNG."""
    strips = [strip[0] for _, strip in restored(maps, *size, fit)]
    return mask_png((np.concatenate(strips).clip(0, 1) * 255).round())


def _look_at(
    trained: Trained, name: str, image: Image.Image, *, tiles: bool, views: bool
) -> tuple[np.ndarray, str, int]:
    """The maps of a picture, how they lie over it, and how many windows it took."""
    recipe, look = trained.recipe, trained.model.probabilities
    if views:
        look = from_all_sides(look)
    if tiles:
        tiling = lay_out(image.size, training_picture(trained), recipe.image_size, recipe.fit)
        if len(tiling) > 1:
            layers, positions = len(trained.classes) + views, len(POSITIONS) if views else 1
            insist_on_bounds(tiling, layers, recipe.image_size, positions, name)
            return blended(look, image, tiling, recipe.image_size), "squash", len(tiling)
    return _whole(look, image, recipe), recipe.fit, 1


def _whole(look: Look, image: Image.Image, recipe: Recipe) -> np.ndarray:
    pixels = fit_image(image, recipe.image_size, recipe.fit)
    return look(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].numpy()


def training_picture(trained: Trained) -> tuple[int, int]:
    """Median width and height of the pictures a model was trained on; where that was not written down, the size of
    the square that it sees."""
    size: Sequence[float] = trained.facts.get("picture") or (trained.recipe.image_size,) * 2
    return max(1, round(size[0])), max(1, round(size[1]))


def _mask(maps: np.ndarray, width: int, height: int, fit: str) -> tuple[np.ndarray, list[int]]:
    """The most probable class at each pixel, uint8 (height, width), and how many pixels each class has."""
    mask = np.empty((height, width), np.uint8)
    counts = np.zeros(len(maps), np.int64)
    for top, strip in restored(maps, width, height, fit):
        part = mask[top : top + strip.shape[1]]
        part[:] = strip.argmax(axis=0)
        counts += np.bincount(part.ravel(), minlength=len(maps))
    return mask, counts.tolist()


def _since(began: float) -> float:
    return 1000 * (time.perf_counter() - began)
