"""Does Fovea keep its pace with 100,000 images? Beside 1,000 of them, with equal work for each.

    python -m benchmarks.many_images [--pairs 5] [--images 100000] [--size 64] [--seconds 20]

Runs of the queue learn with the whole of lite0 for so many seconds each, from the few images and from the many in turn,
all of them decoded before. The images are some hundred drawn cells under many names: what grows is the tables, the
orders and the caches. Of memory, what a process alone holds is told (its anonymous pages): the pages of mapped files
belong to the system, which takes them back when it needs them. The bare loop beside it is the careful one of
`benchmarks.plain_classifier`, on the few images.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Thread

import psutil

from benchmarks import bench
from benchmarks.judge import Verdict
from core.data.cache import MOST_BYTES, MOST_OF_DISK
from core.data.dataset import Dataset, fingerprint_of, save_dataset
from core.data.library import Library
from core.data.loading import DecodedImages
from core.executors.local import LocalExecutor
from core.recipe import Recipe
from core.runs.store import RunStore, read_mark
from core.workspace import Workspace

FEW, VALIDATION, DRAWN = 1000, 60, 300
BATCH = 16
WARM_UP = 2.0  # seconds of learning that do not count
PACE, MEGABYTES, START = 0.95, 300, 1.0  # of the rate; more than the bare loop; seconds until an epoch's first batch


def named_often(workspace: Workspace, drawn: Dataset, images: int) -> Dataset:
    """A dataset of so many training images, which are the files of a small one under other names."""
    pictures = drawn.of("train")
    folder = workspace.datasets / f"often-{images}"
    samples = []
    for number in range(images + VALIDATION):
        sample = pictures[number % len(pictures)]
        split = "train" if number < images else "validation"
        # The digest stands for the content of a file: as if each were another picture.
        facts = {"id": f"{number:06d}", "name": f"{number}.jpg", "split": split, "digest": f"{number:064x}"}
        samples.append(replace(sample, file=str(Path("..", drawn.id, sample.file)), **facts))
    folder.mkdir(parents=True)
    found = tuple(samples)
    dataset = replace(
        drawn,
        folder=folder,
        id=folder.name,
        name=f"{images} images",
        samples=found,
        fingerprint=fingerprint_of(drawn.classes, found),
    )
    save_dataset(dataset)
    return dataset


def decoded(workspace: Workspace, dataset: Dataset, size: int) -> float:
    """Decode all of it into the cache; images per second."""
    began = time.monotonic()
    with DecodedImages(dataset, size, "crop", workspace.cache) as images:
        for start in range(0, len(dataset.samples), 256):
            images.get(range(start, min(start + 256, len(dataset.samples))))
    return len(dataset.samples) / (time.monotonic() - began)


class Watched:
    """The most memory that a process alone held while this was entered, in megabytes."""

    def __init__(self, pid: int) -> None:
        self._process, self.megabytes = psutil.Process(pid), 0.0
        self._over = False

    def __enter__(self) -> "Watched":
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()

    def _watch(self) -> None:
        while not self._over:
            try:
                about = self._process.memory_info()
            except psutil.NoSuchProcess:
                return
            self.megabytes = max(self.megabytes, (about.rss - getattr(about, "shared", 0)) / 1e6)
            time.sleep(0.2)


def through_the_queue(workspace: Workspace, dataset: Dataset, size: int, seconds: float) -> tuple[float, float, float]:
    """Training images per second, megabytes of the worker, and seconds from the click to the first step."""
    phases = [{"name": "everything", "trainable": "everything", "epochs": 1000, "learning_rate": 1e-4}]
    changes = {"image_size": size, "batch_size": BATCH, "phases": phases, "device": "cpu"}
    store, executor = RunStore(workspace), LocalExecutor(workspace)
    bench.wait_for_spare(workspace)
    clicked = time.time()
    run_id = store.create(Recipe(dataset=dataset.id).set(changes), dataset)
    executor.submit(run_id)
    first = _wait(store, run_id, lambda steps: len(steps) > 0)[0]["time"]
    with Watched(read_mark(store.paths(run_id)).pid) as worker:
        until = first + WARM_UP + seconds
        steps = _wait(store, run_id, lambda steps: steps[-1]["time"] >= until)
    executor.stop(run_id)
    while not store.status(run_id).state.is_finished:
        time.sleep(0.5)
    bench.wait_for_spare(workspace)  # or its imports would take a core from the next run
    images = took = 0.0
    for one, other in pairwise(steps):
        if one["time"] >= first + WARM_UP and one["epoch"] == other["epoch"]:  # between epochs it only looks
            images += BATCH * (other["step"] - one["step"])
            took += other["time"] - one["time"]
    return images / took, worker.megabytes, first - clicked


def _wait(store: RunStore, run_id: str, enough: Callable[[list[dict]], bool]) -> list[dict]:
    while True:
        steps = [entry for entry in bench.journal(store, run_id) if entry["kind"] == "step"]
        if steps and enough(steps):
            return steps
        if store.status(run_id).state.is_finished:
            raise RuntimeError(f"{store.status(run_id).sentence}\n{store.log_tail(run_id)}")
        time.sleep(1 if steps else 0.1)


def bare(workspace: Workspace, dataset: Dataset, size: int) -> float:
    """Megabytes of the careful loop on this dataset."""
    settings = json.dumps({"size": size, "batch": BATCH, "frozen_epochs": 0, "epochs": 1})
    command = [sys.executable, "-m", "benchmarks.plain_classifier", str(workspace.root), dataset.id, settings]
    with subprocess.Popen(command, cwd=bench.ROOT, stdout=subprocess.DEVNULL) as process, Watched(process.pid) as loop:
        if process.wait():
            raise RuntimeError("the careful loop failed")
    return loop.megabytes


def start_of_an_epoch(dataset: Dataset) -> float:
    """Seconds from the start of an epoch until it is known which images its first batches have."""
    from core.train.sources import Itinerary, ShuffledBatches

    rows = [row for row, sample in enumerate(dataset.samples) if sample.split == "train"]
    batches = ShuffledBatches(rows, BATCH, seed=0)
    began = time.monotonic()
    batches.start(1)
    next(iter(Itinerary(batches, ahead=lambda batch: None)))
    return time.monotonic() - began


def on_disk(folder: Path) -> float:
    """Megabytes that a folder takes."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file()) / 1e6


def options() -> argparse.Namespace:
    parser = bench.options(__doc__, pairs=5, images=100_000, size=64, of="how many are many")
    parser.add_argument("--seconds", type=float, default=20, help="of learning that count in each run (20)")
    return parser.parse_args()


def main() -> None:
    arguments = options()
    few, many = f"{FEW} images", f"{arguments.images} images"
    bench.headline(f"{few} and {many}: training images per second, memory, caches")
    rates: dict[str, list[float]] = {few: [], many: []}
    memory: dict[str, list[float]] = {few: [], many: [], "bare loop": []}
    firsts: dict[str, list[float]] = {few: [], many: []}
    with bench.bench_workspace() as workspace:
        drawn = bench.demo_dataset(workspace, DRAWN)
        datasets = {few: named_often(workspace, drawn, FEW), many: named_often(workspace, drawn, arguments.images)}
        for name, dataset in datasets.items():
            bench.line(f"{name}: decoded into the cache", [decoded(workspace, dataset, arguments.size)], "images/s")
        began = time.monotonic()
        Library(workspace).get(datasets[many].id)
        bench.line(f"{many}: opening the dataset", [time.monotonic() - began], "s")
        starts = [start_of_an_epoch(datasets[many]) for _ in range(5)]
        for number in range(arguments.pairs):
            for name in bench.turns([few, many], number):
                found = through_the_queue(workspace, datasets[name], arguments.size, arguments.seconds)
                for table, value in zip((rates, memory, firsts), found, strict=True):
                    table[name].append(value)
            memory["bare loop"].append(bare(workspace, datasets[few], arguments.size))
            print(f"   pair {number + 1}: {rates[few][-1]:.1f} and {rates[many][-1]:.1f} images/s; {bench.load()}")
        cache = on_disk(workspace.cache)
        free = os.statvfs(workspace.root).f_bavail * os.statvfs(workspace.root).f_frsize if os.name == "posix" else 0
    verdict = Verdict()
    for name in (few, many):
        bench.line(f"{name}: learning", rates[name], "images/s")
        bench.line(f"{name}: click to first step", firsts[name], "s")
    ratios = [one / other for one, other in zip(rates[many], rates[few], strict=True)]
    bench.line("rate of the many / rate of the few", ratios, "x", goal=f"{PACE} or more")
    for name, found in memory.items():
        bench.line(f"{name}: memory of its own, at most", found, "MB")
    more = [one - other for one, other in zip(memory[many], memory["bare loop"], strict=True)]
    bench.line("worker on the many less the bare loop on the few", more, "MB", goal=f"{MEGABYTES} or less")
    bench.line("start of an epoch of the many", starts, "s", goal=f"{START:g} or less")
    bound = min(MOST_BYTES / 1e6, MOST_OF_DISK * (free / 1e6 + cache))
    bench.line("caches on the disk, memory-mapped", [cache], "MB", goal=f"{bound:.0f} or less here")
    verdict.at_least("Rate of the many / rate of the few", ratios, PACE)
    verdict.at_most("Worker's memory more than the bare loop's", more, MEGABYTES, unit="MB")
    verdict.at_most("Start of an epoch", starts, START, unit="s")
    verdict.at_most("Caches on the disk", [cache], bound, unit="MB")
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
