"""Masks as they come, before anyone knows what their values mean: read one, count its values, see where it is solid.

A mask file says its classes as grey levels (0, 128, 255), as indices into a palette, or as colours. Here a pixel is one
whole number: the level, the index, or the colour as 0xRRGGBB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from core.data.loading import read_stored
from core.errors import ImageError
from core.workspace import replacing

Mode = Literal["grey", "palette", "colour"]
Kind = Literal["grey", "index", "colour"]  # what the masks of a dataset have in common

LOSSY_FORMATS = frozenset({"JPEG", "MPO", "JPEG2000", "AVIF"})
FLAT = 8  # levels; how much a lossy format unsettles a surface of one value
_GREYS = 0x010101  # times a level: that grey as a colour
_COLUMNS = ("values", "counts", "flat", "palette")  # of a histogram


@dataclass(frozen=True)
class RawMask:
    """The pixels of one mask file."""

    mode: Mode
    values: np.ndarray  # uint32 (H, W)
    palette: np.ndarray  # uint32 (n,): the colour of each index; empty where there is no palette
    lossy: bool  # whether the format changes values a little

    def of_kind(self, kind: Kind) -> np.ndarray:
        """The pixels as the dataset's masks are read, uint32 (H, W): "index" takes palette indices as they are."""
        if kind == "index" or (kind == "grey" and self.mode == "grey"):
            return self.values
        colours = self.palette[self.values] if self.mode == "palette" else self.values
        if kind == "grey":
            return colours & 0xFF
        return colours * np.uint32(_GREYS) if self.mode == "grey" else colours


@dataclass(frozen=True)
class Histogram:
    """How often each value occurs in one mask file."""

    mask: str  # the file's name as it came
    image: str
    mode: Mode
    lossy: bool
    values: np.ndarray  # uint32 (n,), rising
    counts: np.ndarray  # uint32 (n,), pixels
    flat: np.ndarray  # uint32 (n,), those of them whose 3 x 3 neighbourhood is of one value (nearly so, if lossy)
    palette: np.ndarray  # uint32 (n,): the colour of each value; empty where there is no palette

    @property
    def colours(self) -> np.ndarray:
        """The colour 0xRRGGBB in which each value is shown, uint32 (n,); a grey beyond 8 bits is white."""
        if self.mode == "grey":
            return np.minimum(self.values, 255) * np.uint32(_GREYS)
        return self.palette if self.mode == "palette" else self.values


def read_raw(source: Path | bytes, *, name: str = "") -> RawMask:
    """The mask in a file. EXIF turns are not applied, transparency is left out, nothing is scaled.

    Raises ImageError with the reason when it cannot be read or its numbers cannot be classes.
    """
    image = read_stored(source, name=name)
    lossy, none = image.format in LOSSY_FORMATS, np.empty(0, np.uint32)
    if image.mode in ("P", "PA"):
        colours = np.array(image.getpalette("RGB") or [], np.uint32).reshape(-1, 3)
        palette = np.zeros(256, np.uint32)
        palette[: len(colours)] = _packed(colours)
        indices = np.asarray(image if image.mode == "P" else image.getchannel(0), np.uint32)
        return RawMask("palette", indices, palette, lossy)
    if image.mode in ("1", "L", "LA", "La"):  # a picture of 1 bit is black and white, and Pillow spreads 2 and 4 bits
        return RawMask("grey", np.asarray(image.convert("L"), np.uint32), none, lossy)
    if image.mode.startswith("I") or image.mode == "F":
        numbers = np.asarray(image)
        whole = numbers.astype(np.int64, copy=True) if np.isfinite(numbers).all() else np.full(1, -1)
        if whole.min() < 0 or whole.max() > 0xFFFF or (image.mode == "F" and (whole != numbers).any()):
            name = name or "The mask"
            raise ImageError(f"{name} cannot be a mask", found="numbers other than whole ones from 0 to 65535")
        return RawMask("grey", whole.astype(np.uint32), none, lossy)
    if image.mode in ("RGBA", "RGBX", "RGBa"):
        channels = np.asarray(image)[:, :, :3]
    else:
        channels = np.asarray(image.convert("RGB"))
    return RawMask("colour", _packed(channels), none, lossy)


def histogram(raw: RawMask, *, mask: str, image: str) -> Histogram:
    """Count the values of a mask file."""
    values, counts = tally(raw.values)
    flat = np.zeros(len(values), np.uint32)
    solid, often = tally(raw.values[1:-1, 1:-1][_flat(raw)])
    flat[np.searchsorted(values, solid)] = often
    palette = raw.palette[values] if raw.mode == "palette" else raw.palette
    return Histogram(mask, image, raw.mode, raw.lossy, values, counts, flat, palette)


def tally(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values that occur, rising, and how often. Quick where neighbours are alike, as in a mask."""
    runs, lengths = _runs(values.ravel())
    found, which = np.unique(runs, return_inverse=True)
    return found, np.bincount(which, weights=lengths, minlength=len(found)).astype(np.uint32)


def translate(values: np.ndarray, found: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """A mask with every value `found` (rising, all that occur) replaced by its code, in the dtype of the codes."""
    runs, lengths = _runs(values.ravel())
    return np.repeat(codes[np.searchsorted(found, runs)], lengths).reshape(values.shape)


def channels_of(values: np.ndarray, kind: Kind) -> np.ndarray:
    """Values as numbers between which a distance has a meaning, int32 (n, 3) for colours and (n, 1) otherwise."""
    if kind != "colour":
        return values.astype(np.int32).reshape(-1, 1)
    return np.stack([values >> 16 & 255, values >> 8 & 255, values & 255], 1).astype(np.int32)


def _packed(channels: np.ndarray) -> np.ndarray:
    """Colours (..., 3) as 0xRRGGBB, uint32 (...)."""
    packed = channels[..., 0].astype(np.uint32)
    for place in (1, 2):  # in place: of a large picture every copy is hundreds of megabytes
        packed <<= 8
        packed |= channels[..., place]
    return packed


def _runs(line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The runs of equal values in a line: what each is of, and how long it is."""
    if not line.size:
        return line, np.empty(0, np.int64)
    starts = np.concatenate([[0], np.flatnonzero(line[1:] != line[:-1]) + 1])
    return line[starts], np.diff(starts, append=len(line))


def _flat(raw: RawMask) -> np.ndarray:
    """Where a pixel and its eight neighbours are alike, bool (H-2, W-2)."""
    values = raw.values
    if min(values.shape) < 3:
        return np.zeros((max(0, values.shape[0] - 2), max(0, values.shape[1] - 2)), bool)
    if not raw.lossy or raw.mode == "palette":
        across = (values[:, 1:-1] == values[:, :-2]) & (values[:, 1:-1] == values[:, 2:])
        down = (values[1:-1, 1:-1] == values[:-2, 1:-1]) & (values[1:-1, 1:-1] == values[2:, 1:-1])
        return across[:-2] & across[1:-1] & across[2:] & down
    alike = np.ones((values.shape[0] - 2, values.shape[1] - 2), bool)
    for shift in (16, 8, 0) if raw.mode == "colour" else (0,):
        layer = (values >> shift & 255).astype(np.uint8)
        rows = np.stack([layer[:-2], layer[1:-1], layer[2:]])
        high, low = rows.max(0), rows.min(0)
        high = np.maximum(np.maximum(high[:, :-2], high[:, 1:-1]), high[:, 2:])
        low = np.minimum(np.minimum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
        alike &= high - low <= FLAT
    return alike


def save_histograms(path: Path, histograms: Sequence[Histogram]) -> None:
    """Write histograms to a file of numpy arrays. Raises StorageError when the disk is full."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            lengths=np.array([[len(getattr(one, name)) for name in _COLUMNS] for one in histograms], np.int64),
            names=np.array([[one.mask, one.image, one.mode] for one in histograms]),
            lossy=np.array([one.lossy for one in histograms]),
            **{name: np.concatenate([getattr(one, name) for one in histograms]) for name in _COLUMNS},
        )


def load_histograms(path: Path) -> list[Histogram]:
    """What `save_histograms` wrote. Raises OSError, KeyError or ValueError when it is not there or damaged."""
    with np.load(path, allow_pickle=False) as stored:
        ends = np.cumsum(stored["lengths"], axis=0)[:-1]
        columns = {name: np.split(stored[name], ends[:, place]) for place, name in enumerate(_COLUMNS)}
        names, lossy = stored["names"].tolist(), stored["lossy"].tolist()
    return [
        Histogram(mask, image, mode, lossy[place], **{name: columns[name][place] for name in _COLUMNS})
        for place, (mask, image, mode) in enumerate(names)
    ]
