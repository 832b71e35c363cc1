"""What one worker does with one run, here in this process."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.data.cache import cache_folder
from core.errors import RunError, StorageError
from core.executors.inline import InlineExecutor
from core.executors.worker import explain, work
from core.recipe import SegmentationRecipe
from core.runs.journal import RunJournal
from core.runs.liveness import ProcessMark
from core.runs.run import RunState, look_name, read_status, write_status
from core.runs.store import RunStore
from core.workspace import Workspace
from tests.running import small
from tests.shapes import SMALL_MASKS, kept_shapes


@pytest.fixture
def store(workspace):
    return RunStore(workspace)


def test_a_run_that_is_not_waiting_is_left_alone(store, tiny_dataset):
    paths = store.paths(store.create(small(tiny_dataset), tiny_dataset))
    for state in (RunState.FINISHED, RunState.STOPPED, RunState.FAILED, RunState.RUNNING):
        write_status(paths, replace(read_status(paths), state=state))
        before = paths.state.read_bytes()
        with pytest.raises(RunError, match="does not wait to be worked on"):
            work(paths.folder)
        assert paths.state.read_bytes() == before
        assert not paths.epochs.exists()


def test_a_run_that_another_process_holds_is_left_alone(store, tiny_dataset):
    paths = store.paths(store.create(small(tiny_dataset), tiny_dataset))
    hold = "import sys, filelock; l = filelock.FileLock(sys.argv[1]); l.acquire(); print(flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(paths.lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        holder.stdout.readline()
        with pytest.raises(RunError, match="Another process is at work"):
            work(paths.folder)
        assert read_status(paths).state is RunState.QUEUED
    finally:
        holder.communicate()


@pytest.mark.slow
def test_a_run_is_marked_as_at_work_in_this_process_and_its_entries_are_told(store, tiny_dataset):
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    seen = []

    def told(entry):
        status = store.status(run_id)
        seen.append((entry["kind"], status.state, ProcessMark.from_json(json.loads(paths.worker.read_text()))))

    paths = store.paths(run_id)
    InlineExecutor(store.workspace, told).submit(run_id)
    assert [kind for kind, _, _ in seen] == [entry["kind"] for entry in RunJournal(paths.epochs, paths.clock).read()]
    assert {state for _, state, _ in seen[:-1]} == {RunState.RUNNING}
    assert seen[-1][:2] == ("end", RunState.FINISHED)
    assert {mark for _, _, mark in seen} == {ProcessMark.here()}
    assert paths.heartbeat.exists()


@pytest.mark.slow
def test_a_defect_is_told_in_one_sentence_with_its_trace_in_the_log(store, tiny_dataset):
    run_id = store.create(small(tiny_dataset), tiny_dataset)

    def broken(entry):
        if entry["kind"] == "epoch":
            raise KeyError("a surprise")

    InlineExecutor(store.workspace, broken).submit(run_id)
    status = store.status(run_id)
    assert status.state is RunState.FAILED
    assert status.sentence == "A defect ended the run: KeyError: 'a surprise'. The log of the run says where."
    assert "Traceback" in store.log_tail(run_id, lines=60)


@pytest.mark.slow
def test_an_interrupt_from_the_keyboard_stops_the_run_and_goes_on_up(store, tiny_dataset):
    run_id = store.create(small(tiny_dataset), tiny_dataset)

    def interrupt(entry):
        if entry["kind"] == "epoch":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        InlineExecutor(store.workspace, interrupt).submit(run_id)
    assert store.status(run_id).state is RunState.STOPPED
    InlineExecutor(store.workspace).resume(run_id)
    assert store.status(run_id).state is RunState.FINISHED


@pytest.mark.slow
def test_a_dataset_that_was_replaced_is_not_trained_on(store, tiny_dataset):
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    about = tiny_dataset.folder / "dataset.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"fingerprint": "another"}))
    InlineExecutor(store.workspace).submit(run_id)
    assert "is not the one this run was made for" in store.status(run_id).sentence


@pytest.mark.slow
def test_a_resumed_run_does_not_keep_reports_of_other_weights(store, tiny_dataset):
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    paths = store.paths(run_id)
    write_status(paths, replace(read_status(paths), state=RunState.STOPPED))
    for old in (paths.results("test"), paths.predictions("test"), paths.results("validation")):
        old.write_text("{}")
    InlineExecutor(store.workspace).resume(run_id)
    assert store.status(run_id).state is RunState.FINISHED
    assert not paths.results("test").exists()
    assert not paths.predictions("test").exists()
    assert json.loads(paths.results("validation").read_text())["n"] > 0


@pytest.mark.slow
def test_a_finished_run_keeps_the_little_that_more_epochs_would_need(store, tiny_dataset, monkeypatch):
    monkeypatch.setattr("core.train.checkpoint.SECONDS_BETWEEN_SAVES", 0.0)
    paths = store.paths(store.create(small(tiny_dataset), tiny_dataset))
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    (paths.folder / f".last.pt.{killed.pid}.c0ffee.tmp").write_bytes(b"half")
    sizes = []
    told = InlineExecutor(
        store.workspace, lambda entry: sizes.append(paths.last.exists() and paths.last.stat().st_size)
    )
    told.submit(paths.folder.name)
    assert paths.last.stat().st_size < max(sizes) / 10
    assert paths.best.exists()
    assert not list(paths.folder.glob("*.tmp"))
    with pytest.raises(RunError, match="has finished all its epochs"):
        InlineExecutor(store.workspace).resume(paths.folder.name)


@pytest.mark.slow
def test_a_start_makes_room_in_the_cache_but_not_at_the_cost_of_a_run_that_waits(store, tiny_dataset, monkeypatch):
    monkeypatch.setattr("core.data.cache.MOST_BYTES", 0)
    cache = store.workspace.cache
    stranger, waiting, own = (cache_folder(cache, id) for id in ("stranger", "waiting", tiny_dataset.id))
    for folder in (stranger, waiting):
        folder.mkdir(parents=True)
        (folder / "t.rows").write_bytes(os.urandom(100_000))
    store.create(small(tiny_dataset), replace(tiny_dataset, id="waiting"))
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    InlineExecutor(store.workspace).submit(run_id)
    assert store.status(run_id).state is RunState.FINISHED
    assert not stranger.exists()
    assert waiting.exists()
    assert (own / "images").exists()
    assert (own / "features").exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("I/O error: No space left on device (os error 28)"), "Nothing more can be written"),
        (
            RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file data/3"),
            "Nothing more can be written",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "Choose a smaller batch"),
        (RuntimeError("[../gloo/pair.cc:534] Connection closed by peer [127.0.0.1]:23"), "lost each other"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "The GPU gave up"),
        (MemoryError(), "The memory was not enough: MemoryError"),
        (ValueError(), "A defect ended the run: ValueError: no message"),
        (ValueError("two\nlines"), "two lines"),
    ],
)
def test_errors_nobody_foresaw_are_one_sentence(error, words):
    sentence = explain(error, Path("runs/a"))
    assert words in sentence
    assert "\n" not in sentence


# A full disk

FULL = """
import json, os, sys
from pathlib import Path
from core.executors.inline import InlineExecutor
from core.runs.store import RunStore
from core.workspace import Workspace
workspace, run_id, leave = Workspace(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
free = os.statvfs(workspace.root)
with open(workspace.root / "filler", "wb") as filler:
    filler.write(bytes(max(0, free.f_bavail * free.f_bsize - leave)))
InlineExecutor(workspace).submit(run_id)
"""


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = (
        sys.platform == "linux"
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("left", [0, 30_000, 300_000])
def test_a_full_disk_leaves_one_sentence_and_the_earlier_run_whole(small_disk, tiny_dataset, left):
    workspace = Workspace(small_disk / "workspace")
    shutil.copytree(tiny_dataset.folder, workspace.datasets / tiny_dataset.id)
    store = RunStore(workspace)
    earlier, later = (store.create(small(tiny_dataset), tiny_dataset) for _ in range(2))
    InlineExecutor(workspace).submit(earlier)
    before = _content(store.paths(earlier).folder)

    done = subprocess.run(
        [sys.executable, "-c", FULL, str(workspace.root), later, str(left)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    status = store.status(later)
    assert status.state is RunState.FAILED, done.stderr
    assert status.sentence.startswith("Nothing more can be written under "), status.sentence
    assert "\n" not in status.sentence
    assert _content(store.paths(earlier).folder) == before
    assert not list(store.paths(later).folder.rglob("*.tmp"))

    os.unlink(workspace.root / "filler")
    InlineExecutor(workspace).resume(later)
    assert store.status(later).state is RunState.FINISHED


@pytest.mark.slow
def test_files_that_cannot_grow_fail_the_run_with_one_sentence(store, tiny_dataset):
    resource = pytest.importorskip("resource")
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # enough for everything but the weights
    try:
        InlineExecutor(store.workspace).submit(run_id)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    status = store.status(run_id)
    assert (status.state, status.sentence.split(":")[0][:32]) == (RunState.FAILED, "Nothing more can be written unde")
    assert not store.paths(run_id).best.exists()


CANNOT_ADVANCE = """
import sys
from core.errors import StorageError
from core.executors import worker
def full(executor):
    raise StorageError("Nothing more can be written")
worker.LocalExecutor.advance = full
sys.exit(worker.main(sys.argv[1:]))
"""


def test_a_worker_that_cannot_start_the_next_run_says_so_in_one_sentence(store, tiny_dataset):
    paths = store.paths(store.create(small(tiny_dataset), tiny_dataset))
    write_status(paths, replace(read_status(paths), state=RunState.STOPPED))
    command = [sys.executable, "-c", CANNOT_ADVANCE, str(paths.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    refused, told = done.stderr.splitlines()
    assert "does not wait to be worked on" in refused
    assert told == "Nothing more can be written."


CANNOT_OFFER = """
import sys
from core.errors import StorageError
from core.executors import worker
from core.runs.run import RunState
def full(workspace):
    raise StorageError("Nothing more can be written")
worker.new_spare_folder = full
worker.work = lambda folder, **how: RunState.FINISHED
worker.LocalExecutor.advance = lambda executor: None
sys.exit(worker.main(sys.argv[1:]))
"""


def test_a_worker_that_cannot_offer_itself_for_the_next_run_says_so_in_one_sentence(store, tiny_dataset):
    first, second = (store.create(small(tiny_dataset), tiny_dataset) for _ in range(2))
    store.enqueue(second)
    command = [sys.executable, "-c", CANNOT_OFFER, str(store.paths(first).folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "Nothing more can be written.\n")


def test_a_disk_without_room_for_the_start_is_told_and_raised(store, tiny_dataset):
    resource = pytest.importorskip("resource")
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        with pytest.raises(StorageError):
            work(store.paths(run_id).folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_a_run_on_masks_leaves_the_pictures_it_was_looked_at_by_and_its_report(store):
    dataset = kept_shapes(store.workspace)
    recipe = SegmentationRecipe(dataset=dataset.id).set(SMALL_MASKS | {"phases.0.epochs": 2})
    run_id = store.create(recipe, dataset)
    InlineExecutor(store.workspace).submit(run_id)
    status, paths = store.status(run_id), store.paths(run_id)
    assert status.state is RunState.FINISHED, status.sentence
    assert set(status.best) == {"loss", "dice", "iou", "epoch"}
    entries = RunJournal(paths.epochs, paths.clock).read()
    (looks,) = [entry for entry in entries if entry["kind"] == "looks"]
    assert len(looks["ids"]) == 4
    for epoch in (1, 2):
        assert all(paths.look(sample, look_name(epoch)).is_file() for sample in looks["ids"])
    assert json.loads(paths.results("validation").read_text())["n"] == len(dataset.of("validation"))


@pytest.mark.slow
def test_a_resumed_run_on_masks_keeps_no_masks_of_other_weights(store):
    dataset = kept_shapes(store.workspace)
    run_id = store.create(SegmentationRecipe(dataset=dataset.id).set(SMALL_MASKS), dataset)
    paths = store.paths(run_id)
    write_status(paths, replace(read_status(paths), state=RunState.STOPPED))
    old = paths.masks("test") / "000020.png"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of other weights")
    paths.levels("test").write_bytes(b"of other weights")
    InlineExecutor(store.workspace).resume(run_id)
    assert store.status(run_id).state is RunState.FINISHED
    assert not paths.masks("test").exists()
    assert not paths.levels("test").exists()
