"""How fast does Fovea fine-tune? Its queue beside a careful PyTorch loop, a naive one, and fastai, with equal work.

    python -m benchmarks.fine_tuning [--data FOLDER] [--pairs 5] [--images 400] [--size 160]

All sides learn from the same pictures, split, backbone and weights, in as many epochs: the head for one, then
everything. Each runs in a process of its own with the same threads and priority, and takes its turn at going first.
Nothing is decoded beforehand. Images per second are those of the learning part of the epochs of everything; end to end
is all training images of those epochs over the time from the click (of the others: from after their imports) to the
last answer. The answers compared are those of each side's best epoch for the validation images.
"""

import argparse
import importlib.util
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import bench
from benchmarks.judge import Answers, Verdict
from core.data.dataset import Dataset
from core.evaluate.predictions import PredictionTable
from core.executors.local import LocalExecutor
from core.recipe import Recipe
from core.runs.store import RunStore
from core.workspace import Workspace

FASTAI = bench.ROOT / ".venv" / "bench"  # where `make bench` puts it
SIDES = ("Fovea", "careful loop", "naive loop", "fastai", "fastai, channels last")
AIMS = {"careful loop": 0.98, "naive loop": 1.5, "fastai": 1.6, "fastai, channels last": 1.0}
PLAN = {"backbone": "tf_efficientnet_lite0", "batch": 16, "frozen_epochs": 1, "head_rate": 3e-3, "rate": 5e-4}


@dataclass(frozen=True)
class Side:
    """One run of one side."""

    rate: float  # training images per second while everything learns
    seconds: float  # end to end
    answers: Answers


def recipe_of(settings: dict, dataset: Dataset) -> Recipe:
    """The recipe that says what the settings of the loops say."""
    phases = [
        {"name": "head", "epochs": settings["frozen_epochs"], "learning_rate": settings["head_rate"]},
        {
            "name": "everything",
            "trainable": "everything",
            "epochs": settings["epochs"],
            "learning_rate": settings["rate"],
        },
    ]
    changes = {
        "image_size": settings["size"],
        "batch_size": settings["batch"],
        "model.backbone": settings["backbone"],
        "seed": settings["seed"],
        "device": "cpu",
        "phases": phases,
    }
    return Recipe(dataset=dataset.id).set(changes)


def through_the_queue(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> Side:
    """A run as a page starts it, on pictures that were never decoded before, beside a warm spare."""
    store = RunStore(workspace)
    shutil.rmtree(workspace.cache, ignore_errors=True)
    bench.wait_for_spare(workspace)
    clicked = time.time()
    run_id = store.create(recipe, dataset)
    LocalExecutor(workspace).submit(run_id)
    bench.wait_until_finished(store, run_id, looks=1)
    told = bench.journal(store, run_id)
    rates = [entry["images_per_second"] for entry in told if entry["kind"] == "epoch" and entry["phase"] == 1]
    ended = max(entry["time"] for entry in told if entry["kind"] == "end")
    table = PredictionTable.read(store.paths(run_id).predictions("validation"))
    answers = dict(zip(table.ids, (table.predicted == table.truth).tolist(), strict=True))
    bench.wait_for_spare(workspace)  # or its imports would take a core from whoever is next
    return Side(median(rates), ended - clicked, answers)


def measured(side: str, workspace: Workspace, dataset: Dataset, settings: dict) -> Side:
    """One run of this side."""
    if side == "Fovea":
        return through_the_queue(workspace, recipe_of(settings, dataset), dataset)
    words = [str(workspace.root), dataset.id, json.dumps(settings)]
    if side in ("careful loop", "naive loop"):
        told = bench.apart("plain_classifier", *words, "--way", side.split()[0])
    else:
        flags = ["--channels-last"] if "channels last" in side else []
        told = bench.apart("fastai_classifier", *words, *flags, beside=FASTAI if FASTAI.is_dir() else None)
    return Side(median(told["rates"]), told["seconds"], told["answers"])


def sides_here() -> list[str]:
    """All sides, without fastai's where it is not installed."""
    if FASTAI.is_dir() or importlib.util.find_spec("fastai"):
        return list(SIDES)
    print("   (fastai is not here: make bench installs it from requirements-bench.txt)")
    return [side for side in SIDES if not side.startswith("fastai")]


def options() -> argparse.Namespace:
    parser = bench.options(__doc__, pairs=5, images=400, size=160)
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="class folders; without them cells are drawn")
    parser.add_argument("--epochs", type=int, default=3, help="of everything, after one of the head (3)")
    parser.add_argument("--sides", nargs="+", choices=SIDES, help="only these; Fovea is always one of them")
    return parser.parse_args()


def main() -> None:
    arguments = options()
    bench.headline("Fine-tuning lite0 on the CPU: training images per second, interleaved")
    sides = [side for side in sides_here() if side == "Fovea" or side in (arguments.sides or SIDES)]
    runs: dict[str, list[Side]] = {side: [] for side in sides}
    with bench.bench_workspace() as workspace:
        if arguments.data:
            dataset = bench.folder_dataset(workspace, arguments.data, seed=0)
        else:
            dataset = bench.demo_dataset(workspace, arguments.images, size=max(96, round(arguments.size * 1.6)))
        counts = dataset.split_counts()
        print(
            f"   {counts['train']} training, {counts['validation']} validation images, {arguments.size} px", flush=True
        )
        for number in range(arguments.pairs):
            settings = PLAN | {"size": arguments.size, "epochs": arguments.epochs, "seed": number}
            for side in bench.turns(sides, number):
                runs[side].append(measured(side, workspace, dataset, settings))
            told = ", ".join(f"{side} {found[-1].rate:.1f}" for side, found in runs.items())
            print(f"   pair {number + 1}: {told}; {bench.load()}", flush=True)
    images, verdict = arguments.epochs * counts["train"], Verdict()
    for side, found in runs.items():
        bench.line(f"{side}: learning", [one.rate for one in found], "images/s")
        bench.line(f"{side}: end to end", [images / one.seconds for one in found], "images/s")
    ours = runs["Fovea"]
    for side in sides[1:]:
        pairs = list(zip(ours, runs[side], strict=True))
        ratios = [one.rate / other.rate for one, other in pairs]
        bench.line(f"Fovea / {side}: learning", ratios, "x", goal=f"{AIMS[side]} or more")
        bench.line(f"Fovea / {side}: end to end", [other.seconds / one.seconds for one, other in pairs], "x")
        verdict.at_least(f"Fovea / {side}", ratios, AIMS[side])
    for side in sides[1:]:
        verdict.equally_good(f"Fovea and {side}", [one.answers for one in ours], [one.answers for one in runs[side]])
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
