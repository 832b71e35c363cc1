"""Small runs that were really trained, of both tasks, once a session."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from core.data.library import Library
from core.executors.inline import InlineExecutor
from core.predict.export.exporting import export_run
from core.recipe import SegmentationRecipe
from core.runs.store import Run, RunStore
from core.workspace import Workspace
from tests.running import small
from tests.shapes import SMALL_MASKS, kept_shapes


@pytest.fixture(scope="session")
def _small(_drawn, tmp_path_factory):
    drawn, dataset_id = _drawn
    workspace = Workspace(tmp_path_factory.mktemp("small"))
    shutil.copytree(drawn.datasets / dataset_id, workspace.datasets / dataset_id)
    dataset = Library(workspace).get(dataset_id)
    run_id = RunStore(workspace).create(small(dataset), dataset)
    InlineExecutor(workspace).submit(run_id)
    return workspace, run_id


@pytest.fixture
def small_run(workspace, _small) -> Run:
    """A finished run of a tiny random network on the small drawn dataset, in `workspace`; a copy."""
    trained, run_id = _small
    shutil.copytree(trained.root, workspace.root, dirs_exist_ok=True)
    return RunStore(workspace).get(run_id)


@pytest.fixture(scope="session")
def exported(_small, tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    """The ONNX file of that run, and what was said of it. Translating takes seconds, so it is made once."""
    workspace, run_id = _small
    file = tmp_path_factory.mktemp("exported") / "model.onnx"
    return file, export_run(str(workspace.root), run_id, "onnx", str(file))


@pytest.fixture(scope="session")
def _small_masks(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("small-masks"))
    dataset = kept_shapes(workspace, wide=10)
    recipe = SegmentationRecipe(dataset=dataset.id).set(SMALL_MASKS | {"phases.0.epochs": 1, "fit": "pad"})
    run_id = RunStore(workspace).create(recipe, dataset)
    InlineExecutor(workspace).submit(run_id)
    return workspace, run_id


@pytest.fixture
def small_mask_run(workspace, _small_masks) -> Run:
    """The same of a segmentation network; pictures of 50 x 40 pixels, padded to 32 x 32."""
    trained, run_id = _small_masks
    shutil.copytree(trained.root, workspace.root, dirs_exist_ok=True)
    return RunStore(workspace).get(run_id)
