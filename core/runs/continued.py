"""Going on with a run that has finished: a new run whose recipe has one phase more.

The recipe of a run never changes, so more epochs are another recipe and another run. It trains as that recipe would
from its start, to the bit, but takes the epochs that are done already over instead of training them again. The new
phase has an optimizer and a schedule of its own: the old schedule may have come to zero, and stretching it would be a
recipe that nobody trained.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

from core.errors import RunError
from core.recipe import Recipe
from core.runs.data import dataset_of
from core.runs.journal import OpenJournal
from core.runs.run import Origin, RunPaths, RunState, RunStatus
from core.runs.store import Run, RunStore

_OF_AN_ATTEMPT = ("start", "resume", "outcome", "end")  # entries that tell of a process, not of training


def continue_run(store: RunStore, run_id: str, epochs: int, learning_rate: float | None = None) -> str:
    """Make a run that goes on for so many epochs after a finished one, and return its id. It waits, unqueued.

    What is trained is that of the last phase, and so is the peak of the learning rate unless another one is given.
    Raises RunError when the run has not finished or was solved to its end, RecipeError for epochs or a rate that no
    recipe may have, DatasetError when the dataset is gone or another one by now, StorageError when the disk is full.
    """
    run = store.get(run_id)
    if not run.status.state.is_finished:
        raise RunError(f"The run {run_id} has not finished", found=run.status.state.value, do="Wait for its end")
    if run.status.state is not RunState.FINISHED:
        raise RunError(f"The run {run_id} has epochs left", found=run.status.state.value, do="Resume it instead")
    recipe = longer(run.recipe, epochs, learning_rate)
    return store.create(
        recipe,
        dataset_of(store.workspace, run),
        dealt=True,
        origin=Origin(run=run_id, how="continued", epoch=run.status.epochs_done),
        prepare=lambda paths, status: _take_over(run, paths, status),
    )


def longer(recipe: Recipe, epochs: int, learning_rate: float | None = None) -> Recipe:
    """The recipe with one phase more, which does what the last one does. Raises what `continue_run` does for it."""
    last = recipe.phases[-1]
    if last.solver == "convex":
        raise RunError("A head that was solved for is at its best already", do="Start a run that learns by steps")
    before = sum(phase.name.startswith("continued") for phase in recipe.phases)
    phase = last.model_dump(mode="json") | {"name": f"continued {before + 1}" if before else "continued"}
    rate = last.learning_rate if learning_rate is None else learning_rate
    added = f"phases.{len(recipe.phases)}"
    return recipe.set({added: phase}).set({f"{added}.epochs": epochs, f"{added}.learning_rate": rate})


def _take_over(run: Run, paths: RunPaths, status: RunStatus) -> RunStatus:
    """Give the new run what the finished one has come to, and say where it then stands.

    Of a run that left no last state nothing is taken over: its epochs are trained again, with the same outcome.
    """
    if not run.paths.last.exists():
        return status
    for old, new in ((run.paths.last, paths.last), (run.paths.best, paths.best)):
        _share(old, new)
    for old, new in ((run.paths.best_facts, paths.best_facts), (run.paths.epochs, paths.epochs)):
        shutil.copyfile(old, new)
    with OpenJournal(paths.clock) as clock:
        for entry in run.journal.clock_halves():
            if entry.get("kind") not in _OF_AN_ATTEMPT:
                clock.append(entry)
    if run.paths.seal.exists():  # it is the same network: who has looked at its test images has looked
        shutil.copyfile(run.paths.seal, paths.seal)
    if run.paths.looks.is_dir():
        shutil.copytree(run.paths.looks, paths.looks)
    if run.paths.snapshots.is_dir():
        shutil.copytree(run.paths.snapshots, paths.snapshots, copy_function=lambda *pair: _share(*map(Path, pair)))
    done = run.status
    return replace(status, best=done.best, interval=done.interval, epochs_done=done.epochs_done, seconds=done.seconds)


def _share(old: Path, new: Path) -> None:
    """The same content under another name; both are only ever replaced as a whole, never written into."""
    try:
        os.link(old, new)
    except OSError:  # a file system without such links
        shutil.copyfile(old, new)
