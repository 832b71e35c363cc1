"""The index of the run list: what each run's files said when they were last read. It can be deleted at any time.

With thousands of runs, reading every folder for every visit would take seconds. A list costs one look at the folder
names and one `stat` per run; only runs whose state.json was replaced since are read again. Whoever changes another file
that a line tells of, such as the labels, calls `touch` afterwards.
"""

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Self

from core.errors import FoveaError, StorageError
from core.models.architectures import network_label
from core.recipe import SCORES, Recipe, SegmentationRecipe
from core.runs.hypothesis import read_score
from core.runs.labels import Labels, read_labels
from core.runs.run import RunFacts, RunPaths, RunState, RunStatus, read_status
from core.workspace import Workspace, read_json, safe_id, write_json

_VERSION = 5  # raised when RunSummary changes; an older index is then built anew

Stamp = tuple[int, int, int]  # modification time, size and inode of state.json: a replaced file differs in one of them


@dataclass(frozen=True)
class RunSummary:
    """One line of the run list."""

    id: str
    name: str
    state: RunState
    sentence: str
    dataset: str  # id
    dataset_name: str
    created: float  # seconds since 1970
    network: str  # the backbone of a classifier; architecture and encoder of a segmentation model
    trainable: str  # of each phase in turn: "head → everything"
    policy: str  # augmentation
    image_size: int  # pixels
    epochs: int
    epochs_done: int
    best: dict[str, float] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    seconds: float = 0.0
    images_per_second: float | None = None
    preset: str = ""
    tags: tuple[str, ...] = ()  # of the study that made it; those that people give stand in its labels
    task: str = "classification"
    learns_from: str = "images"  # or "stored features" of a frozen backbone, or both
    revision: int = 1  # of the dataset
    labels: Labels = field(default_factory=Labels)
    hypothesis: str = ""  # with which the run began, as a sentence
    verdict: str = ""  # what became of it, a `Verdict`; "" until it is scored

    @property
    def score(self) -> float | None:
        """The best validation score: accuracy of a classifier, mean Dice of a segmentation model. None before it."""
        return self.best.get(SCORES[self.task])

    @classmethod
    def of(
        cls, run_id: str, recipe: Recipe, facts: RunFacts, status: RunStatus, labels: Labels, verdict: str = ""
    ) -> Self:
        """The line of a run."""
        return cls(
            id=run_id,
            name=labels.name or run_name(recipe),
            state=status.state,
            sentence=status.sentence,
            dataset=facts.dataset,
            dataset_name=facts.dataset_name,
            created=facts.created,
            network=recipe.model.network,
            task=recipe.task,
            trainable=trainable(recipe),
            policy=recipe.augment.policy,
            image_size=recipe.image_size,
            epochs=status.epochs,
            epochs_done=status.epochs_done,
            best=status.best,
            interval=status.interval,
            seconds=status.seconds,
            images_per_second=status.images_per_second,
            preset=recipe.preset,
            tags=facts.tags,
            learns_from=learns_from(recipe),
            revision=facts.revision,
            labels=labels,
            hypothesis=facts.hypothesis.sentence if facts.hypothesis else "",
            verdict=verdict,
        )

    @classmethod
    def unreadable(cls, run_id: str, status: RunStatus, reason: str) -> Self:
        """The line of a run folder that lost its recipe or its facts: listed with the reason, so it can be deleted."""
        return cls(
            id=run_id,
            name=run_id,
            state=RunState.FAILED,
            sentence=reason,
            dataset="",
            dataset_name="",
            created=status.since,
            network="",
            trainable="",
            policy="",
            image_size=0,
            epochs=status.epochs,
            epochs_done=status.epochs_done,
        )


def trainable(recipe: Recipe) -> str:
    """What the phases train, in their order, as in "head → everything"."""
    return " → ".join(phase.trainable for phase in recipe.phases)


def learns_from(recipe: Recipe) -> str:
    """What the phases learn from: "images", "stored features" of the frozen backbone, or "features and images"."""
    if recipe.task != "classification" or recipe.mix.on:
        return "images"
    stored = {phase.trainable == "head" for phase in recipe.phases}
    return "features and images" if len(stored) > 1 else "stored features" if stored == {True} else "images"


def run_name(recipe: Recipe) -> str:
    """What a person calls the run, or a name made from its main choices."""
    if recipe.name:
        return recipe.name
    if isinstance(recipe, SegmentationRecipe):
        return f"{network_label(recipe.model)}, {trainable(recipe)}"
    return f"{recipe.model.network}, {trainable(recipe)}"


def read_facts(paths: RunPaths) -> RunFacts:
    """run.json of a run. Raises KeyError, TypeError or ValueError when it is missing or is no such thing."""
    return RunFacts.from_json(read_json(paths.facts) or {})


def read_summary(folder: Path) -> RunSummary:
    """The line of the run in `folder`, from its files."""
    paths = RunPaths(folder)
    status = read_status(paths)
    try:
        recipe = Recipe.from_json(paths.recipe.read_text(encoding="utf-8"))
        facts, labels = read_facts(paths), read_labels(paths.labels)
        score = read_score(paths.score) if facts.hypothesis else None
        return RunSummary.of(folder.name, recipe, facts, status, labels, score.verdict if score else "")
    except (OSError, FoveaError, KeyError, TypeError, ValueError) as error:
        return RunSummary.unreadable(folder.name, status, f"This run cannot be read: {error}")


class RunIndex:
    """The known lines of all runs under `runs`, kept in memory and, for runs that are finished, in `file`."""

    def __init__(self, runs: Path, file: Path) -> None:
        self._runs = runs
        self._file = file
        self._lock = Lock()
        self._known: dict[str, tuple[Stamp, RunSummary]] | None = None

    def summaries(self) -> list[RunSummary]:
        """One line per run, in no particular order, as the files say (whether workers are alive is not asked here)."""
        with self._lock:
            if self._known is None:
                self._known = self._load()
            before, self._known = self._known, self._refreshed(self._known)
            if _finished(before) != _finished(self._known):
                self._save()
            return [summary for _, summary in self._known.values()]

    def _refreshed(self, known: Mapping[str, tuple[Stamp, RunSummary]]) -> dict[str, tuple[Stamp, RunSummary]]:
        fresh: dict[str, tuple[Stamp, RunSummary]] = {}
        for run_id in self._ids():
            stamp = _stamp(self._runs, run_id)
            if stamp is None:  # deleted this very moment
                continue
            entry = known.get(run_id)
            if entry is None or entry[0] != stamp:
                entry = stamp, read_summary(self._runs / run_id)
            fresh[run_id] = entry
        return fresh

    def _ids(self) -> list[str]:
        try:
            with os.scandir(self._runs) as found:
                return [entry.name for entry in found if safe_id(entry.name)]
        except FileNotFoundError:
            return []

    def _load(self) -> dict[str, tuple[Stamp, RunSummary]]:
        data = read_json(self._file)
        try:
            if data["version"] != _VERSION:
                return {}
            return {run_id: (_read_stamp(stamp), _read_line(line)) for run_id, (stamp, line) in data["runs"].items()}
        except (KeyError, TypeError, ValueError):  # no index, or one that is damaged: build it anew
            return {}

    def _save(self) -> None:
        runs = {
            run_id: (stamp, asdict(summary))
            for run_id, (stamp, summary) in (self._known or {}).items()
            if summary.state.is_finished  # a live run changes every second; writing it down again would be for nothing
        }
        try:
            write_json(self._file, {"version": _VERSION, "runs": runs})
        except StorageError:
            return  # the list itself is right; without room for the index it is only slower the next time


@lru_cache(maxsize=8)
def run_index(workspace: Workspace) -> RunIndex:
    """The index of a workspace, shared by everything in this process."""
    return RunIndex(workspace.runs, workspace.cache / "runs.json")


def _finished(known: Mapping[str, tuple[Stamp, RunSummary]]) -> set[tuple[str, Stamp]]:
    return {(run_id, stamp) for run_id, (stamp, summary) in known.items() if summary.state.is_finished}


def _stamp(runs: Path, run_id: str) -> Stamp | None:
    try:
        found = os.stat(os.path.join(runs, run_id, "state.json"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def touch(paths: RunPaths) -> None:
    """Let the index read a run again, because a file other than its state.json was changed. Call it afterwards.

    A worker that replaces state.json in this moment makes the index read it again as well.
    """
    with suppress(FileNotFoundError):
        found = os.stat(paths.state)
        os.utime(paths.state, ns=(found.st_atime_ns, max(time.time_ns(), found.st_mtime_ns + 1)))


def _read_stamp(stamp: Iterable[int]) -> Stamp:
    modified, size, inode = stamp
    return int(modified), int(size), int(inode)


def _read_line(line: Mapping[str, Any]) -> RunSummary:
    interval = line["interval"]
    return RunSummary(
        **{
            **line,
            "state": RunState(line["state"]),
            "interval": None if interval is None else (interval[0], interval[1]),
            "tags": tuple(line["tags"]),
            "labels": Labels.from_json(line["labels"]),
        }
    )
