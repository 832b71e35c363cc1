"""The training loop: one path for classes and masks, a frozen backbone or none, from the start or taken up again.

Every random draw comes from the recipe's seed and a name (`core.seeding`): the shuffle of epoch 3 is the same whether
or not epoch 2 ran in this process. So a run that is taken up again at an epoch's end goes on exactly as it would have,
and no generator states are saved.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from core.data.dataset import Dataset
from core.errors import TrainingError
from core.recipe import Recipe
from core.seeding import derive
from core.train.check import check
from core.train.checkpoint import Checkpointer
from core.train.course import Course
from core.train.devices import accelerator_for
from core.train.events import EpochEnd, Event, Outcome, Resumed, Step
from core.train.task import Tally, Task, task_for

SECONDS_BETWEEN_STEPS_TOLD = 0.5  # telling costs a wait for the device, and nobody reads faster


def train(
    recipe: Recipe,
    dataset: Dataset,
    *,
    cache: Path,
    best: Path,
    best_facts: Path,
    last: Path,
    should_stop: Callable[[], bool] = lambda: False,
    resume: bool = False,
) -> Iterator[Event]:
    """Train `recipe` on `dataset`, telling what happens; the last event is an Outcome.

    `best`, `best_facts` and `last` are the files of `core.train.checkpoint`; any number of runs may share `cache`.
    `should_stop` is asked after every step; when it says yes, the best epoch so far is kept. With `resume` and a saved
    state, training goes on after the last saved epoch.
    Raises RecipeError or DatasetError before the start, WeightsError for weights that are not to be had, TrainingError
    when the loss is no number, StorageError when the disk is full.
    """
    check(recipe, dataset)
    with ExitStack() as stack:
        accelerator = stack.enter_context(accelerator_for(recipe))
        task = stack.enter_context(closing(task_for(recipe, dataset, accelerator.device, cache)))
        keeper = Checkpointer(best, best_facts, last)
        stack.callback(keeper.rescue)
        yield from _train(recipe, dataset, accelerator, task, keeper, cache, should_stop, resume)


def _train(
    recipe: Recipe,
    dataset: Dataset,
    accelerator: Accelerator,
    task: Task,
    keeper: Checkpointer,
    cache: Path,
    should_stop: Callable[[], bool],
    resume: bool,
) -> Iterator[Event]:
    began = time.monotonic()

    # The model, with its head drawn from the seed.
    torch.manual_seed(derive(recipe.seed, "weights"))
    model = task.build().to(accelerator.device)

    # Where an earlier attempt ended, if one did.
    saved = keeper.load_last() if resume else None
    done, best_so_far = 0, None
    if saved:
        model.load_state_dict(saved["model"])
        done, best_so_far = saved["epoch"], saved["best"]
    if resume:
        yield Resumed(done)
    yield from task.looks()

    told, throughput, stopped, end_of_phase = -math.inf, _Throughput(), False, 0
    for number, phase in enumerate(recipe.phases):
        start_of_phase, end_of_phase = end_of_phase, end_of_phase + phase.epochs
        if done >= end_of_phase:
            continue
        course = Course(recipe, phase, dataset, model, task, cache, accelerator)
        if saved and saved["phase"] == number:
            course.load(saved)
        yield course.started(number)

        for epoch in range(max(start_of_phase, done) + 1, end_of_phase + 1):
            # One epoch of learning. Dropout draws from the epoch's own seed.
            torch.manual_seed(derive(recipe.seed, "epoch", epoch))
            learned, looked, epoch_began = task.tally(), course.looked, time.monotonic()
            for step, (inputs, targets) in enumerate(course.training_batches(draw=epoch - 1), start=1):
                outputs = course.forward(inputs)
                losses = task.losses(outputs, targets)
                course.learn(losses.mean())
                learned.add(losses, outputs, targets)
                now = time.monotonic()
                if now - told >= SECONDS_BETWEEN_STEPS_TOLD:
                    _insist_on_numbers(learned, epoch, step)
                    rate = learned.images / (now - epoch_began)
                    yield Step(number, epoch, step, course.steps, learned.loss, rate, course.learning_rate)
                    told = now
                if stopped := should_stop():
                    break
            stored = course.looked == looked
            throughput.add(learned.images, time.monotonic() - epoch_began, stored)
            if stopped and best_so_far:
                break

            # The same pass without learning, over images as they are. A run stopped in its first epoch gets one too.
            _insist_on_numbers(learned, epoch, course.steps)
            validated = task.tally()
            with course.evaluating():
                for inputs, targets in course.validation_batches():
                    outputs = course.forward(inputs)
                    validated.add(task.losses(outputs, targets), outputs, targets)
                looks = [*task.look(epoch, course.forward)]
            _insist_on_numbers(validated, epoch, course.steps)
            metrics, interval = validated.metrics(), validated.interval()
            is_best = task.better(metrics, best_so_far)
            if is_best:
                best_so_far = {**metrics, "epoch": epoch}
                keeper.keep_best(model, _facts(recipe, dataset, best_so_far, interval) | task.facts())
            yield EpochEnd(
                phase=number,
                epoch=epoch,
                train=learned.metrics(),
                validation=metrics,
                interval=interval,
                images_per_second=throughput.latest,
                seconds=time.monotonic() - epoch_began,
                learning_rate=course.learning_rate,
                stored=stored,
                best=is_best,
                per_class=validated.per_class(),
            )
            yield from looks
            if stopped:
                break
            done = epoch
            stopped = should_stop()
            keeper.save({"epoch": done, "phase": number, "best": best_so_far}, course.state, now=stopped)
            if stopped:
                break
        course.close()
        if stopped:
            break

    keeper.flush_best()
    kept = keeper.kept_facts()
    yield Outcome(
        state="stopped" if stopped else "finished",
        epochs_done=done,
        best=kept["metrics"],
        interval=kept["interval"] and tuple(kept["interval"]),
        seconds=time.monotonic() - began,
        images_per_second=throughput.overall,
    )


class _Throughput:
    """Training images per second, of the latest epoch and over all of them.

    Epochs on stored features are thousands of times faster. Mixed with the others they would give a figure that nothing
    ever had, so they count only if there were no others.
    """

    def __init__(self) -> None:
        self._sums = {False: [0, 0.0], True: [0, 0.0]}  # images and seconds, by whether features were stored
        self.latest = 0.0

    def add(self, images: int, seconds: float, stored: bool) -> None:
        self._sums[stored][0] += images
        self._sums[stored][1] += seconds
        self.latest = images / max(seconds, 1e-9)

    @property
    def overall(self) -> float:
        images, seconds = self._sums[self._sums[False][0] == 0]
        return images / max(seconds, 1e-9)


def _facts(
    recipe: Recipe, dataset: Dataset, metrics: dict[str, float], interval: tuple[float, float] | None
) -> dict[str, Any]:
    return {
        "task": recipe.task,
        "recipe": recipe.model_dump(mode="json"),
        "classes": list(dataset.classes),
        "dataset": dataset.id,
        "dataset_fingerprint": dataset.fingerprint,
        "epoch": metrics["epoch"],
        "metrics": metrics,
        "interval": interval and list(interval),
    }


def _insist_on_numbers(tally: Tally, epoch: int, step: int) -> None:
    if not math.isfinite(tally.loss):
        raise TrainingError(
            f"Training stopped in epoch {epoch}, step {step}",
            found="a loss that is not a number",
            do="Try a learning rate ten times smaller; the best epoch so far is kept",
        )
