"""How good is the default recipe for masks, and how long does it take? Beside a plain SMP loop, and a larger encoder.

    python -m benchmarks.segmentation [--data FOLDER]     FOLDER holds images and masks; without one cells are drawn
    python -m benchmarks.segmentation --gpu [--pairs 5]   images per second of `neopolyp-unet` beside a bare loop

A fifth of the pictures is held out; Dice is pooled over its pixels, each picture at its own size. Both sides learn from
the same pictures and start from the same encoder weights. Fovea chooses its epoch by a tenth that the plain loop does
not use, as it has nothing to choose. ResNet-34 gets as many epochs as fit into the time that the default took.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import bench
from core.data.dataset import Dataset
from core.data.demo import make_demo
from core.data.incoming import SplitRule, inspect, keep
from core.errors import WeightsError
from core.evaluate.evaluation import evaluate_run
from core.executors.local import LocalExecutor
from core.models.weights import locate
from core.presets import DEFAULTS, preset
from core.recipe import Recipe
from core.runs.store import RunStore
from core.workspace import Workspace

if TYPE_CHECKING:
    import torch

HELD_OUT = SplitRule(train=0.7, validation=0.1, test=0.2)
GOALS = "0.94 and 0.96 within 360 s on two cores, for the cytoplasm and nucleus of seg_wbc1"


@dataclass(frozen=True)
class Contender:
    """What one way of training came to."""

    name: str
    dice: list[float | None]  # of each class
    seconds: float  # from the click to the end, without the report on the held-out fifth
    images_per_second: float
    epochs: int


def drawn(workspace: Workspace, name: str, **dials: int) -> Dataset:
    """A demo set with masks."""
    return keep(workspace, make_demo(workspace, name, dials).id, rule=HELD_OUT)


def split_of(dataset: Dataset) -> str:
    """What is held out: the test split, where the pictures came with splits and have none the validation split."""
    return "test" if dataset.of("test") else "validation"


def through_the_queue(workspace: Workspace, recipe: Recipe, dataset: Dataset, name: str) -> Contender:
    """A run as a page starts it."""
    store = RunStore(workspace)
    bench.wait_for_spare(workspace)
    clicked = time.monotonic()
    run_id = store.create(recipe, dataset)
    LocalExecutor(workspace).submit(run_id)
    bench.wait_until_finished(store, run_id, looks=1)
    seconds = time.monotonic() - clicked
    report = evaluate_run(str(workspace.root), run_id, split_of(dataset), opened_by="a measurement").to_json()
    status = store.status(run_id)
    found = [score["dice"] for score in report["per_class"]]
    return Contender(name, found, seconds, status.images_per_second or 0.0, status.epochs_done)


def plain(workspace: Workspace, recipe: Recipe, dataset: Dataset, name: str) -> Contender:
    """The plain loop on the same pictures, in a process of its own."""
    settings = {
        "encoder": recipe.model.encoder,
        "weights": recipe.model.weights,
        "size": recipe.image_size,
        "epochs": recipe.epochs,
    }
    command = [sys.executable, "-m", "benchmarks.plain_unet", str(workspace.root), dataset.id, json.dumps(settings)]
    command += ["--split", split_of(dataset)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Contender(name, epochs=recipe.epochs, **json.loads(done.stdout.splitlines()[-1]))


def with_resnet(recipe: Recipe) -> Recipe:
    """The recipe with the report's encoder; at random where its weights cannot be had."""
    other = recipe.set({"model.encoder": "resnet34"})
    try:
        locate(other.model)
    except WeightsError as error:
        print(f"   (ResNet-34 starts at random: {error})")
        return other.set({"model.weights": "random"})
    return other


def tell(contender: Contender, classes: tuple[str, ...]) -> None:
    figures = ", ".join(
        f"{name} {'undefined' if value is None else f'{value:.4f}'}"
        for name, value in zip(classes, contender.dice, strict=True)
    )
    print(f"   {contender.name:<34} Dice: {figures}", flush=True)
    epochs = f"{contender.epochs} epochs in {contender.seconds:.0f} s"
    print(f"   {'':<34} {epochs}, {contender.images_per_second:.1f} images/s", flush=True)


def on_masks(data: Path | None, epochs: int | None) -> None:
    """The default recipe, the plain loop, and ResNet-34, one after the other."""
    bench.headline("Masks: Dice of each class on a held-out fifth, and how long it took")
    with bench.bench_workspace() as workspace:
        if data is None:
            dataset = drawn(workspace, "blood-smear-masks", images=300)
        else:
            dataset = keep(workspace, inspect(workspace, data).id, rule=HELD_OUT)
        counts = dataset.split_counts()
        print("   " + ", ".join(f"{split} {count}" for split, count in counts.items()) + f"   goal: {GOALS}")
        recipe = preset(DEFAULTS["segmentation"]).recipe().set({"dataset": dataset.id})
        if epochs:
            recipe = recipe.set({"phases.0.epochs": epochs})
        ours = through_the_queue(workspace, recipe, dataset, "Fovea, default recipe")
        tell(ours, dataset.classes)
        tell(plain(workspace, recipe, dataset, "plain SMP loop"), dataset.classes)
        larger = with_resnet(recipe)
        once = through_the_queue(workspace, larger.set({"phases.0.epochs": 1}), dataset, "one epoch of ResNet-34")
        fits = max(1, int(ours.seconds / once.seconds))
        larger = larger.set({"phases.0.epochs": fits})
        tell(through_the_queue(workspace, larger, dataset, "Fovea, ResNet-34 in that time"), dataset.classes)


def on_a_gpu(pairs: int, images: int, changes: dict[str, object]) -> None:
    """The report's recipe in mixed precision, by Fovea's loop and by a bare one, taking turns at going first."""
    bench.headline("neopolyp-unet at 256 px in mixed precision: images per second, Fovea's loop beside a bare one")
    with bench.bench_workspace() as workspace:
        dataset = drawn(workspace, "polyps", images=images, size=256)
        recipe = with_resnet(preset("neopolyp-unet").recipe().set({"dataset": dataset.id}))
        recipe = recipe.set({"phases.0.epochs": 4, **changes})
        fovea(workspace, recipe.set({"phases.0.epochs": 1}), dataset)  # fills the cache of decoded pictures
        ours, theirs = [], []
        for number in range(pairs):
            for side in (fovea, bare) if number % 2 == 0 else (bare, fovea):
                (ours if side is fovea else theirs).append(median(side(workspace, recipe, dataset)))
        bench.line("Fovea's loop", ours, "images/s")
        bench.line("bare SMP loop", theirs, "images/s")
        bench.line("ratio within pairs", [a / b for a, b in zip(ours, theirs, strict=True)], "", goal="0.97 or more")


def fovea(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> list[float]:
    """Images per second of each epoch of learning but the first, which warms up."""
    from core.train.events import EpochEnd
    from core.train.loop import train

    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, name) for name in ("best", "best_facts", "last")}
        events = train(recipe, dataset, cache=workspace.cache, **files)
        rates = [event.images_per_second for event in events if isinstance(event, EpochEnd)]
    return rates[1:] or rates


def bare(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> list[float]:
    """The same of an SMP U-Net, PyTorch's own mixed precision, and the same pictures, transforms and loader."""
    import segmentation_models_pytorch as smp
    import torch
    from torch.utils.data import DataLoader

    from benchmarks.plain_unet import MEAN, STD
    from core.augment.catalog import resolve
    from core.augment.pipeline import Augmentation
    from core.data.loading import DecodedImages
    from core.data.mask_files import DecodedMasks
    from core.train.devices import loader_processes
    from core.train.mask_losses import build_mask_loss
    from core.train.sources import MaskSource, ShuffledBatches

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    decoded = [kind(dataset, recipe.image_size, recipe.fit, workspace.cache) for kind in (DecodedImages, DecodedMasks)]
    source = MaskSource(*decoded, dataset, Augmentation(resolve(recipe.augment)), recipe.seed)
    rows = [row for row, sample in enumerate(dataset.samples) if sample.split == "train"]
    order, processes = ShuffledBatches(rows, recipe.batch_size, recipe.seed), loader_processes(device)
    loader = DataLoader(
        source,
        batch_sampler=order,
        collate_fn=_as_they_are,
        num_workers=processes,
        persistent_workers=processes > 0,
        pin_memory=device.type == "cuda",
        multiprocessing_context="spawn" if processes else None,
    )
    network = smp.Unet("resnet34", encoder_weights=None, classes=len(dataset.classes))
    network = network.to(device, memory_format=torch.channels_last).train()
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (MEAN, STD))
    loss_of = build_mask_loss(recipe.loss, len(dataset.classes), None, device)
    optimizer = torch.optim.Adam(network.parameters(), recipe.phases[0].learning_rate)
    marks = [_now(device)]
    for epoch in range(recipe.epochs):
        order.start(epoch)
        for images, masks in loader:
            pixels = images.to(device, non_blocking=True).to(torch.float32, memory_format=torch.channels_last)
            targets = masks.to(device, non_blocking=True).long()
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                logits = network((pixels / 255 - mean) / std)
            loss_of(logits.float(), targets).backward()
            optimizer.step()
            optimizer.zero_grad()
        marks.append(_now(device))
    for each in decoded:
        each.close()
    return [len(rows) / (after - before) for before, after in pairwise(marks)][1:]


def _as_they_are(batch: object) -> object:
    return batch


def _now(device: "torch.device") -> float:
    """Seconds, once all that was asked of the device is done."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="images and masks")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's, to see that everything works")
    parser.add_argument("--gpu", action="store_true", help="measure images per second on a GPU")
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.gpu:
        on_a_gpu(arguments.pairs, images=400, changes={})
    else:
        on_masks(arguments.data, arguments.epochs)


if __name__ == "__main__":
    main()
