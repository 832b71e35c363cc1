"""Repeats: one recipe trained several times, with other seeds, on other folds of the data, or both, and what the runs
say together: each figure as mean and standard deviation.

A single number hides how far chance moves it. Other seeds draw other heads, shuffles and augmentations; other folds
hold out other images.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.data.dataset import Dataset
from core.data.library import Library
from core.data.split import split_for
from core.errors import FoveaError, RecipeError, RunError
from core.evaluate.classification import ClassificationResult
from core.evaluate.results import Result, read_result
from core.executors.base import Executor
from core.recipe import Recipe
from core.runs.run import RunState
from core.runs.store import Run, RunStore
from core.runs.summary import run_name
from core.studies.removal import delete_study
from core.studies.study import Kind, Study, StudyStore
from core.train.check import check
from core.workspace import Workspace

KINDS = ("seeds", "folds")  # of the kinds of studies, those that this file is about
MOST_RUNS = 100
LEVEL = 0.95  # of the interval of a mean
FIGURES = {  # name -> what a table calls it, of each task; higher is better but for the loss
    "classification": {"accuracy": "accuracy", "macro_f1": "macro F1", "loss": "loss"},
    "segmentation": {"mean_dice": "mean Dice", "mean_iou": "mean IoU", "loss": "loss"},
}
OF_CLASSES = {  # the same of each class
    "classification": {"recall": "recall"},
    "segmentation": {"recall": "recall", "dice": "Dice"},
}
_CAUTIONS = {
    "seeds": "All runs have the same images: the interval says what chance in training does, not what other images "
    "would.",
    "folds": "The folds share most of their training images, so their results depend on one another and the interval "
    "is narrower than it should be.",
}


@dataclass(frozen=True)
class Spread:
    """One figure over the runs that have it."""

    name: str  # "accuracy", or of a class "recall"
    label: str  # what a table calls it; of a class its name
    values: tuple[float | None, ...]  # of each run, in the order of the table; None where a run has none
    n: int  # runs that have it
    mean: float | None  # None without any run
    std: float | None  # sample standard deviation, divided by n - 1; None below two runs
    interval: tuple[float, float] | None  # 95 % t-interval of the mean; None below two runs


@dataclass(frozen=True)
class RunLine:
    """One run of the study."""

    run: str  # its id; "" where it was never made
    label: str  # "seed 1, fold 2 of 5"
    state: str  # a state of runs, or "missing"
    sentence: str  # what became of it, where it does not count; else ""


@dataclass(frozen=True)
class RepeatTable:
    """What the runs of a study say together. Only runs that finished count."""

    study: str
    name: str
    kind: str
    task: str
    planned: int
    counted: int  # runs whose figures are in the table
    runs: tuple[RunLine, ...]
    figures: tuple[Spread, ...]
    per_class: tuple[Spread, ...]
    caution: str  # how to read the intervals, in one sentence

    def to_json(self) -> dict[str, Any]:
        """Plain data, as the command line gives it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The table from plain data."""
        lines = tuple(RunLine(**line) for line in data["runs"])
        spreads = {name: tuple(spread_from(one) for one in data[name]) for name in ("figures", "per_class")}
        return cls(**{**data, "runs": lines, **spreads})


@dataclass(frozen=True)
class Standing:
    """How far a study is, in runs."""

    planned: int
    finished: int
    at_work: int  # those that wait their turn included
    ended: int  # stopped, paused or failed: they can be taken up again
    gone: int  # deleted, or never made

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens unless somebody asks for it."""
        return self.at_work == 0


# Making


def variations(recipe: Recipe, seeds: Sequence[int], folds: int) -> list[dict[str, Any]]:
    """What makes each run of a study differ from the recipe, {recipe path: value}, the seeds of a fold together.

    Without seeds all have the recipe's own; 0 folds mean the dataset's own split. Another seed deals other folds.
    Raises RecipeError for seeds named twice, for a single run, and for too many.
    """
    if len(set(seeds)) < len(seeds):
        raise RecipeError("seeds", found=", ".join(map(str, seeds)), expected="each seed once")
    places = [{"folds": folds, "fold": fold} for fold in range(folds)] or [{"folds": 0, "fold": 0}]
    varied = [{**place, **drawn} for place, drawn in product(places, [{"seed": seed} for seed in seeds] or [{}])]
    if not 2 <= len(varied) <= MOST_RUNS:
        raise RecipeError(
            "A study of repeats",
            found="a single run" if len(varied) < 2 else f"{len(varied)} runs",
            expected=f"2 to {MOST_RUNS} runs, as with the seeds 0, 1, 2 or with 5 folds",
        )
    return varied


def make(workspace_root: str, recipe_json: str, dataset: str, seeds: Sequence[int], folds: int, name: str = "") -> str:
    """Make a study and all its runs, which wait until `submit`, and return its id. To be called in the lab, which may
    import scikit-learn.

    All runs are checked before any is made. Raises what `variations` and `core.train.check` do, DatasetError where the
    data cannot be dealt into so many folds, and StorageError when the disk is full; nothing is left then.
    """
    workspace, recipe = Workspace(Path(workspace_root)), Recipe.from_json(recipe_json)
    data = Library(workspace).get(dataset)
    varied = variations(recipe, seeds, folds)
    runs = [(recipe.set({**changes, "name": f"{run_name(recipe)}, {told(changes)}"}), changes) for changes in varied]
    return make_runs(
        workspace,
        data,
        "folds" if folds else "seeds",
        name or f"{run_name(recipe)}: {_planned(len(seeds), folds)}",
        recipe,
        {"seeds": list(seeds), "folds": folds},
        runs,
    )


def make_runs(
    workspace: Workspace,
    data: Dataset,
    kind: Kind,
    name: str,
    recipe: Recipe,
    spec: Mapping[str, Any],
    runs: Sequence[tuple[Recipe, Mapping[str, Any]]],
) -> str:
    """Make a study and its runs, each given as its recipe and what it varies, and return the study's id.

    All runs are checked before any is made, and where one cannot be made nothing is left. Raises what
    `core.train.check` does, DatasetError where the data cannot be dealt, and StorageError when the disk is full.
    """
    for one, _ in runs:
        check(one, split_for(one, data))
    studies, store = StudyStore(workspace), RunStore(workspace)
    study = studies.create(kind, name, recipe.model_copy(update={"dataset": data.id}), spec)
    try:
        for one, changes in runs:
            studies.add(study.id, store.create(one, data, tags=(f"study:{study.id}",)), changes)
    except FoveaError:
        delete_study(workspace, study.id, runs=True)
        raise
    return study.id


def told(changes: Mapping[str, Any]) -> str:
    """What a run varies, in words: "seed 1", "fold 2 of 5", or both."""
    parts = [f"fold {changes['fold'] + 1} of {changes['folds']}"] if changes["folds"] else []
    return ", ".join([*parts, f"seed {changes['seed']}"] if "seed" in changes else parts)


def submit(executor: Executor, study: Study) -> None:
    """Have all runs of a study that wait unqueued worked on, in their order. Raises StorageError on a full disk."""
    for member in study.members:
        with suppress(RunError):  # deleted meanwhile, or at work already
            executor.submit(member.run)


def stop(executor: Executor, study: Study) -> None:
    """Ask every run of a study that has not ended to stop, the last one first, so that none starts meanwhile."""
    for member in reversed(study.members):
        with suppress(RunError):  # deleted meanwhile, or over
            executor.stop(member.run)


def take_up(executor: Executor, study: Study) -> None:
    """Go on with the runs of a study that were stopped, paused or failed, and start those that nobody was given: who
    made the study may have ended before. Raises StorageError when the disk is full."""
    for member in study.members:
        with suppress(RunError):  # deleted, at work, or finished
            executor.resume(member.run)


# How far it is


def standing(study: Study, states: Mapping[str, RunState]) -> Standing:
    """How far a study is, by the states of the runs that there are."""
    found = [states[member.run] for member in study.members if member.run in states]
    finished = sum(state is RunState.FINISHED for state in found)
    at_work = sum(not state.is_finished for state in found)
    planned = planned_runs(study)
    return Standing(planned, finished, at_work, len(found) - finished - at_work, planned - len(found))


def planned_runs(study: Study) -> int:
    """How many runs a study of repeats, a duel, or a study of leakage is to have."""
    sides = (len(study.spec.get(name, ())) for name in ("policies", "splits"))
    return math.prod(max(1, number) for number in (len(study.spec["seeds"]), study.spec.get("folds", 0), *sides))


# The table


def summarise(workspace_root: str, study_id: str) -> dict[str, Any]:
    """`repeat_table` as plain data, for the lab and the command line. Raises RunError when there is no such study."""
    return repeat_table(*with_runs(workspace_root, study_id)).to_json()


def with_runs(workspace_root: str, study_id: str) -> tuple[Study, dict[str, Run]]:
    """A study, and those of its runs that are there, by their ids. Raises RunError when there is no such study."""
    workspace = Workspace(Path(workspace_root))
    study, store = StudyStore(workspace).get(study_id), RunStore(workspace)
    found: dict[str, Run] = {}
    for member in study.members:
        with suppress(RunError):
            found[member.run] = store.get(member.run)
    return study, found


def repeat_table(study: Study, runs: Mapping[str, Run]) -> RepeatTable:
    """The figures of a study from the reports of its runs on their validation images, those of its fold each."""
    task = study.recipe.task
    varied = variations(study.recipe, study.spec["seeds"], study.spec["folds"])
    made = {told(member.varies): member.run for member in study.members}
    lines, reports = [], []
    for changes in varied:
        line, report = run_line(told(changes), made.get(told(changes), ""), runs)
        lines.append(line)
        reports.append(report)
    classes = next((report.classes for report in reports if report), ())
    of_runs = [figures_of(task, report, runs.get(line.run)) for line, report in zip(lines, reports, strict=True)]
    return RepeatTable(
        study=study.id,
        name=study.name,
        kind=study.kind,
        task=task,
        planned=len(varied),
        counted=sum(report is not None for report in reports),
        runs=tuple(lines),
        figures=tuple(spread(name, label, [one.get(name) for one in of_runs]) for name, label in FIGURES[task].items()),
        per_class=tuple(
            spread(name, label, [getattr(report.per_class[place], name) if report else None for report in reports])
            for place, label in enumerate(classes)
            for name in OF_CLASSES[task]
        ),
        caution=_CAUTIONS[study.kind],
    )


def spread(name: str, label: str, values: Iterable[float | None]) -> Spread:
    """Mean, sample standard deviation and 95 % t-interval of the mean of those values that there are.

    Student 1908, https://doi.org/10.1093/biomet/6.1.1
    """
    from scipy.stats import t  # here, because pages import this file

    values = tuple(values)
    there = np.array([value for value in values if value is not None], dtype=np.float64)
    n = len(there)
    mean = float(there.mean()) if n else None
    std = float(there.std(ddof=1)) if n > 1 else None
    half = float(t.ppf((1 + LEVEL) / 2, n - 1)) * std / math.sqrt(n) if n > 1 else None
    return Spread(name, label, values, n, mean, std, None if half is None else (mean - half, mean + half))


def run_line(label: str, run_id: str, runs: Mapping[str, Run]) -> tuple[RunLine, Result | None]:
    """A run as a line of a table, and its validation report if it counts: if it has finished and has one."""
    run = runs.get(run_id)
    if run is None:
        sentence = "Its run was deleted." if run_id else "Its run was never made."
        return RunLine("", label, "missing", sentence), None
    state = run.status.state
    if state is not RunState.FINISHED:
        return RunLine(run.id, label, state.value, run.status.sentence or state.sentence), None
    report = read_result(run.paths.results("validation"))
    sentence = "" if report else "Its validation report is not there: open the run on the page Evaluate."
    return RunLine(run.id, label, state.value, sentence), report


def figures_of(task: str, report: Result | None, run: Run | None) -> dict[str, float | None]:
    """The figures of one run, as FIGURES names them; none of a run that does not count."""
    if report is None or run is None:
        return {}
    loss = run.status.best.get("loss")
    if isinstance(report, ClassificationResult):
        return {"accuracy": report.accuracy, "macro_f1": report.macro_f1, "loss": loss}
    return {"mean_dice": report.mean_dice, "mean_iou": report.mean_iou, "loss": loss}


def spread_from(data: Mapping[str, Any]) -> Spread:
    """A figure over runs from plain data."""
    interval = data["interval"]
    return Spread(
        **{**data, "values": tuple(data["values"]), "interval": None if interval is None else tuple(interval)}
    )


def _planned(seeds: int, folds: int) -> str:
    parts = ([f"{folds} folds"] if folds else []) + ([f"{seeds} seeds"] if seeds else [])
    return " × ".join(parts)
