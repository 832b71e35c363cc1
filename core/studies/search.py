"""Searches: which values of some recipe fields do best on the validation split. The test split is never looked at.

studies/<id>/  beside what every study has
    asked.json     what a person wants: how many trials, and whether to go on; written by pages and the command line
    state.json     where the search stands; written by its driver
    driver.json    which process drives it, or did last; `heartbeat`, `lock` and `driver.log` are its own as well
    optuna.jsonl   what Optuna knows of the trials
    results.json   the trials, the best one, and what else a page shows; see `core.studies.findings`

A search is driven by a detached process (`core.studies.searcher`), which makes ordinary runs, one trial after the
other. Importing this file does not import Optuna.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from core.data.dataset import Dataset
from core.errors import RecipeError, RunError, StorageError, shown
from core.executors.launch import start_detached
from core.knobs import find
from core.recipe import Recipe
from core.runs.liveness import ProcessMark, worker_alive
from core.studies.space import (
    MOST_COMBINATIONS,
    Span,
    check_space,
    combinations,
    label_of,
    span_from_json,
    span_to_json,
    with_values,
)
from core.studies.study import Study, StudyPaths, StudyStore
from core.train.check import check
from core.workspace import Workspace, read_json, write_json

DRIVER = "core.studies.searcher"
MOST_TRIALS = 1000
SECONDS_TO_START = 10.0  # a driver that was started so lately may not have taken its study yet
State = Literal["waiting", "running", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Way:
    """One way to choose the next trial, or to give up a bad one."""

    name: str
    label: str
    sentence: str


SAMPLERS: tuple[Way, ...] = (
    Way(
        "tpe",
        "Learn from earlier trials",
        "Ten random trials, then more of what did well (TPE, tree-structured Parzen estimator).",
    ),
    Way("random", "At random", "Every trial is drawn without regard to the others; a good base line."),
    Way("grid", "Every combination", "For lists of values and whole numbers: each combination once, in random order."),
)
PRUNERS: tuple[Way, ...] = (
    Way("median", "Below the median", "A trial stops when its best so far is worse than the middle of earlier trials."),
    Way("halving", "Successive halving", "A third of the trials goes on after a ninth and a third of the epochs."),
    Way("none", "Never", "Every trial trains to its end."),
)


@dataclass(frozen=True)
class SearchSpec:
    """What is searched and how."""

    space: tuple[Span, ...]
    trials: int = 20
    sampler: str = "tpe"  # a row of SAMPLERS
    pruner: str = "median"  # a row of PRUNERS
    metric: str = "score"  # "score" or "loss", of the validation; it also chooses the weights that each trial keeps
    seed: int = 0  # of the draws; the trials themselves all train with the recipe's seed
    minutes: float | None = None  # of training, after which no further trial begins
    fingerprint: str = ""  # of the dataset when the search began
    revision: int = 0  # of the dataset, which all trials learn from; 0 for the newest, in older searches

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"space": [span_to_json(span) for span in self.space]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The spec from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        return cls(**{**data, "space": tuple(span_from_json(span) for span in data["space"])})


@dataclass(frozen=True)
class SearchPaths(StudyPaths):
    """Every file name of a search, in one place."""

    @property
    def asked(self) -> Path:
        return self.folder / "asked.json"

    @property
    def driver(self) -> Path:
        return self.folder / "driver.json"

    @property
    def heartbeat(self) -> Path:
        return self.folder / "heartbeat"

    @property
    def lock(self) -> Path:
        """Held by the driver for as long as it drives."""
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        return self.folder / "driver.log"

    @property
    def optuna(self) -> Path:
        return self.folder / "optuna.jsonl"

    @property
    def results(self) -> Path:
        return self.folder / "results.json"


@dataclass(frozen=True)
class Asked:
    """What a person wants of a search: the content of asked.json."""

    turn: int  # 1 for the start; each time that somebody lets the search go on adds one
    trials: int  # all together
    stop: bool = False


@dataclass(frozen=True)
class SearchState:
    """Where a search stands: the content of state.json."""

    state: State
    sentence: str
    since: float  # seconds since 1970
    turn: int = 0  # which wish of a person this is about
    trials: int = 0  # that have ended
    run: str = ""  # id of the run at work for it

    @property
    def is_active(self) -> bool:
        """Whether more trials come by themselves."""
        return self.state in ("waiting", "running")


def paths_of(study: Study) -> SearchPaths:
    """The files of a search."""
    return SearchPaths(study.paths.folder)


def spec_of(study: Study) -> SearchSpec:
    """What a search varies. Raises RunError when the study is none, or cannot be read."""
    if study.kind != "search":
        raise RunError(f"The study {study.id} is no search", found=shown(study.kind))
    try:
        return SearchSpec.from_json(study.spec)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"The search {study.id} cannot be read", found=repr(error), do="Delete it") from error


def check_search(recipe: Recipe, dataset: Dataset, spec: SearchSpec) -> None:
    """Refuse what cannot be searched, in one sentence: either end of every range has to be able to train.

    Raises RecipeError or DatasetError.
    """
    find(SAMPLERS, spec.sampler, "sampler")
    find(PRUNERS, spec.pruner, "pruner")
    if spec.metric not in ("score", "loss"):
        raise RecipeError("metric", found=shown(spec.metric), expected="score or loss")
    if not 1 <= spec.trials <= MOST_TRIALS:
        raise RecipeError("trials", found=str(spec.trials), expected=f"a whole number from 1 to {MOST_TRIALS}")
    if spec.minutes is not None and not spec.minutes > 0:
        raise RecipeError("minutes", found=f"{spec.minutes:g}", expected="a number above 0")
    check_space(recipe, spec.space)
    if spec.sampler == "grid":
        _check_grid(spec)
    for span in spec.space:
        for end in span.ends:
            check(with_values(recipe, {span.path: end}), dataset)


def _check_grid(spec: SearchSpec) -> None:
    for span in spec.space:
        if span.values is None:
            raise RecipeError(
                span.path, found=f"{span} for a grid", expected="a list of values, since a range has no end of them"
            )
    points = combinations(spec.space) or 0
    if points > MOST_COMBINATIONS:
        raise RecipeError("The grid is too large", found=f"{points:,} combinations", do="Take fewer values, or TPE")


def trial_recipe(recipe: Recipe, spec: SearchSpec, values: Mapping[str, Any]) -> Recipe:
    """The recipe of a trial: the base with the values drawn for it, keeping the weights that the metric calls best."""
    return with_values(recipe, values).set({"best_by": spec.metric, "name": ""})


# What a person does with a search


def begin(workspace: Workspace, recipe: Recipe, dataset: Dataset, spec: SearchSpec, name: str = "") -> Study:
    """Make a search and start its driver. Raises RecipeError or DatasetError for what cannot be searched."""
    recipe = recipe.set({"dataset": dataset.id})
    check_search(recipe, dataset, spec)
    spec = replace(spec, fingerprint=dataset.fingerprint, revision=dataset.revision)
    if spec.sampler == "grid":
        spec = replace(spec, trials=min(spec.trials, combinations(spec.space) or spec.trials))
    told = name or "Search: " + ", ".join(label_of(recipe, span.path) for span in spec.space)
    study = StudyStore(workspace).create("search", told[:80], recipe, spec.to_json())
    paths = paths_of(study)
    write_state(paths, SearchState("waiting", "The search is about to start.", time.time()))
    write_json(paths.asked, asdict(Asked(turn=1, trials=spec.trials)))
    drive(study)
    return study


def stop(study: Study) -> None:
    """Ask a search to stop; a trial at work is stopped as well, and goes on where it was when the search does.

    Raises RunError when the search is not at work.
    """
    if not standing(study).is_active:
        raise RunError(f"The search {study.id} is not at work", found=standing(study).state)
    write_json(paths_of(study).asked, asdict(replace(read_asked(study), stop=True)))
    drive(study)  # if its driver is gone, another one stops what is still at work


def go_on(study: Study, more: int = 0) -> None:
    """Let a search go on, with so many more trials. Raises RunError when there is nothing left to do, RecipeError for
    too many trials."""
    asked = read_asked(study)
    trials = asked.trials + more
    spec = spec_of(study)
    if spec.sampler == "grid":
        trials = min(trials, combinations(spec.space) or trials)
    now = standing(study)
    if more < 0 or trials > MOST_TRIALS:
        raise RecipeError("trials", found=str(trials), expected=f"at most {MOST_TRIALS} in all")
    if not now.is_active and now.trials >= trials:
        raise RunError(f"The search {study.id} has done all its {trials} trials", do="Ask for more trials")
    write_json(paths_of(study).asked, asdict(Asked(turn=asked.turn + 1, trials=trials)))
    drive(study)


def drive(study: Study) -> bool:
    """Start the driver of a search that should have one and has none; whether one was started."""
    paths = paths_of(study)
    if not _needs_driver(study) or _driver_alive(paths):
        return False
    process = start_detached(DRIVER, [str(paths.folder.absolute())], paths.log)
    write_json(paths.driver, ProcessMark.of(process.pid).to_json() | {"started": time.time()})
    return True


def ensure_driving(workspace: Workspace) -> None:
    """See to it that every search that should go on does, after a crash or a restart. To be called as often as one
    likes; what cannot be started for want of space is tried again the next time."""
    for study in StudyStore(workspace).list():
        if study.kind == "search":
            with suppress(StorageError, RunError):
                drive(study)


def standing(study: Study) -> SearchState:
    """Where a search stands now."""
    told = read_state(study)
    asked = read_asked(study)
    if asked.turn > told.turn:  # a driver has not yet heard of it
        return replace(told, state="waiting", sentence="The search is about to start.")
    if told.is_active and asked.stop:
        return replace(told, sentence="Stopping; the trial at work is kept.")
    return told


# The files


def read_asked(study: Study) -> Asked:
    """What a person wants of a search."""
    try:
        return Asked(**read_json(paths_of(study).asked))
    except TypeError:  # not there yet, or damaged
        return Asked(turn=0, trials=spec_of(study).trials)


def read_state(study: Study) -> SearchState:
    """What its driver wrote last."""
    try:
        return SearchState(**read_json(paths_of(study).state))
    except TypeError:
        return SearchState("failed", "state.json of this search is missing or cannot be read.", study.created)


def write_state(paths: SearchPaths, state: SearchState) -> None:
    """Replace state.json, whole or not at all. Raises StorageError when the disk is full."""
    write_json(paths.state, asdict(state))


def read_results(study: Study) -> dict[str, Any] | None:
    """The results as the driver wrote them last; None before the first. Raises RunError when they cannot be read."""
    found = read_json(paths_of(study).results)
    if found is not None and not isinstance(found, dict):
        raise RunError(f"The results of the search {study.id} cannot be read", do="Let the search go on")
    return found


def tag(study_id: str) -> str:
    """What marks a run as one of a study."""
    return f"study:{study_id}"


def trial_tag(number: int) -> str:
    """What marks a run as that of a trial, from 0 as Optuna counts."""
    return f"trial:{number}"


def _needs_driver(study: Study) -> bool:
    told, asked = read_state(study), read_asked(study)
    return told.state == "running" or asked.turn > told.turn


def _driver_alive(paths: SearchPaths) -> bool:
    data = read_json(paths.driver)
    try:
        mark = ProcessMark.from_json(data)
        started = float(data.get("started", 0.0))
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return worker_alive(mark, paths.heartbeat) or 0 <= time.time() - started < SECONDS_TO_START
