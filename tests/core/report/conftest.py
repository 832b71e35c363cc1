"""A bundle of a made-up run with both splits judged, made once: every test edits a copy of it."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.report.bundle import make_report
from core.runs.store import Run
from core.workspace import Workspace
from tests.made_runs import answered, rows_dataset

EPOCHS = [
    {"loss": 1.02, "accuracy": 0.61, "train_loss": 1.13},
    {"loss": 0.71, "accuracy": 0.74, "train_loss": 0.69},
    {"loss": 0.77, "accuracy": 0.72, "train_loss": 0.41},
]


def made_run(workspace: Workspace, *, id: str = "rows-1", seed: int = 0, **options: object) -> Run:
    """A finished run of three epochs on 60 validation and 40 test pictures of three classes, four in five right."""
    generator = np.random.default_rng(seed)
    labels = {
        split: generator.integers(0, 3, n).tolist() for split, n in (("train", 90), ("validation", 60), ("test", 40))
    }
    dataset = rows_dataset(workspace, labels, id=id)
    answers = {
        split: [label if generator.random() < 0.8 else (label + 1) % 3 for label in labels[split]]
        for split in ("validation", "test")
    }
    return answered(workspace, dataset, answers, epochs=EPOCHS, **options)


@pytest.fixture
def run(workspace: Workspace) -> Run:
    return made_run(workspace)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bundle of such a run."""
    folder = tmp_path_factory.mktemp("bundle")
    workspace = Workspace(folder / "workspace")
    run = made_run(workspace)
    make_report(str(workspace.root), [run.id], str(folder / "report.zip"))
    return (folder / "report.zip").read_bytes()


def unzipped(bundle: bytes) -> dict[str, bytes]:
    """The files of a bundle."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, files: dict[str, bytes]) -> str:
    """A bundle of these files, where it lies."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return str(path)
