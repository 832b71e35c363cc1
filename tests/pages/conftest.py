"""What the page tests share: the app over a workspace of the test, with real core behind it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from core.data.dataset import Dataset
from core.data.incoming import inspect, keep
from core.data.library import Library
from core.executors.inline import InlineExecutor
from core.executors.lab import Lab
from core.recipe import SegmentationRecipe
from core.runs.store import Run, RunStore
from core.workspace import Workspace
from pages.shared import cache
from tests.running import small
from tests.shapes import SMALL_MASKS, drawn_shape

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def helper() -> Iterator[Lab]:
    """One real lab process for all page tests; it starts with the first call."""
    lab = Lab("lab")
    yield lab
    lab.close()


@pytest.fixture
def app(workspace: Workspace, helper: Lab, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app over `workspace`. Runs are worked on in this process: a click on Train returns when it is over."""
    began = PagesManager.__init__

    def after_the_first_visit(self: PagesManager, *arguments: object, **named: object) -> None:
        # AppTest forgets before every run that `st.navigation` is in use; a server knows from its first visit on.
        began(self, *arguments, **named)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", after_the_first_visit)
    monkeypatch.setenv("FOVEA_WORKSPACE", str(workspace.root))
    monkeypatch.setenv("FOVEA_ROOTS", str(workspace.root.parent))
    monkeypatch.setattr(cache, "wake", lambda: None)
    monkeypatch.setattr(cache, "lab", lambda: helper)
    monkeypatch.setattr(cache, "desk", lambda: helper)
    monkeypatch.setattr(cache, "executor", lambda: InlineExecutor(workspace))
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)


@pytest.fixture
def visit(app: AppTest) -> Callable[[str], AppTest]:
    """Open a page by its name, as the sidebar does, and see that it does not fail."""

    def open_page(name: str) -> AppTest:
        app.run()
        app.switch_page(f"pages/{name}.py").run()
        well(app)
        return app

    return open_page


@pytest.fixture(scope="session")
def _trained(tmp_path_factory, _drawn) -> tuple[Workspace, str]:
    """A workspace with the tiny dataset and one finished run."""
    drawn, dataset = _drawn
    workspace = Workspace(tmp_path_factory.mktemp("trained"))
    shutil.copytree(drawn.datasets / dataset, workspace.datasets / dataset)
    run = RunStore(workspace).create(small(Library(workspace).get(dataset)), Library(workspace).get(dataset))
    InlineExecutor(workspace).submit(run)
    return workspace, run


@pytest.fixture
def finished_run(workspace: Workspace, _trained) -> Run:
    """A finished run and its data in `workspace`; a copy, so that a test may change it."""
    trained, run = _trained
    shutil.copytree(trained.root, workspace.root, dirs_exist_ok=True)
    return RunStore(workspace).get(run)


@pytest.fixture(scope="session")
def _kept_masks(tmp_path_factory) -> tuple[Workspace, str]:
    """A workspace with a dataset of images with masks: 22 images of 40 pixels, discs and squares on a background."""
    folder, workspace = tmp_path_factory.mktemp("pairs"), Workspace(tmp_path_factory.mktemp("masks"))
    write_pairs(folder)
    return workspace, keep(workspace, inspect(workspace, folder, name="Shapes").id).id


@pytest.fixture
def mask_dataset(workspace: Workspace, _kept_masks) -> Dataset:
    """Images with masks, kept in `workspace`."""
    kept, id = _kept_masks
    shutil.copytree(kept.datasets / id, workspace.datasets / id)
    return Library(workspace).get(id)


@pytest.fixture(scope="session")
def _trained_on_masks(tmp_path_factory, _kept_masks) -> tuple[Workspace, str]:
    """A workspace with those and one finished segmentation run of three epochs."""
    kept, id = _kept_masks
    workspace = Workspace(tmp_path_factory.mktemp("segmenting"))
    shutil.copytree(kept.datasets / id, workspace.datasets / id)
    recipe = SegmentationRecipe(dataset=id).set(SMALL_MASKS)
    run = RunStore(workspace).create(recipe, Library(workspace).get(id))
    InlineExecutor(workspace).submit(run)
    return workspace, run


@pytest.fixture
def finished_mask_run(workspace: Workspace, _trained_on_masks) -> Run:
    """A finished segmentation run and its data in `workspace`; a copy, so that a test may change it."""
    trained, run = _trained_on_masks
    shutil.copytree(trained.root, workspace.root, dirs_exist_ok=True)
    return RunStore(workspace).get(run)


@pytest.fixture
def waiting_run(workspace: Workspace, tiny_dataset: Dataset) -> Run:
    """A run that nobody has started."""
    store = RunStore(workspace)
    return store.get(store.create(small(tiny_dataset), tiny_dataset))


def write_pairs(folder: Path, number: int = 22, side: int = 40) -> None:
    """Pictures of shapes in images/, and their masks in masks/ as grey 0 (background), 100 (disc) and 200 (square)."""
    generator = np.random.default_rng(0)
    for place in range(number):
        picture, mask = drawn_shape(generator, side, ((1, 2), (1,), (2,))[place % 3])
        for name, pixels in (("images", picture), ("masks", mask * 100)):
            (folder / name).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(folder / name / f"{place:03d}.png")


def well(app: AppTest) -> None:
    """The page did not fail."""
    assert not app.exception, [error.message for error in app.exception]


def words(app: AppTest) -> str:
    """Everything a page says, to look for a word in it."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "success", "metric")
    told = []
    for kind in kinds:
        for element in app.get(kind):
            told += [str(getattr(element, "label", "")), str(element.value), str(getattr(element, "delta", ""))]
    return "\n".join(told)
