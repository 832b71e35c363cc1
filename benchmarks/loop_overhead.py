"""Does training from the page cost speed? The loop run by the queue's worker, beside the same loop called directly.

    python -m benchmarks.loop_overhead [--pairs 5] [--images 200] [--size 96]

Pairs are interleaved and take turns at going first, because the speed of a shared machine drifts. Both sides run in a
process of their own with equal threads and priority, start from the same caches, and are timed the same way: training
images over the time between the ends of epochs, a window of epochs at a time. Whatever else the machine does only slows
a window down, so there is also the ratio of the fastest windows: the one to trust on a machine that is busy.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks import bench
from benchmarks.judge import Verdict
from core.data.dataset import Dataset
from core.data.library import Library
from core.executors.launch import step_back
from core.executors.local import LocalExecutor
from core.machine import cores
from core.recipe import Recipe
from core.runs.store import RunStore
from core.workspace import Workspace

CASES = {
    "everything": {
        "batch_size": 16,
        "phases.0": {"name": "everything", "trainable": "everything", "epochs": 6, "learning_rate": 3e-4},
    },
    "head": {"batch_size": 32, "phases.0.epochs": 400},
}
AIMS = {"everything": 0.98, "head": 0.98}
WINDOWS = {"everything": 1, "head": 20}  # epochs


def through_the_queue(workspace: Workspace, recipe: Recipe) -> list[float]:
    """When each epoch ended of a run as a page starts it."""
    dataset = Library(workspace).get(recipe.dataset)
    store = RunStore(workspace)
    run_id = store.create(recipe, dataset)
    LocalExecutor(workspace).submit(run_id)
    bench.wait_until_finished(store, run_id, looks=1)
    return bench.epoch_times(bench.journal(store, run_id))


def directly(workspace: Workspace, recipe: Recipe) -> list[float]:
    """When each epoch ended of the bare loop, in a fresh process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.loop_overhead", "--bare", str(workspace.root), recipe.to_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def bare(root: Path, recipe: Recipe) -> list[float]:
    """Call the loop, with the threads and the priority of a worker, and note when each epoch ended."""
    import torch

    from core.train.events import EpochEnd
    from core.train.loop import train

    step_back()
    torch.set_num_threads(cores())
    workspace, ends = Workspace(root), []
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, name) for name in ("best", "best_facts", "last")}
        for event in train(recipe, Library(workspace).get(recipe.dataset), cache=workspace.cache, **files):
            if isinstance(event, EpochEnd):
                ends.append(time.time())
    return ends


def rates(ends: list[float], dataset: Dataset, window: int) -> list[float]:
    """Training images per second of each window of epochs. The first epoch, which warms up, only starts the clock."""
    marks = ends[::window]
    images = window * len(dataset.of("train"))
    return [images / (end - start) for start, end in itertools.pairwise(marks)]


def main() -> None:
    parser = bench.options(__doc__, pairs=5, images=200, size=96)
    parser.add_argument("--bare", nargs=2, metavar=("WORKSPACE", "RECIPE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        root, recipe = arguments.bare
        print(json.dumps(bare(Path(root), Recipe.from_json(recipe))))
        return

    bench.headline("Training from the page against the bare loop (images per second)")
    verdict = Verdict()
    with bench.bench_workspace() as workspace:
        dataset = bench.demo_dataset(workspace, arguments.images)
        for name, changes in CASES.items():
            recipe = Recipe(dataset=dataset.id).set(changes | {"image_size": arguments.size})
            directly(workspace, recipe.set({"phases.0.epochs": 2}))  # fills the caches that both sides read
            page, loop = [], []
            for number in range(arguments.pairs):
                bench.wait_for_spare(workspace)
                for side in (through_the_queue, directly) if number % 2 == 0 else (directly, through_the_queue):
                    measured = rates(side(workspace, recipe), dataset, WINDOWS[name])
                    (page if side is through_the_queue else loop).append(measured)
            ratios = [median(left) / median(right) for left, right in zip(page, loop, strict=True)]
            bench.line(f"{name}: from the page", [median(windows) for windows in page], "images/s")
            bench.line(f"{name}: called directly", [median(windows) for windows in loop], "images/s")
            bench.line(f"{name}: ratio within pairs", ratios, "x", goal=f"{AIMS[name]} or more")
            bench.line(f"{name}: ratio of the fastest windows", [max(map(max, page)) / max(map(max, loop))], "x")
            verdict.at_least(f"{name}: from the page / called directly", ratios, AIMS[name])
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
