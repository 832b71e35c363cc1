"""Warm spares: processes that have already imported what training needs and wait to be given a run.

workspace/spares/<id>/
    spare.json   which process it is, and whether it has finished importing
    claim        the id of the run it was given
    log          what it printed while it waited

Every function here but `wait` and `withdraw` expects the workspace's lock to be held. A spare only leaves under the
same lock, after looking for a claim once more, so that a claim is never lost.
"""

import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import StorageError, storage_errors
from core.runs.liveness import ProcessMark
from core.runs.store import RunStore
from core.workspace import Workspace, read_json, write_json, write_text

SECONDS_BETWEEN_LOOKS = 0.05  # for a claim: one look costs microseconds, and a person waits for the answer
SECONDS_BETWEEN_ROUNDS = 1.0  # for whether it is still needed


@dataclass(frozen=True)
class Spare:
    """One waiting process."""

    folder: Path
    mark: ProcessMark
    warm: bool

    @property
    def log(self) -> Path:
        return spare_log(self.folder)

    def claim(self, run_id: str) -> None:
        """Give it a run."""
        write_text(self.folder / "claim", run_id)


def new_spare_folder(workspace: Workspace) -> Path:
    """A folder for a spare about to be started."""
    folder = workspace.spares / uuid.uuid4().hex[:8]
    with storage_errors(workspace.root):
        folder.mkdir(parents=True)
    return folder


def spare_log(folder: Path) -> Path:
    """Where a spare prints while it waits."""
    return folder / "log"


def announce(folder: Path, mark: ProcessMark, *, warm: bool) -> None:
    """Write down which process waits in `folder`."""
    write_json(folder / "spare.json", mark.to_json() | {"warm": warm})


def waiting_spares(workspace: Workspace) -> list[Spare]:
    """Spares that live and have no run yet, warm ones first. What dead ones left behind is cleared away."""
    found = []
    for folder in sorted(workspace.spares.glob("*")):
        spare = _read(folder)
        if spare is None or not spare.mark.alive:
            shutil.rmtree(folder, ignore_errors=True)
        elif claimed(folder) is None:
            found.append(spare)
    return sorted(found, key=lambda spare: not spare.warm)


def claimed(folder: Path) -> str | None:
    """The run that the spare in `folder` was given, if any."""
    try:
        return (folder / "claim").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def wait(
    store: RunStore,
    folder: Path,
    *,
    warm_up: Callable[[], None],
    quiet: Callable[[], bool],
    needed: Callable[[float], bool],
) -> str | None:
    """Wait, in the spare's own process, for a run; its id, or None when the spare may end.

    Two questions are asked every second: `quiet`, whether `warm_up`, which is called once, has to wait still; and
    `needed`, with the seconds waited so far. A StorageError they raise only means that they are asked again.
    """
    began = time.monotonic()
    rounds, warm = began - SECONDS_BETWEEN_ROUNDS, False
    while (run_id := claimed(folder)) is None:
        now = time.monotonic()
        if now - rounds >= SECONDS_BETWEEN_ROUNDS:
            rounds = now
            if not folder.is_dir():  # the workspace was deleted
                return None
            with suppress(StorageError):  # a full disk, or a lock that somebody holds: the next round may do better
                if not needed(now - began) and withdraw(store, folder) is None:
                    return None
                if not warm and not quiet():
                    warm_up()
                    warm = True
                    _announce_warm(store, folder)
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return run_id


def leave(folder: Path) -> None:
    """Clear away the traces of a spare that has taken its run or ends."""
    shutil.rmtree(folder, ignore_errors=True)


def _announce_warm(store: RunStore, folder: Path) -> None:
    if folder.is_dir():
        with suppress(StorageError), store.lock():  # on a full disk it waits on, warm, and is only chosen later
            announce(folder, ProcessMark.here(), warm=True)


def withdraw(store: RunStore, folder: Path) -> str | None:
    """Wait no longer: the run that it was given after all, or None, and nobody can give it one any more.

    The caller does not hold the workspace's lock. Raises StorageError when that cannot be had.
    """
    with store.lock():
        run_id = claimed(folder)
        if run_id is None:
            leave(folder)
        return run_id


def _read(folder: Path) -> Spare | None:
    data = read_json(folder / "spare.json")
    try:
        return Spare(folder, ProcessMark.from_json(data), bool(data["warm"]))
    except (KeyError, TypeError, ValueError):
        return None
