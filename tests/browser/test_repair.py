"""A spoiled dataset is seen through and mended: what checks find becomes revision after revision."""

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Locator, Page, expect

from core.data.dataset import Dataset
from core.data.demo import make_demo
from core.data.incoming import inspect, keep
from core.data.library import Library
from core.runs.store import RunStore
from core.workspace import Workspace
from tests.browser.conftest import assert_well, settle
from tests.browser.screens import for_the_readme
from tests.browser.steps import MINUTE, button, choose, go, told, type_number, wait_for

COPIES, WRONG = 4, 6
NEW = "<i>unclear</i>"


@pytest.mark.timeout(900)
def test_planted_faults_are_found_shown_and_mended_and_a_run_names_its_revision(
    page: Page, serve, workspace: Workspace, complaints, tmp_path
):
    planted = spoiled(workspace, tmp_path)
    with serve(workspace) as address:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(address)
        settle(page)

        # The check starts by itself. What is grave stands first, folded over its pictures.
        copies = finding(page, "copies-across-classes")
        expect(copies).to_contain_text(f"{COPIES} sets of copies have more than one label", timeout=2 * MINUTE)
        copies.locator("summary").click()
        pictures = copies.locator("[class*=st-key-tickable] img")
        expect(pictures).to_have_count(2 * COPIES, timeout=MINUTE)
        assert sum("mirrored-" in alt for alt in told(pictures)) == COPIES
        settle(page)
        assert_well(page)
        for_the_readme(page, "data")

        # A click mends it, as revision 2, which says what it changed.
        copies.locator("[class*=_repairs] button", has_text="Leave out").first.click()
        history = page.locator(".st-key-revisions")
        expect(history).to_contain_text("Revision 2 of 2", timeout=MINUTE)
        mended = now(workspace)
        assert len(mended.samples) == len(planted.samples) - 2 * COPIES
        expect(copies).to_have_count(0, timeout=2 * MINUTE)

        # Wrong labels come out at one click, on the page and on the map; the ticked ones take the names suggested.
        button(page, "check_labels").click()
        wrong = finding(page, "wrong-labels")
        expect(wrong).to_be_visible(timeout=4 * MINUTE)
        settle(page)
        look_at_the_map(page, planted)
        wrong.locator("summary").click()
        suspects = wrong.locator("[class*=st-key-tickable] img")
        wait_for(lambda: sum("wrong-" in alt for alt in told(suspects)) == WRONG)
        for place, alt in enumerate(told(suspects)):
            if "wrong-" in alt:
                suspects.nth(place).click(force=True, position={"x": 40, "y": 40})
                settle(page)
        expect(page.locator(".st-key-tick_bar")).to_contain_text(f"{WRONG} ticked")
        assert_well(page)
        button(page, "relabel_suggested").click()
        expect(history).to_contain_text("Revision 3 of 3", timeout=MINUTE)
        for sample in now(workspace).samples:
            truth = Path(sample.name).name.split("-")[1]
            assert now(workspace).classes[sample.label] == truth, sample.name

        rename_from_the_sheet(page, workspace)
        go_back(page, workspace)
        deal_anew(page, workspace)
        train(page, workspace)
    assert complaints == []


def spoiled(workspace: Workspace, folder: Path) -> Dataset:
    """Drawn cells with faults: mirrored copies under another class, and pictures of every class in a wrong one. Files
    are called by their true class: "cell-monocyte-0007.jpg", "mirrored-..." and "wrong-..."."""
    drawn = Workspace(folder / "drawn")
    proposal = make_demo(drawn, "blood-smear", {"classes": 3, "images": 120, "size": 96, "difficulty": 0.0, "seed": 3})
    source = keep(drawn, proposal.id, name="Cells")
    home, step = folder / "spoiled", len(source.samples) // WRONG
    for number, sample in enumerate(source.samples):
        label = source.classes[sample.label]
        other = source.classes[(sample.label + 1 + number // step % 2) % len(source.classes)]
        kind, place = ("cell", label) if number % step else ("wrong", other)
        target = home / place / f"{kind}-{label}-{number:04d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source.path(sample), target)
        if 0 < number <= COPIES:
            with Image.open(source.path(sample)) as picture:
                mirrored = ImageOps.mirror(picture.convert("RGB"))
            mirrored.save(home / other / f"mirrored-{label}-{number:04d}.jpg", quality=90)
    return keep(workspace, inspect(workspace, home, name="Spoiled cells").id, name="Spoiled cells")


def now(workspace: Workspace) -> Dataset:
    """The dataset in its newest revision."""
    [card] = Library(workspace).cards()
    return Library(workspace).get(card.id)


def finding(page: Page, check: str) -> Locator:
    """What a check found, if it did."""
    return page.locator(f"[class*=st-key-finding_][class*=_{check}_]")


def look_at_the_map(page: Page, planted: Dataset) -> None:
    """Whoever draws around the points of the map sees the pictures behind them, and can tick them all."""
    panel = page.locator(".st-key-map")
    panel.scroll_into_view_if_needed()
    settle(page)
    place = panel.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99), (0.01, 0.02)]
    (left, top), *others = [(place["x"] + x * place["width"], place["y"] + y * place["height"]) for x, y in corners]
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(x, y, steps=6)
    page.mouse.up()
    expect(panel).to_contain_text(f"{len(planted.samples) - 2 * COPIES} pictures", timeout=MINUTE)
    expect(panel.locator("[class*=st-key-tickable] img").first).to_be_visible()
    settle(page)
    button(page, "map_tick").click()
    bar = page.locator(".st-key-tick_bar")
    expect(bar).to_contain_text(f"{len(planted.samples) - 2 * COPIES} ticked")
    settle(page)
    assert_well(page)
    button(page, "untick").click()
    expect(bar).to_have_count(0)
    settle(page)


def rename_from_the_sheet(page: Page, workspace: Workspace) -> None:
    """A picture of the contact sheet is ticked and gets a class of its own, whose name stays text."""
    settle(page)
    sheet = page.locator(".st-key-sheet_data img")
    sheet.first.click(force=True, position={"x": 40, "y": 40})
    bar = page.locator(".st-key-tick_bar")
    expect(bar).to_contain_text("1 ticked")
    bar.locator("[class*=st-key-rename_menu] button").first.click()
    field = page.locator("[class*=st-key-tick_class] input")
    field.fill(NEW)
    field.press("Enter")
    settle(page)
    button(page, "relabel").click()
    history = page.locator(".st-key-revisions")
    expect(history).to_contain_text("Revision 4 of 4", timeout=MINUTE)
    expect(history).to_contain_text(f"1 picture now called {NEW}")
    assert NEW in now(workspace).classes


def go_back(page: Page, workspace: Workspace) -> None:
    """Every revision is listed with what it changed; an earlier one can be had again."""
    settle(page)
    history = page.locator(".st-key-revisions")
    history.locator("summary").click()
    expect(page.locator(".st-key-revision_3")).to_contain_text("now called")
    expect(page.locator(".st-key-revision_2")).to_contain_text("left out")
    page.locator(".st-key-revision_pictures_2 label").first.click()
    expect(page.locator(".st-key-revision_2 img")).to_have_count(2 * COPIES)
    settle(page)
    assert_well(page)
    button(page, "restore_3").click()
    expect(history).to_contain_text("Revision 5 of 5", timeout=MINUTE)
    assert NEW not in now(workspace).classes


def deal_anew(page: Page, workspace: Workspace) -> None:
    """Another seed deals other splits, as one more revision."""
    settle(page)
    before = {sample.id for sample in now(workspace).of("test")}
    button(page, "split_anew").click()
    expect(button(page, "deal")).to_be_visible()
    type_number(page, "anew_seed", 7)
    settle(page)
    button(page, "deal").click()
    expect(page.locator(".st-key-revisions")).to_contain_text("Revision 6 of 6", timeout=MINUTE)
    assert {sample.id for sample in now(workspace).of("test")} != before


def train(page: Page, workspace: Workspace) -> None:
    """A run learns from the newest revision, and names it."""
    settle(page)
    go(page, "Train")
    expect(button(page, "train")).to_be_enabled(timeout=MINUTE)
    settle(page)
    choose(page.locator(".st-key-train_image_size").get_by_role("combobox"), "64 × 64")
    settle(page)
    button(page, "train").click()
    expect(page.get_by_text("Data: Spoiled cells, revision 6")).to_be_visible(timeout=MINUTE)
    expect(button(page, "to_evaluate")).to_be_visible(timeout=3 * MINUTE)
    expect(page.locator(".st-key-stop")).to_have_count(0, timeout=3 * MINUTE)
    store = RunStore(workspace)
    [summary] = store.list()
    run = store.get(summary.id)
    assert run.status.state == "finished", run.status.sentence
    assert run.facts.revision == 6
    assert run.facts.dataset_fingerprint == now(workspace).fingerprint
    go(page, "Runs")
    expect(page.get_by_text("Data: Spoiled cells, revision 6")).to_be_visible(timeout=MINUTE)
    settle(page)
    assert_well(page)
