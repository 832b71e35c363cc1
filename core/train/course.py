"""One phase of training: its batches, its way through the model, its optimizer and schedule."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from timm.utils import ModelEmaV3
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from core.augment.catalog import resolve, views
from core.augment.pipeline import Augmentation
from core.data.dataset import Dataset
from core.errors import TrainingError
from core.recipe import Phase, Recipe
from core.seeding import derive
from core.train.balance import balanced_order
from core.train.convex import solve
from core.train.devices import loader_processes, out_of_memory, precision_of
from core.train.events import Started
from core.train.features import FrozenFeatures
from core.train.freezing import freeze, set_training
from core.train.losses import weights_of
from core.train.optimizers import build_optimizer
from core.train.schedules import build_schedule
from core.train.sources import FeatureSource, Itinerary, Order, OrderedBatches, ShuffledBatches
from core.train.task import Batch, Network, Source, Tally, Task

SMALLEST_PIECE = 2  # images: batch normalisation cannot learn from one


class Learned(NamedTuple):
    """What one batch gave: a loss for each image (n,), what the model said (n, K, ...), and the truth (n, ...)."""

    losses: torch.Tensor
    outputs: torch.Tensor
    targets: torch.Tensor


class Course:
    """What the loop needs of one phase.

    With a frozen backbone whose features are stored these are the inputs and the way is the head; otherwise the inputs
    are images and the way is the whole model. The loop does not know which.

    With several processes each of them learns from its share of every batch, and gradients are averaged by PyTorch.
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
        *,
        pieces: int = 1,
    ) -> None:
        self._recipe, self._phase, self._dataset = recipe, phase, dataset
        self._model, self._task, self._accelerator = model, task, accelerator
        self._passed, self._taken = 0, 0  # pictures through the backbone; steps of the optimizer
        self.pieces = pieces  # that a batch is learned from in, one after the other: as many as memory asks for
        self.convex = phase.solver == "convex"
        self._frozen = freeze(model.backbone, model.head, phase.trainable, norms=phase.norms)
        set_training(model, self._frozen)
        self._mixing = task.mixing()
        rows = resolve(recipe.augment)
        if phase.trainable == "head" and task.stores_features and self._mixing is None:
            self._features = FrozenFeatures(model, task.images, dataset, recipe, rows, cache, accelerator)
            source, way, self._prepare_inputs = FeatureSource(self._features, dataset), model.head, _as_they_are
        else:
            self._features = None
            source, way = task.source(Augmentation(rows)), model
            self._prepare_inputs = model.normalise
        self._plain_way = way  # without what Accelerate wraps around it
        # What is solved for is not stepped to, so it has no running mean.
        self._mean_way = ModelEmaV3(way, recipe.ema, use_warmup=True) if recipe.ema and not self.convex else None

        shares = accelerator.process_index, accelerator.num_processes
        train = _rows(dataset, "train")
        order = _balanced(dataset, train) if recipe.sampler == "balanced" else None
        least = 2 if _norms_learn(way) else 1
        self._epoch = ShuffledBatches(train, recipe.batch_size, recipe.seed, order=order, shares=shares, least=least)
        self._draws = views(recipe.augment) if self.convex else 1  # variants of each image that one epoch looks at
        self.steps = len(self._epoch) * self._draws
        self._validation = OrderedBatches(_rows(dataset, "validation"), task.validation_batch, shares=shares)

        optimizer = build_optimizer(model, recipe.optimizer, phase.learning_rate)
        self._schedule = build_schedule(
            optimizer,
            phase.schedule or recipe.schedule,
            steps_per_epoch=-(-self.steps // recipe.accumulate),
            epochs=phase.epochs,
        )
        self._way = accelerator.prepare(way)
        # Accelerate's optimizer is for the scale of float16. It looks for a package at every step, which is a third of
        # a step on stored features.
        self._optimizer = accelerator.prepare(optimizer) if accelerator.scaler else optimizer
        self._collected: list[Batch] = []  # features and labels that a convex phase has seen
        self._still: dict[str, torch.Tensor] = {}  # a copy of the weights, of which only the head's change
        self._bad_step = None if accelerator.device.type == "cpu" else torch.zeros((), device=accelerator.device)
        self._loader, self._itinerary = self._load(source)

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

    def started(self, number: int, epoch: int) -> Started:
        """The event that opens the phase, whose first epoch has this number."""
        return Started(
            phase=number,
            epoch=epoch,
            name=self._phase.name,
            device=self._accelerator.device.type,
            precision=precision_of(self._accelerator),
            trainable=self._frozen.trainable,
            frozen=self._frozen.frozen,
            cached_features=self._features is not None,
        )

    # Batches

    def training_batches(self, epoch: int, done: int = 0) -> Iterator[Batch]:
        """Inputs and targets of an epoch (from 1), on the device, but for the first `done` batches.

        The epoch's number alone chooses order and augmentation.
        """
        each = len(self._epoch)
        for draw in range(self._draws):
            if done < each * (draw + 1):
                self._epoch.start((epoch - 1) * self._draws + draw, max(0, done - each * draw))
                yield from self._on_device(self._epoch)

    def validation_batches(self) -> Iterator[Batch]:
        """Inputs and targets of the validation split, in order, without augmentation."""
        return self._on_device(self._validation)

    def _on_device(self, batches: ShuffledBatches | OrderedBatches) -> Iterator[Batch]:
        self._itinerary.batches = batches
        device = self._accelerator.device
        for inputs, targets in self._loader:
            yield inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)

    # Learning

    def learn(self, inputs: torch.Tensor, targets: torch.Tensor, epoch: int, step: int) -> Learned:
        """Learn from one batch, the one of this number (from 1) in its epoch; the optimizer steps when it is due."""
        self._count(inputs)
        inputs, truth = self._prepare_inputs(inputs), targets
        if self.convex:
            return self._collect(inputs, targets)
        if self._mixing is not None:
            inputs, targets = self._mixing(inputs, targets, derive(self._recipe.seed, "mix", epoch, step))
        group = range(step - (step - 1) % self._recipe.accumulate, step + 1)  # batches of this step of the optimizer
        ends = len(group) == self._recipe.accumulate or step == self.steps
        images = self._epoch.images(group[0], min(self.steps, group[0] + self._recipe.accumulate - 1))
        while True:
            try:
                losses, outputs = self._gradients(inputs, targets, images, ends)
                break
            except RuntimeError as error:
                if not out_of_memory(error) or len(inputs) // (2 * self.pieces) < SMALLEST_PIECE:
                    raise
                if self._accelerator.num_processes > 1:  # the others wait for gradients that will not come
                    raise TrainingError(
                        "The memory was not enough for a batch that several processes share",
                        found=f"{len(inputs)} images in this process",
                        do="Choose a smaller batch, and more batches to a step",
                    ) from error
            # Outside the handler, so that nothing of the failed attempt is still held.
            self._optimizer.zero_grad(set_to_none=True)
            if self._accelerator.device.type == "cuda":
                torch.cuda.empty_cache()
            self.pieces *= 2
        if self._bad_step is not None:  # kept on the device, so that nobody waits for it
            bad = (self._bad_step == 0) & ~losses.isfinite().all()
            self._bad_step = torch.where(bad, step, self._bad_step)
        if ends:
            self._step()
        return Learned(losses, outputs, truth)

    @property
    def bad_step(self) -> int:
        """The first step with a loss that is no number, where steps are not looked at one by one; else 0."""
        return 0 if self._bad_step is None else int(self._bad_step)

    def _gradients(
        self, inputs: torch.Tensor, targets: torch.Tensor, images: int, ends: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the gradients of a batch, in as many pieces as it takes: those of the mean over `images` images.

        They are exchanged between processes once, with the last piece before the optimizer steps.
        """
        size = -(-len(inputs) // self.pieces)
        parts = list(zip(inputs.split(size), targets.split(size), strict=True))
        told: list[tuple[torch.Tensor, torch.Tensor]] = []
        for number, (some, wanted) in enumerate(parts, start=1):
            alone = not (ends and number == len(parts)) and self._accelerator.num_processes > 1
            with self._accelerator.no_sync(self._way) if alone else nullcontext():
                outputs = self._way(some)
                losses = self._task.losses(outputs, wanted)
                # PyTorch gives the mean of the processes' gradients: the share of each is to count in full.
                self._accelerator.backward(losses.sum() * (self._accelerator.num_processes / images))
            told.append((losses.detach(), outputs.detach()))
        losses, outputs = zip(*told, strict=True)
        return (losses[0], outputs[0]) if len(told) == 1 else (torch.cat(losses), torch.cat(outputs))

    def _step(self) -> None:
        if self._recipe.clip:
            self._accelerator.clip_grad_norm_(self._plain_way.parameters(), self._recipe.clip)
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self._accelerator.scaler and self._accelerator.optimizer_step_was_skipped:  # its scale was too large
            return
        self._schedule.step()
        self._taken += 1
        if self._mean_way is not None:
            self._mean_way.update(self._plain_way, step=self._taken)

    def _collect(self, features: torch.Tensor, targets: torch.Tensor) -> Learned:
        with torch.no_grad():
            self._collected.append((features, targets))
            outputs = self._plain_way(features)
            return Learned(self._task.losses(outputs, targets), outputs, targets)

    def solve(self, tally: Tally) -> Tally:
        """Give the head the weights that are best for all that a convex phase has learned from, and count how well
        they do there. It stays as it is where that was stopped before there was an image of each class."""
        features, targets = (torch.cat(parts) for parts in zip(*self._collected, strict=True))
        self._collected.clear()
        head, classes = self._model.head, len(self._dataset.classes)
        whole, labels = (self._of_all(part) for part in (features, targets))
        with torch.no_grad():
            if len(np.unique(labels)) == classes:
                weight, bias = solve(
                    whole,
                    labels,
                    classes=classes,
                    weight_decay=self._recipe.optimizer.weight_decay,
                    class_weights=weights_of(self._recipe.loss, self._dataset),
                )
                last = [layer for layer in head.modules() if isinstance(layer, torch.nn.Linear)][-1]
                last.weight.copy_(torch.from_numpy(weight))
                last.bias.copy_(torch.from_numpy(bias))
            head.eval()
            outputs = head(features)
            tally.add(self._task.losses(outputs, targets), outputs, targets)
        set_training(self._model, self._frozen)
        return tally

    def _of_all(self, rows: torch.Tensor) -> np.ndarray:
        """The rows that all processes have together, in the same order in each."""
        if self._accelerator.num_processes == 1:
            return rows.cpu().numpy()
        return np.concatenate(gather_object([rows.cpu().numpy()]))

    # Looking

    def answer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits (n, K, ...) of a batch by the weights that are judged and kept: the latest, or their running mean.

        Where memory took a batch in pieces only, it is looked at in as many.
        """
        self._count(inputs)
        judged = self._plain_way if self._mean_way is None else self._mean_way.module
        with self._accelerator.autocast():
            parts = inputs.split(-(-len(inputs) // self.pieces))
            answers = [judged(self._prepare_inputs(part)) for part in parts]
        return answers[0] if len(answers) == 1 else torch.cat(answers)

    def moving(self) -> set[str]:
        """The names, in the whole model, of the tensors that this phase may change."""
        if self._features is not None:
            return {f"head.{name}" for name in self._model.head.state_dict()}
        learned = {name for name, parameter in self._model.named_parameters() if parameter.requires_grad}
        measured = {
            f"{place}.{name}".lstrip(".")
            for place, part in self._model.named_modules()
            if part.training
            for name, _ in part.named_buffers(recurse=False)
        }
        return (learned | measured) & self._model.state_dict().keys()

    def judged(self, names: set[str]) -> dict[str, torch.Tensor]:
        """Of the weights that are judged and kept those of these names, of the whole model; no copies."""
        way = (self._plain_way if self._mean_way is None else self._mean_way.module).state_dict()
        if self._features is not None:
            way = {f"head.{name}": tensor for name, tensor in way.items()}
            if not names <= way.keys():
                way = self._model.state_dict() | way
        return {name: way[name] for name in names}

    def kept(self) -> dict[str, torch.Tensor]:
        """A copy, on the CPU, of the weights that are judged and kept, under the names of the whole model."""
        judged = self._plain_way if self._mean_way is None else self._mean_way.module
        if self._features is None:
            return _copied(judged.state_dict())
        if not self._still:  # copied once: the head is thousands of times smaller
            self._still = _copied(self._model.state_dict())
        return self._still | _copied({f"head.{name}": value for name, value in judged.state_dict().items()})

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Evaluation mode without gradients inside, training mode with the frozen part still after."""
        self._plain_way.eval()
        with torch.no_grad():
            yield
        if self._features is None:
            set_training(self._model, self._frozen)
        else:
            self._plain_way.train()

    def _count(self, inputs: torch.Tensor) -> None:
        if self._features is None:
            self._passed += len(inputs)

    @property
    def looked(self) -> int:
        """How many pictures have gone through the backbone in this phase, in this process."""
        return self._passed + (self._features.extracted if self._features else 0)

    def end_epoch(self, validation: dict[str, float]) -> None:
        """An epoch is over, and this is what its validation gave: some schedules act on it."""
        self._schedule.end_epoch(validation["loss"])

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return self._schedule.rate

    def at_rate(self, learning_rate: float) -> None:
        """Let the next step have this rate whatever the schedule says; rates that differ by layer keep proportion."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate * group["initial_lr"] / self._phase.learning_rate

    # Going on later

    def state(self) -> dict[str, Any]:
        """What `load` needs to go on from here, with the model."""
        return {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "scaler": self._accelerator.scaler.state_dict() if self._accelerator.scaler else {},
            "mean": self._mean_way.module.state_dict() if self._mean_way else {},
            "taken": self._taken,
            # Of batches since the optimizer stepped last.
            "gradients": {name: p.grad for name, p in self._plain_way.named_parameters() if p.grad is not None},
            "collected": self._collected,
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Go on from a saved state; the model itself is loaded before."""
        self._optimizer.load_state_dict(saved["optimizer"])
        self._schedule.load_state_dict(saved["schedule"])
        if self._accelerator.scaler and saved["scaler"]:
            self._accelerator.scaler.load_state_dict(saved["scaler"])
        if self._mean_way:
            self._mean_way.module.load_state_dict(saved["mean"])
        self._taken = saved["taken"]
        device = self._accelerator.device
        for name, parameter in self._plain_way.named_parameters():
            if name in saved["gradients"]:
                parameter.grad = saved["gradients"][name].to(device, memory_format=torch.preserve_format)
        self._collected = [(features.to(device), targets.to(device)) for features, targets in saved["collected"]]

    def close(self) -> None:
        """Release what only this phase needs: Accelerate would keep every optimizer it ever prepared."""
        if self._features:
            self._features.close()
        self._accelerator.free_memory()


def _balanced(dataset: Dataset, train: Sequence[int]) -> Order:
    """An order of an epoch in which every class comes equally often."""
    labels = np.asarray([dataset.samples[row].label for row in train])
    return lambda rows, generator: rows[balanced_order(labels, generator)]


def _norms_learn(way: torch.nn.Module) -> bool:
    """Whether a batch norm of it measures the batches it sees."""
    return any(isinstance(part, _BatchNorm) and part.training for part in way.modules())


def _rows(dataset: Dataset, split: str) -> Sequence[int]:
    return [row for row, sample in enumerate(dataset.samples) if sample.split == split]


def _copied(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in weights.items()}


def _as_they_are(inputs: Any) -> Any:
    return inputs


def _nothing(batch: Any) -> None:
    """Processes that prepare images look ahead by themselves."""
