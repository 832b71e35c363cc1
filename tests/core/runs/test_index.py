"""Ten thousand runs: what a list costs is counted in files opened, which does not depend on the machine."""

import json
import shutil
from dataclasses import replace

import pytest

from core.errors import RunError
from core.recipe import Recipe, SegmentationRecipe
from core.runs.index import RunIndex, run_index, touch
from core.runs.labels import Change
from core.runs.run import RunPaths, RunState, read_status, write_status
from core.runs.store import RunStore
from core.runs.summary import MOST_POINTS, learns_from, run_name
from tests.opened import OpenedUnder
from tests.running import small


@pytest.fixture
def store(workspace):
    return RunStore(workspace)


def many(store, dataset, count):
    """So many finished runs, copied from one."""
    first = RunPaths(store.workspace.runs / store.create(small(dataset), dataset))
    write_status(
        first, replace(read_status(first), state=RunState.FINISHED, best={"accuracy": 0.5}, interval=(0.4, 0.6))
    )
    texts = {path.name: path.read_text() for path in (first.recipe, first.facts, first.state)}
    for number in range(1, count):
        folder = store.workspace.runs / f"run-{number:05d}"
        folder.mkdir()
        for name, text in texts.items():
            (folder / name).write_text(text)


@pytest.mark.slow
def test_listing_ten_thousand_runs_again_opens_no_file_of_theirs(store, tiny_dataset, workspace):
    many(store, tiny_dataset, 10_000)
    assert len(store.list()) == 10_000
    with OpenedUnder(workspace.root) as again:
        assert len(store.list()) == 10_000
    assert again.paths == []

    run_index.cache_clear()  # as in a new process
    with OpenedUnder(workspace.root) as anew:
        lines = store.list()
    assert anew.paths == [str(workspace.cache / "runs.json")]
    assert lines[0].interval == (0.4, 0.6)
    assert {line.state for line in lines} == {RunState.FINISHED}


def test_only_a_run_that_changed_is_read_again(store, tiny_dataset, workspace):
    many(store, tiny_dataset, 20)
    store.list()
    paths = store.paths("run-00007")
    write_status(paths, replace(read_status(paths), best={"accuracy": 0.9}))
    with OpenedUnder(workspace.runs) as again:
        lines = store.list()
    assert {path.split("/")[-2] for path in again.paths} == {"run-00007"}
    assert next(line for line in lines if line.id == "run-00007").best == {"accuracy": 0.9}


def test_a_glance_opens_and_counts_nothing_of_runs_that_are_over(store, tiny_dataset, workspace, monkeypatch):
    many(store, tiny_dataset, 20)
    lines = store.list()
    index = run_index(workspace)
    monkeypatch.setattr(index, "_folder", workspace.runs.stat().st_mtime_ns)  # as after a few seconds without a change
    looked = []
    monkeypatch.setattr(index, "_look", lambda run_id, known: looked.append(run_id))
    with OpenedUnder(workspace.root) as again:
        assert store.list(glance=True) is lines
    assert (again.paths, looked) == ([], [])


def test_a_glance_sees_live_runs_new_ones_labels_and_runs_that_are_taken_up_again(store, tiny_dataset, workspace):
    many(store, tiny_dataset, 3)
    live = store.create(small(tiny_dataset), tiny_dataset)
    index = run_index(workspace)

    def glanced(run_id):
        index._folder = before  # as after a few seconds without a change
        return {line.id: line for line in store.list(glance=True)}.get(run_id)

    store.list()
    before = workspace.runs.stat().st_mtime_ns
    write_status(store.paths(live), replace(read_status(store.paths(live)), epochs_done=2))
    assert glanced(live).epochs_done == 2
    store.label(["run-00001"], Change(name="Mine"))
    assert glanced("run-00001").name == "Mine"
    before = workspace.runs.stat().st_mtime_ns
    stopped = store.paths("run-00002")
    write_status(stopped, replace(read_status(stopped), state=RunState.QUEUED))
    touch(stopped)
    assert glanced("run-00002").state is RunState.QUEUED
    before = workspace.runs.stat().st_mtime_ns
    store.delete("run-00001")
    assert glanced("run-00001") is None


def test_a_line_tells_how_a_run_learned_and_what_it_chose(store, tiny_dataset):
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    paths = store.paths(run_id)
    entries = [{"kind": "epoch", "epoch": epoch, "validation": {"accuracy": epoch / 100}} for epoch in range(1, 100)]
    paths.epochs.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries) + "{half a li")
    [line] = store.list()
    assert len(line.curve) <= MOST_POINTS
    assert (line.curve[0] < 0.06, line.curve[-1]) == (True, 0.99)
    assert line.choices["model.backbone"] == "test_efficientnet"
    assert "dataset" not in line.choices


def test_a_live_run_does_not_make_the_index_be_written_again_and_again(store, tiny_dataset, workspace):
    many(store, tiny_dataset, 3)
    run_id = store.create(small(tiny_dataset), tiny_dataset)
    store.list()
    written = (workspace.cache / "runs.json").stat().st_mtime_ns
    for epoch in range(3):
        paths = store.paths(run_id)
        write_status(paths, replace(read_status(paths), epochs_done=epoch + 1))
        assert {line.id: line.epochs_done for line in store.list()}[run_id] == epoch + 1
    assert (workspace.cache / "runs.json").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", '{"version": 0, "runs": {}}', '{"version": 1, "runs": {"a": 1}}']
)
def test_a_damaged_or_older_index_is_built_anew(store, tiny_dataset, workspace, damage):
    many(store, tiny_dataset, 3)
    lines = store.list()
    (workspace.cache / "runs.json").write_text(damage)
    found = RunIndex(workspace.runs, workspace.cache / "runs.json").summaries()
    assert sorted(found, key=lambda line: line.id) == sorted(lines, key=lambda line: line.id)


def test_the_index_may_be_deleted_at_any_time(store, tiny_dataset, workspace):
    many(store, tiny_dataset, 3)
    lines = store.list()
    shutil.rmtree(workspace.cache)
    run_index.cache_clear()
    assert store.list() == lines


def test_a_run_deleted_by_hand_leaves_the_list(store, tiny_dataset, workspace):
    many(store, tiny_dataset, 3)
    store.list()
    shutil.rmtree(workspace.runs / "run-00001")
    assert [line.id for line in store.list() if line.id.startswith("run-")] == ["run-00002"]
    assert "run-00001" not in json.loads((workspace.cache / "runs.json").read_text())["runs"]


@pytest.mark.parametrize("name", ["recipe.json", "run.json", "state.json"])
def test_a_run_with_a_broken_file_is_listed_with_the_reason_and_can_be_deleted(store, tiny_dataset, workspace, name):
    many(store, tiny_dataset, 2)
    (workspace.runs / "run-00001" / name).write_text("{broken")
    line = next(line for line in store.list() if line.id == "run-00001")
    assert line.state is RunState.FAILED
    assert "cannot be read" in line.sentence
    if name != "state.json":
        with pytest.raises(RunError, match="cannot be read"):
            store.get("run-00001")
    store.delete("run-00001")
    assert len(store.list()) == 1


def test_other_things_beside_the_runs_are_no_runs(store, tiny_dataset, workspace):
    many(store, tiny_dataset, 1)
    (workspace.runs / "notes.txt").write_text("mine")
    (workspace.runs / "empty-folder").mkdir()
    (workspace.runs / ".new-half").mkdir()
    assert len(store.list()) == 1


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "U-Net on EfficientNet-Lite0, everything"),
        ({"model.encoder": "tu-resnet10t", "phases.0.trainable": "head"}, "U-Net on tu-resnet10t, head"),
        ({"name": "Mine"}, "Mine"),
    ],
)
def test_a_segmentation_run_is_called_by_what_people_call_its_network(changes, name):
    assert run_name(SegmentationRecipe().set(changes)) == name


def test_a_run_is_marked_by_what_its_phases_learn_from():
    second = {"phases.1": {"trainable": "everything"}}
    assert learns_from(Recipe()) == "stored features"
    assert learns_from(Recipe().set(second)) == "features and images"
    assert learns_from(Recipe().set({"phases.0.trainable": "last 2 blocks"})) == "images"
    assert learns_from(Recipe().set({"mix.mixup": 0.2})) == "images", "mixed pictures are new ones at every step"
    assert learns_from(SegmentationRecipe().set({"phases.0.trainable": "head"})) == "images"
