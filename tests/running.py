"""Short and long runs on a tiny random network, and the patience that real processes need."""

import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from core.data.dataset import Dataset
from core.executors.spares import waiting_spares
from core.recipe import Recipe
from core.runs.store import RunStore, read_mark
from core.workspace import Workspace

SMALL = {
    "model.backbone": "test_efficientnet",
    "model.weights": "random",
    "image_size": 32,
    "batch_size": 8,
    "phases.0.epochs": 3,
    "device": "cpu",
}
LONG = SMALL | {"phases.0.epochs": 1000, "phases.0.trainable": "everything", "augment.policy": "none"}
PATIENCE = 90.0  # seconds; a cold worker imports torch, on machines that do other things as well


def small(dataset: Dataset) -> Recipe:
    """A run of a moment."""
    return Recipe(dataset=dataset.id).set(SMALL)


def long(dataset: Dataset) -> Recipe:
    """A run that does not end by itself while a test looks at it."""
    return Recipe(dataset=dataset.id).set(LONG)


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> float:
    """Wait until `condition` holds, and say for how many seconds. Fails when it does not come."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"waited {seconds} seconds in vain"
        time.sleep(0.02)
    return time.monotonic() - began


def until_finished(store: RunStore, run_id: str) -> None:
    until(lambda: store.status(run_id).state.is_finished)


def until_training(store: RunStore, run_id: str, attempt: int = 1) -> None:
    """Wait until the first step of an attempt is in the journal."""

    def stepped() -> bool:
        entries, begun = store.get(run_id).journal.everything(), False
        kinds = [entry["kind"] for entry in entries if (begun := begun or entry.get("attempt") == attempt)]
        status = store.status(run_id)
        assert status.attempt < attempt or not status.state.is_finished, status
        return "step" in kinds

    until(stepped)


def clear_away(workspace: Workspace) -> None:
    """End every worker and spare of a workspace, by its mark."""
    store = RunStore(workspace)
    with store.lock():
        marks = [spare.mark for spare in waiting_spares(workspace)]
        marks += [mark for line in store.list() if (mark := read_mark(store.paths(line.id)))]
        here = psutil.Process().pid
        for mark in marks:
            if mark.pid != here and mark.alive:
                with suppress(psutil.NoSuchProcess):
                    psutil.Process(mark.pid).kill()
    until(lambda: not any(mark.pid != here and mark.alive for mark in marks), 10)
