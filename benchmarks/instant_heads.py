"""How instant are instant heads? A head's choice changed, pictures added, and what features cost.

    python -m benchmarks.instant_heads [--data FOLDER] [--pairs 5] [--images 1430] [--size 160]

Features of about 1,000 training images are stored by a first run. Then 50 epochs of AdamW with another learning rate,
and a head that is solved for, are measured twice: by the worker's clock, for a run through the queue, and in the lab,
from the question to the answer with both confusion matrices. Pictures are added to a part of the data, and what goes
through the network is counted. Extraction as the loop does it, from files and from decoded pictures, takes turns with
the bare network on pictures in memory.
"""

import argparse
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks import bench
from benchmarks.judge import Verdict
from core.data.dataset import Dataset
from core.executors.lab import Lab
from core.executors.local import LocalExecutor
from core.presets import DEFAULT, preset
from core.recipe import Recipe
from core.runs.store import RunStore
from core.workspace import Workspace

STEPS = {"phases.0.epochs": 50}
CONVEX = {"phases.0.solver": "convex", "phases.0.epochs": 1}
RATES = (1e-3, 2e-3, 4e-3, 6e-3, 8e-3, 1e-2, 1.5e-2, 2e-2)  # another one each time, since heads are remembered
DECAYS = (0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3)
MOST_SECONDS = {"50 epochs of AdamW": 2.0, "convex solver": 0.5}
EXTRACTION = 0.85  # of the rate of the bare network
BATCH = 32  # as the default recipe's


def through_the_queue(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> tuple[str, float]:
    """A run's id, and the seconds of all its epochs with their validation, by the worker's clock."""
    store = RunStore(workspace)
    bench.wait_for_spare(workspace)
    run_id = store.create(recipe, dataset)
    LocalExecutor(workspace).submit(run_id)
    bench.wait_until_finished(store, run_id, looks=0.5)
    return run_id, sum(entry["seconds"] for entry in bench.journal(store, run_id) if entry["kind"] == "epoch")


def heads(workspace: Workspace, recipe: Recipe, dataset: Dataset, pairs: int, verdict: Verdict) -> None:
    """A choice of the head changed."""
    run_id, first = through_the_queue(workspace, recipe.set(STEPS), dataset)
    bench.line("the first run's epochs, features and all", [first], "s")
    worker: dict[str, list[float]] = {name: [] for name in MOST_SECONDS}
    lab: dict[str, list[float]] = {name: [] for name in MOST_SECONDS}
    with closing(Lab()) as helper:
        call = "core.executors.instant:retrain", str(workspace.root), run_id
        helper.call(*call, {})  # the head as it is, and all imports
        for number in range(pairs):
            changes = {
                "50 epochs of AdamW": {"phases.0.learning_rate": RATES[number % len(RATES)]},
                "convex solver": CONVEX | {"optimizer.weight_decay": DECAYS[number % len(DECAYS)]},
            }
            for name in bench.turns(tuple(changes), number):
                worker[name].append(through_the_queue(workspace, recipe.set(STEPS).set(changes[name]), dataset)[1])
                began = time.monotonic()
                helper.call(*call, changes[name])
                lab[name].append(time.monotonic() - began)
    for name, most in MOST_SECONDS.items():
        bench.line(f"{name}, epochs in the worker", worker[name], "s", goal=f"at most {most:g} s")
        verdict.at_most(f"{name}, in the worker", worker[name], most, unit="s")
        bench.line(f"{name}, in the lab from question to answer", lab[name], "s")


@contextmanager
def opened(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> Iterator:
    """The stored features of a dataset, as a run opens them."""
    import torch

    from core.augment.catalog import resolve
    from core.data.loading import DecodedImages
    from core.machine import cores
    from core.models.classifiers import build_classifier
    from core.train.devices import accelerator_for
    from core.train.features import FrozenFeatures

    torch.set_num_threads(cores())
    model = build_classifier(recipe.model, len(dataset.classes)).eval()
    with (
        accelerator_for(recipe) as accelerator,
        DecodedImages(dataset, recipe.image_size, recipe.fit, workspace.cache) as images,
        closing(
            FrozenFeatures(model, images, dataset, recipe, resolve(recipe.augment), workspace.cache, accelerator)
        ) as features,
    ):
        yield features, model, images


def extracted(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> tuple[int, float]:
    """How many pictures went through the network until all features were there, and in how many seconds."""
    with opened(workspace, recipe, dataset) as (features, _, _):
        rows = list(range(len(dataset.samples)))
        batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        began = time.monotonic()
        for batch, following in zip(batches, [*batches[1:], []], strict=True):
            features.prefetch(following, None)  # as the loop's loader announces it
            features.get(batch, None)
        return features.extracted, time.monotonic() - began


def bare(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> tuple[int, float]:
    """The same for the network alone, 16 pictures from memory at a time."""
    import torch

    from core.machine import cores

    with opened(workspace, recipe, dataset) as (_, model, images):
        pictures = torch.from_numpy(images.get(range(len(dataset.samples)))).permute(0, 3, 1, 2)
        torch.set_num_threads(cores())  # open features keep it to one
        began = time.monotonic()
        with torch.inference_mode():
            for chunk in pictures.split(16):
                model.features(model.normalise(chunk))
        return len(pictures), time.monotonic() - began


def extraction(workspace: Workspace, recipe: Recipe, dataset: Dataset, pairs: int, verdict: Verdict) -> None:
    """Images per second into the store, beside the bare network."""
    part = replace(dataset, samples=dataset.samples[: 16 * (min(len(dataset.samples), 320) // 16)])
    sides = {"bare network": [], "from files": [], "from decoded pictures": []}
    for number in range(pairs):
        for side in bench.turns(tuple(sides), number):
            if side == "from files":
                shutil.rmtree(workspace.cache, ignore_errors=True)
            else:
                for folder in workspace.cache.glob("*/features"):
                    shutil.rmtree(folder)
                with opened(workspace, recipe, part) as (_, _, images):
                    images.get(range(len(part.samples)))
            images, seconds = (bare if side == "bare network" else extracted)(workspace, recipe, part)
            sides[side].append(images / seconds)
    network = sides.pop("bare network")
    bench.line("bare network, pictures in memory, 16 at a time", network, "images/s")
    for side, rates in sides.items():
        bench.line(f"extraction {side}", rates, "images/s")
        ratios = [one / other for one, other in zip(rates, network, strict=True)]
        bench.line(f"extraction {side}, of the bare network", ratios, "x", goal=f"at least {EXTRACTION:g}")
        verdict.at_least(f"extraction {side}", ratios, EXTRACTION)


def added(workspace: Workspace, recipe: Recipe, dataset: Dataset, verdict: Verdict) -> None:
    """A tenth more pictures, and every label another: what goes through the network."""
    shutil.rmtree(workspace.cache, ignore_errors=True)
    fewer = replace(dataset, samples=dataset.samples[: len(dataset.samples) * 9 // 10])
    others = [replace(sample, label=(sample.label + 1) % len(dataset.classes)) for sample in dataset.samples]
    counts = []
    for name, revision in {
        "nine tenths of the pictures": fewer,
        "all pictures": dataset,
        "all with other labels": replace(dataset, samples=tuple(others)),
    }.items():
        count, seconds = extracted(workspace, recipe, revision)
        print(f"   {name:<52} {count:8} through the network in {seconds:.2f} s", flush=True)
        counts.append(count)
    new = len(dataset.samples) - len(fewer.samples)
    verdict.at_most("pictures through the network for the added ones", [counts[1]], new, unit="pictures")
    verdict.at_most("pictures through the network for other labels", [counts[2]], 0, unit="pictures")


def options() -> argparse.Namespace:
    parser = bench.options(__doc__, pairs=5, images=1430, size=160)
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="class folders; without them cells are drawn")
    return parser.parse_args()


def main() -> None:
    arguments, verdict = options(), Verdict()
    bench.headline("Instant heads: seconds after a choice was changed, and what features cost")
    with bench.bench_workspace() as workspace:
        if arguments.data:
            dataset = bench.folder_dataset(workspace, arguments.data, seed=0)
        else:
            dataset = bench.demo_dataset(workspace, arguments.images, size=96)
        counts = dataset.split_counts()
        print(f"   {counts['train']} training, {counts['validation']} validation images", flush=True)
        recipe = preset(DEFAULT).recipe().set({"dataset": dataset.id, "image_size": arguments.size})
        heads(workspace, recipe, dataset, arguments.pairs, verdict)
        extraction(workspace, recipe, dataset, arguments.pairs, verdict)
        added(workspace, recipe, dataset, verdict)
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
