"""Take images in: read each one once, and store it and a thumbnail under the digest of its bytes."""

import hashlib
import itertools
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from core.data.dataset import THUMBNAIL_SIDE, Sample, Skipped, thumbnail_file
from core.data.loading import read_picture
from core.data.readers.reader import Found, FoundImage
from core.errors import ImageError, storage_errors
from core.machine import cores

Report = Callable[[int, int], None]  # images done, images in all

MAX_FILE = 256 * 1024 * 1024  # bytes; a file is read whole, by a few threads at once

_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2"}  # other formats are called what they are


@dataclass(frozen=True)
class Taken:
    """An image that was read and copied; its id and the number of its class are not known yet."""

    sample: Sample
    label: str
    bytes: int


def take_all(found: Found, folder: Path, owned: bool, report: Report) -> list[Taken | Skipped]:
    """Read and copy every image, a few at once, and give the outcomes in the order of the images."""
    outcomes: list[Taken | Skipped] = []
    total = len(found.images)
    with ThreadPoolExecutor(min(4, cores()), thread_name_prefix="import") as threads:
        images = iter(found.images)
        waiting: deque[Future[Taken | Skipped]] = deque()
        try:
            while True:
                for image in itertools.islice(images, 64 - len(waiting)):
                    waiting.append(threads.submit(_take, image, folder, owned))
                if not waiting:
                    return outcomes
                outcomes.append(waiting.popleft().result())
                report(len(outcomes), total)
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise


def _take(image: FoundImage, folder: Path, owned: bool) -> Taken | Skipped:
    """Read one image and store it and its thumbnail under its digest. Raises StorageError when the disk is full."""
    name, path = image.file.name, image.file.path
    try:
        if path.stat().st_size > MAX_FILE:
            return Skipped(name, f"a file of more than {MAX_FILE // 1024**2} MB")
        data = path.read_bytes()
        picture = read_picture(data, name=name, enough=2 * THUMBNAIL_SIDE)
    except ImageError as error:
        return Skipped(name, error.found)
    except OSError as error:
        return Skipped(name, (error.strerror or str(error)).lower())
    digest = hashlib.sha256(data).hexdigest()
    suffix = _SUFFIXES.get(picture.format, f".{picture.format.lower()}")
    file, thumbnail = f"files/{digest[:2]}/{digest}{suffix}", folder / thumbnail_file(digest)
    with storage_errors(folder):
        for target in (folder / file, thumbnail):
            target.parent.mkdir(parents=True, exist_ok=True)
        if owned:
            os.replace(path, folder / file)
        else:
            (folder / file).write_bytes(data)
        picture.image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC)
        picture.image.save(thumbnail, "JPEG", quality=85)
    sample = Sample("", file, name, -1, image.split, picture.width, picture.height, digest, picture.format)
    return Taken(sample, image.label, len(data))
