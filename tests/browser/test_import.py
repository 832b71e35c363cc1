"""An import that has to be told which column is which, and one that is called off, in a real browser."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from core.data.library import Library
from core.workspace import Workspace
from tests.browser.conftest import assert_well, settle
from tests.browser.steps import MINUTE, button, choose, wait_for

KINDS = ("rond", "hoekig <b>x</b>")
ROWS = [(f"doos{place // 4}_{place:02d}.png", KINDS[place % 2], "LR"[place // 2 % 2]) for place in range(32)]


@pytest.mark.timeout(300)
def test_a_table_with_odd_column_names_is_mapped_from_a_preview_and_a_wrong_column_is_put_right(
    page: Page, serve, workspace: Workspace, tmp_path, complaints
):
    files = written(tmp_path / "set")
    with serve(workspace) as address:
        page.goto(address)
        settle(page)
        page.locator(".st-key-own_zip input[type=file]").set_input_files(files)
        button(page, "own_zip_go").click()

        # What was guessed, over the first rows; the wrong column is taken for the class.
        mapping = page.locator(".st-key-mapping")
        expect(mapping).to_contain_text("Table of labels", timeout=MINUTE)
        settle(page)
        pick = mapping.get_by_role("combobox", name="Class")
        expect(pick).to_have_value("aard")
        assert_well(page)
        choose(pick, "kant")
        expect(mapping.get_by_role("combobox", name="Class")).to_have_value("kant")
        settle(page)
        button(page, "read").click()

        # It is seen in the classes, and put right.
        expect(button(page, "keep")).to_be_visible(timeout=MINUTE)
        expect(page.locator(".st-key-sheet_found")).to_contain_text("L")
        button(page, "read_again").click()
        settle(page)
        choose(mapping.get_by_role("combobox", name="Class"), "aard")
        settle(page)
        button(page, "read").click()
        expect(page.locator(".st-key-sheet_found")).to_contain_text(KINDS[1], timeout=MINUTE)

        # What belongs together is told from the file names.
        pattern = page.locator(".st-key-split_groups input")
        pattern.fill("{group}_*")
        pattern.press("Enter")
        expect(page.locator(".st-key-keep_form")).to_contain_text("8 groups, the largest first")
        settle(page)
        assert_well(page)
        assert Library(workspace).cards() == []
        button(page, "keep").click()
        expect(button(page, "to_augment")).to_be_visible(timeout=MINUTE)
        settle(page)
        assert_well(page)
    [card] = Library(workspace).cards()
    dataset = Library(workspace).get(card.id)
    assert set(dataset.classes) == set(KINDS)
    sides = {(sample.group, sample.split) for sample in dataset.samples}
    assert len(sides) == 8, "each box is in one split"
    assert complaints == []


@pytest.mark.timeout(300)
def test_an_import_shows_the_time_left_and_cancelling_it_leaves_nothing(
    page: Page, serve, workspace: Workspace, tmp_path, complaints
):
    with serve(workspace) as address:
        page.goto(address)
        settle(page)
        page.locator(".st-key-own_zip input[type=file]").set_input_files(str(large(tmp_path / "large.zip")))
        button(page, "own_zip_go").click()
        bar = page.get_by_test_id("stProgress")
        expect(bar).to_contain_text("left", timeout=MINUTE)
        button(page, "import_cancel").click()
        expect(button(page, "demo_cells")).to_be_visible(timeout=MINUTE)
        settle(page)
        assert_well(page)
    assert Library(workspace).cards() == []
    for folder in (workspace.incoming, workspace.cache / "uploads", workspace.cache / "progress"):
        wait_for(lambda folder=folder: not list(folder.iterdir()), 10)
    assert complaints == []


def written(folder: Path) -> list[str]:
    """A table and its pictures, as files to choose together."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name, _, _ in ROWS:
        Image.fromarray(generator.integers(0, 255, (24, 24, 3), np.uint8)).save(folder / name)
    with (folder / "lijst.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows([("plaat", "aard", "kant"), *ROWS])
    return [str(file) for file in sorted(folder.iterdir())]


def large(path: Path) -> Path:
    """A zip that takes a while: the same picture of many pixels under many names."""
    Image.linear_gradient("L").resize((3000, 3000)).save(file := io.BytesIO(), "JPEG", quality=30)
    with zipfile.ZipFile(path, "w") as target:
        for place in range(400):
            target.writestr(f"{'ab'[place % 2]}/{place}.jpg", file.getvalue())
    return path
