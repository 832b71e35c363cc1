"""Every page stands on its own: opened first on a fresh server, on a phone and on a screen, by day and by night."""

import time
from dataclasses import replace

import psutil
import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from core.data.demo import make_demo
from core.data.incoming import keep, remap
from core.data.library import Library
from core.executors.inline import InlineExecutor
from core.executors.local import LocalExecutor
from core.metrics.segmentation import BACKGROUND
from core.presets import preset
from core.recipe import Recipe
from core.runs.store import RunStore
from core.runs.summary import RunSummary
from core.workspace import Workspace, read_json
from tests.browser.conftest import assert_well, renews_the_readme, settle
from tests.browser.screens import put_into_the_readme, take, window
from tests.browser.server import end_workers, serving
from tests.browser.steps import button, choose, type_number

PAGES = ("data", "augment", "train", "runs", "evaluate", "compare", "predict", "report", "autopsy")
LOOKS = [  # each screen and each scheme early, the other two ways to bring them together last
    *[("1440x900", "light"), ("390x844", "dark")],
    *[pytest.param(*look, marks=pytest.mark.slow) for look in (("1440x900", "dark"), ("390x844", "light"))],
]
README_PICTURES = ("train", "augment", "evaluate")


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


def _choose(page: Page) -> None:
    """The choices for a new run: a plan of phases, what learns in them, and one part unfolded."""
    button(page, "new_run").click()
    expect(page.locator(".st-key-stages .js-plotly-plot").first).to_be_visible(timeout=60_000)
    settle(page)
    choose(page.locator(".st-key-train_plan").get_by_role("combobox"), "Progressive unfreezing")
    expect(page.locator(".st-key-train_phases_4_epochs input")).to_be_visible()
    settle(page)
    page.locator(".st-key-train_optimizer_part summary").click()
    type_number(page, "train_optimizer_weight_decay", 0.05)
    expect(page.get_by_text("choices unlike the preset")).to_be_visible()
    expect(page.locator(".st-key-train_optimizer_weight_decay input")).to_be_visible()  # its part stays unfolded
    settle(page)
    expect(page.locator(".st-key-stages .js-plotly-plot").first).to_be_visible(timeout=60_000)


def _cells(workspace: Workspace) -> list[FilePayload]:
    """A test picture of each of three classes, as somebody would upload them."""
    [card] = Library(workspace).cards()
    dataset = Library(workspace).get(card.id)
    samples = [next(sample for sample in dataset.of("test") if sample.label == label) for label in range(3)]
    return [
        {"name": f"cell {number}.jpg", "mimeType": "image/jpeg", "buffer": dataset.path(sample).read_bytes()}
        for number, sample in enumerate(samples, start=1)
    ]


@pytest.mark.parametrize(("screen", "scheme"), LOOKS)
def test_no_page_breaks_or_scrolls_sideways(scheme, screen, browser: Browser, lived_in):
    [card] = Library(lived_in).cards()
    with serving(lived_in.root) as address, window(browser, screen, scheme) as page:
        for name in PAGES:
            page.goto(f"{address}{_address(name)}?dataset={card.id}&run={_run_for(name, lived_in)}")
            expect(page.get_by_role("heading", level=1, name=name.capitalize())).to_be_visible(timeout=60_000)
            if name == "predict":
                settle(page)
                page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(_cells(lived_in))
                expect(page.get_by_test_id("stMain").get_by_test_id("stPlotlyChart").first).to_be_visible(
                    timeout=60_000
                )
            file = take(page, name, screen, scheme, live=name == "train")
            readme = renews_the_readme() and (screen, scheme) == ("1440x900", "light")
            if readme and name in README_PICTURES:
                put_into_the_readme(file, name)
            if name == "train":
                _choose(page)
                file = take(page, "choose", screen, scheme)
                if readme:
                    put_into_the_readme(file.with_stem(f"{file.stem}-whole"), "choose")


@pytest.fixture(scope="module")
def with_masks(tmp_path_factory) -> Workspace:
    """A workspace with drawn polyps in three classes and, merged, in two; a finished run on each;"""
    workspace = Workspace(tmp_path_factory.mktemp("with-masks") / "workspace")
    quick = {"image_size": 64, "phases.0.epochs": 4, "name": "Two classes"}
    proposal = make_demo(workspace, "polyps", {"images": 60})
    found = proposal.mask_map
    merged = tuple(replace(entry, label="polyp") if entry.label != BACKGROUND else entry for entry in found.entries)
    two = keep(workspace, remap(workspace, proposal.id, replace(found, entries=merged)).id, name="Polyps, two classes")
    three = keep(workspace, make_demo(workspace, "polyps", {"images": 120}).id)
    for dataset, changes in ((two, quick), (three, quick | {"phases.0.epochs": 8, "name": ""})):
        run = RunStore(workspace).create(preset("unet").recipe().set(changes), dataset)
        InlineExecutor(workspace).submit(run)
        assert RunStore(workspace).status(run).state == "finished", RunStore(workspace).status(run).sentence
    return workspace


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("screen", "scheme"), LOOKS)
def test_no_page_about_masks_breaks_or_scrolls_sideways(scheme, screen, browser: Browser, with_masks):
    two, three = (
        next(run for run in RunStore(with_masks).list() if (run.name == "Two classes") == it) for it in (1, 0)
    )
    with serving(with_masks.root) as address, window(browser, screen, scheme) as page:
        for name in PAGES:
            page.goto(f"{address}{_address(name)}?dataset={three.dataset}&run={three.id}")
            expect(page.get_by_role("heading", level=1, name=name.capitalize())).to_be_visible(timeout=60_000)
            settle(page)
            if name == "predict":
                page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(_polyps(with_masks, three))
                expect(page.locator(".st-key-answer_1 img").first).to_be_visible(timeout=60_000)
            if name == "augment":
                expect(page.locator(".st-key-variants_0 img")).to_have_count(12, timeout=60_000)
            take(page, f"masks-{name}", screen, scheme)
            if name == "train":
                button(page, "show_run").click()
                expect(page.locator(".st-key-looks img").first).to_be_visible(timeout=60_000)
                take(page, "masks-watch", screen, scheme)
            if name == "predict":
                page.locator(".st-key-predict_view").get_by_text("Heat map", exact=True).click()
                expect(page.locator(".st-key-answer_1 img[alt*='heat map']")).to_be_visible(timeout=60_000)
                take(page, "masks-explain", screen, scheme)
        page.goto(f"{address}/evaluate?dataset={two.dataset}&run={two.id}")
        expect(page.locator(".st-key-cut img")).to_have_count(2, timeout=60_000)
        take(page, "masks-threshold", screen, scheme)


def _polyps(workspace: Workspace, run: RunSummary) -> list[FilePayload]:
    """Two test pictures, as somebody would upload them."""
    dataset = Library(workspace).get(run.dataset)
    return [
        {"name": f"polyp {number}.jpg", "mimeType": "image/jpeg", "buffer": dataset.path(sample).read_bytes()}
        for number, sample in enumerate(dataset.of("test")[:2], start=1)
    ]
