"""Killed at any moment and resumed, a run ends as if nobody had ever killed it: to the bit, on a CPU."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
import torch

from core.data.rows import RowFile
from core.executors.inline import InlineExecutor
from core.executors.launch import environment
from core.recipe import SegmentationRecipe
from core.runs.journal import OpenJournal
from core.runs.liveness import ProcessMark
from core.runs.run import RunState
from core.runs.snapshots import epochs_to_visit
from core.runs.store import RunStore
from core.train.checkpoint import read_facts
from core.train.snapshots import Past
from core.workspace import write_json
from tests.running import small
from tests.shapes import SMALL_MASKS, kept_shapes

pytestmark = pytest.mark.slow

HEAD = {"augment.policy": "light", "augment.views": 2, "phases.0.epochs": 3, "model.dropout": 0.2}
EVERYTHING = {
    "phases.0.trainable": "everything",
    "phases.0.learning_rate": 0.003,
    "model.dropout": 0.3,
    "ema": 0.9,
    "mix.mixup": 0.4,
    "mix.cutmix": 0.5,
    "optimizer.name": "ranger",
    "schedule.name": "plateau",
    "clip": 1.0,
    "accumulate": 2,
}
ROUNDS = {
    "phases": [
        {"name": "head", "trainable": "head", "epochs": 2},
        {"name": "more", "trainable": "last 2 layers", "epochs": 3, "learning_rate": 0.001},
    ],
    "restore_best": True,
    "early_stopping.patience": 1,
    "sampler": "balanced",
}
UNET = {"phases.0.epochs": 2}


RECIPES = {"head": HEAD, "everything": EVERYTHING, "rounds": ROUNDS, "unet": UNET}


def made(name, workspace, tiny_dataset):
    """A recipe and its dataset."""
    if name == "unet":
        dataset = kept_shapes(workspace)
        return SegmentationRecipe(dataset=dataset.id).set(SMALL_MASKS | UNET), dataset
    return small(tiny_dataset).set(RECIPES[name]), tiny_dataset


def same(one, two) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    return one == two


def insist_on_same(killed, whole):
    """Two runs ended with the same weights, best and last, the same figures and the same journal, to the byte."""
    assert killed.epochs.read_bytes() == whole.epochs.read_bytes()
    assert killed.best.read_bytes() == whole.best.read_bytes()
    assert killed.best_facts.read_bytes() == whole.best_facts.read_bytes()
    assert same(torch.load(killed.last), torch.load(whole.last))
    assert killed.predictions("validation").read_bytes() == whole.predictions("validation").read_bytes()
    assert killed.results("validation").read_bytes() == whole.results("validation").read_bytes()
    assert epochs_to_visit(killed) == epochs_to_visit(whole) != []
    pasts = [Past.of(run.best, read_facts(run.best)["epoch"], run.snapshots) for run in (killed, whole)]
    for epoch in epochs_to_visit(whole):
        assert same(*(past.weights(epoch) for past in pasts)), f"epoch {epoch}"


class Killed(BaseException):
    """This process was killed, as far as the run can tell: nothing that it does afterwards leaves a trace."""


class Killer:
    """Lets so many writes happen, of whatever kind, and cuts the next one off in its middle."""

    def __init__(self, monkeypatch):
        self.left, self.kinds = sys.maxsize, []
        replace, write_line, write_row = os.replace, OpenJournal.write, RowFile.write

        def half_line(journal, line):
            write_line(journal, line[: len(line) // 2])

        def half_row(table, row, value):
            with table._path.open("r+b") as file:
                file.seek(row * table._row_bytes)
                file.write(value.tobytes()[: table._row_bytes // 2])

        monkeypatch.setattr(os, "replace", self.counted("rename", replace, lambda *_: None))
        monkeypatch.setattr(OpenJournal, "write", self.counted("line", write_line, half_line))
        monkeypatch.setattr(RowFile, "write", self.counted("row", write_row, half_row))

    def counted(self, kind, write, half):
        def act(*arguments):
            self.left -= 1
            if self.left == -1:
                self.kinds.append(kind)
                half(*arguments)
            if self.left < 0:
                raise Killed
            return write(*arguments)

        return act


@pytest.fixture
def dead():
    """The mark of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return ProcessMark(process.pid, 1.0, ProcessMark.here().host)


# Saved after every step, or after every epoch only; and how much further each attempt gets than the one before.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # what the dead would still have done
@pytest.mark.parametrize(
    ("name", "within_epochs", "growth"),
    [("head", 0.0, 1.3), ("everything", 0.0, 1.5), ("rounds", 1e9, 1.5), ("unet", 0.0, 2.5)],
)
def test_a_run_killed_within_every_kind_of_write_ends_as_if_it_never_was(
    workspace, tiny_dataset, monkeypatch, dead, name, within_epochs, growth
):
    monkeypatch.setattr("core.train.checkpoint.SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr("core.train.checkpoint.SECONDS_WITHIN_EPOCHS", within_epochs)
    monkeypatch.setattr("core.train.checkpoint.MOST_OF_TIME", float("inf"))
    monkeypatch.setattr("core.train.snapshots.FREE_SECONDS", float("inf"))
    recipe, dataset = made(name, workspace, tiny_dataset)
    executor = InlineExecutor(workspace)
    store = executor.store
    whole, often = store.create(recipe, dataset), store.create(recipe, dataset)
    executor.submit(whole)
    assert store.status(whole).state is RunState.FINISHED, store.status(whole).sentence
    shutil.rmtree(workspace.cache)

    killer = Killer(monkeypatch)
    for attempt in range(1, 400):
        killer.left = int(growth**attempt)
        with suppress(Killed):
            executor.resume(often)
        killer.left = sys.maxsize
        if store.status(often).state is RunState.FINISHED:
            break
        write_json(store.paths(often).worker, dead.to_json())
        status = store.status(often)
        assert "without a word" in status.sentence or status.state is RunState.QUEUED, status
    assert {"rename", "line"} <= set(killer.kinds)
    insist_on_same(store.paths(often), store.paths(whole))


# Real processes, really killed. They are forked from one that has imported everything, which saves seconds for each.

NURSERY = """
import itertools, json, os, signal, sys
from pathlib import Path
from core.executors import worker
from core.executors.inline import InlineExecutor
from core.runs.journal import OpenJournal
from core.data.rows import RowFile
from core.workspace import Workspace
from core.train import checkpoint, snapshots
from core.train.course import Course

checkpoint.SECONDS_BETWEEN_SAVES, checkpoint.SECONDS_WITHIN_EPOCHS, checkpoint.MOST_OF_TIME = 0.0, 0.0, float("inf")
snapshots.FREE_SECONDS = float("inf")
workspace, job, *rest = sys.argv[1:]
executor = InlineExecutor(Workspace(Path(workspace)))
worker._warm_up()


def deadly(holder, name, ours, half=None):
    act, calls = getattr(holder, name), itertools.count(1)

    def until_then(*arguments):
        if ours(*arguments) and next(calls) == nth:
            if half:
                half(act, *arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*arguments)

    setattr(holder, name, until_then)


def half_row(act, table, row, value):
    with table._path.open("r+b") as file:
        file.seek(row * table._row_bytes)
        file.write(value.tobytes()[: table._row_bytes // 2])


def child(act):
    pid = os.fork()
    if pid:
        return pid
    try:
        act()
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\\n".encode())
        os._exit(3)
    os._exit(0)


if job == "kill":
    run_id, ends = rest[0], []
    for what, nth in [*json.loads(rest[1]), (None, 0)]:
        if what == "row":
            hooked = (RowFile, "write", lambda *_: True, half_row)
        elif what == "step":
            hooked = (Course, "learn", lambda *_: True)
        elif what and what.endswith(".jsonl"):
            hooked = (
                OpenJournal, "write", lambda file, line: file._path.name == what,
                lambda act, file, line: act(file, line[: len(line) // 2]),
            )
        elif what:
            hooked = (os, "replace", lambda old, new: Path(new).name == what)

        def attempt():
            if what:
                deadly(*hooked)
            executor.resume(run_id)

        ends.append(os.waitstatus_to_exitcode(os.waitpid(child(attempt), 0)[1]))
    print(json.dumps(ends))
else:  # several copies at the same moment
    told, go = os.pipe()

    def attempt():
        os.close(go)
        os.read(told, 1)
        worker.work(Path(workspace) / "runs" / rest[0])

    pids = [child(attempt) for _ in range(int(rest[1]))]
    os.close(go)
    print(json.dumps(sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids)))
"""


def nursery(workspace, *job):
    done = subprocess.run(
        [sys.executable, "-c", NURSERY, str(workspace.root), *job],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment() | {"OMP_NUM_THREADS": "1"},
        check=True,
    )
    return json.loads(done.stdout), done.stderr


# What each attempt is killed at: the how-manieth call of what. Each moment comes after those before it.
MOMENTS = {
    "head": [
        ("row", 5),  # within the features of a picture, at the first look at them
        ("epochs.jsonl", 1),  # half a line of what the recipe determines
        ("best.json", 1),  # the best weights are written, what is told of them is not
        ("last.pt", 2),  # between the best and the last
        ("predictions_validation.csv", 1),  # during the report
    ],
    "everything": [
        ("step", 2),  # in the middle of an epoch
        ("clock.jsonl", 3),  # half a line of the clock
        ("last.pt", 3),
        ("results_validation.json", 1),
    ],
    "unet": [("step", 2), ("epochs.jsonl", 3), ("predictions_validation.csv", 1)],
}


@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")
@pytest.mark.parametrize("name", MOMENTS)
def test_a_worker_killed_by_the_system_again_and_again_ends_as_if_it_never_was(workspace, tiny_dataset, name):
    recipe, dataset = made(name, workspace, tiny_dataset)
    store = RunStore(workspace)
    whole, often = store.create(recipe, dataset), store.create(recipe, dataset)
    (ends, _), moments = nursery(workspace, "kill", whole, "[]"), MOMENTS[name]
    assert ends == [0]
    shutil.rmtree(workspace.cache)
    ends, said = nursery(workspace, "kill", often, json.dumps(moments))
    assert ends == [-signal.SIGKILL] * len(moments) + [0], said
    assert store.status(often).state is RunState.FINISHED
    insist_on_same(store.paths(often), store.paths(whole))


@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")
def test_of_many_copies_of_a_worker_that_begin_at_once_one_works_and_the_others_leave(workspace, tiny_dataset):
    store = RunStore(workspace)
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    ends, said = nursery(workspace, "race", run_id, "6")
    assert ends == [0, 3, 3, 3, 3, 3], said
    assert said.count("RunError: ") == 5
    assert store.status(run_id).state is RunState.FINISHED
    kinds = [entry["kind"] for entry in store.get(run_id).journal.everything()]
    assert kinds.count("start") == kinds.count("end") == 1
    assert kinds.count("epoch") == 3
