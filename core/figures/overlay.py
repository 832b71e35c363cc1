"""Pictures with their masks on them: classes as colours, mistakes as colours and patterns, doubt as heat.

Images are uint8 (H, W, 3), masks uint8 (H, W) of class indices, 255 where ignored; every answer is a picture of the
size it was given. The background is never tinted. NumPy only, and quick enough for a slider: a page draws these itself.
"""

from collections.abc import Collection
from functools import cache
from typing import Literal

import numpy as np

from core.data.dataset import IGNORE
from core.figures.colours import class_colour

Style = Literal["fill", "contour"]

# What an error overlay shows: its colour, told apart by lightness too, and its pattern, so that no eye has to go by
# hue. Between the marks of a pattern it is darker or lighter, so that they stand out from pictures of any colour.
HIT = "#009e73"  # green, plain: answer and truth have it
MISSED = "#f0e442"  # yellow, stripes: the truth has it, the answer does not
INVENTED = "#0057b8"  # blue, dots: the answer has it, the truth does not
CONFUSED = "#ffffff"  # white, checks: both have a class there, and not the same one
ERROR_LEGEND = (
    ("hit", HIT, "plain"),
    ("missed", MISSED, "striped"),
    ("invented", INVENTED, "dotted"),
    ("confused", CONFUSED, "checked"),
)
_BETWEEN = ("#000000", HIT, "#000000", "#8fbcff", "#000000")  # by kind, as `error_kinds` numbers them
IGNORED = (128, 128, 128)  # grey, in a mask drawn on its own

ERROR_OPACITY = 0.8
_PLAIN = 0.6  # strength of hits, under which the picture is to be seen, relative to that of marks
_FAINT = 0.45  # strength between the marks of a pattern, relative to that of the marks

_HEAT = np.array(  # dark to bright, so that it reads in grey as well
    [(0, 0, 20), (60, 10, 90), (150, 30, 105), (225, 85, 50), (250, 165, 20), (252, 250, 160)], dtype=np.float64
)


def colour_mask(mask: np.ndarray, background: int | None = 0) -> np.ndarray:
    """A mask as a picture, uint8 (H, W, 3): black background, each class in its colour, grey where ignored."""
    colours = _palette().copy()
    if background is not None:
        colours[background] = 0
    colours[IGNORE] = IGNORED
    return colours[mask]


def draw_overlay(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    opacity: float = 0.5,
    style: Style = "fill",
    classes: Collection[int] | None = None,
    background: int | None = 0,
    width: int | None = None,
) -> np.ndarray:
    """The image with the classes of its mask in their colours, uint8 (H, W, 3).

    "fill" tints their pixels; "contour" draws their outlines, which lie inside them and are `width` pixels wide, by
    default so many that they are seen when a page shrinks a large picture.
    `classes` are those shown, all if None; the background and what is ignored are never drawn. `opacity` is in [0, 1].
    Raises ValueError when mask and image differ in size.
    """
    _insist_on_size(image, mask)
    shown = np.zeros(256, bool)
    shown[range(IGNORE) if classes is None else list(classes)] = True
    shown[IGNORE] = False
    if background is not None:
        shown[background] = False
    if style == "contour":
        return _contours(image, np.where(shown[mask], mask, IGNORE), opacity, width)
    if style != "fill":
        raise ValueError(f"style is {style!r}, not fill or contour")
    strength = np.where(shown, round(256 * opacity), 0).astype(np.uint16)
    return _tinted(image, _palette()[mask], strength[mask])


def draw_errors(
    image: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
    class_index: int | None = None,
    *,
    background: int | None = 0,
    opacity: float = ERROR_OPACITY,
) -> np.ndarray:
    """The image with hits, missed and invented pixels in the colours and patterns of `ERROR_LEGEND`, uint8 (H, W, 3).

    For one class, or with None for all but the background; then pixels where truth and answer have different classes
    are confused. What the truth ignores stays as it is. Raises ValueError when the sizes differ.
    """
    _insist_on_size(image, truth)
    _insist_on_size(image, predicted)
    kinds = error_kinds(truth, predicted, class_index, background=background)
    marks = np.choose(kinds, [np.uint8(0), np.uint8(1), *_patterns(*truth.shape)])
    steps = np.array([(0, 0), (0, _PLAIN), (_FAINT, 1), (_FAINT, 1), (_FAINT, 1)])
    strength = (256 * opacity * steps).round().astype(np.uint16)[kinds, marks]
    marked = ("#000000", *(colour for _, colour, _ in ERROR_LEGEND))
    colours = np.array([[_rgb(colour) for colour in pair] for pair in zip(_BETWEEN, marked, strict=True)], np.uint8)
    return _tinted(image, colours[kinds, marks], strength)


def error_kinds(
    truth: np.ndarray, predicted: np.ndarray, class_index: int | None = None, *, background: int | None = 0
) -> np.ndarray:
    """What each pixel is, uint8 (H, W): 0 nothing to say, 1 hit, 2 missed, 3 invented, 4 confused."""
    if class_index is not None:
        meant, found = truth == class_index, predicted == class_index
        confused = np.zeros_like(meant)
    else:
        nothing = IGNORE if background is None else background
        meant, found = truth != nothing, predicted != nothing
        confused = meant & found & (truth != predicted)
    kinds = (meant & found).astype(np.uint8)
    kinds[meant & ~found] = 2
    kinds[found & ~meant] = 3
    kinds[confused] = 4
    kinds[truth == IGNORE] = 0
    return kinds


def heat_map(values: np.ndarray, image: np.ndarray | None = None, *, opacity: float = 0.6) -> np.ndarray:
    """Values uint8 (H, W), 0..255 for 0..1, as dark-to-bright heat, uint8 (H, W, 3); over the image if one is given."""
    heat = _heat_colours()[values]
    if image is None:
        return heat
    _insist_on_size(image, values)
    return _tinted(image, heat, np.full(values.shape, round(256 * opacity), np.uint16))


def _tinted(image: np.ndarray, colours: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """The image mixed with colours (H, W, 3) by strength (H, W) of 256."""
    part = strength[..., None]
    return ((image * (256 - part) + colours * part) >> 8).astype(np.uint8)


def _contours(image: np.ndarray, mask: np.ndarray, opacity: float, width: int | None) -> np.ndarray:
    """The image with outlines of what is not 255 in the mask."""
    width = width or max(1, round(max(mask.shape) / 260))
    edge = np.zeros(mask.shape, bool)
    differs = mask[1:] != mask[:-1]
    edge[1:] |= differs
    edge[:-1] |= differs
    differs = mask[:, 1:] != mask[:, :-1]
    edge[:, 1:] |= differs
    edge[:, :-1] |= differs
    for _ in range(width - 1):
        wider = edge.copy()
        wider[1:] |= edge[:-1]
        wider[:-1] |= edge[1:]
        wider[:, 1:] |= edge[:, :-1]
        wider[:, :-1] |= edge[:, 1:]
        edge = wider
    edge &= mask != IGNORE
    strength = np.where(edge, round(256 * opacity), 0).astype(np.uint16)
    return _tinted(image, _palette()[mask], strength)


@cache
def _palette() -> np.ndarray:
    """The colour of every index, uint8 (256, 3)."""
    return np.array([_rgb(class_colour(index)) for index in range(256)], np.uint8)


@cache
def _heat_colours() -> np.ndarray:
    places = np.linspace(0, 255, len(_HEAT))
    return np.stack([np.interp(np.arange(256), places, channel) for channel in _HEAT.T], axis=1).astype(np.uint8)


def _patterns(height: int, width: int) -> list[np.ndarray]:
    """Stripes, dots and checks as uint8 (H, W) of 0 and 1, coarse enough to be seen when a page shrinks the picture."""
    cell = max(2, round(max(height, width) / 110))
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    stripes = (rows + columns) // cell % 2 == 0
    down, across = rows % (2 * cell) - cell, columns % (2 * cell) - cell
    dots = down * down + across * across <= (0.62 * cell) ** 2
    checks = (rows // (2 * cell) + columns // (2 * cell)) % 2 == 0
    return [pattern.astype(np.uint8) for pattern in (stripes, dots, checks)]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _insist_on_size(image: np.ndarray, mask: np.ndarray) -> None:
    if image.shape[:2] != mask.shape:
        raise ValueError(f"a picture of {image.shape[:2]} and a mask of {mask.shape} pixels (rows, columns)")
