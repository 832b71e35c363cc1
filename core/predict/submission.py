"""Masks as run lengths, and the submission file of a Kaggle competition made of them.

A run-length code lists the pixels of one class as pairs "start length start length ...". Pixels are counted from 1,
down the first column, then down the next: pixel 1 is the top left one, pixel 2 stands below it
(https://www.kaggle.com/competitions/bkai-igh-neopolyp).
"""

import csv
import re
from collections.abc import Iterable, Sequence
from io import BytesIO, StringIO
from pathlib import PureWindowsPath

import numpy as np
from PIL import Image

from core.errors import InputError, shown
from core.metrics.segmentation import background_of

COLUMNS = ("Id", "Expected")
_NUMBER = re.compile(r"[0-9]{1,18}")


def encode(pixels: np.ndarray) -> str:
    """The run-length code of a mask (H, W) bool; the empty text when no pixel is set."""
    column_major = np.asarray(pixels, dtype=bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(column_major, prepend=False, append=False))  # where a run begins, and where it ended
    starts, ends = edges[0::2], edges[1::2]
    return " ".join(map(str, np.column_stack([starts + 1, ends - starts]).ravel().tolist()))


def decode(code: str, height: int, width: int) -> np.ndarray:
    """The mask (height, width) bool of a run-length code.

    Raises InputError for anything but pairs of whole numbers, and for runs of no length, out of order, one over the
    other, or beyond the picture.
    """
    words = code.split()
    if len(words) % 2 or not all(_NUMBER.fullmatch(word) for word in words):
        raise InputError("A run-length code cannot be read", found=shown(code), expected="pairs of start and length")
    runs = np.array([int(word) for word in words], dtype=np.int64).reshape(-1, 2)
    pixels = np.zeros(height * width, dtype=bool)
    free = 1  # the first pixel that no run has covered
    for start, length in runs:
        if start < free or length < 1 or start + length - 1 > pixels.size:
            raise InputError(
                "A run-length code does not fit its picture",
                found=f"the run {start} {length}",
                expected=f"runs in their order, apart, from pixel 1 to {pixels.size} ({width} x {height})",
            )
        pixels[start - 1 : start - 1 + length] = True
        free = start + length
    return pixels.reshape((height, width), order="F")


def submission_csv(masks: Iterable[tuple[str, np.ndarray]], classes: Sequence[int]) -> str:
    """The submission as CSV text, from (file name, mask of class indices) pairs: the columns Id and Expected, and for
    each picture one line a class, in the order of `classes`.

    `classes` are the indices of the classes that count, background left out. The first one's line is called
    `<file name without its ending>_0`, the next one's `_1` and so on: with the classes background, neoplastic and
    non-neoplastic that is what the BKAI-IGH NeoPolyp competition asks for. Raises InputError when two pictures would
    get the same names.
    """
    text, names = StringIO(), []
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for name, mask in masks:
        names.append(name)
        table.writerows((f"{stem_of(name)}_{place}", encode(mask == index)) for place, index in enumerate(classes))
    insist_on_names(names)
    return text.getvalue()


def submission_of(answers: Iterable[tuple[str, bytes]], classes: Sequence[str]) -> str:
    """The submission for answers given as (file name, index PNG), for all classes of a model but its background.

    Raises InputError as `submission_csv` does.
    """
    background = background_of(classes)
    counted = [index for index in range(len(classes)) if index != background]
    return submission_csv(((name, np.array(Image.open(BytesIO(png)))) for name, png in answers), counted)


def insist_on_names(names: Iterable[str]) -> None:
    """Raise InputError when two of these pictures would stand under one name in a submission."""
    seen: dict[str, str] = {}
    for name in names:
        stem = stem_of(name)
        if stem in seen:
            raise InputError(
                "Two pictures would stand under one name in the submission",
                found=f"{shown(seen[stem])} and {shown(name)}",
                do="Rename one of them",
            )
        seen[stem] = name


def stem_of(name: str) -> str:
    """The name of a picture's file without folders and ending, whichever system it was written on."""
    return PureWindowsPath(name).stem or "picture"
