"""A run that has really been trained, for whatever reads runs; and the headless commands."""

import json
import shutil

import pytest

from core.data.library import Library
from core.executors.inline import InlineExecutor
from core.recipe import Recipe
from core.runs.run import RunState
from core.runs.store import Run, RunStore
from core.workspace import Workspace


@pytest.fixture(scope="session")
def _trained(_drawn, tmp_path_factory):
    """A head trained for a few epochs on the small drawn dataset, in a workspace of its own."""
    drawn, dataset_id = _drawn
    workspace = Workspace(tmp_path_factory.mktemp("trained"))
    shutil.copytree(drawn.datasets / dataset_id, workspace.datasets / dataset_id)
    changes = {"dataset": dataset_id, "image_size": 32, "batch_size": 8, "augment.policy": "none", "phases.0.epochs": 3}
    store = RunStore(workspace)
    run_id = store.create(Recipe().set(changes), Library(workspace).get(dataset_id))
    InlineExecutor(workspace).submit(run_id)
    status = store.status(run_id)
    assert status.state is RunState.FINISHED, status.sentence
    return workspace, run_id


@pytest.fixture
def trained_run(workspace, tiny_dataset, _trained) -> Run:
    """A finished run in `workspace`, trained on `tiny_dataset`, with its validation report."""
    trained, run_id = _trained
    shutil.copytree(trained.runs / run_id, workspace.runs / run_id)
    return RunStore(workspace).get(run_id)


@pytest.fixture
def command(workspace, capsys):
    """Run one command in the test's workspace; gives (exit code, standard output, standard error)."""
    from core.__main__ import main

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["--workspace", str(workspace.root), *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def answer(command):
    """The JSON answer of a command that must succeed."""

    def run(*words: str):
        code, out, err = command(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    return run
