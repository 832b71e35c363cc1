"""Find a learning rate: let it rise from far too small to far too large, step by step, and watch the loss.

The test is the first steps of a phase, with everything the recipe says: model, trainable part, optimizer, loss,
augmentation, mixing, batch. Only the rate follows no schedule. The model is thrown away; nothing is kept but features
of a frozen backbone, which the run will find there.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import torch

from core.data.dataset import Dataset
from core.data.library import Library
from core.data.split import split_for
from core.errors import RecipeError, TrainingError
from core.recipe import Phase, Recipe, ScheduleChoice
from core.seeding import derive
from core.train.check import check
from core.train.course import Course
from core.train.devices import accelerator_for
from core.train.optimizers import optimizer_row
from core.train.rates import FEWEST_POINTS, RateTest, smooth, steepest, two_digits, valley
from core.train.task import task_for
from core.workspace import Workspace

LOWEST, HIGHEST = 1e-6, 3.0  # the rates tried, for AdamW; other optimizers by what is usual for them
MOST_RATE = 10.0  # that a recipe takes
STEPS = (100, 60, 40, 25, 16)  # how many steps a test may have: the most that fit into its time
MOST_STEPS = 1000  # that a person may ask for
SECONDS = 12.0  # for all steps, about; the fewest steps are taken even if they take longer
FETCHING = 5.0  # of these, for getting new batches; then those that were seen come again
FEWEST_BATCHES = 8  # seen before any comes again
MOST_BYTES = 200 * 10**6  # of batches that are kept to come again
MOST_SECONDS = 60.0  # after that the test ends where it is
EXPLOSION = 4.0  # times the lowest loss so far: far enough


class _Batch(NamedTuple):
    inputs: torch.Tensor
    targets: torch.Tensor
    epoch: int
    step: int  # in its epoch


def find_rate(
    recipe: Recipe,
    dataset: Dataset,
    phase: int = 0,
    *,
    cache: Path,
    steps: int | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> RateTest:
    """The range test of one phase of a recipe, from the weights that the recipe starts with.

    Without `steps` there are as many as fit into some twelve seconds on this machine. With them the same recipe gives
    the same curve; without, wherever as many fit. `report` hears the steps done and planned.

    Raises what `core.train.check` does; RecipeError for a phase that is not there or is solved without a rate, and for
    too few or too many steps; WeightsError for weights that are not to be had; TrainingError where the loss is no
    number from the start; StorageError when the disk is full.
    """
    began = time.monotonic()
    if steps is not None and not FEWEST_POINTS <= steps <= MOST_STEPS:
        raise RecipeError("steps", found=str(steps), expected=f"{FEWEST_POINTS} to {MOST_STEPS}")
    dataset = split_for(recipe, dataset)
    check(recipe, dataset)
    chosen = _phase(recipe, phase)
    # Nothing of these matters within the first steps, or it would move the rate.
    plain = recipe.model_copy(update={"ema": 0.0, "phases": (chosen,), "tracker": "none", "processes": 1})
    with ExitStack() as stack:
        accelerator = stack.enter_context(accelerator_for(plain))
        task = stack.enter_context(closing(task_for(plain, dataset, accelerator.device, cache)))
        torch.manual_seed(derive(recipe.seed, "weights"))  # as for the run: the same head
        model = task.build().to(accelerator.device)
        torch.manual_seed(derive(recipe.seed, "find rate", phase))
        course = Course(plain, chosen, dataset, model, task, cache, accelerator)
        stack.callback(course.close)
        rates, losses, planned, ended, images = _walk(plain, course, steps, report)

    smoothed = smooth(losses, planned)
    return RateTest(
        phase=chosen.name,
        rates=tuple(rates),
        losses=tuple(losses),
        smoothed=tuple(float(value) for value in smoothed),
        steepest=two_digits(steepest(rates, smoothed)),
        valley=two_digits(valley(rates, smoothed)),
        ended=ended,
        planned=planned,
        images=min(images, len(dataset.of("train"))),
        seconds=time.monotonic() - began,
    )


def find_rate_for(
    workspace_root: str,
    recipe_json: str,
    dataset: str,
    phase: int = 0,
    steps: int | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> RateTest:
    """`find_rate` for a dataset of a workspace, by plain data: for the lab."""
    workspace, recipe = Workspace(Path(workspace_root)), Recipe.from_json(recipe_json)
    data = Library(workspace).get(dataset)
    return find_rate(recipe, data, phase, cache=workspace.cache, steps=steps, report=report)


def _phase(recipe: Recipe, number: int) -> Phase:
    if not 0 <= number < len(recipe.phases):
        raise RecipeError("phase", found=str(number), expected=f"0 to {len(recipe.phases) - 1}")
    phase = recipe.phases[number]
    if phase.solver == "convex":
        raise RecipeError(
            f"phases.{number}.solver", found="'convex'", expected="'steps': what is solved to the end has no rate"
        )
    return phase.model_copy(update={"schedule": ScheduleChoice(name="constant", warmup=0.0)})


def _walk(
    recipe: Recipe, course: Course, steps: int | None, report: Callable[[int, int], None]
) -> tuple[list[float], list[float], int, str, int]:
    """Rates, losses, steps planned, why there are no more, and images seen."""
    usual = optimizer_row(recipe.optimizer.name).rate
    low, high = LOWEST * usual, min(MOST_RATE, HIGHEST * usual)
    began, seen = time.monotonic(), _Seen(course, recipe.accumulate, hurry=steps is None)
    coming = iter(seen)

    # Two steps at the lowest rate, which hardly move anything, to see how long one takes; the first one warms up.
    for _ in range(2):
        step_began, fetched = time.monotonic(), seen.seconds
        _step(course, coming, recipe.accumulate, low)
    learning = time.monotonic() - step_began - (seen.seconds - fetched)
    planned = steps or _affordable(learning, seen.seconds / max(1, seen.fetched) * recipe.accumulate)

    rates, losses, running, lowest, ended = [], [], 0.0, math.inf, "highest rate"
    keep = 1 - 4 / max(8, planned)  # of the running mean that watches for the explosion
    for step in range(planned):
        report(step, planned)
        rate = low * (high / low) ** (step / max(1, planned - 1))
        loss = _step(course, coming, recipe.accumulate, rate)
        if math.isfinite(loss):
            rates.append(rate)
            losses.append(loss)
            running = keep * running + (1 - keep) * loss
            mean = running / (1 - keep ** (step + 1))
            lowest = min(lowest, mean)
        if not math.isfinite(loss) or mean > EXPLOSION * lowest:
            ended = "explosion"
            break
        if steps is None and time.monotonic() - began > MOST_SECONDS and step + 1 < planned:
            ended = "time"
            break
    if not losses:
        raise TrainingError("The loss is not a number at the lowest rate", do="Look at the weights and the images")
    report(planned, planned)
    return rates, losses, planned, ended, seen.images


def _step(course: Course, coming: Iterator[_Batch], batches: int, rate: float) -> float:
    """One step of the optimizer, and the mean loss before it."""
    total, images = 0.0, 0
    for _ in range(batches):
        batch = next(coming)
        course.at_rate(rate)
        learned = course.learn(*batch)
        total += float(learned.losses.sum())
        images += len(learned.losses)
        if batch.step == course.steps:  # the optimizer steps at the end of an epoch in any case
            break
    return total / images


def _affordable(learning: float, fetching: float) -> int:
    """The most steps that fit into the time, by the seconds that one takes; the fewest if none fit."""
    for steps in STEPS:
        if steps * learning + min(FETCHING, steps * fetching) <= SECONDS:
            return steps
    return STEPS[-1]


class _Seen:
    """Training batches without end: epoch after epoch, or, when getting new ones takes too long, those that were seen.

    Features of a backbone that nobody has looked at yet cost a pass each, and a test needs batches, not all images.
    """

    def __init__(self, course: Course, accumulate: int, hurry: bool) -> None:
        self._course, self._accumulate, self._hurry = course, accumulate, hurry
        self.seconds, self.fetched, self.images = 0.0, 0, 0

    def __iter__(self) -> Iterator[_Batch]:
        kept: list[_Batch] = []
        size, fresh = 0, self._fresh()
        while True:
            began = time.monotonic()
            batch = next(fresh)
            self.seconds += time.monotonic() - began
            self.fetched += 1
            self.images += len(batch.inputs)
            yield batch
            size += batch.inputs.nbytes
            if size <= MOST_BYTES:
                kept.append(batch)
            whole = batch.step % self._accumulate == 0 or batch.step == self._course.steps
            slow = self._hurry and self.seconds > FETCHING
            if slow and whole and FEWEST_BATCHES <= len(kept) == self.fetched:
                break
        fresh.close()
        while True:
            yield from kept

    def _fresh(self) -> Iterator[_Batch]:
        epoch = 0
        while True:
            epoch += 1
            for step, (inputs, targets) in enumerate(self._course.training_batches(epoch), start=1):
                yield _Batch(inputs, targets, epoch, step)
