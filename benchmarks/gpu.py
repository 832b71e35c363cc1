"""How fast does Fovea fine-tune on a GPU? Beside a careful loop, timm's own way of measuring, and synthetic tensors.

    python -m benchmarks.gpu [--seconds 240] [--pairs 5] [--images 4096] [--size 224] [--batch 128]
    python -m benchmarks.gpu --cpu --seconds 20        small and on the CPU, to see that it works

draws its own images and needs torch, torchvision, timm, accelerate and scikit-learn, but neither the pages nor SMP. All
sides train the whole of one network, drawn at random, in bfloat16 and channels last, for equal slices of the time:

- `Fovea`: its loop, as a worker runs it, on decoded pictures, its own processes preparing and augmenting them;
- `Fovea, synthetic`: the same loop on batches that lie on the device already;
- `careful loop`: that of `benchmarks.plain_classifier`, all pictures on the device and augmented there;
- `timm`: what timm's benchmark.py measures of training: one batch of random numbers, again and again, forward,
  backward, step. The script is no part of timm's package, so the few lines are here.

Warming up, starting processes and looking at the validation split do not count. Accuracies of random networks after
seconds say nothing and are not compared. What is printed at the end is a table for docs/LOG.md.
"""

import argparse
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, median
from typing import Any
from unittest.mock import patch

import timm
import torch

from benchmarks import bench
from benchmarks.judge import Verdict
from benchmarks.many_images import decoded, named_often
from benchmarks.plain_classifier import Careful, Network, Settings, mixed, now
from core.data.dataset import Dataset
from core.recipe import Recipe
from core.train import course
from core.train.events import EpochEnd
from core.train.loop import train
from core.train.sources import ImageSource
from core.workspace import Workspace

SIDES = ("Fovea", "Fovea, synthetic", "careful loop", "timm")
AIMS = (("Fovea", "careful loop", 0.97), ("Fovea", "timm", 0.9), ("Fovea", "Fovea, synthetic", 0.95))
WARM_UP = 10  # steps of the other sides that do not count; of Fovea the first epoch does not
SMALL = {"images": 64, "size": 64, "batch": 8, "pairs": 1}


def fovea(settings: Settings, dataset: Dataset, cache: Path, device: torch.device, seconds: float) -> float:
    """Training images per second of Fovea's loop, over whole epochs: their first batch has to be waited for."""
    phases = [{"name": "everything", "trainable": "everything", "epochs": 1000, "learning_rate": settings.rate}]
    changes = {
        "image_size": settings.size,
        "batch_size": settings.batch,
        "model.backbone": settings.backbone,
        "model.weights": settings.weights,
        "device": device.type,
        "phases": phases,
    }
    recipe = Recipe(dataset=dataset.id).set(changes)
    with tempfile.TemporaryDirectory() as folder, _Epochs(device, seconds) as epochs:
        files = {name: Path(folder, name) for name in ("best", "best_facts", "last")}
        for event in train(recipe, dataset, cache=cache, should_stop=lambda: epochs.enough, **files):
            if isinstance(event, EpochEnd):
                epochs.counted()
    return len(dataset.of("train")) / fmean(epochs.seconds)


class _Epochs:
    """While entered: the seconds that each epoch of Fovea's loop learned, but for the first, which starts processes."""

    def __init__(self, device: torch.device, wanted: float) -> None:
        self._device, self._wanted = device, wanted
        self._every: list[float] = []
        self._patches = [
            patch.object(course.Course, "training_batches", self._starting(course.Course.training_batches)),
            patch.object(course.Course, "evaluating", self._ending(course.Course.evaluating)),
        ]

    @property
    def seconds(self) -> list[float]:
        return self._every[1:]

    @property
    def enough(self) -> bool:
        """Whether the time is up; it begins when the first epoch is over."""
        return bool(self.seconds) and time.monotonic() - self._warm >= self._wanted

    def counted(self) -> None:
        """Another epoch has been looked at."""
        self._every.append(self._end - self._start)
        if len(self._every) == 1:
            self._warm = time.monotonic()

    def __enter__(self) -> "_Epochs":
        for each in self._patches:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._patches:
            each.stop()

    def _starting(self, plain: Callable) -> Callable:
        def noted(itself: course.Course, *words: Any, **named: Any) -> Iterator[Any]:
            self._start = now(self._device)
            return plain(itself, *words, **named)

        return noted

    def _ending(self, plain: Callable) -> Callable:
        def noted(itself: course.Course) -> Any:
            self._end = now(self._device)
            return plain(itself)

        return noted


@contextmanager
def synthetic(device: torch.device) -> Iterator[None]:
    """Let Fovea's loop learn from pictures that lie on the device already: random, the same at every step."""
    kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def given(source: ImageSource, indices: Sequence[tuple[int, int | None]]) -> tuple[torch.Tensor, torch.Tensor]:
        count = len(indices)
        if count not in kept:
            size = source._images.get([0]).shape[1]
            labels = source._labels[:count].to(device)
            kept[count] = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, device=device), labels
        return kept[count]

    with (
        patch.object(ImageSource, "__getitems__", given),
        patch.object(ImageSource, "prefetch", lambda source, indices: None),
        patch.object(course, "loader_processes", lambda device: 0),
    ):
        yield


def careful(pictures: Careful, network: Network, settings: Settings, device: torch.device, seconds: float) -> float:
    """Images per second of the careful loop."""

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            yield from pictures.training()

    return _stepped(network, batches(), settings, device, seconds)


def as_timm(network: Network, classes: int, settings: Settings, device: torch.device, seconds: float) -> float:
    """Images per second of one batch of random numbers, learned from again and again."""
    images = torch.randn(settings.batch, 3, settings.size, settings.size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, classes, (settings.batch,), device=device)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            yield images, labels

    return _stepped(network, batches(), settings, device, seconds)


def _stepped(
    network: Network,
    batches: Iterator[tuple[torch.Tensor, torch.Tensor]],
    settings: Settings,
    device: torch.device,
    seconds: float,
) -> float:
    """Images per second of a bare loop over endless batches, with the fastest kernels that can be had."""
    network.train()
    plain = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    rest = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    groups = [{"params": plain, "weight_decay": 0.0}, {"params": rest, "weight_decay": settings.weight_decay}]
    optimizer = torch.optim.AdamW(groups, settings.rate, fused=device.type == "cuda")
    loss_of, seen, began, due = torch.nn.CrossEntropyLoss(), 0, 0.0, math.inf
    with torch.backends.cudnn.flags(benchmark=True):
        for step, (images, labels) in enumerate(batches, start=1):
            with mixed(device):
                loss = loss_of(network(images).float(), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            seen += len(labels)
            if step == WARM_UP:
                seen, began = 0, now(device)
                due = began + seconds
            if time.monotonic() >= due and step % 8 == 0:  # to ask is to wait for the device
                break
        return seen / (now(device) - began)


def table(found: dict[str, list[float]], arguments: argparse.Namespace, device: torch.device) -> str:
    """The figures as Markdown."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    versions = f"torch {torch.__version__}, timm {timm.__version__}"
    lines = [
        f"{arguments.backbone}, {arguments.size} px, batch {arguments.batch}, {name}, {versions}; "
        f"medians of {arguments.pairs}, interleaved",
        "",
        "| side | images/s | range |",
        "|---|---|---|",
        *(f"| {side} | {median(rates):.0f} | {min(rates):.0f}-{max(rates):.0f} |" for side, rates in found.items()),
        "",
        "| ratio | median | range | aim |",
        "|---|---|---|---|",
    ]
    for one, other, aim in AIMS:
        ratios = [a / b for a, b in zip(found[one], found[other], strict=True)]
        middle, low, high = median(ratios), min(ratios), max(ratios)
        lines.append(f"| {one} / {other} | {middle:.3f} | {low:.3f}-{high:.3f} | {aim} |")
    return "\n".join(lines)


def options() -> argparse.Namespace:
    parser = bench.options(__doc__, pairs=5, images=4096, size=224)
    parser.add_argument("--batch", type=int, default=128, help="images of a batch (128)")
    parser.add_argument("--seconds", type=float, default=240, help="of the whole measurement, about (240)")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0", help="a model of timm")
    parser.add_argument("--cpu", action="store_true", help="small and on the CPU, to see that it works")
    arguments = parser.parse_args()
    if arguments.cpu:
        vars(arguments).update(SMALL)
    return arguments


def main() -> None:
    arguments = options()
    if not arguments.cpu and not torch.cuda.is_available():
        print("\n== On a GPU\n   There is none here: nothing is measured (--cpu shows that it works)")
        sys.exit(0)
    device = torch.device("cpu" if arguments.cpu else "cuda")
    bench.headline(f"Fine-tuning on {torch.cuda.get_device_name() if device.type == 'cuda' else 'the CPU, a trial'}")
    began, found = time.monotonic(), {side: [] for side in SIDES}
    root = Path(tempfile.mkdtemp(prefix="fovea-bench-"))
    try:
        workspace = Workspace(root)
        drawn = bench.demo_dataset(workspace, 60, size=96)
        dataset = named_often(workspace, drawn, arguments.images)
        print(
            f"   {len(dataset.samples)} pictures, decoded at {decoded(workspace, dataset, arguments.size):.0f} images/s"
        )
        sides = _sides(arguments, workspace, dataset, device)
        starting = 0.0
        for side in SIDES:  # kernels are chosen, caches are warm
            asked = time.monotonic()
            sides[side](0.5)
            starting += time.monotonic() - asked - 0.5  # processes that start before each run, and the first epoch
        left = arguments.seconds - (time.monotonic() - began) - arguments.pairs * starting
        slice_seconds = max(1.0, left / (arguments.pairs * len(SIDES)))
        print(f"   ready after {time.monotonic() - began:.0f} s; slices of {slice_seconds:.1f} s", flush=True)
        for number in range(arguments.pairs):
            for side in bench.turns(SIDES, number):
                found[side].append(sides[side](slice_seconds))
            told = ", ".join(f"{side} {rates[-1]:.0f}" for side, rates in found.items())
            print(f"   pair {number + 1}: {told}; {time.monotonic() - began:.0f} s", flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    bench.footer()
    print("\n" + table(found, arguments, device) + "\n")
    verdict = Verdict()
    for one, other, aim in AIMS:
        verdict.at_least(f"{one} / {other}", [a / b for a, b in zip(found[one], found[other], strict=True)], aim)
    if device.type == "cpu":
        print("   (a trial: nothing is judged)")
        sys.exit(0)
    verdict.end()


def _sides(
    arguments: argparse.Namespace, workspace: Workspace, dataset: Dataset, device: torch.device
) -> dict[str, Callable[[float], float]]:
    """What runs each side for so many seconds and gives its images per second."""
    settings = Settings(backbone=arguments.backbone, weights="random", size=arguments.size, batch=arguments.batch)
    network = Network(settings, len(dataset.classes)).to(device, memory_format=torch.channels_last)
    config = network.backbone.pretrained_cfg
    pictures = Careful(settings, dataset, device, config["mean"], config["std"])

    def real(seconds: float) -> float:
        return fovea(settings, dataset, workspace.cache, device, seconds)

    def unreal(seconds: float) -> float:
        with synthetic(device):
            return fovea(settings, dataset, workspace.cache, device, seconds)

    return {
        "Fovea": real,
        "Fovea, synthetic": unreal,
        "careful loop": lambda seconds: careful(pictures, network, settings, device, seconds),
        "timm": lambda seconds: as_timm(network, len(dataset.classes), settings, device, seconds),
    }


if __name__ == "__main__":
    main()
