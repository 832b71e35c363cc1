"""The runs of a workspace: make, find, list and delete them, and say where each stands.

The truth is in the files of each run's folder. Beside it stands the queue, workspace/queue/, with one empty file per
run that waits or is at work; it only says where to look, so that asking for the queue does not mean reading every run.
Whatever changes a run from outside its worker happens under the workspace's lock.
"""

import math
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from core.data.dataset import SPLITS, Dataset
from core.data.split import dataset_caution, split_for
from core.errors import FoveaError, RunError, StorageError, storage_errors
from core.recipe import Recipe
from core.runs.hypothesis import Hypothesis
from core.runs.index import run_index, touch
from core.runs.journal import RunJournal
from core.runs.labels import Change, Labels, read_labels, write_labels
from core.runs.liveness import ProcessMark, heard_of, worker_alive
from core.runs.run import Origin, RunFacts, RunPaths, RunState, RunStatus, read_status, write_status
from core.runs.summary import RunSummary, read_facts, run_name
from core.workspace import Workspace, new_id, read_json, safe_id, write_json, write_text, writer_of

BALLAST_BYTES = 64 * 1024  # enough for the last state and a line in the log
_LOCK_SECONDS = 30.0  # the lock is held for milliseconds; waiting longer means that something is stuck
_MAKING_SECONDS = 3600.0  # making a run takes a moment; a half one as old as this was left behind
_LOG_BYTES = 64 * 1024  # how much of the end of a log is looked at


@dataclass(frozen=True)
class Run:
    """One run, as it stands now."""

    id: str
    paths: RunPaths
    recipe: Recipe
    facts: RunFacts
    status: RunStatus
    labels: Labels = field(default_factory=Labels)

    @property
    def name(self) -> str:
        """What people call it, else what its recipe does."""
        return self.labels.name or run_name(self.recipe)

    @property
    def journal(self) -> RunJournal:
        return RunJournal(self.paths.epochs, self.paths.clock)


class RunStore:
    """All runs of one workspace. Holds nothing: any number of stores, in any number of processes, see the same."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the workspace's lock: nobody else changes the queue or which worker has which run. Not re-entrant."""
        root = self.workspace.root
        with storage_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(root / "lock", timeout=_LOCK_SECONDS)
            try:
                lock.acquire(poll_interval=0.01)
            except Timeout:
                raise StorageError(
                    "The workspace is held by another process",
                    found=f"its lock is taken for more than {_LOCK_SECONDS:.0f} seconds",
                    do="Look for a hanging Fovea process on this machine and end it",
                ) from None
        try:
            yield
        finally:
            lock.release()

    def create(
        self,
        recipe: Recipe,
        dataset: Dataset,
        tags: tuple[str, ...] = (),
        *,
        dealt: bool = False,
        origin: Origin | None = None,
        hypothesis: Hypothesis | None = None,
        prepare: Callable[[RunPaths, RunStatus], RunStatus] = lambda paths, status: status,
    ) -> str:
        """Make the folder of a new run and return its id. It waits, unqueued, until an executor is given it.

        A recipe with folds takes its fold of the dataset, unless that is `dealt` already. `prepare` may put more into
        the folder before anybody sees it, and says where the run then stands. Raises DatasetError or RecipeError where
        there cannot be such a fold, InputError for a hypothesis that could never be scored, StorageError when the disk
        is full; no half run is left then.
        """
        recipe = recipe.model_copy(update={"dataset": dataset.id})
        dataset = dataset if dealt else split_for(recipe, dataset)
        run_id = new_id(run_name(recipe))
        now = time.time()
        samples = {split: dataset.of(split) for split in SPLITS}
        facts = RunFacts(
            created=now,
            dataset=dataset.id,
            dataset_name=dataset.name,
            dataset_fingerprint=dataset.fingerprint,
            classes=tuple(dataset.classes),
            samples={split: len(members) for split, members in samples.items() if members},
            tags=tags,
            split_rule=dataset.split_rule,
            origin=origin or self._origin(recipe),
            revision=dataset.revision,
            cautions=tuple(filter(None, [dataset_caution(dataset)])),
            hypothesis=hypothesis and self._expected(hypothesis, recipe, dataset),
        )
        sentence = RunState.QUEUED.sentence
        status = RunStatus(RunState.QUEUED, since=now, sentence=sentence, queued_at=now, epochs=recipe.epochs)
        building = self.workspace.runs / f".new-{run_id}"
        paths = RunPaths(building)
        try:
            write_text(paths.recipe, recipe.to_json())
            write_json(paths.facts, facts.to_json())
            write_json(paths.split, {split: [s.id for s in members] for split, members in samples.items() if members})
            keep_ballast(paths)
            with storage_errors(building):
                status = prepare(paths, status)
            write_status(paths, status)
            os.replace(building, self.workspace.runs / run_id)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        return run_id

    def _origin(self, recipe: Recipe) -> Origin | None:
        """The run of this workspace whose best weights a recipe starts from, if it does."""
        weights = Path(recipe.model.weights)
        run_id = weights.parent.name
        if not safe_id(run_id) or weights.absolute() != RunPaths(self.workspace.runs / run_id).best.absolute():
            return None
        facts = read_json(RunPaths(weights.parent).best_facts) or {}
        return Origin(run=run_id, how="weights", epoch=int(facts.get("epoch", 0)))

    def _expected(self, hypothesis: Hypothesis, recipe: Recipe, dataset: Dataset) -> Hypothesis:
        """A hypothesis about a run that is being made, with the name of its baseline as it is now."""
        hypothesis = hypothesis.checked(recipe.task, dataset.classes)
        if not hypothesis.baseline:
            return hypothesis
        baseline = self.get(hypothesis.baseline)
        for what, found, expected in (
            ("data", baseline.facts.dataset, dataset.id),
            ("task", baseline.recipe.task, recipe.task),
        ):
            if found != expected:
                raise RunError(
                    f"A hypothesis is measured against a run of the same {what}", found=found, expected=expected
                )
        return replace(hypothesis, baseline_name=baseline.name)

    def paths(self, run_id: str) -> RunPaths:
        """The files of a run. Raises RunError when there is no such run."""
        folder = self.workspace.runs / run_id
        if not safe_id(run_id) or not folder.is_dir():
            newest = ", ".join(summary.id for summary in self.list()[:5])
            raise RunError(
                "There is no such run",
                found=repr(run_id),
                expected=f"one of this workspace's runs, such as {newest}" if newest else "",
                do="" if newest else "Train a model first; this workspace has no runs yet",
            )
        return RunPaths(folder)

    def get(self, run_id: str) -> Run:
        """A run as it stands now. Raises RunError when it is not there or cannot be read."""
        paths = self.paths(run_id)
        try:
            recipe = Recipe.from_json(paths.recipe.read_text(encoding="utf-8"))
            facts = read_facts(paths)
        except (OSError, FoveaError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"The run {run_id} cannot be read", found=str(error), do="Delete it") from error
        return Run(run_id, paths, recipe, facts, self._now(paths), read_labels(paths.labels))

    def status(self, run_id: str) -> RunStatus:
        """Where a run stands, with its worker looked at: one that ended without a word makes it a failed run."""
        return self._now(self.paths(run_id))

    def label(self, run_ids: Iterable[str], change: Change) -> None:
        """Change what is written on some runs. Nothing else of them changes, so that a run at work goes on.

        Raises RunError when one of them is not there and InputError for what no run can have, before any is changed;
        StorageError when the disk is full.
        """
        with self.lock():
            all_paths = [self.paths(run_id) for run_id in run_ids]
            changed = [change.of(read_labels(paths.labels)) for paths in all_paths]
            for paths, labels in zip(all_paths, changed, strict=True):
                write_labels(paths.labels, labels)
                touch(paths)

    def delete(self, run_id: str) -> None:
        """Delete a run and everything it wrote. Raises RunError while a worker has it."""
        with self.lock():
            paths = self.paths(run_id)
            if self._now(paths).state.has_worker:
                raise RunError(f"The run {run_id} is at work", do="Stop it first, then delete it")
            self.dequeue(run_id)
            # Renamed first, so that nobody ever sees half a run; the rest may fail where a reader holds a file open.
            grave = paths.folder.with_name(f".deleted-{run_id}-{uuid.uuid4().hex[:6]}")
            with storage_errors(paths.folder):
                os.replace(paths.folder, grave)
        shutil.rmtree(grave, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what processes that were killed while they made or deleted a run left behind."""
        runs = self.workspace.runs
        made_before = time.time() - _MAKING_SECONDS
        for folder in [*runs.glob(".deleted-*"), *(new for new in runs.glob(".new-*") if _changed(new) < made_before)]:
            shutil.rmtree(folder, ignore_errors=True)
        sweep_temporaries(self.workspace.cache)

    def log_tail(self, run_id: str, lines: int = 20) -> str:
        """The last lines of what the worker printed; empty when it printed nothing."""
        try:
            with open(self.paths(run_id).log, "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
                text = file.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    # The queue

    def enqueue(self, run_id: str) -> None:
        """Put a run into the queue. Whether and when it starts is for an executor."""
        with storage_errors(self.workspace.root):
            self.workspace.queue.mkdir(parents=True, exist_ok=True)
            (self.workspace.queue / run_id).touch()

    def dequeue(self, run_id: str) -> None:
        """Take a run out of the queue, whether it is in it or not."""
        (self.workspace.queue / run_id).unlink(missing_ok=True)

    def unfinished(self) -> list[str]:
        """Ids of the runs that wait or are at work, oldest first. Runs that ended or were deleted may still be among
        them until an executor tidies up."""
        try:
            ids = [name for name in os.listdir(self.workspace.queue) if safe_id(name)]
        except FileNotFoundError:
            return []
        return sorted(ids, key=lambda run_id: (self._as_written(run_id).queued_at, run_id))

    def queue(self) -> list[str]:
        """Ids of the runs that wait for their turn, next one first."""
        return [run_id for run_id in self.unfinished() if self._as_written(run_id).state is RunState.QUEUED]

    def place(self, run_id: str) -> int | None:
        """How many starts away a waiting run is: 1 for the next one. None when it does not wait in the queue."""
        waiting = self.queue()
        return waiting.index(run_id) + 1 if run_id in waiting else None

    def _as_written(self, run_id: str) -> RunStatus:
        return read_status(RunPaths(self.workspace.runs / run_id))

    def _now(self, paths: RunPaths) -> RunStatus:
        status = read_status(paths)
        if not status.state.has_worker:
            return status
        mark = read_mark(paths)
        if mark is not None and worker_alive(mark, paths.heartbeat):
            for wish, sentence in (
                (paths.stop, "Stopping after this step."),
                (paths.pause, "Pausing after this step."),
            ):
                if wish.exists():
                    return replace(status, sentence=sentence)
            return status
        # A worker writes its last state before it ends, so what stands there now, after it has ended, is final.
        status = read_status(paths)
        return lost(status, mark, heard_of(paths.heartbeat)) if status.state.has_worker else status

    # Last, because it hides the name of the builtin from the annotations below it

    def list(self, *, glance: bool = False) -> list[RunSummary]:
        """All runs, newest first. Only runs that changed since the last call are read.

        A glance costs next to nothing, however many there are; see `core.runs.index` for what it may miss. The list may
        be shared with whoever else asks: only read it.
        """
        lines, at_work = run_index(self.workspace).standing(glance=glance)
        if not at_work:
            return lines
        lines = lines.copy()
        for place in at_work:
            status = self._now(RunPaths(self.workspace.runs / lines[place].id))
            lines[place] = replace(lines[place], state=status.state, sentence=status.sentence)
        return lines


def read_mark(paths: RunPaths) -> ProcessMark | None:
    """Which process is, or was last, at work on a run; None when that is not known."""
    try:
        return ProcessMark.from_json(read_json(paths.worker) or {})
    except (KeyError, TypeError, ValueError):
        return None


def lost(status: RunStatus, mark: ProcessMark | None, heard: float | None) -> RunStatus:
    """The status of a run whose worker is gone although it never said that it ended."""
    facts = [f"process {mark.pid}"] if mark else []
    if heard is not None and heard >= status.since:
        facts.append("last heard of at " + datetime.fromtimestamp(heard).strftime("%H:%M:%S"))
    told = f" ({', '.join(facts)})" if facts else ""
    sentence = (
        f"The worker ended without a word{told}: it was killed, ran out of memory or crashed. "
        "The end of its log may say more; resume goes on from the last step that was saved."
    )
    return replace(status, state=RunState.FAILED, since=max(status.since, heard or 0.0), sentence=sentence)


def keep_ballast(paths: RunPaths) -> None:
    """Set disk space aside for the last words of a run. Raises StorageError when even that little is not there."""
    with storage_errors(paths.folder), open(paths.ballast, "wb") as file:
        file.write(os.urandom(BALLAST_BYTES))  # random bytes: a file system may give zeros no space
        file.flush()
        os.fsync(file.fileno())  # some file systems find out that they are full only now


def drop_ballast(paths: RunPaths) -> None:
    """Give the space that was set aside back."""
    with suppress(OSError):
        paths.ballast.unlink(missing_ok=True)


def sweep_temporaries(folder: Path) -> None:
    """Delete the temporary files in `folder` whose writers were killed before they could put them in place."""
    for path in folder.glob(".*.tmp"):
        writer = writer_of(path)
        if writer is not None and not ProcessMark.of(writer).alive:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf
