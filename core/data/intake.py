"""Take images in: read each one once, and store it, a thumbnail and its mask under the digests of their bytes."""

import hashlib
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from core.data.dataset import THUMBNAIL_SIDE, Sample, Skipped, thumbnail_file
from core.data.loading import LARGE_PIXELS, Picture, read_picture
from core.data.prints import print_of
from core.data.raw_masks import Histogram, RawMask, histogram, read_raw
from core.data.readers.reader import Found, FoundImage
from core.data.tree import TreeFile
from core.errors import ImageError, storage_errors
from core.machine import cores

# Called with images done and images in all; in a part of the work that has a name, as "unpacking", with that as well.
Report = Callable[..., None]
Thing, Outcome = TypeVar("Thing"), TypeVar("Outcome")

THREADS = min(4, cores())  # that read images at once
MAX_FILE = 256 * 1024 * 1024  # bytes; a file is read whole, by a few threads at once

MOST_VALUES = 65_536  # in one mask, whose histogram is kept
_AT_ONCE = 4  # things that a thread is given
RAW = "raw"  # the folder of masks as they came, until somebody says what their values mean

_BINARY = getattr(os, "O_BINARY", 0)  # Windows would else change the ends of lines
_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2"}  # other formats are called what they are


@dataclass(frozen=True)
class Taken:
    """An image that was read and copied; its id and the number of its class are not known yet."""

    sample: Sample
    label: str
    bytes: int
    mask: Histogram | None = None  # of its mask, which lies under `sample.mask` as it came
    turned: bool = False  # by what EXIF asks for
    print: np.ndarray | None = None  # of the picture, by which near duplicates are found


_one_large_mask = threading.Lock()


def one_large(width: int, height: int) -> AbstractContextManager:
    """Around work on the mask of a picture of this size: large ones are at work one at a time, as they are decoded."""
    return _one_large_mask if width * height > LARGE_PIXELS else nullcontext()


def take_all(found: Found, folder: Path, owned: bool, report: Report) -> list[Taken | Skipped]:
    """Read and copy every image, a few at once, and give the outcomes in the order of the images."""
    made: set[Path] = set()
    return in_order(lambda image: _take(image, folder, owned, made), found.images, report)


def in_order(work: Callable[[Thing], Outcome], things: Sequence[Thing], report: Report) -> list[Outcome]:
    """The outcome for each thing, worked on by a few threads, with never more than 64 under way.

    A thread takes a few at once: handing over one at a time costs a tenth of reading a small picture.
    """
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="import") as threads:
        starts = iter(range(0, len(things), _AT_ONCE))
        waiting: deque[Future[list[Outcome]]] = deque()
        try:
            while True:
                for start in itertools.islice(starts, 64 // _AT_ONCE - len(waiting)):
                    some = things[start : start + _AT_ONCE]
                    waiting.append(threads.submit(lambda some: [work(thing) for thing in some], some))
                if not waiting:
                    return outcomes
                for outcome in waiting.popleft().result():
                    outcomes.append(outcome)
                    report(len(outcomes), len(things))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise


def _take(image: FoundImage, folder: Path, owned: bool, made: set[Path]) -> Taken | Skipped:
    """Read one image and store it and its thumbnail under its digest. Raises StorageError when the disk is full.

    `made` are the folders that are there already; it grows.
    """
    name = image.file.name
    try:
        data = image.content() if image.content else _bytes_of(image.file)
        picture = read_picture(data, name=name, enough=2 * THUMBNAIL_SIDE)
    except _Unusable as reason:
        return Skipped(name, str(reason))
    except ImageError as error:
        return Skipped(name, error.found)
    counted, mask, drawn = None, "", b""
    if image.mask:
        try:
            drawn = _bytes_of(image.mask)
            with one_large(picture.width, picture.height):
                counted = _counted(read_raw(drawn, name=image.mask.name), image, picture)
        except _Unusable as reason:
            return Skipped(image.mask.name, str(reason))
        except ImageError as error:
            return Skipped(image.mask.name, error.found)
        mask = f"{RAW}/{hashlib.sha256(drawn).hexdigest()}{image.mask.suffix}"
    digest = hashlib.sha256(data).hexdigest()
    suffix = _SUFFIXES.get(picture.format, f".{picture.format.lower()}")
    file, thumbnail = f"files/{digest[:2]}/{digest}{suffix}", folder / thumbnail_file(digest)
    with storage_errors(folder):
        if mask:
            _write(folder / mask, drawn, made)
        if owned and not image.content:
            _make_room(folder / file, made)
            os.replace(image.file.path, folder / file)
        else:
            _write(folder / file, data, made)
        # As clear as bicubic in a picture that becomes smaller, in half the time.
        picture.image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.HAMMING)
        picture.image.save(small := BytesIO(), "JPEG", quality=85)
        _write(thumbnail, small.getbuffer(), made)
    seen = print_of(picture.image)
    size = picture.width, picture.height
    facts = {"mask": mask, "mode": picture.mode, "group": image.group}
    sample = Sample("", file, name, -1, image.split, *size, digest, picture.format, **facts)
    return Taken(sample, image.label, len(data), counted, picture.turned, seen)


class _Unusable(Exception):
    """Why a file is left out."""


# Files are read and written with the fewest calls to the system: on a virtual or remote disk each of them can cost as
# much as decoding a small picture.


def _bytes_of(file: TreeFile) -> bytes:
    try:
        descriptor = os.open(file.path, os.O_RDONLY | _BINARY)
        try:
            size = os.fstat(descriptor).st_size
            if size > MAX_FILE:
                raise _Unusable(f"a file of more than {MAX_FILE // 1024**2} MB")
            data = os.read(descriptor, size)
            while len(data) < size and (more := os.read(descriptor, size - len(data))):
                data += more
            return data
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _Unusable((error.strerror or str(error)).lower()) from error


def _write(path: Path, data: bytes | memoryview, made: set[Path]) -> None:
    _make_room(path, made)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o666)
    try:
        left = memoryview(data)
        while left:  # an almost full disk takes a part and only then refuses
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)


def _make_room(path: Path, made: set[Path]) -> None:
    if path.parent not in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        made.add(path.parent)


def _counted(raw: RawMask, image: FoundImage, picture: Picture) -> Histogram:
    """The histogram of a mask that fits its image."""
    height, width = raw.values.shape
    if (width, height) != (picture.width, picture.height):
        size = f"{picture.width} x {picture.height} pixels"
        turned = ", as if one of them were turned" if (height, width) == (picture.width, picture.height) else ""
        raise _Unusable(f"a mask of {width} x {height} pixels, while its image {image.file.name} has {size}{turned}")
    counted = histogram(raw, mask=image.mask.name, image=image.file.name)
    if len(counted.values) > MOST_VALUES:
        raise _Unusable(f"{len(counted.values):,} different values, as a photograph has and not a mask")
    return counted
