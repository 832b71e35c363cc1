"""How soon is there a first useful model? A head on stored features, beside a fine-tune of six epochs.

    python -m benchmarks.first_model [--data FOLDER] [--pairs 5] [--images 400] [--size 160]

Both start from the page through the queue, beside a warm spare, on the same pictures, which nobody has decoded before.
Each pair is another seed: another split where the folders give none, another head, another shuffle. The accuracy is
that of the best epoch on the validation split. The head is to take at most a quarter of the time, and to be at most one
point worse on average over the seeds; how sure that is, the interval of the mean difference says.
"""

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks import bench
from benchmarks.judge import Verdict
from core.data.dataset import Dataset
from core.executors.local import LocalExecutor
from core.presets import DEFAULT, preset
from core.recipe import Recipe
from core.runs.store import RunStore
from core.workspace import Workspace

FINE_TUNE = [{"name": "everything", "trainable": "everything", "epochs": 6, "learning_rate": 5e-4}]
SIDES = ("head on stored features", "fine-tune of six epochs")
QUARTER, WORSE = 0.25, 0.01  # of the time; at most so much less accurate


def from_the_page(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> tuple[float, float]:
    """Seconds from the click to the end of the report, and the best validation accuracy."""
    store = RunStore(workspace)
    shutil.rmtree(workspace.cache, ignore_errors=True)
    bench.wait_for_spare(workspace)
    clicked = time.time()
    run_id = store.create(recipe, dataset)
    LocalExecutor(workspace).submit(run_id)
    bench.wait_until_finished(store, run_id, looks=0.5)
    ended = max(entry["time"] for entry in bench.journal(store, run_id) if entry["kind"] == "end")
    return ended - clicked, store.status(run_id).best["accuracy"]


def interval(differences: Sequence[float]) -> str:
    """The 95 % interval of a mean, by Student's t, as words."""
    from scipy.stats import t

    if len(differences) < 2:
        return "no interval of one pair"
    half = t.ppf(0.975, len(differences) - 1) * np.std(differences, ddof=1) / len(differences) ** 0.5
    return f"95 % interval {fmean(differences) - half:+.3f} to {fmean(differences) + half:+.3f}"


def options() -> argparse.Namespace:
    parser = bench.options(__doc__, pairs=5, images=400, size=160)
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="class folders; without them cells are drawn")
    return parser.parse_args()


def main() -> None:
    arguments = options()
    bench.headline("The first useful model: seconds from the click, and validation accuracy")
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    scores: dict[str, list[float]] = {side: [] for side in SIDES}
    for seed in range(arguments.pairs):
        with bench.bench_workspace() as workspace:
            if arguments.data:
                dataset = bench.folder_dataset(workspace, arguments.data, seed)
            else:
                dataset = bench.demo_dataset(workspace, arguments.images, size=96, seed=seed)
            both = {"dataset": dataset.id, "seed": seed, "image_size": arguments.size}
            head = preset(DEFAULT).recipe().set(both)
            recipes = dict(zip(SIDES, (head, head.set({"batch_size": 16, "phases": FINE_TUNE})), strict=True))
            for side in bench.turns(SIDES, seed):
                took, score = from_the_page(workspace, recipes[side], dataset)
                seconds[side].append(took)
                scores[side].append(score)
        told = ", ".join(f"{side} {seconds[side][-1]:.1f} s and {scores[side][-1]:.3f}" for side in SIDES)
        print(f"   seed {seed}: {told}; {bench.load()}", flush=True)
    for side in SIDES:
        bench.line(f"{side}: time", seconds[side], "s")
        bench.line(f"{side}: accuracy", scores[side], "")
    ratios = [one / other for one, other in zip(*seconds.values(), strict=True)]
    differences = [one - other for one, other in zip(*scores.values(), strict=True)]
    bench.line("time of the head / time of the fine-tune", ratios, "x", goal=f"{QUARTER} or less")
    print(
        f"   accuracy of the head less that of the fine-tune: mean {fmean(differences):+.3f}, {interval(differences)}"
    )
    verdict = Verdict()
    verdict.at_most("time of the head / time of the fine-tune", ratios, QUARTER)
    if fmean(differences) < -WORSE:
        verdict.differing.append(f"The head is {-100 * fmean(differences):.1f} points worse, {interval(differences)}")
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
