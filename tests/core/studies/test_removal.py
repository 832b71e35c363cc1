"""Deleting studies: with their runs, without them, and not while they are at work."""

from dataclasses import replace

import pytest

from core.errors import RunError
from core.recipe import Recipe
from core.runs.run import RunState, write_status
from core.runs.store import RunStore
from core.studies import repeats, search
from core.studies.removal import delete_study
from core.studies.study import StudyStore
from core.workspace import write_json
from tests.running import small


@pytest.fixture
def store(workspace):
    return RunStore(workspace)


@pytest.fixture
def made(workspace, tiny_dataset):
    """Make a study with runs that nobody has started."""

    def make(*seeds):
        recipe = small(tiny_dataset).to_json()
        return StudyStore(workspace).get(repeats.make(str(workspace.root), recipe, tiny_dataset.id, seeds, 0))

    return make


def test_a_study_is_deleted_with_its_runs_or_without(made, store, workspace):
    kept, gone = made(0, 1), made(2, 3)
    delete_study(workspace, kept.id, runs=False)
    delete_study(workspace, gone.id, runs=True)
    assert {run.id for run in store.list()} == {member.run for member in kept.members}
    assert StudyStore(workspace).list() == []
    with pytest.raises(RunError, match="no such study"):
        delete_study(workspace, kept.id, runs=False)


def test_a_run_that_was_deleted_before_is_no_hindrance(made, store, workspace):
    study = made(0, 1)
    store.delete(study.members[0].run)
    delete_study(workspace, study.id, runs=True)
    assert store.list() == []


def test_a_study_with_a_run_at_work_is_not_deleted_with_its_runs(made, store, workspace, monkeypatch):
    study = made(0, 1)
    first = store.get(study.members[0].run)
    write_status(first.paths, replace(first.status, state=RunState.RUNNING))
    monkeypatch.setattr("core.runs.store.worker_alive", lambda *_: True)
    write_json(first.paths.worker, {"pid": 1, "created": 0.0, "host": "here"})
    with pytest.raises(RunError, match="Stop the study first"):
        delete_study(workspace, study.id, runs=True)
    assert len(store.list()) == 2


def test_a_search_at_work_is_not_deleted(workspace, monkeypatch):
    study = StudyStore(workspace).create("search", "s", Recipe(), {"space": []})
    state = search.SearchState("running", "At work.", 0)
    monkeypatch.setattr(search, "standing", lambda _: state)
    with pytest.raises(RunError, match="Stop it first"):
        delete_study(workspace, study.id, runs=False)
    monkeypatch.setattr(search, "standing", lambda _: replace(state, state="stopped"))
    delete_study(workspace, study.id, runs=False)
    assert StudyStore(workspace).list() == []
