"""Searches without training: runs whose figures follow from their recipe, made up in a thread of this process."""

import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from subprocess import Popen
from threading import Thread

from core.executors.base import Executor
from core.runs.journal import RunWriter
from core.runs.liveness import ProcessMark
from core.runs.run import RunState, read_status, write_status
from core.studies.study import StudyStore
from core.workspace import write_json


def made_up_accuracy(learning_rate: float, epoch: int) -> float:
    """Best at a learning rate of 0.01, and rising over the epochs."""
    return max(0.0, 0.9 - 0.3 * abs(math.log10(learning_rate) + 2)) * (1 - 0.5**epoch)


class MadeUpExecutor(Executor):
    """Every run "trains" in a thread: an epoch takes `seconds`. A learning rate above `breaks_above` breaks down."""

    def __init__(self, workspace, seconds: float = 0.003, breaks_above: float = math.inf) -> None:
        super().__init__(workspace)
        self.seconds, self.breaks_above = seconds, breaks_above
        self.taken: list[str] = []  # ids of the runs that were started, those resumed twice
        self._threads: list[Thread] = []

    def _take(self, run_id: str) -> None:
        self.taken.append(run_id)
        paths = self.store.paths(run_id)
        write_json(paths.worker, ProcessMark.here().to_json())
        write_status(paths, replace(read_status(paths), state=RunState.RUNNING))
        self._threads.append(Thread(target=self._train, args=(run_id,)))
        self._threads[-1].start()

    def _train(self, run_id: str) -> None:
        run = self.store.get(run_id)
        rate = run.recipe.phases[0].learning_rate
        done = len([entry for entry in run.journal.read() if entry["kind"] == "epoch"])
        journal = RunWriter(run.paths.epochs, run.paths.clock)
        state = RunState.FINISHED
        for epoch in range(done + 1, run.recipe.epochs + 1):
            time.sleep(self.seconds)
            if rate > self.breaks_above:
                state = RunState.FAILED
            elif run.paths.stop.exists():
                state = RunState.STOPPED
            elif run.paths.pause.exists():
                state = RunState.PAUSED
            if state is not RunState.FINISHED:
                break
            accuracy = made_up_accuracy(rate, epoch)
            figures = {"accuracy": accuracy, "loss": 1 - accuracy}
            low, high = accuracy - 0.05, accuracy + 0.05
            journal.append({"kind": "epoch", "epoch": epoch, "validation": figures, "interval": [low, high]})
        journal.append({"kind": "end", "state": state.value})
        journal.close()
        sentence = "The loss was no number." if state is RunState.FAILED else state.sentence
        write_status(run.paths, replace(read_status(run.paths), state=state, sentence=sentence, seconds=1.0))

    def close(self) -> None:
        for thread in self._threads:
            thread.join()


def drive_here(executor: Executor):
    """Stands for `start_detached`: the driver of a search does all its work in this process, before this returns."""

    def start(module: str, arguments: list[str], log: Path) -> Popen:
        from core.studies.searcher import Driver, quiet

        quiet()
        Driver(StudyStore(executor.store.workspace).get(Path(arguments[0]).name), executor).run()
        return Popen([sys.executable, "-c", ""])

    return start
