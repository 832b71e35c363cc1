"""What every executor can do. Executors differ in where a run is worked on, never in what is done or left behind."""

import time
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path

from core.errors import RunError
from core.runs.index import touch
from core.runs.run import RunState, write_status
from core.runs.store import RunStore, keep_ballast
from core.workspace import Workspace


class Executor(ABC):
    """Starts, pauses, stops and resumes the runs of one workspace. How a run ended stands in its folder."""

    def __init__(self, workspace: Workspace) -> None:
        self.store = RunStore(Workspace(workspace.root.absolute()))

    def submit(self, run_id: str) -> None:
        """Have a newly made run worked on, at once or in its turn. Raises RunError when it is not waiting."""
        status = self.store.status(run_id)
        if status.state is not RunState.QUEUED:
            raise RunError(f"The run {run_id} does not wait to be started", found=status.state.value)
        self._take(run_id)

    def stop(self, run_id: str) -> None:
        """Ask a run to stop: a waiting one never starts, one at work ends after its step and keeps what was best.

        Raises RunError when the run has already ended.
        """
        paths = self.store.paths(run_id)
        self._end(run_id, paths.stop, RunState.STOPPED, "Stopped while it waited for its turn.")

    def pause(self, run_id: str) -> None:
        """Ask a run to pause: one at work ends after its step with everything saved, and gives its place and its
        memory back; `resume` goes on with the next step. A waiting one leaves the queue.

        Raises RunError when the run has already ended.
        """
        paths = self.store.paths(run_id)
        self._end(run_id, paths.pause, RunState.PAUSED, "Paused while it waited for its turn.")

    def _end(self, run_id: str, wish: Path, state: RunState, sentence: str) -> None:
        with self.store.lock():
            status = self.store.status(run_id)
            if status.state.has_worker:
                wish.touch()
            elif status.state is RunState.QUEUED:
                self.store.dequeue(run_id)
                ended = replace(status, state=state, since=time.time(), sentence=sentence)
                write_status(self.store.paths(run_id), ended)
            else:
                raise RunError(f"The run {run_id} is not at work", found=status.state.value)

    def resume(self, run_id: str) -> None:
        """Go on with a run that was paused or stopped or that failed, from the last step it saved.

        Raises RunError when the run is at work or has finished all its epochs.
        """
        with self.store.lock():
            status = self.store.status(run_id)
            paths = self.store.paths(run_id)
            if status.state.has_worker:
                raise RunError(f"The run {run_id} is at work already", do="Stop it first, or wait for its end")
            if status.state is RunState.FINISHED:
                raise RunError(
                    f"The run {run_id} has finished all its epochs", do="Continue it for more epochs instead"
                )
            if status.state is not RunState.QUEUED:
                for wish in (paths.stop, paths.pause):
                    wish.unlink(missing_ok=True)
                keep_ballast(paths)
                now = time.time()
                waiting = replace(status, state=RunState.QUEUED, sentence=RunState.QUEUED.sentence)
                write_status(paths, replace(waiting, since=now, queued_at=now, attempt=status.attempt + 1))
                touch(paths)
        self._take(run_id)

    @abstractmethod
    def _take(self, run_id: str) -> None:
        """Work on a run whose state is queued, or see to it that somebody does."""

    def advance(self) -> None:
        """See to it that whatever should be at work is. To be called as often as one likes."""
        return

    def close(self) -> None:
        """Give back what this object holds. Runs at work go on."""
        return
