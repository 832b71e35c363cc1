"""Every page stands on its own: opened first on a fresh server, on a phone and on a screen, by day and by night."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.data.demo import make_demo
from core.data.incoming import keep
from core.data.library import Library
from core.evaluate.evaluation import evaluate_run
from core.executors.inline import InlineExecutor
from core.executors.local import LocalExecutor
from core.recipe import Recipe
from core.runs.store import RunStore
from core.workspace import Workspace
from tests.browser.conftest import assert_well, for_the_readme, listen, pictures, settle
from tests.browser.server import ROOT, end_workers, serving

PAGES = ("data", "augment", "train", "runs", "evaluate", "predict")
SCREENS = {"1440x900": (1440, 900), "390x844": (390, 844)}
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
    """A workspace with 400 drawn cells, a finished run whose test split was opened, one that waits, and one at work."""
    workspace = Workspace(tmp_path_factory.mktemp("lived-in") / "workspace")
    dataset = keep(workspace, make_demo(workspace, "blood-smear", {}).id)
    head = {"dataset": dataset.id, "image_size": 96, "augment.policy": "light", "phases.0.epochs": 20}
    whole = {"name": "everything", "trainable": "everything", "epochs": 400, "learning_rate": 3e-4}
    store = RunStore(workspace)
    finished = store.create(Recipe(preset="frozen-head").set(head), dataset)
    InlineExecutor(workspace).submit(finished)
    assert store.status(finished).state == "finished", store.status(finished).sentence
    evaluate_run(str(workspace.root), finished, "validation")
    live = store.create(Recipe(preset="fine-tune").set({**head, "phases.0": whole, "batch_size": 16}), dataset)
    LocalExecutor(workspace).submit(live)
    LocalExecutor(workspace).submit(store.create(Recipe().set({**head, "augment.policy": "heavy"}), dataset))
    while store.status(live).epochs_done < 6:
        assert not store.status(live).state.is_finished, store.status(live).sentence
        time.sleep(0.5)
    yield workspace
    end_workers(workspace.root)


def _run_for(name: str, workspace: Workspace) -> str:
    """The run that a page shows best: the one at work on Train, the finished one elsewhere."""
    runs = {run.state.value: run.id for run in RunStore(workspace).list()}
    return runs["running"] if name == "train" else runs["finished"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.timeout(420)
def test_no_page_breaks_or_scrolls_sideways(scheme, screen, browser: Browser, lived_in):
    width, height = SCREENS[screen]
    [card] = Library(lived_in).cards()
    with serving(lived_in.root) as address:
        for name in PAGES:
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1
            )
            page = context.new_page()
            heard = listen(page)
            page.goto(f"{address}{_address(name)}?dataset={card.id}&run={_run_for(name, lived_in)}")
            expect(page.get_by_role("heading", level=1, name=name.capitalize())).to_be_visible(timeout=60_000)
            _come_to_rest(page, name)
            assert_well(page)
            assert heard == [], name
            file = pictures() / f"{name}-{screen}-{scheme}.png"
            page.screenshot(path=file)
            _whole(page, file.with_stem(file.stem + "-whole"), width)
            if for_the_readme() and screen == "1440x900" and scheme == "light":
                _for_the_readme(file, name)
            context.close()


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
    from PIL import Image

    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(file) as picture:
        small = picture.convert("RGB")
        small.thumbnail((README_WIDTH, README_WIDTH), Image.Resampling.LANCZOS)
        small.quantize(192, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            folder / f"{name}.png", optimize=True
        )


def test_the_pictures_of_the_readme_are_small():
    files = list((ROOT / "docs" / "images").glob("*.png"))
    assert files
    assert sum(file.stat().st_size for file in files) < 1_500_000
