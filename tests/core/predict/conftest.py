"""A segmentation run that has really been trained, on pictures of discs whose class is their colour."""

import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.data.incoming import inspect, keep
from core.executors.inline import InlineExecutor
from core.recipe import SegmentationRecipe
from core.runs.run import RunState
from core.runs.store import Run, RunStore
from core.workspace import Workspace

SIZE = (48, 40)
COLOURS = {1: "crimson", 2: "seagreen"}  # of what is neoplastic, and of what is not


def discs(number: int, size: tuple[int, int] = SIZE) -> tuple[Image.Image, Image.Image]:
    """A picture of one or two discs on a mottled ground, and its mask in black, red and green."""
    draw = np.random.default_rng(number)
    ground = draw.integers(90, 130, (size[1], size[0], 3), np.uint8)
    image, mask = Image.fromarray(ground), Image.new("RGB", size)
    for kind in draw.permutation([1, 2])[: 1 + number % 2]:
        radius = draw.integers(size[1] // 5, size[1] // 3)
        x, y = draw.integers(radius, size[0] - radius), draw.integers(radius, size[1] - radius)
        box = (x - radius, y - radius, x + radius, y + radius)
        ImageDraw.Draw(image).ellipse(box, fill=COLOURS[int(kind)])
        ImageDraw.Draw(mask).ellipse(box, fill=("#ff0000", "#00ff00")[int(kind) - 1])
    return image, mask


@pytest.fixture(scope="session")
def _masked(tmp_path_factory) -> tuple[Workspace, str]:
    workspace, folder = Workspace(tmp_path_factory.mktemp("masked")), tmp_path_factory.mktemp("pairs")
    for kind in ("train", "train_gt"):
        (folder / kind).mkdir()
    for number in range(30):
        image, mask = discs(number)
        image.save(folder / "train" / f"{number:02d}.jpeg", quality=95)
        mask.save(folder / "train_gt" / f"{number:02d}.png")
    dataset = keep(workspace, inspect(workspace, folder, name="Discs").id)
    changes = {
        "dataset": dataset.id,
        "image_size": 32,
        "batch_size": 4,
        "model.encoder": "tu-test_efficientnet",
        "model.weights": "random",
        "phases.0.epochs": 5,
        "phases.0.learning_rate": 0.003,
        "augment.policy": "none",
        "device": "cpu",
    }
    store = RunStore(workspace)
    run = store.create(SegmentationRecipe().set(changes), dataset)
    InlineExecutor(workspace).submit(run)
    status = store.status(run)
    assert status.state is RunState.FINISHED, status.sentence
    return workspace, run


@pytest.fixture
def masked_run(workspace: Workspace, _masked) -> Run:
    """A finished segmentation run and its data in `workspace`; a copy, so that a test may change it."""
    trained, run = _masked
    shutil.copytree(trained.root, workspace.root, dirs_exist_ok=True)
    return RunStore(workspace).get(run)
