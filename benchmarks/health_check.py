"""How long does a health check take, does its memory stay flat, and does it find what was planted?

    python -m benchmarks.health_check [--pairs 3] [--images 10000] [--size 256] [--photos FOLDER]

Pieces of two real photographs, as JPEG files in class folders, are imported, and then checked without labels, by a
process that starts with them undecoded; its imports are not counted. Memory is what this process holds at most, on all
images and on a tenth of them.

Then faults are planted among drawn cells, and among the pictures of `--photos` where it names a folder of class
folders: pictures made dark, bright, blurred or blank, and a class of which most was saved as PNG.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks import bench
from benchmarks.importing import draw, some
from benchmarks.judge import Verdict
from benchmarks.many_images import Watched
from core.data.dataset import Dataset
from core.data.demo import make_demo
from core.data.health.finding import Finding
from core.data.incoming import inspect, keep
from core.data.library import Library
from core.integrity.health import check_health
from core.workspace import Workspace

SECONDS = 60  # for 10,000 images of 256 pixels
MEGABYTES = 100  # more on all images than on a tenth of them
FOUND = 0.95  # of what was planted, and of what is found

SPOILT: dict[str, Callable[[Image.Image], Image.Image]] = {
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.08),
    "bright": lambda image: image.point(lambda level: 225 + level // 9),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(0.03 * max(image.size))),
    "blank": lambda image: image.resize((1, 1), Image.Resampling.BOX).resize(image.size),
}


def measure(root: Path) -> dict[str, float]:
    """Seconds of a check of the only dataset of a workspace, of them of the processor, and megabytes held at most."""
    (card,) = Library(Workspace(root)).cards()
    began, busy = time.monotonic(), time.process_time()
    with Watched(os.getpid()) as memory:
        report = check_health(str(root), card.id, labels=False)
    return {
        "seconds": time.monotonic() - began,
        "busy": time.process_time() - busy,
        "megabytes": memory.megabytes,
        "graver": sum(finding.severity != "note" for finding in report.findings),
    }


def kept(root: Path, folder: Path) -> Workspace:
    """A workspace that has the pictures of a folder as its only dataset."""
    workspace = Workspace(root)
    keep(workspace, inspect(workspace, folder).id)
    return workspace


def class_folders(dataset: Dataset, folder: Path) -> list[Path]:
    """The pictures of a dataset as files of class folders, in an order that says nothing."""
    files = []
    for row in np.random.default_rng(0).permutation(len(dataset.samples)):
        sample = dataset.samples[row]
        place = folder / dataset.classes[sample.label] / f"{sample.id}{Path(sample.file).suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(dataset.path(sample), place)
        files.append(place)
    return files


def planted(drawn: Dataset, root: Path) -> Iterator[tuple[str, float, float]]:
    """What was planted, and how much of it was found, and how much of what was found was planted."""
    files = class_folders(drawn, root / "pictures")
    each, names = max(2, len(files) // 50), {}
    for number, (fault, spoil) in enumerate(SPOILT.items()):
        chosen = files[number * each : (number + 1) * each]
        names[fault] = {str(file.relative_to(root / "pictures")) for file in chosen}
        for file in chosen:
            with Image.open(file) as image:
                spoil(image.convert("RGB")).save(file, "JPEG", quality=90)
    found = {finding.check: set(finding.files) for finding in _findings(root, root / "pictures")}
    for fault, right in names.items():
        told = found.get(fault, set())
        yield fault, len(told & right) / len(right), len(told & right) / len(told) if told else 0.0


def shortcut(drawn: Dataset, root: Path, share: float) -> Finding | None:
    """What is told of a class of which a share was saved as PNG."""
    files = class_folders(drawn, root / "pictures")
    of_class = [file for file in files if file.parent.name == drawn.classes[0]]
    for file in of_class[: round(share * len(of_class))]:
        with Image.open(file) as image:
            image.save(file.with_suffix(".png"))
        file.unlink()
    return next((one for one in _findings(root, root / "pictures") if one.check == "shortcut"), None)


def _findings(root: Path, folder: Path) -> tuple[Finding, ...]:
    workspace = kept(root / "workspace", folder)
    (card,) = Library(workspace).cards()
    return check_health(str(workspace.root), card.id, labels=False).findings


def faults(name: str, dataset: Dataset, verdict: Verdict) -> None:
    """Plant every fault in a dataset, and print what is found."""
    with TemporaryDirectory(prefix="fovea-bench-") as place:
        for fault, recall, precision in planted(dataset, Path(place)):
            bench.line(f"{name}: {fault}, found", [100 * recall], f"%, {100 * precision:.0f} % of what is found is one")
            verdict.at_least(f"{name}: {fault} pictures", [min(recall, precision)], FOUND, unit="of them")
    for share in (0.8, 0.4, 0.0):
        with TemporaryDirectory(prefix="fovea-bench-") as place:
            finding = shortcut(dataset, Path(place), share)
        accuracy = finding.figures["accuracy"] if finding else 0.0
        severity = finding.severity if finding else "nothing"
        bench.line(f"{name}: {share:.0%} of a class saved as PNG", [100 * accuracy], f"% told by files, {severity}")
        right = (severity == "warning") == bool(share)
        verdict.at_least(f"{name}: {share:.0%} of a class saved as PNG, told rightly", [float(right)], 1.0, unit="of 1")


def options() -> argparse.Namespace:
    parser = bench.options(__doc__, pairs=3, images=10_000, size=256, of="pictures to check")
    parser.add_argument("--photos", type=Path, help="plant faults among the pictures of these class folders too")
    parser.add_argument("--root", type=Path, help="check the dataset of this workspace; used inside")
    return parser.parse_args()


def main() -> None:
    arguments = options()
    if arguments.root:
        print(json.dumps(measure(arguments.root)))
        return
    bench.headline(f"{arguments.images} images of {arguments.size} px: health check without labels")
    found: dict[str, list[dict[str, float]]] = {"all": [], "tenth": []}
    verdict = Verdict()
    with bench.bench_workspace() as scratch:
        draw(scratch.root / "pictures", arguments.images, arguments.size)
        some(scratch.root / "pictures", scratch.root / "few", arguments.images // 10)
        places = {"all": kept(scratch.root / "all", scratch.root / "pictures")}
        places["tenth"] = kept(scratch.root / "tenth", scratch.root / "few")
        for _ in range(arguments.pairs):
            for name, workspace in places.items():
                shutil.rmtree(workspace.cache, ignore_errors=True)  # or its facts would be there
                found[name].append(bench.apart("health_check", "--root", str(workspace.root)))
        again = bench.apart("health_check", "--root", str(places["all"].root))
    seconds = bench.line("a first check", [one["seconds"] for one in found["all"]], "s", goal=f"{SECONDS}")
    bench.line("of that at work, on all cores together", [one["busy"] for one in found["all"]], "s")
    bench.line("a second check, whose facts are there", [again["seconds"]], "s")
    most, few = (max(one["megabytes"] for one in found[name]) for name in ("all", "tenth"))
    bench.line("memory", [most], "MB")
    bench.line("memory on a tenth of them", [few], "MB")
    if arguments.images >= 5000:
        verdict.at_most("a check of 10,000 images", [seconds * 10_000 / arguments.images], SECONDS, unit="s")
        verdict.at_most("memory for ten times as many images", [most - few], MEGABYTES, unit="MB more")
    with bench.bench_workspace() as workspace:
        faults("cells", keep(workspace, make_demo(workspace, "blood-smear", {"images": 400}).id), verdict)
        if arguments.photos:
            faults("photos", keep(workspace, inspect(workspace, arguments.photos).id), verdict)
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
