"""The same classifier fine-tuned by fastai's `fine_tune` with its defaults: another side of that measurement.

    python -m benchmarks.fastai_classifier WORKSPACE DATASET '{"epochs": 3}' [--channels-last]

Everything is fastai's: its loader and the number of its processes, its augmentation, its head, optimizer, rates and
schedule. Only the backbone's weights come from where Fovea has them, since there may be no network, and they are scaled
for as `vision_learner` does it. fastai is no part of Fovea; requirements-bench.txt has it.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

from benchmarks.plain_classifier import Settings
from core.data.dataset import Dataset
from core.data.library import Library
from core.executors.launch import step_back
from core.machine import cores
from core.models.classifiers import load_weights
from core.models.weights import locate
from core.recipe import ModelChoice
from core.workspace import Workspace

warnings.filterwarnings("ignore")

import torch  # noqa: E402
from fastai.vision.all import (  # noqa: E402
    Callback,
    CategoryBlock,
    ChannelsLast,
    DataBlock,
    ImageBlock,
    IndexSplitter,
    Normalize,
    Resize,
    aug_transforms,
    set_seed,
    vision_learner,
)


class Clock(Callback):
    """Notes how fast each epoch of everything learned, and how each look at the validation split ended."""

    def __init__(self, frozen_epochs: int) -> None:
        super().__init__()
        self._frozen = frozen_epochs
        self.rates: list[float] = []
        self.looks: list[tuple[float, float, list[bool]]] = []

    def before_train(self) -> None:
        self._images, self._mark = 0, time.monotonic()

    def after_batch(self) -> None:
        if self.training:
            self._images += len(self.yb[0])
        else:
            self._right += (self.pred.argmax(1) == self.yb[0]).tolist()
            self._losses.append(self.loss.item() * len(self.yb[0]))

    def after_train(self) -> None:
        if len(self.looks) >= self._frozen:
            self.rates.append(self._images / (time.monotonic() - self._mark))

    def before_validate(self) -> None:
        self._right, self._losses = [], []

    def after_validate(self) -> None:
        count = len(self._right)
        self.looks.append((sum(self._right) / count, -sum(self._losses) / count, self._right))


def fine_tuned(settings: Settings, dataset: Dataset, channels_last: bool) -> dict[str, Any]:
    """What `benchmarks.plain_classifier.fine_tuned` tells."""
    began = time.monotonic()
    set_seed(settings.seed)
    samples = [sample for sample in dataset.samples if sample.split in ("train", "validation")]
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=list(dataset.classes), sort=False)),
        get_x=lambda sample: dataset.path(sample),  # a bound method it would take for one of its own
        get_y=lambda sample: dataset.classes[sample.label],
        splitter=IndexSplitter([place for place, sample in enumerate(samples) if sample.split == "validation"]),
        item_tfms=Resize(settings.size),
        batch_tfms=aug_transforms(),
    )
    loaders = block.dataloaders(samples, bs=settings.batch)
    learner = vision_learner(loaders, settings.backbone, pretrained=False)
    body = learner.model[0].model
    path = locate(ModelChoice(backbone=settings.backbone, weights=settings.weights))
    if path is not None:
        load_weights(body, path, settings.backbone)
    loaders.add_tfms([Normalize.from_stats(body.default_cfg["mean"], body.default_cfg["std"])], "after_batch")
    clock = Clock(settings.frozen_epochs)
    learner.add_cbs([clock, *([ChannelsLast()] if channels_last else [])])
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(settings.epochs, freeze_epochs=settings.frozen_epochs)
    names = [sample.id for sample in samples if sample.split == "validation"]
    answers = dict(zip(names, max(clock.looks)[2], strict=True))
    return {"rates": clock.rates, "seconds": time.monotonic() - began, "answers": answers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("dataset")
    parser.add_argument("settings", type=json.loads)
    parser.add_argument("--channels-last", action="store_true")
    arguments = parser.parse_args()
    step_back()  # the priority and the threads of a worker
    torch.set_num_threads(cores())
    dataset = Library(Workspace(arguments.workspace)).get(arguments.dataset)
    print(json.dumps(fine_tuned(Settings(**arguments.settings), dataset, arguments.channels_last)))


if __name__ == "__main__":
    main()
