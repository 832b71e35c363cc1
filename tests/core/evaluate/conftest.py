"""A segmentation run that has really been trained, and a two-class table of masks to read thresholds from."""

import shutil

import pytest

from core.executors.inline import InlineExecutor
from core.recipe import SegmentationRecipe
from core.runs.run import RunState
from core.runs.store import Run, RunStore
from core.workspace import Workspace
from tests.shapes import SMALL_MASKS, kept_shapes


@pytest.fixture(scope="session")
def _masked(tmp_path_factory) -> tuple[Workspace, str]:
    workspace = Workspace(tmp_path_factory.mktemp("masked"))
    dataset = kept_shapes(workspace, wide=16)
    store = RunStore(workspace)
    run_id = store.create(SegmentationRecipe().set(SMALL_MASKS | {"dataset": dataset.id}), dataset)
    InlineExecutor(workspace).submit(run_id)
    status = store.status(run_id)
    assert status.state is RunState.FINISHED, status.sentence
    return workspace, run_id


@pytest.fixture
def masked_run(workspace, _masked) -> Run:
    """A finished segmentation run with its validation report, and its data, pictures of 56 x 40 pixels: a copy."""
    trained, run_id = _masked
    shutil.copytree(trained.root, workspace.root, dirs_exist_ok=True)
    return RunStore(workspace).get(run_id)
