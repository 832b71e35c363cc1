"""One phase of training: its batches, its way through the model, its optimizer and schedule."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

from core.augment.catalog import resolve
from core.augment.pipeline import Augmentation
from core.data.dataset import Dataset
from core.recipe import Phase, Recipe
from core.train.devices import loader_processes, precision_of
from core.train.events import Started
from core.train.features import FrozenFeatures
from core.train.freezing import freeze, set_training
from core.train.optimizers import build_optimizer
from core.train.schedules import build_schedule
from core.train.sources import FeatureSource, Itinerary, OrderedBatches, ShuffledBatches
from core.train.task import Batch, Network, Source, Task


class Course:
    """What the loop needs of one phase.

    With a frozen backbone whose features are stored these are the inputs and the way is the head; otherwise the inputs
    are images and the way is the whole model. The loop does not know which.
    """

    def __init__(
        self,
        recipe: Recipe,
        phase: Phase,
        dataset: Dataset,
        model: Network,
        task: Task,
        cache: Path,
        accelerator: Accelerator,
    ) -> None:
        self._phase, self._model, self._accelerator = phase, model, accelerator
        self._passed = 0
        self._frozen = freeze(model.backbone, model.head, phase.trainable)
        rows = resolve(recipe.augment)
        if phase.trainable == "head" and task.stores_features:
            self._features = FrozenFeatures(model, task.images, dataset, recipe, rows, cache, accelerator)
            source, way, self._prepare_inputs = FeatureSource(self._features, dataset), model.head, _as_they_are
        else:
            self._features = None
            source, way = task.source(Augmentation(rows)), model
            self._prepare_inputs = model.normalise

        self._epoch = ShuffledBatches(_rows(dataset, "train"), recipe.batch_size, recipe.seed)
        self.steps = len(self._epoch)
        optimizer = build_optimizer(model, recipe.optimizer, phase.learning_rate)
        schedule = build_schedule(optimizer, recipe.schedule, self.steps * phase.epochs)
        self._way, self._optimizer, self._schedule = accelerator.prepare(way, optimizer, schedule)
        self._validation = OrderedBatches(_rows(dataset, "validation"), task.validation_batch)
        self._loader, self._itinerary = self._load(source)
        set_training(model, self._frozen)

    def _load(self, source: Source) -> tuple[DataLoader, Itinerary]:
        # Features come from the model itself, so they are made in this process.
        processes = loader_processes(self._accelerator.device) if self._features is None else 0
        itinerary = Itinerary(self._epoch, ahead=_nothing if processes else source.prefetch)
        # Not handed to Accelerate: its loaders fetch a second batch before they give the first, and with features to
        # be computed that is the better part of a second before the first step.
        loader = DataLoader(
            source,
            batch_sampler=itinerary,
            collate_fn=_as_they_are,
            generator=torch.Generator(),  # it draws a seed nobody needs; not where dropout draws
            num_workers=processes,
            persistent_workers=processes > 0,
            pin_memory=processes > 0 and self._accelerator.device.type == "cuda",
            multiprocessing_context="spawn" if processes else None,  # a forked one would share files and dead threads
        )
        return loader, itinerary

    def started(self, number: int) -> Started:
        """The event that opens the phase."""
        return Started(
            phase=number,
            name=self._phase.name,
            device=self._accelerator.device.type,
            precision=precision_of(self._accelerator),
            trainable=self._frozen.trainable,
            frozen=self._frozen.frozen,
            cached_features=self._features is not None,
        )

    def training_batches(self, draw: int) -> Iterator[Batch]:
        """Inputs and targets of one epoch, on the device; `draw` (from 0) chooses shuffle and augmentation."""
        self._epoch.start(draw)
        return self._on_device(self._epoch)

    def validation_batches(self) -> Iterator[Batch]:
        """Inputs and targets of the validation split, in order, without augmentation."""
        return self._on_device(self._validation)

    def _on_device(self, batches: ShuffledBatches | OrderedBatches) -> Iterator[Batch]:
        self._itinerary.batches = batches
        device = self._accelerator.device
        for inputs, targets in self._loader:
            yield inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits (n, K, ...) of a batch."""
        if self._features is None:
            self._passed += len(inputs)
        return self._way(self._prepare_inputs(inputs))

    @property
    def looked(self) -> int:
        """How many pictures have gone through the backbone in this phase."""
        return self._passed + (self._features.extracted if self._features else 0)

    def learn(self, loss: torch.Tensor) -> None:
        """One step of the optimizer and of its schedule."""
        self._accelerator.backward(loss)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Evaluation mode without gradients inside, training mode with the frozen part still after."""
        self._model.eval()
        with torch.no_grad():
            yield
        set_training(self._model, self._frozen)

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return self._schedule.get_last_lr()[0]

    def state(self) -> dict[str, Any]:
        """What `load` needs to go on from here."""
        return {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "scaler": self._accelerator.scaler.state_dict() if self._accelerator.scaler else {},
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Go on from a saved state; the model itself is loaded before."""
        self._optimizer.load_state_dict(saved["optimizer"])
        self._schedule.load_state_dict(saved["schedule"])
        if self._accelerator.scaler and saved["scaler"]:
            self._accelerator.scaler.load_state_dict(saved["scaler"])

    def close(self) -> None:
        """Release what only this phase needs: Accelerate would keep every optimizer it ever prepared."""
        if self._features:
            self._features.close()
        self._accelerator.free_memory()


def _rows(dataset: Dataset, split: str) -> list[int]:
    return [row for row, sample in enumerate(dataset.samples) if sample.split == split]


def _as_they_are(inputs: Any) -> Any:
    return inputs


def _nothing(batch: Any) -> None:
    """Processes that prepare images look ahead by themselves."""
