"""Does training from the page cost speed? The loop run by the queue's worker, beside the same loop called directly.

    python -m benchmarks.loop_overhead [--pairs 5]

Pairs are interleaved and take turns at going first, because the speed of a shared machine drifts. Both sides run in a
process of their own with equal threads and priority, start from the same caches, and are timed the same way: training
images between the end of the first and of the last epoch. A spare is warm before either side starts.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks import bench
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
        "image_size": 96,
        "batch_size": 16,
        "phases.0": {"name": "everything", "trainable": "everything", "epochs": 4, "learning_rate": 3e-4},
    },
    "head": {"image_size": 96, "batch_size": 32, "phases.0.epochs": 400},
}


def through_the_queue(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> float:
    """Training images per second of a run as a page starts it."""
    store = RunStore(workspace)
    run_id = store.create(recipe, dataset)
    LocalExecutor(workspace).submit(run_id)
    bench.wait_until_finished(store, run_id)
    return _rate(bench.epoch_times(bench.journal(store, run_id)), dataset)


def directly(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> float:
    """Training images per second of the bare loop, in a fresh process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.loop_overhead", "--bare", str(workspace.root), recipe.to_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return _rate(json.loads(done.stdout.splitlines()[-1]), dataset)


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


def _rate(ends: list[float], dataset: Dataset) -> float:
    return (len(ends) - 1) * len(dataset.of("train")) / (ends[-1] - ends[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--bare", nargs=2, metavar=("WORKSPACE", "RECIPE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        root, recipe = arguments.bare
        print(json.dumps(bare(Path(root), Recipe.from_json(recipe))))
        return

    bench.headline("Training from the page against the bare loop (images per second)")
    with bench.bench_workspace() as workspace:
        dataset = bench.demo_dataset(workspace, images=200)
        for name, changes in CASES.items():
            recipe = Recipe(dataset=dataset.id).set(changes)
            directly(workspace, recipe.set({"phases.0.epochs": 2}), dataset)  # fills the caches that both sides read
            pairs = []
            for number in range(arguments.pairs):
                bench.wait_for_spare(workspace)
                sides = (through_the_queue, directly) if number % 2 == 0 else (directly, through_the_queue)
                rates = {side: side(workspace, recipe, dataset) for side in sides}
                pairs.append((rates[through_the_queue], rates[directly]))
            bench.line(f"{name}: from the page", [pair[0] for pair in pairs], "images/s")
            bench.line(f"{name}: called directly", [pair[1] for pair in pairs], "images/s")
            bench.line(f"{name}: ratio within pairs", [page / loop for page, loop in pairs], "", goal="0.98 or more")
            sides = [median(pair[side] for pair in pairs) for side in (0, 1)]
            bench.line(f"{name}: ratio of the medians", [sides[0] / sides[1]], "")


if __name__ == "__main__":
    main()
