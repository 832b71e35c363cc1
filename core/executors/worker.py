"""The training worker: a process that does everything one run needs, writes it into the run's folder, and ends.

    python -m core.executors.worker RUN_FOLDER            work on this run now
    python -m core.executors.worker --spare WORKSPACE DIR  import everything, then wait to be given a run

Where others wait in the queue, a worker without a GPU takes the next one instead of ending: importing what training
needs takes longer than a head learns.

`work` is the same function for a worker, a spare that was given a run, and `InlineExecutor`.
"""

import argparse
import faulthandler
import gc
import importlib
import math
import os
import re
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event as Flag
from typing import Any

from filelock import FileLock, Timeout

from core.data.cache import trim
from core.data.dataset import SPLITS
from core.errors import FoveaError, RunError, StorageError, storage_errors
from core.executors.chronicle import Chronicle, Heartbeat
from core.executors.launch import step_back
from core.executors.local import LocalExecutor
from core.executors.ranks import ranks
from core.executors.spares import announce, leave, new_spare_folder, wait, withdraw
from core.machine import cores, gpu_here, versions
from core.runs.data import dataset_of
from core.runs.liveness import ProcessMark
from core.runs.run import RunPaths, RunState, RunStatus, read_status, write_status
from core.runs.store import Run, RunStore, drop_ballast, sweep_temporaries
from core.workspace import Workspace, write_json

HEAVY = ("core.train.loop", "core.evaluate.evaluation", "sklearn.metrics", "timm.optim")  # what takes seconds to import
IDLE_SECONDS = 30 * 60.0  # a spare that nobody wanted for so long gives its memory back; the next visit warms a new one
MOST_RUNS = 50  # that one process works on, one after the other
_SECONDS_BETWEEN_LOOKS = 0.02
_LOCK_SECONDS = 2.0  # a worker that was just killed may hold its lock a moment longer
# Libraries below Python report these in words of their own.
_DISK_FULL = re.compile(r"no space left|disk quota exceeded|file too large|PytorchStreamWriter failed", re.IGNORECASE)
_CONNECTION_LOST = re.compile(r"connection (closed|reset|refused)|gloo|nccl|broken pipe", re.IGNORECASE)
_GPU_BROKEN = re.compile(r"cuda error|cudnn|cublas|device-side assert|hip error|mps backend", re.IGNORECASE)
_MEMORY_FULL = re.compile(r"out of memory|can't allocate memory|cannot allocate memory", re.IGNORECASE)


def work(
    folder: Path,
    *,
    told: Callable[[dict[str, Any]], None] = lambda entry: None,
    asked_to_end: Callable[[], bool] = lambda: False,
) -> RunState:
    """Train the run in `folder`, write its validation report, and return how it ended.

    Whatever goes wrong with the run itself is its outcome, told in its folder, and not raised.
    Raises RunError when the run is not waiting to be worked on or another process has it, StorageError when not even
    its start can be written down.
    """
    folder = folder.absolute()
    store = RunStore(Workspace(folder.parent.parent))
    with _taken(store, folder.name) as status, Heartbeat(RunPaths(folder).heartbeat):
        chronicle = Chronicle(RunPaths(folder), status, told)
        facts: dict[str, Any] = {}
        try:
            facts = _train(store, store.get(folder.name), chronicle, asked_to_end)
            state, sentence = facts.pop("state"), facts.pop("sentence")
        except FoveaError as error:
            state, sentence = RunState.FAILED, str(error)
        except KeyboardInterrupt:
            chronicle.end(RunState.STOPPED, "Interrupted from the keyboard; resume goes on from the last saved step.")
            raise
        except Exception as error:
            chronicle.log(traceback.format_exc())
            state, sentence = RunState.FAILED, explain(error, folder)
        chronicle.end(state, sentence, **facts)
        return state


def _train(store: RunStore, run: Run, chronicle: Chronicle, asked_to_end: Callable[[], bool]) -> dict[str, Any]:
    # The imports of a cold worker come after the run was taken, so that the run is seen to be at work meanwhile.
    from core.evaluate.evaluation import evaluate_run
    from core.train.events import Look, Looks, Outcome
    from core.train.loop import train

    paths, workspace = run.paths, store.workspace
    dataset = dataset_of(workspace, run)
    resume = run.status.attempt > 1 or paths.last.exists()  # of another attempt, or of the run that this continues
    chronicle.log(f"attempt {run.status.attempt} in process {os.getpid()}, {_use_all_cores()} threads")
    chronicle.record({"kind": "start", "attempt": run.status.attempt, "pid": os.getpid(), "versions": versions()})
    trim(workspace.cache, partial(_datasets_in_use, store))
    for split in SPLITS if resume else ():  # reports of weights that are about to change
        for report in (paths.predictions(split), paths.results(split), paths.levels(split)):
            report.unlink(missing_ok=True)
        shutil.rmtree(paths.masks(split), ignore_errors=True)

    outcome = None
    with ranks(run.recipe, paths, resume=resume, give_up=partial(_give_up, chronicle)):
        for event in train(
            run.recipe,
            dataset,
            cache=workspace.cache,
            best=paths.best,
            best_facts=paths.best_facts,
            last=paths.last,
            should_stop=_Wish(paths.stop, asked_to_end),
            should_pause=_Wish(paths.pause),
            resume=resume,
            tracked=paths.tracker,
            snapshots=paths.snapshots,
        ):
            if isinstance(event, Looks):
                chronicle.show(event)
            elif isinstance(event, Look):
                chronicle.look(event)
            else:
                chronicle.record(event.entry())
            if isinstance(event, Outcome):
                outcome = event

    state = RunState(outcome.state)
    if state is not RunState.PAUSED:  # that one is to give its place back at once; whoever asks for its report gets one
        chronicle.say("Training is over; the validation report is being written.")
        evaluate_run(str(workspace.root), run.id, "validation")
    return {
        "state": state,
        "sentence": "The machine asked the worker to end; what was best is kept."
        if asked_to_end()
        else _sentence(state, [entry["sentence"] for entry in run.journal.read() if entry["kind"] == "said"]),
        "best": outcome.best,
        "interval": outcome.interval,
        "epochs_done": outcome.epochs_done,
        "images_per_second": outcome.images_per_second,
    }


def _sentence(state: RunState, said: Sequence[str]) -> str:
    """How a run ended, with the last thing a person should know of how it went."""
    if state is RunState.FINISHED and said:  # not all its epochs, perhaps
        return f"Training is over; the best weights are kept. {said[-1]}"
    return state.sentence


def _give_up(chronicle: Chronicle, sentence: str) -> None:
    """End the run and this process, which waits for another one that is gone and cannot be woken."""
    chronicle.end(RunState.FAILED, sentence)
    os._exit(1)


class _Wish:
    """Whether somebody left a file that asks for something. Looked for at most fifty times a second, since steps on
    stored features take a millisecond."""

    def __init__(self, path: Path, otherwise: Callable[[], bool] = lambda: False) -> None:
        self._path, self._otherwise = path, otherwise
        self._looked, self._there = -math.inf, False

    def __call__(self) -> bool:
        now = time.monotonic()
        if now - self._looked >= _SECONDS_BETWEEN_LOOKS:
            self._looked, self._there = now, self._path.exists()
        return self._there or self._otherwise()


def _datasets_in_use(store: RunStore) -> set[str]:
    """Ids of the datasets of all runs that wait, are at work or are paused."""
    found = set()
    for summary in store.list():
        if summary.state is RunState.PAUSED or not summary.state.is_finished:
            with suppress(RunError):  # deleted this very moment
                found.add(store.get(summary.id).facts.dataset)
    return found


def _use_all_cores() -> int:
    """Let torch use every core this process may run on, and return how many. (Its default leaves out hyper-threads.)"""
    import torch

    torch.set_num_threads(cores())
    return cores()


@contextmanager
def _taken(store: RunStore, run_id: str) -> Iterator[RunStatus]:
    """Hold a waiting run for as long as this is entered, and mark it as at work in this process."""
    paths = store.paths(run_id)
    lock = FileLock(paths.lock, timeout=_LOCK_SECONDS)
    try:
        with storage_errors(paths.folder):
            lock.acquire()
    except Timeout:
        raise RunError(f"Another process is at work on the run {run_id}", do="Leave it to that one") from None
    try:
        with store.lock():
            status = read_status(paths)
            if status.state not in (RunState.QUEUED, RunState.STARTING):
                raise RunError(
                    f"The run {run_id} does not wait to be worked on", found=status.state.value, do="Resume it first"
                )
            sweep_temporaries(paths.folder)
            status = replace(status, state=RunState.RUNNING, since=time.time(), sentence=RunState.RUNNING.sentence)
            try:
                write_json(paths.worker, ProcessMark.here().to_json())
                write_status(paths, status)
            except StorageError as error:
                drop_ballast(paths)
                write_status(paths, replace(status, state=RunState.FAILED, sentence=str(error)))
                raise
        yield status
    finally:
        lock.release()


def explain(error: Exception, folder: Path) -> str:
    """One sentence for a person about an error that nobody foresaw."""
    text = " ".join(str(error).split())
    kind = type(error).__name__
    if _DISK_FULL.search(text):
        return (
            f"Nothing more can be written under {folder}: found no space left. Free some space (old runs and the cache "
            "folder of the workspace can go) and resume."
        )
    if isinstance(error, MemoryError) or _MEMORY_FULL.search(text):
        return f"The memory was not enough: {text or kind}. Choose a smaller batch, image size or backbone."
    if _CONNECTION_LOST.search(text):
        return (
            f"The processes that share this run lost each other: {text[:300]}. Resume goes on from the last saved step."
        )
    if _GPU_BROKEN.search(text):
        return f"The GPU gave up: {text[:300]}. Resume goes on from the last saved step."
    return f"A defect ended the run: {kind}: {text[:300] or 'no message'}. The log of the run says where."


def main(arguments: Sequence[str] | None = None) -> int:
    """Work on one run, and on others that wait, then see to it that the next one starts.

    0: all were worked on; 2: one was not to be had.
    """
    options = _options(arguments)
    faulthandler.enable()
    step_back()
    if options.spare:
        workspace, waiting = Workspace(Path(options.spare[0])), Path(options.spare[1])
    else:
        workspace, waiting = Workspace(options.run.absolute().parent.parent), None
    pid, created, host = options.server or (0, 0.0, "")
    server = ProcessMark(int(pid), float(created), host)
    executor = LocalExecutor(workspace, slots=options.slots, server=server)

    run_id = _wait(executor, waiting, server) if waiting else ""
    if run_id is None:
        return 0

    ending = Flag()
    signal.signal(signal.SIGTERM, lambda number, frame: ending.set())
    folder = executor.store.paths(run_id).folder if waiting else options.run
    for turn in range(1, MOST_RUNS + 1):
        try:
            if waiting:
                _print_into(RunPaths(folder).log)
                leave(waiting)
            went_well = work(folder, asked_to_end=ending.is_set) is not RunState.FAILED
        except FoveaError as error:
            sys.stderr.write(f"{error}\n")
            return _advance(executor, ending, 2)
        if not (went_well and turn < MOST_RUNS and executor.store.queue() and _keeps_nothing(executor, folder.name)):
            break
        try:
            waiting = _offer(executor)
            _advance(executor, ending)  # which gives this process the next run, unless there is a better one
            run_id = withdraw(executor.store, waiting)
        except StorageError as error:  # a full disk, or a lock that is not to be had: who looks next starts the run
            sys.stderr.write(f"{error}\n")
            return 0
        if run_id is None:
            return 0
        folder = executor.store.paths(run_id).folder
        gc.collect()  # the network of the last run
    return _advance(executor, ending)


def _advance(executor: LocalExecutor, ending: Flag, code: int = 0) -> int:
    """See to it that the next run starts, and give the code back."""
    try:
        if not ending.is_set():  # a machine that shuts down wants no new worker
            executor.advance()
    except StorageError as error:  # the next one who looks at the queue tries again
        sys.stderr.write(f"{error}\n")
    return code


def _keeps_nothing(executor: LocalExecutor, run_id: str) -> bool:
    """Whether a process can take another run after this one: a GPU's memory, or other processes, are let go of only by
    ending."""
    try:
        recipe = executor.store.get(run_id).recipe
    except FoveaError:  # deleted this very moment
        return False
    return recipe.processes == 1 and (recipe.device == "cpu" or not gpu_here())


def _offer(executor: LocalExecutor) -> Path:
    """Let this process stand among the spares, as a warm one. Raises StorageError when the disk is full."""
    with executor.store.lock():
        folder = new_spare_folder(executor.store.workspace)
        announce(folder, ProcessMark.here(), warm=True)
        return folder


def _wait(executor: LocalExecutor, folder: Path, server: ProcessMark) -> str | None:
    def quiet() -> bool:
        """Imports take a core for seconds. A run at work has both, unless another one waits for its end and its process
        will not take that one itself."""
        states = {run_id: executor.store.status(run_id).state for run_id in executor.store.unfinished()}
        at_work = [run_id for run_id, state in states.items() if state.has_worker]
        if RunState.QUEUED in states.values() and not all(_keeps_nothing(executor, run_id) for run_id in at_work):
            return False
        return bool(at_work)

    def needed(waited: float) -> bool:
        if executor.store.queue():
            executor.advance()  # notices a worker that was killed, though nobody looks, and may claim this very spare
            return True
        return server.alive and waited < IDLE_SECONDS

    return wait(executor.store, folder, warm_up=_warm_up, quiet=quiet, needed=needed)


def _warm_up() -> None:
    for name in HEAVY:
        importlib.import_module(name)
    _use_all_cores()


def _print_into(log: Path) -> None:
    with storage_errors(log.parent), open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m core.executors.worker", description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN_FOLDER", help="the run to work on")
    parser.add_argument("--spare", nargs=2, metavar=("WORKSPACE", "DIR"), help="wait in DIR to be given a run")
    parser.add_argument("--slots", type=int, default=1, help="runs at work at the same time on this machine")
    parser.add_argument("--server", nargs=3, metavar=("PID", "CREATED", "HOST"), help="for whom spares are kept")
    options = parser.parse_args(arguments)
    if (options.run is None) == (options.spare is None):
        parser.error("give either RUN_FOLDER or --spare")
    return options


if __name__ == "__main__":
    sys.exit(main())
