"""From a file to pixels: read one image safely, make it square, keep decoded images for the next process.

Every image that Fovea trains on, evaluates, predicts or shows goes through `read_image` and `fit_image`, so all of them
see the same pixels.
"""

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, ClassVar, Literal, Self

import numpy as np
import PIL
from PIL import Image, UnidentifiedImageError

from core.data.dataset import Dataset, Sample
from core.data.shelf import Shelf, names_of
from core.errors import ImageError
from core.machine import cores
from core.seeding import fingerprint

MAX_PIXELS = 80_000_000  # 320 MB while decoded; below the size at which Pillow itself begins to warn
LARGE_PIXELS = 16_000_000  # of pictures above this size only one is decoded at a time, so that memory stays bounded
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM")  # none that starts a program
PAD_GREY = 127

Fit = Literal["crop", "pad", "squash"]

_BEGINNINGS = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"GIF8", "GIF"), (b"BM", "BMP"))
_one_large_picture = threading.Lock()
_TURNS = {  # EXIF orientation: what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True)
class Picture:
    """A decoded picture and the facts of its file."""

    image: Image.Image  # RGB, upright; possibly smaller than the file's picture when that was allowed
    width: int  # pixels of the file's picture, upright
    height: int
    format: str
    turned: bool = False  # by what EXIF asks for, so that what was drawn over the stored pixels lies elsewhere
    mode: str = ""  # Pillow's name of the colours in the file


def read_image(source: Path | bytes, *, name: str = "") -> Image.Image:
    """The picture in a file (or in its bytes) as an upright 8-bit RGB image.

    EXIF turns are applied; transparency is laid on white; of an animation the first frame is read; CMYK is converted;
    16-bit grey is scaled from 0..65535 to 0..255. Raises ImageError with the reason when the file is missing, empty, no
    picture, truncated, damaged, or larger than 80 megapixels; `name` is what the error calls it. The size is checked
    before any pixel is decoded.
    """
    return read_picture(source, name=name).image


def read_picture(source: Path | bytes, *, name: str = "", enough: int = 0) -> Picture:
    """As `read_image`, with the file's width, height and format.

    With `enough` > 0 a JPEG may be decoded at a half, quarter or eighth of its size, as long as its long side keeps at
    least `enough` pixels: all of the file is still read, so a truncated one is still found, in a third of the time.
    """
    with _stream(source, name) as file:
        return _read(file, enough)


def read_stored(source: Path | bytes, *, name: str = "") -> Image.Image:
    """The picture in a file exactly as it is stored, whatever its mode, for masks: nothing turned, nothing converted.

    `format` of what is given is Pillow's name of the file's format. Raises ImageError as `read_image` does.
    """
    with _stream(source, name) as file, _opened(file) as opened, _decoding(*opened.size):
        opened.load()
        return opened


@contextmanager
def _stream(source: Path | bytes, name: str) -> Iterator[BinaryIO]:
    """The bytes of a picture; what is wrong with them becomes an ImageError that calls it `name`."""
    name = name or (source.name if isinstance(source, Path) else "The picture")
    try:
        with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            yield file
    except _Unreadable as error:
        raise ImageError(f"{name} cannot be read as a picture", found=str(error)) from error.__cause__
    except OSError as error:  # only from opening: what reading raises is turned into _Unreadable
        reason = (error.strerror or str(error)).lower()
        raise ImageError(f"{name} cannot be read as a picture", found=reason) from error


class _Unreadable(Exception):
    """The reason, as the end of "found ..."."""


def _read(file: BinaryIO, enough: int) -> Picture:
    with _opened(file) as opened:
        width, height = opened.size
        kind, mode = "JPEG" if opened.format == "MPO" else opened.format or "", opened.mode
        shrink = max(1.0, max(width, height) / enough) if enough else 1.0
        with _decoding(width, height):
            reduced = shrink > 1 and opened.draft(None, (max(1, int(width / shrink)), max(1, int(height / shrink))))
            opened.load()
            turn = _turn(opened)  # asked for after loading: some of Pillow's readers turn the picture by themselves
            image = _rgb(opened)
            image = image.transpose(_TURNS[turn]) if turn in _TURNS else image
    if not reduced:
        width, height = image.size
    elif turn in _SIDEWAYS:
        width, height = height, width
    return Picture(image, width, height, kind, turn in _TURNS, mode)


def _opened(file: BinaryIO) -> Image.Image:
    """The picture before any of its pixels is decoded; refused when it is too large."""
    beginning = file.read(32)
    if not beginning:
        raise _Unreadable("an empty file (zero bytes)")
    file.seek(0)
    try:
        opened = Image.open(file, formats=_formats())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        counted = re.search(r"\d{6,}", str(error))
        raise _Unreadable(_too_large(int(counted[0]) if counted else 0)) from error
    except Exception as error:  # broken headers make Pillow's readers fail in many ways; none of them is a defect here
        raise _Unreadable(_unknown(beginning, error)) from error
    width, height = opened.size
    if width * height > MAX_PIXELS:
        opened.close()
        raise _Unreadable(_too_large(width * height, f"{width:,} x {height:,} pixels, "))
    return opened


@contextmanager
def _decoding(width: int, height: int) -> Iterator[None]:
    """Around decoding a picture of this size: large ones one at a time, and every failure becomes _Unreadable."""
    try:
        with _one_large_picture if width * height > LARGE_PIXELS else nullcontext():
            yield
    except MemoryError as error:
        raise _Unreadable(f"{width:,} x {height:,} pixels, for which there is not enough memory") from error
    except Exception as error:  # as above: a damaged file, whatever the decoder called it
        raise _Unreadable(_damaged(error)) from error


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)  # Pillow can be built without some of them


def _too_large(pixels: int, size: str = "") -> str:
    counted = f"{pixels / 1e6:,.0f} megapixels" if pixels else "far more"
    return f"{size}{counted}, more than the {MAX_PIXELS // 1_000_000} megapixels that are read here"


def _unknown(beginning: bytes, error: Exception) -> str:
    if beginning[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypheif"):
        return "an HEIC photo, which is not read here; save it as JPEG"
    for start, kind in _BEGINNINGS:
        if beginning.startswith(start):
            return f"a {kind} that is damaged or cut off near its beginning"
    if isinstance(error, UnidentifiedImageError):
        return "something that is no picture (JPEG, PNG, WebP, TIFF, BMP, GIF and AVIF are read)"
    return _damaged(error)


def _damaged(error: Exception) -> str:
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return "a truncated file, which ends before the picture does"
    return f"damaged picture data ({' '.join(str(error).split())[:120] or type(error).__name__})"


def _turn(image: Image.Image) -> int:
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # EXIF data that cannot be parsed says nothing about how the picture stands
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image.copy()  # a plain image, which keeps no file open
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGB", layer.size, "white")
        white.paste(layer, mask=layer.getchannel("A"))
        return white
    return image.convert("RGB")


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey of more than 8 bits as uint8: 16 bits by their full range, anything else by the range it seems to be in."""
    if values.dtype.itemsize == 2:
        return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    grey = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(grey.min()), float(grey.max())
    if low < 0 or high > 65535:
        return ((grey - low) * (255 / max(high - low, 1e-12)) + 0.5).astype(np.uint8)
    limit = 65535 if high > 255 else 255 if values.dtype.kind != "f" or high > 1 else 1
    return (grey * (255 / limit) + 0.5).astype(np.uint8)


def fit_image(image: Image.Image, size: int, fit: Fit) -> np.ndarray:
    """An RGB image as a square, uint8 (size, size, 3), bicubic and antialiased.

    "crop" scales the short side to `size` and keeps the centre; "pad" scales the long side to `size` and puts grey
    around; "squash" ignores the proportions.
    """
    width, height = image.size
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        square = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    elif fit == "pad":
        left, top, right, bottom = inner_box(width, height, size)
        square = Image.new("RGB", (size, size), (PAD_GREY,) * 3)
        square.paste(image.resize((right - left, bottom - top), Image.Resampling.BICUBIC), (left, top))
    elif fit == "squash":
        square = image.resize((size, size), Image.Resampling.BICUBIC)
    else:
        raise ValueError(f"fit is {fit!r}, not crop, pad or squash")
    return np.array(square)


def inner_box(width: int, height: int, size: int) -> tuple[int, int, int, int]:
    """Where "pad" puts a picture of this size in its square: left, top, right, bottom, in pixels of the square."""
    scale = size / max(width, height)
    wide, tall = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (size - wide) // 2, (size - tall) // 2
    return left, top, left + wide, top + tall


def jpeg(pixels: np.ndarray) -> bytes:
    """Pixels (H, W, 3) uint8 as a JPEG file, to be looked at."""
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=90)
    return file.getvalue()


class DecodedRows(ABC):
    """Something of each sample of a dataset, decoded once and kept in a file that any process may read and add to.

    Rows follow `dataset.samples`.
    """

    KIND: ClassVar[str]  # in the name of the file; changes when the decoding does
    CHANNELS: ClassVar[tuple[int, ...]]  # of a pixel

    def __init__(self, dataset: Dataset, size: int, fit: Fit, cache: Path, *, threads: int = 0) -> None:
        """Open, or make, the file under `cache`. Raises StorageError when it cannot be made."""
        self._dataset, self._size, self._fit = dataset, size, fit
        self._opened_with = (dataset, size, fit, cache), {"threads": threads}
        key = fingerprint(self.KIND, PIL.__version__, str(size), fit)
        names = names_of(map(self.content, dataset.samples))
        self._rows = Shelf(cache, dataset.id, "images", key, names, (size, size, *self.CHANNELS), np.uint8)
        self._lock = threading.Lock()
        self._coming: dict[int, Future[None]] = {}
        self._threads = ThreadPoolExecutor(threads or min(4, cores()), thread_name_prefix="decode")

    @abstractmethod
    def content(self, sample: Sample) -> str:
        """What says all of the file that is decoded: the same text, the same row."""

    @abstractmethod
    def decode(self, sample: Sample) -> np.ndarray:
        """The row of a sample, uint8 (size, size, *CHANNELS)."""

    def get(self, rows: Sequence[int]) -> np.ndarray:
        """These rows, uint8 (len(rows), size, size, *CHANNELS), decoding what is missing.

        Raises ImageError or DatasetError when a file is gone or damaged, StorageError when the disk is full.
        """
        for future in [self._start(row) for row in self._rows.missing(rows)]:
            future.result()
        return self._rows.read(rows)

    def prefetch(self, rows: Sequence[int]) -> None:
        """Begin to decode these rows in the background. A failure shows when the row is asked for."""
        for row in self._rows.missing(rows):
            self._start(row)

    def close(self) -> None:
        """Stop decoding and let go of the files."""
        self._threads.shutdown(cancel_futures=True)
        self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> tuple[tuple, dict]:
        return self._opened_with  # another process opens the files for itself and has threads of its own

    def __setstate__(self, opened_with: tuple[tuple, dict]) -> None:
        arguments, options = opened_with
        self.__init__(*arguments, **options)

    def _start(self, row: int) -> Future[None]:
        with self._lock:
            if row not in self._coming:
                future = self._coming[row] = self._threads.submit(self._fill, row)
                future.add_done_callback(lambda _: self._coming.pop(row, None))
            else:
                future = self._coming[row]
        return future

    def _fill(self, row: int) -> None:
        self._rows.write(row, self.decode(self._dataset.samples[row]))


class DecodedImages(DecodedRows):
    """The images of a dataset as squares, uint8 (size, size, 3)."""

    KIND = "images 1"
    CHANNELS = (3,)

    def content(self, sample: Sample) -> str:
        """The SHA-256 of the picture's file."""
        return sample.digest

    def decode(self, sample: Sample) -> np.ndarray:
        """The image of a sample."""
        return fit_image(read_image(self._dataset.path(sample), name=sample.name), self._size, self._fit)
