"""Fixtures every test may use: a workspace of its own and a small dataset that is drawn once a session."""

import shutil

import pytest

from core.workspace import Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path / "workspace")


@pytest.fixture(scope="session")
def _drawn(tmp_path_factory):
    """A kept demo dataset in a workspace of its own: blood smears, 3 classes, 36 images of 32 px."""
    from core.data.demo import make_demo
    from core.data.incoming import keep

    drawn = Workspace(tmp_path_factory.mktemp("drawn"))
    proposal = make_demo(drawn, "blood-smear", {"classes": 3, "images": 36, "size": 32, "seed": 0})
    return drawn, keep(drawn, proposal.id, name="Tiny cells").id


@pytest.fixture
def tiny_dataset(workspace, _drawn):
    """A dataset kept in `workspace`: blood smears, 3 classes, 36 images of 32 px, with its three splits."""
    from core.data.library import Library

    drawn, dataset_id = _drawn
    shutil.copytree(drawn.datasets / dataset_id, workspace.datasets / dataset_id)
    return Library(workspace).get(dataset_id)
