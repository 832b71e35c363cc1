"""Several processes that train one model: the worker is the first of them, and starts the others.

    python -m core.executors.ranks RUN_FOLDER RANK first|resume PID CREATED HOST

Each is told by the environment which of how many it is, as PyTorch and Accelerate read it. The others call the same
`train` with the same arguments, write nothing and throw away what it tells. They end with the worker, however it ends,
and when one of them dies the run ends with a sentence about it.
"""

import argparse
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import FoveaError, RecipeError, TrainingError
from core.executors.launch import start_detached, step_back
from core.machine import cores
from core.recipe import Recipe
from core.runs.data import dataset_of
from core.runs.liveness import ProcessMark
from core.runs.run import RunPaths
from core.runs.store import RunStore
from core.workspace import Workspace

MODULE = "core.executors.ranks"
_SECONDS_BETWEEN_LOOKS = 0.5
_PATIENCE = 20.0  # seconds in which a process notices by itself that another is gone; over a network card it may not
_LAST_WORDS = 5.0  # seconds in which a process that broke off ends


@contextmanager
def ranks(recipe: Recipe, paths: RunPaths, *, resume: bool, give_up: Callable[[str], None]) -> Iterator[None]:
    """Inside, this process is the first of `recipe.processes` that train the run in `paths`; the others are at work.

    Raises RecipeError when there are fewer GPUs, TrainingError when another process ended by an error. `give_up` is
    called with its sentence, from another thread, when this process hangs because of that; it is to end the process.
    """
    if recipe.processes == 1:
        yield
        return
    _insist_on_devices(recipe)
    places = _places(recipe.processes)
    here = ProcessMark.here()
    terms = ["resume" if resume else "first", str(here.pid), str(here.created), here.host]
    with _environment(places | _place(0)), _threads(recipe.processes):
        others = []
        try:
            for rank in range(1, recipe.processes):
                with _environment(_place(rank)):
                    others.append(start_detached(MODULE, [str(paths.folder), str(rank), *terms], paths.log))
            watch = Watch(others, give_up)
            try:
                yield
            except FoveaError:  # it knows better
                raise
            except Exception as error:
                if told := watch.told(_LAST_WORDS):
                    raise TrainingError(told, do="The end of the run's log may say why; resume goes on") from error
                raise
            finally:
                watch.over()
            watch.told(_PATIENCE)  # they end by themselves now; how does not matter any more
        finally:
            _end(others)


class Watch:
    """Looks whether any of the other processes ended by an error."""

    def __init__(self, others: Sequence[subprocess.Popen], give_up: Callable[[str], None]) -> None:
        self._others, self._give_up = others, give_up
        self._over = threading.Event()
        threading.Thread(target=self._look, name="ranks", daemon=True).start()

    def told(self, patience: float) -> str:
        """What to say of the first one that ended by an error, "" when all ended well or are at work after so long."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if sentence := self._dead():
                return sentence
            if all(other.poll() == 0 for other in self._others):
                return ""
            time.sleep(0.05)
        return ""

    def over(self) -> None:
        """Look no more."""
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(_SECONDS_BETWEEN_LOOKS):
            if sentence := self._dead():
                if not self._over.wait(_PATIENCE):
                    self._give_up(f"{sentence}. The end of the run's log may say why; resume goes on.")
                return

    def _dead(self) -> str:
        for rank, other in enumerate(self._others, start=1):
            if other.poll():  # neither at work nor ended well
                how = f"signal {-other.returncode}" if other.returncode < 0 else f"exit code {other.returncode}"
                return f"Process {rank + 1} of {len(self._others) + 1} ended before the others: found {how}"
        return ""


def _insist_on_devices(recipe: Recipe) -> None:
    import torch

    gpus = torch.cuda.device_count()
    on_gpus = recipe.device == "cuda" or (recipe.device == "auto" and gpus)
    if recipe.device == "mps" or (recipe.device == "auto" and not gpus and torch.accelerator.is_available()):
        raise RecipeError("processes", found=f"{recipe.processes} on a device that is one", expected="1")
    if on_gpus and recipe.processes > gpus:
        raise RecipeError(
            "processes", found=str(recipe.processes), expected=f"at most one for each of the {gpus} GPUs here"
        )


def _places(processes: int) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": str(max(1, cores() // processes)),
    }


def _place(rank: int) -> dict[str, str]:
    return {"RANK": str(rank), "LOCAL_RANK": str(rank)}


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """These variables inside, and as they were after. Accelerate sets some of them once more."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _threads(processes: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, cores() // processes))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _end(others: Sequence[subprocess.Popen]) -> None:
    for other in others:
        if other.poll() is None:
            other.kill()
        other.wait()


# In another process than the first


def main(arguments: Sequence[str] | None = None) -> int:
    """Train along. 0: to the end; 2: the run cannot be trained, as the first process says as well."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER")
    parser.add_argument("rank", type=int)
    parser.add_argument("start", choices=["first", "resume"])
    parser.add_argument("worker", nargs=3, metavar=("PID", "CREATED", "HOST"), help="the first process")
    options = parser.parse_args(arguments)
    pid, created, host = options.worker
    worker = ProcessMark(int(pid), float(created), host)
    threading.Thread(target=_end_with, args=(worker,), name="end-with-worker", daemon=True).start()
    step_back()
    try:
        _train_along(options.run.absolute(), resume=options.start == "resume")
    except FoveaError as error:
        sys.stderr.write(f"process {options.rank + 1}: {error}\n")
        return 2
    return 0


def _train_along(folder: Path, *, resume: bool) -> None:
    from core.train.loop import train

    workspace = Workspace(folder.parent.parent)
    run = RunStore(workspace).get(folder.name)
    with _threads(run.recipe.processes):
        events = train(
            run.recipe,
            dataset_of(workspace, run),
            cache=workspace.cache,
            best=run.paths.best,
            best_facts=run.paths.best_facts,
            last=run.paths.last,
            resume=resume,
        )
        for _ in events:
            pass


def _end_with(worker: ProcessMark) -> None:
    while worker.alive:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main())
