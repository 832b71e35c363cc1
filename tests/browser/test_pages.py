"""Every page stands on its own: opened first on a fresh server, on a phone and on a screen, by day and by night."""

import time
from pathlib import Path

import psutil
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect

from core.data.demo import make_demo
from core.data.incoming import keep
from core.data.library import Library
from core.executors.inline import InlineExecutor
from core.executors.local import LocalExecutor
from core.recipe import Recipe
from core.runs.store import RunStore
from core.workspace import Workspace, read_json
from tests.browser.conftest import assert_well, for_the_readme, listen, pictures, settle
from tests.browser.server import ROOT, end_workers, serving

PAGES = ("data", "augment", "train", "runs", "evaluate", "predict")
SCREENS = {"1440x900": (1440, 900), "390x844": (390, 844)}
README_PICTURES = ("train", "augment", "evaluate")
README_WIDTH = 1120  # pixels: small files, and still readable


def _address(page: str) -> str:
    return "/" if page == "data" else f"/{page}"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opened_by_its_own_url_on_a_fresh_server_has_the_whole_app_around_it(
    name, page: Page, serve, workspace, complaints
):
    with serve(workspace) as address:
        page.goto(address + _address(name))
        settle(page)
        expect(page.get_by_role("heading", level=1, name=name.capitalize())).to_be_visible()
        expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(len(PAGES))
        assert_well(page)
        page.reload()
        settle(page)
        expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(len(PAGES))
    assert complaints == []


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory) -> Workspace:
    """A workspace with 400 drawn cells, a finished run, one at work and one that waits.

    The one at work is suspended after some epochs, so that its page shows the same to every test and the browser has
    the machine to itself; to the pages it is alive all the same.
    """
    workspace = Workspace(tmp_path_factory.mktemp("lived-in") / "workspace")
    dataset = keep(workspace, make_demo(workspace, "blood-smear", {}).id)
    head = {"dataset": dataset.id, "image_size": 96, "augment.policy": "light", "phases.0.epochs": 20}
    whole = {"name": "everything", "trainable": "everything", "epochs": 40, "learning_rate": 3e-4}
    store = RunStore(workspace)
    finished = store.create(Recipe(preset="frozen-head").set(head), dataset)
    InlineExecutor(workspace).submit(finished)
    assert store.status(finished).state == "finished", store.status(finished).sentence
    quick = {**head, "image_size": 64, "batch_size": 16, "phases.0": whole}
    live = store.create(Recipe(preset="fine-tune").set(quick), dataset)
    LocalExecutor(workspace).submit(live)
    LocalExecutor(workspace).submit(store.create(Recipe().set({**head, "augment.policy": "heavy"}), dataset))
    while store.status(live).epochs_done < 6:
        assert not store.status(live).state.is_finished, store.status(live).sentence
        time.sleep(0.2)
    psutil.Process(read_json(store.get(live).paths.worker)["pid"]).suspend()
    yield workspace
    end_workers(workspace.root)


def _run_for(name: str, workspace: Workspace) -> str:
    """The run that a page shows best: the one at work on Train, the finished one elsewhere."""
    runs = {run.state.value: run.id for run in RunStore(workspace).list()}
    return runs["running"] if name == "train" else runs["finished"]


def _cells(workspace: Workspace) -> list[FilePayload]:
    """A test picture of each of three classes, as somebody would upload them."""
    [card] = Library(workspace).cards()
    dataset = Library(workspace).get(card.id)
    samples = [next(sample for sample in dataset.of("test") if sample.label == label) for label in range(3)]
    return [
        {"name": f"cell {number}.jpg", "mimeType": "image/jpeg", "buffer": dataset.path(sample).read_bytes()}
        for number, sample in enumerate(samples, start=1)
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_no_page_breaks_or_scrolls_sideways(scheme, screen, browser: Browser, lived_in):
    width, height = SCREENS[screen]
    [card] = Library(lived_in).cards()
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    heard = listen(page)
    with serving(lived_in.root) as address:
        for name in PAGES:
            page.set_viewport_size({"width": width, "height": height})
            page.goto(f"{address}{_address(name)}?dataset={card.id}&run={_run_for(name, lived_in)}")
            expect(page.get_by_role("heading", level=1, name=name.capitalize())).to_be_visible(timeout=60_000)
            if name == "predict":
                settle(page)
                page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(_cells(lived_in))
                expect(page.get_by_test_id("stMain").get_by_test_id("stPlotlyChart").first).to_be_visible(
                    timeout=60_000
                )
            _come_to_rest(page, name)
            assert_well(page)
            file = pictures() / f"{name}-{screen}-{scheme}.png"
            page.screenshot(path=file)
            _whole(page, file.with_stem(file.stem + "-whole"), width)
            if for_the_readme() and name in README_PICTURES and (screen, scheme) == ("1440x900", "light"):
                _for_the_readme(file, name)
    context.close()
    assert heard == []


def _come_to_rest(page: Page, name: str) -> None:
    """A live page never rests: wait for its curves. Elsewhere wait for the script, then for the pictures."""
    if name == "train":
        expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible(timeout=60_000)
    else:
        settle(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=60_000)
    page.wait_for_function("() => [...document.images].every(image => image.complete)")
    page.wait_for_timeout(1500)  # charts are drawn in after their script has ended


def _whole(page: Page, file: Path, width: int) -> None:
    """The page from top to bottom in one picture."""
    height = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(max(height, 400) + 60, 6000)})
    page.wait_for_timeout(700)
    page.screenshot(path=file)


def _for_the_readme(file: Path, name: str) -> None:
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(file) as picture:
        small = picture.convert("RGB")
        small.thumbnail((README_WIDTH, README_WIDTH), Image.Resampling.LANCZOS)
        small.quantize(192, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            folder / f"{name}.png", optimize=True
        )
