"""Facts of every picture of a dataset, gathered in one pass: of its file, its light, its focus and its border.

A fact says nothing about what a picture shows. Facts are kept by the content of the files (`core.data.shelf`), so a
revision looks only at files that it has not seen.
"""

import hashlib
import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from core.data.dataset import Dataset, Sample
from core.data.intake import MAX_FILE, Report, in_order
from core.data.loading import FORMATS, read_picture
from core.data.shelf import Shelf, names_of
from core.errors import ImageError
from core.seeding import fingerprint

SIDE = 256  # pixels of the long side at which light, focus and border are measured; smaller pictures as they are
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "I", "I;16", "F")
OTHER_MODE = "another"
_REACH = 4  # pixels to either side over which a picture is blurred once more

COLUMNS = (
    "bytes",  # of the file
    "mode",  # place in MODES; len(MODES) for any other
    "quality",  # of a JPEG: mean of its table of luminance, 1 for the best; 0 for other formats
    "exif",  # 1 when a camera or a program left its notes in the file
    "mean",  # grey level, 0..255
    "spread",  # standard deviation of the grey levels
    "low",  # grey level that 5 % of the pixels are at or below
    "high",  # grey level that 95 % are at or below
    "blur",  # 0 sharp .. 1 nothing but slopes, see `blur_of`
    "border_red",  # mean of the outermost pixels, 0..255
    "border_green",
    "border_blue",
    "border_spread",  # standard deviation of their grey levels
)


@dataclass(frozen=True)
class Facts:
    """The facts of the samples of a dataset, in their order."""

    table: np.ndarray  # (N, len(COLUMNS)) float64; NaN for a picture that cannot be read
    unreadable: dict[str, str]  # by the id of a sample: what is wrong with its file

    def of(self, name: str) -> np.ndarray:
        """One fact of every sample, (N,)."""
        return self.table[:, COLUMNS.index(name)]

    def modes(self, dataset: Dataset) -> list[str]:
        """Pillow's name of the colours in each file; "" for a picture that cannot be read."""
        names = (*MODES, OTHER_MODE)
        return [
            sample.mode or ("" if np.isnan(code) else names[int(code)])
            for sample, code in zip(dataset.samples, self.of("mode"), strict=True)
        ]


def gather(dataset: Dataset, cache: Path, report: Report | None = None) -> Facts:
    """The facts of all samples of a dataset, of which never more than a few pictures are decoded at a time.

    Files are compared with their SHA-256 when they are read for the first time, afterwards with their size. `report`
    is called with how many samples are done, and of how many. Raises StorageError when the disk is full.
    """
    names = names_of(sample.digest for sample in dataset.samples)
    key = fingerprint("facts 2", PIL.__version__, str(SIDE), *COLUMNS)
    shelf = Shelf(cache, dataset.id, "facts", key, names, (len(COLUMNS),), np.float64)
    rows = range(len(dataset.samples))
    try:
        missing, bytes_of = set(shelf.missing(rows)), shelf.read(rows)[:, 0]  # 0 where nobody has looked

        def look(row: int) -> str:
            """What is wrong with the files of a sample; nothing where they are fine."""
            sample = dataset.samples[row]
            try:
                if row in missing:
                    data = _whole(dataset.path(sample), sample.digest)
                    shelf.write(row, facts_of(data, sample.name))
                elif bytes_of[row]:
                    _insist_on_size(dataset.path(sample), int(bytes_of[row]))
                if sample.mask:
                    _insist_on_mask(dataset, sample)
            except _Wrong as reason:
                return str(reason)
            except ImageError as error:
                return error.found
            return ""

        reasons = in_order(look, rows, report or (lambda done, of: None))
        table = shelf.read(rows)
    finally:
        shelf.close()
    wrong = {sample.digest: reason for sample, reason in zip(dataset.samples, reasons, strict=True) if reason}
    unreadable = {sample.id: wrong[sample.digest] for sample in dataset.samples if sample.digest in wrong}
    table[[sample.digest in wrong for sample in dataset.samples]] = np.nan
    return Facts(table, unreadable)


def facts_of(data: bytes, name: str = "") -> np.ndarray:
    """The facts of one file, (len(COLUMNS),) float64. Raises ImageError when it cannot be read as a picture."""
    image = read_picture(data, name=name, enough=SIDE).image
    image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    grey = image.convert("L")
    counts = np.cumsum(grey.histogram())
    levels = np.asarray(grey, np.float32)
    edge = _edge(np.asarray(image))
    return np.array(
        [
            len(data),
            *_of_header(data),
            levels.mean(),
            levels.std(),
            np.searchsorted(counts, 0.05 * counts[-1]),
            np.searchsorted(counts, 0.95 * counts[-1]),
            blur_of(levels),
            *edge.mean(axis=0),
            (edge @ np.array([0.299, 0.587, 0.114])).std(),
        ]
    )


def blur_of(levels: np.ndarray) -> float:
    """How blurred a grey picture (H, W) is, from 0, sharp, to 1: whatever it shows, and however strong its contrast.

    A picture that is blurred once more loses much of its differences between neighbours when it was sharp, and little
    when it was blurred already. Of the two directions the more blurred one counts. A plain picture counts as sharp.

    Crete et al. 2007, https://doi.org/10.1117/12.702790
    """
    return max(_blur_along(levels), _blur_along(np.ascontiguousarray(levels.T)))


def _blur_along(levels: np.ndarray) -> float:
    """The blur along the rows. Neighbours in a box blur differ by what enters the box and what leaves it."""
    width, box = levels.shape[1], 2 * _REACH + 1
    if width <= box:
        return 0.0
    sharp = np.abs(levels[:, _REACH + 1 : width - _REACH] - levels[:, _REACH : width - _REACH - 1])
    np.maximum(sharp - 1, 0, out=sharp)  # differences of one grey level may be nothing but rounding
    total = float(sharp.sum())
    if total < 1e-3 * sharp.size:
        return 1.0 if levels.std() > 4 else 0.0
    left = np.abs(levels[:, box:] - levels[:, :-box])
    left /= box
    return float(1 - np.maximum(sharp - left, 0).sum() / total)


def _edge(pixels: np.ndarray) -> np.ndarray:
    """The outermost pixels of a picture (H, W, 3), (n, 3)."""
    sides = (pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1])
    return np.concatenate(sides).astype(np.float64)


def _of_header(data: bytes) -> tuple[float, float, float]:
    """Mode, quality and whether there are notes, of a file that was read before and so can be opened."""
    with Image.open(BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN]) as opened:
        mode = MODES.index(opened.mode) if opened.mode in MODES else len(MODES)
        tables = getattr(opened, "quantization", None) or {}
        return mode, float(np.mean(tables[0])) if 0 in tables else 0.0, float(bool(opened.info.get("exif")))


class _Wrong(Exception):
    """What is wrong with a file of the dataset, as the end of "found ..."."""


def _whole(path: Path, digest: str) -> bytes:
    """The bytes of a file whose name says what they should be."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise _Wrong((error.strerror or str(error)).lower()) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise _Wrong("a file that has changed since it was imported")
    return data


def _insist_on_size(path: Path, size: int) -> None:
    try:
        found = os.stat(path).st_size
    except OSError as error:
        raise _Wrong((error.strerror or str(error)).lower()) from error
    if found != size:
        raise _Wrong("a file that has changed since it was imported")


def _insist_on_mask(dataset: Dataset, sample: Sample) -> None:
    """Refuse a mask that is gone, or whose picture is no longer what it was."""
    path = dataset.mask(sample)
    try:
        with Image.open(path, formats=["PNG"]) as opened:
            size = opened.size
            opened.load()
    except Exception as error:  # a damaged file makes Pillow fail in many ways; none of them is a defect here
        raise _Wrong("a mask that is gone" if not path.is_file() else "a mask that is damaged") from error
    if size != (sample.width, sample.height):
        raise _Wrong(f"a mask of {size[0]} x {size[1]} pixels for {sample.width} x {sample.height}")
