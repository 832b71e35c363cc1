"""The training loop: one path for classes and masks, a frozen backbone or none, from the start or taken up again.

Every random draw comes from the recipe's seed and a name (`core.seeding`): the shuffle of epoch 3 is the same whether
or not epoch 2 ran in this process. So a run that is taken up again goes on exactly as it would have; only what was
drawn within an epoch, by dropout, is saved with the weights.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from core.data.dataset import Dataset
from core.data.split import dataset_caution
from core.errors import TrainingError
from core.models.weights import is_file
from core.recipe import Recipe
from core.seeding import derive
from core.train.check import check
from core.train.checkpoint import Checkpointer
from core.train.course import Course
from core.train.devices import accelerator_for, draws, set_draws, together
from core.train.events import EpochEnd, Event, Outcome, Resumed, Said, Step
from core.train.position import Position
from core.train.snapshots import Snapshots
from core.train.task import Tally, Task, combined, task_for
from core.train.trackers import tracking

SECONDS_BETWEEN_STEPS_TOLD = 0.5  # telling costs a wait for the device, and nobody reads faster
STEPS_BETWEEN_QUESTIONS = 8  # of several processes, which have to agree on whether to stop


def train(
    recipe: Recipe,
    dataset: Dataset,
    *,
    cache: Path,
    best: Path,
    best_facts: Path,
    last: Path,
    should_stop: Callable[[], bool] = lambda: False,
    should_pause: Callable[[], bool] = lambda: False,
    resume: bool = False,
    tracked: Path | None = None,
    snapshots: Path | None = None,
) -> Iterator[Event]:
    """Train `recipe` on `dataset`, telling what happens; the last event is an Outcome.

    `best`, `best_facts` and `last` are the files of `core.train.checkpoint`; any number of runs may share `cache`.
    After every step it is asked whether to stop, and the best epoch so far is kept, or to pause, and everything is kept
    as it is. With `resume` and a saved state, training goes on after the step at which that was saved. A tracker, where
    the recipe names one, keeps its files in the folder `tracked`. The weights of each epoch are kept in the folder
    `snapshots`, where there is to be one, as far as there is room.

    Where several processes train one model (`recipe.processes`) each of them calls this with the same arguments. All
    tell the same events, and the first of them writes the files and is asked whether to stop.
    Raises RecipeError or DatasetError before the start, WeightsError for weights that are not to be had, TrainingError
    when the loss is no number, StorageError when the disk is full.
    """
    check(recipe, dataset)
    with ExitStack() as stack:
        accelerator = stack.enter_context(accelerator_for(recipe))
        task = stack.enter_context(closing(task_for(recipe, dataset, accelerator.device, cache)))
        keeper = Checkpointer(best, best_facts, last, writes=accelerator.is_main_process)
        past = Snapshots(snapshots if accelerator.is_main_process else None)
        stack.callback(keeper.rescue)
        stack.callback(past.flush)
        asked = _Asked(accelerator, should_stop, should_pause)
        tracker = stack.enter_context(tracking(recipe, accelerator, tracked))
        for event in _train(recipe, dataset, accelerator, task, keeper, past, cache, asked, resume):
            yield event
            if isinstance(event, EpochEnd):
                yield from tracker.tell(event)


def _train(
    recipe: Recipe,
    dataset: Dataset,
    accelerator: Accelerator,
    task: Task,
    keeper: Checkpointer,
    past: Snapshots,
    cache: Path,
    asked: "_Asked",
    resume: bool,
) -> Iterator[Event]:
    began = time.monotonic()

    # Where an earlier attempt ended, if one did. The file that it started from may be gone by now.
    saved = keeper.load_last() if resume else None
    at = Position.of(saved)

    # The model, with its head drawn from the seed.
    torch.manual_seed(derive(recipe.seed, "weights"))
    model = together(task.build(pretrained=not saved).to(accelerator.device), accelerator)
    keeper.insist_on_room(model)
    if saved:
        model.load_state_dict(saved["model"])
    if resume:
        yield Resumed(at.epoch, at.step)
    if not saved and is_file(recipe.model):
        yield Said(0, 0, model.origin)
    if not saved and (caution := dataset_caution(dataset)):
        yield Said(0, 0, caution)
    yield from task.looks()

    told, throughput = -math.inf, _Throughput()
    every_step = _looks_at_every_step(accelerator.device)
    mine = (accelerator.process_index,) if accelerator.process_index else ()
    for number, phase in enumerate(recipe.phases):
        if number < at.phase:
            continue
        if number > at.phase:
            at = at.next_phase()
        if at.over:
            continue
        course = Course(recipe, phase, dataset, model, task, cache, accelerator, pieces=at.pieces)
        if saved and saved["at"]["phase"] == number:
            course.load(saved)
        past.begin(at.epoch if saved else None, course.moving(), course.judged, keeper.best)
        if at.in_phase == 0:
            yield course.started(number, at.epoch + 1)

        while not at.over and not asked.ends:
            # One epoch of learning. Dropout draws from the epoch's own seed.
            epoch, looked, epoch_began = at.epoch + 1, course.looked, time.monotonic()
            torch.manual_seed(derive(recipe.seed, "epoch", epoch, *mine))
            learned = task.tally()
            done, images_before = at.step, 0
            if saved and done:
                learned.absorb(saved["learned"])
                images_before = learned.images
                set_draws(saved["draws"])
            for step, (inputs, targets) in enumerate(course.training_batches(epoch, done), start=done + 1):
                batch = course.learn(inputs, targets, epoch, step)
                learned.add(*batch)
                if course.pieces > at.pieces:
                    at = replace(at, pieces=course.pieces)
                    yield Said(epoch, step, _smaller(recipe, at.pieces))
                now = time.monotonic()
                due = now - told >= SECONDS_BETWEEN_STEPS_TOLD
                if due or every_step:
                    _insist_on_numbers(learned, epoch, course.bad_step or step)
                if due:
                    rate = (learned.images - images_before) * accelerator.num_processes / (now - epoch_began)
                    yield Step(number, epoch, step, course.steps, learned.loss, rate, course.learning_rate)
                    told = now
                if (asked.after(step) or keeper.due(within_epoch=True)) and accelerator.num_processes == 1:
                    within = {"learned": learned.state(), "draws": draws()}
                    past.flush()
                    keeper.save(replace(at, step=step).state() | course.state() | within)
                if asked.ends:
                    break
            stored = course.looked == looked
            seen = (learned.images - images_before) * accelerator.num_processes
            _insist_on_numbers(learned, epoch, course.bad_step or course.steps)  # which waits for the device
            throughput.add(seen, time.monotonic() - epoch_began, stored)
            if asked.paused or (asked.stopped and at.best):
                break

            # The same pass without learning, over images as they are. A run stopped in its first epoch gets one too.
            if course.convex:
                learned = course.solve(task.tally())
            learned = combined(task, learned, accelerator)
            validated = task.tally()
            with course.evaluating():
                for inputs, targets in course.validation_batches():
                    outputs = course.answer(inputs)
                    validated.add(task.losses(outputs, targets), outputs, targets)
                looks = [*task.look(epoch, course.answer)]
            validated = combined(task, validated, accelerator)
            _insist_on_numbers(validated, epoch, course.steps)
            metrics, interval = validated.metrics(), validated.interval()
            is_best = task.better(metrics, at.best)
            best = {**metrics, "epoch": epoch} if is_best else at.best
            if is_best:
                keeper.keep_best(course.kept(), _facts(recipe, dataset, best, interval) | task.facts())
            course.end_epoch(metrics)
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
            past.keep(epoch, course.judged, whatever=asked.ends)
            if asked.stopped:
                break
            at = at.after_epoch(recipe, metrics, best)
            past.keep(epoch, course.judged, whatever=at.over)

            # The end of a phase, perhaps before its time.
            if at.over and at.in_phase < phase.epochs:
                yield Said(epoch, course.steps, _early(recipe, at))
            going_back = at.over and recipe.restore_best and number + 1 < len(recipe.phases)
            if going_back:
                keeper.flush_best()
                accelerator.wait_for_everyone()
                model.load_state_dict(keeper.best_weights())
            asked.after()
            if going_back or asked.ends or keeper.due():
                past.flush()
                keeper.save(at.state() | course.state())
        course.close()
        if asked.ends:
            break

    past.flush()
    keeper.flush_best()
    if not asked.ends:
        keeper.keep_end(at.state(), model, restored=recipe.restore_best)
    accelerator.wait_for_everyone()
    kept = keeper.kept_facts() if at.best or asked.stopped else {"metrics": {}, "interval": None}
    yield Outcome(
        state="stopped" if asked.stopped else "paused" if asked.paused else "finished",
        epochs_done=at.epoch,
        best=kept["metrics"],
        interval=kept["interval"] and tuple(kept["interval"]),
        seconds=time.monotonic() - began,
        images_per_second=throughput.overall,
    )


class _Asked:
    """Whether somebody wants training to end now, for good or for a while. All processes come to the same answer."""

    def __init__(
        self, accelerator: Accelerator, should_stop: Callable[[], bool], should_pause: Callable[[], bool]
    ) -> None:
        self._accelerator, self._questions = accelerator, (should_stop, should_pause)
        self.stopped, self.paused = False, False

    @property
    def ends(self) -> bool:
        return self.stopped or self.paused

    def after(self, step: int = 0) -> bool:
        """Ask, after a step (from 1) or after an epoch (0), and say whether training ends."""
        if self._accelerator.num_processes == 1:
            answers = [question() for question in self._questions]
        elif step % STEPS_BETWEEN_QUESTIONS:
            return False
        else:
            answers = broadcast_object_list([question() for question in self._questions])
        self.stopped, self.paused = answers[0], answers[1] and not answers[0]
        return self.ends


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
            do="Try a learning rate ten times smaller, or gradients clipped at 1; the best epoch so far is kept",
        )


def _looks_at_every_step(device: torch.device) -> bool:
    """Whether a loss is looked at after every step: anywhere but on a CPU that waits for the device."""
    return device.type == "cpu"


def _smaller(recipe: Recipe, pieces: int) -> str:
    batch = recipe.batch_size
    return (
        f"The memory was not enough for {-(-2 * batch // pieces)} images at once: a batch is now "
        f"{-(-batch // pieces)}, and {pieces * recipe.accumulate} of them make one step of the optimizer."
    )


def _early(recipe: Recipe, at: Position) -> str:
    phase, stopping = recipe.phases[at.phase], recipe.early_stopping
    metric = stopping.metric.replace("_", " ")
    return (
        f"Phase {phase.name!r} ended after {at.in_phase} of {phase.epochs} epochs: no better validation {metric} "
        f"in {at.waited} epochs."
    )
