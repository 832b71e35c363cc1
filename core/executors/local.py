"""Runs on this machine: a queue, a fixed number of slots, and one warm spare so that a start is felt at once.

There is no queue server. Whoever submits, whoever ends, and the spare while it waits, each call `advance`, which looks
at the files and does what is due; so the queue moves on with no page open and no server running.
"""

import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from core.data.library import Library
from core.errors import StorageError
from core.executors.base import Executor
from core.executors.launch import start_detached
from core.executors.spares import Spare, announce, new_spare_folder, spare_log, waiting_spares
from core.runs.liveness import ProcessMark
from core.runs.run import RunState, read_status, write_status
from core.runs.store import drop_ballast
from core.workspace import Workspace, write_json

WORKER = "core.executors.worker"


class LocalExecutor(Executor):
    """Runs in detached worker processes, at most `slots` at a time, in the order in which they were queued.

    `server` is the process for whose sake a spare is kept warm: this one, unless said otherwise.
    """

    def __init__(self, workspace: Workspace, *, slots: int = 1, server: ProcessMark | None = None) -> None:
        super().__init__(workspace)
        self._slots = slots
        self._server = server or ProcessMark.here()
        self._children: list[subprocess.Popen] = []
        self._swept = False

    def _take(self, run_id: str) -> None:
        self.store.enqueue(run_id)
        self.advance()

    def advance(self) -> None:
        """Settle runs whose worker is gone, start waiting runs while slots are free, and keep one spare.

        Costs a look at the runs that wait or are at work, not at all runs; the first time, half runs and half datasets
        that were left behind are swept as well. Raises StorageError when the disk is full; what could not be started
        then still waits.
        """
        self._children = [child for child in self._children if child.poll() is None]  # poll buries the ended ones
        if not self._swept:
            self._swept = True
            self.store.sweep()
            Library(self.store.workspace).sweep()
        with self.store.lock():
            busy = self._settle()
            spares = waiting_spares(self.store.workspace)
            waiting = self.store.queue()
            free = max(0, self._slots - busy)
            for run_id in waiting[:free]:
                self._start(run_id, spares.pop(0) if spares else None)
            left = waiting[free:]
            if not spares and (left or self._server.alive):
                self._start_spare()

    def _settle(self) -> int:
        """Write down which workers are gone, tidy the queue, and say how many of the others are at work."""
        busy = 0
        for run_id in self.store.unfinished():
            if not (self.store.workspace.runs / run_id).is_dir():
                self.store.dequeue(run_id)
                continue
            status = self.store.status(run_id)
            if status.state.has_worker:
                busy += 1
            elif status.state.is_finished:
                paths = self.store.paths(run_id)
                drop_ballast(paths)
                if status != read_status(paths):  # its worker ended without a word
                    with suppress(StorageError):  # then it is looked up anew each time, with the same answer
                        write_status(paths, status)
                self.store.dequeue(run_id)
        return busy

    def _start(self, run_id: str, spare: Spare | None) -> None:
        paths = self.store.paths(run_id)
        status = self.store.status(run_id)
        if spare:
            mark = spare.mark
        else:
            worker = start_detached(WORKER, [str(paths.folder), *self._terms()], paths.log)
            self._children.append(worker)
            mark = ProcessMark.of(worker.pid)
        # The state comes last, since the disk may be full before any of these: a run that is starting always has a
        # process to look at, and one that was given to nobody still waits. The worker takes the run either way, and
        # waits for the lock before it writes anything.
        write_json(paths.worker, mark.to_json())
        if spare:
            spare.claim(run_id)
        sentence = RunState.STARTING.sentence
        write_status(paths, replace(status, state=RunState.STARTING, since=time.time(), sentence=sentence))

    def _start_spare(self) -> None:
        folder = new_spare_folder(self.store.workspace)
        arguments = ["--spare", str(self.store.workspace.root), str(folder), *self._terms()]
        spare = start_detached(WORKER, arguments, spare_log(folder))
        self._children.append(spare)
        announce(folder, ProcessMark.of(spare.pid), warm=False)

    def _terms(self) -> Sequence[str]:
        server = self._server
        return ["--slots", str(self._slots), "--server", str(server.pid), str(server.created), server.host]
