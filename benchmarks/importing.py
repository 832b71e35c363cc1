"""How fast is an import beside bare decoding, and does its memory stay flat?

    python -m benchmarks.importing [--pairs 3] [--images 10000] [--size 256]

Pieces of two real photographs, as JPEG files in class folders, are imported: found, read, checked, copied, thumbnails
made, near duplicates looked for. That takes turns with a bare loop which opens each of the same files with Pillow and
makes a thumbnail of it, on as many threads, and keeps nothing. Each side is a process of its own, whose imports are
not counted. Memory is what such a process holds at most, on all images and on a tenth of them.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import bench
from benchmarks.judge import Verdict
from benchmarks.many_images import Watched
from core.data.dataset import THUMBNAIL_SIDE
from core.data.incoming import inspect
from core.data.intake import THREADS
from core.workspace import Workspace

RATE = 0.8  # of the bare loop's
MEGABYTES = 50  # more on all images than on a tenth of them
CLASSES = 10
QUALITY = 90


def draw(folder: Path, images: int, size: int) -> None:
    """Pieces of photographs, of any scale and tone, so that hardly two look alike."""
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    generator = np.random.default_rng(0)
    for number in range(images):
        photograph = photographs[number % len(photographs)]
        side = generator.uniform(0.2, 0.9) * min(photograph.size)
        left, top = (generator.uniform(0, whole - side) for whole in photograph.size)
        piece = photograph.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
        gains = generator.uniform(0.5, 1.2, 3)
        table = [min(255, int(gain * level)) for gain in gains for level in range(256)]
        place = folder / f"class {number % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        piece.point(table).save(place / f"{number:06d}.jpg", quality=QUALITY)


def some(folder: Path, target: Path, images: int) -> None:
    """Copies of the first files of each class."""
    for place in sorted(folder.iterdir()):
        (target / place.name).mkdir(parents=True)
        for file in sorted(place.iterdir())[: images // CLASSES]:
            shutil.copyfile(file, target / place.name / file.name)


def bare(folder: Path) -> int:
    """Decode every picture and make a thumbnail of it, as few lines do that."""

    def look(file: Path) -> None:
        with Image.open(file) as image:
            image.convert("RGB").thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))

    files = sorted(folder.glob("*/*.jpg"))
    with ThreadPoolExecutor(THREADS) as threads:
        for start in range(THREADS):
            threads.submit(lambda start: [look(file) for file in files[start::THREADS]], start)
    return len(files)


def imported(folder: Path) -> int:
    """What a click on "Look inside" does. Nothing is deleted: just after that some file systems are slow to create."""
    return len(inspect(Workspace(folder.with_name("workspace")), folder).samples)


SIDES: dict[str, Callable[[Path], int]] = {"import": imported, "bare": bare}


def measure(side: str, folder: Path) -> dict[str, float]:
    """Images per second, seconds of processor time for a thousand images, and megabytes held at most."""
    for file in folder.glob("*/*.jpg"):
        file.read_bytes()  # neither side is the first to read it from the disk
    began, busy = time.monotonic(), time.process_time()
    with Watched(os.getpid()) as memory:
        images = SIDES[side](folder)
    seconds, busy = time.monotonic() - began, time.process_time() - busy
    return {"rate": images / seconds, "busy": 1000 * busy / images, "megabytes": memory.megabytes}


def options() -> argparse.Namespace:
    parser = bench.options(__doc__, pairs=3, images=10_000, size=256, of="pictures to import")
    parser.add_argument("--side", choices=list(SIDES), help="only this one, on the pictures of a folder; used inside")
    parser.add_argument("--folder", type=Path, help="the folder")
    return parser.parse_args()


def main() -> None:
    arguments = options()
    if arguments.side:
        print(json.dumps(measure(arguments.side, arguments.folder)))
        return
    bench.headline(f"{arguments.images} images of {arguments.size} px: import beside bare decoding and resizing")
    found: dict[str, list[dict[str, float]]] = {"bare": [], "import": [], "import of a tenth": []}
    with bench.bench_workspace() as workspace:
        whole, tenth = workspace.root / "all" / "pictures", workspace.root / "tenth" / "pictures"
        draw(whole, arguments.images, arguments.size)
        some(whole, tenth, arguments.images // 10)
        for number in range(arguments.pairs):
            for side in bench.turns(["bare", "import"], number):
                found[side].append(bench.apart("importing", "--side", side, "--folder", str(whole)))
            found["import of a tenth"].append(bench.apart("importing", "--side", "import", "--folder", str(tenth)))
            rates = " and ".join(f"{found[side][-1]['rate']:.0f}" for side in ("bare", "import"))
            print(f"   pair {number + 1}: {rates} images/s; {bench.load()}")
    for side, told in found.items():
        bench.line(f"{side}: rate", [one["rate"] for one in told], "images/s")
        bench.line(f"{side}: processor time", [one["busy"] for one in told], "ms an image")
        bench.line(f"{side}: memory, at most", [one["megabytes"] for one in told], "MB")
    ratios = [one["rate"] / other["rate"] for one, other in zip(found["import"], found["bare"], strict=True)]
    bench.line("rate of the import / rate of the bare loop", ratios, "x", goal=f"{RATE} or more")
    work = [one["busy"] / other["busy"] for one, other in zip(found["bare"], found["import"], strict=True)]
    bench.line("the same in processor time, whatever else ran", work, "x")
    pairs = zip(found["import"], found["import of a tenth"], strict=True)
    more = [one["megabytes"] - other["megabytes"] for one, other in pairs]
    bench.line("memory for all less memory for a tenth", more, "MB", goal=f"{MEGABYTES} or less")
    verdict = Verdict()
    verdict.at_least("Rate of the import / rate of the bare loop", ratios, RATE)
    verdict.at_most("Memory for all less memory for a tenth", more, MEGABYTES, unit="MB")
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
