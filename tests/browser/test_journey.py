"""The first five minutes of a newcomer, walked in a real browser from an empty workspace to a named photo."""

import io
import re
import time
import zipfile

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from core.data.demo import make_demo
from core.data.incoming import keep
from core.data.library import Library
from core.evaluate.results import read_result
from core.executors.local import LocalExecutor
from core.recipe import Recipe
from core.runs.seal import openings
from core.runs.store import RunStore
from core.workspace import Workspace, read_json
from pages.shared.gallery import PAGE
from tests.browser.conftest import assert_well, settle
from tests.browser.steps import MINUTE, button, click_point, go, points, sources, told, wait_for


@pytest.mark.timeout(600)
def test_from_an_empty_workspace_to_the_name_of_a_photo(page: Page, serve, workspace: Workspace, complaints, tmp_path):
    with serve(workspace) as address:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(address)
        settle(page)

        # Data: one click draws the cells and keeps them.
        clicked = time.monotonic()
        button(page, "demo_cells").click()
        expect(button(page, "to_augment")).to_be_visible(timeout=MINUTE)
        print(f"demo cells after {time.monotonic() - clicked:.1f} s")
        [card] = Library(workspace).cards()
        assert (card.samples, len(card.classes)) == (400, 4)
        expect(page.locator(".st-key-dataset_facts")).to_contain_text("400 images")
        assert_well(page)

        # Augment: another policy gives other variants, and the originals stay.
        button(page, "to_augment").click()
        variants = page.locator(".st-key-variants_0 img")
        expect(variants).to_have_count(12, timeout=MINUTE)
        original, *before = sources(variants)
        page.locator(".st-key-augment_policy_classification").get_by_text("Heavy", exact=True).click()
        wait_for(lambda: len(now := sources(variants)) == 12 and not set(now[1:]) & set(before))
        assert sources(variants)[0] == original
        page.locator(".st-key-augment_policy_classification").get_by_text("Light", exact=True).click()
        wait_for(lambda: sources(variants) == [original, *before])
        assert_well(page)
        button(page, "to_train").click()

        # Train: one button. The curve moves.
        expect(button(page, "train")).to_be_enabled()
        settle(page)
        clicked = time.monotonic()
        button(page, "train").click()
        wait_for(lambda: points(page, "curve_loss") > 0)
        print(f"first point of the curve after {time.monotonic() - clicked:.1f} s")
        seen = points(page, "curve_loss")
        store = RunStore(workspace)
        [summary] = store.list()
        assert not summary.state.is_finished, "the curve is there while the run is at work"
        assert_well(page)

        # Reload in the middle: the run is there, and still going.
        page.reload()
        expect(page.get_by_role("heading", level=1, name="Train")).to_be_visible(timeout=MINUTE)
        wait_for(lambda: points(page, "curve_loss") > seen)
        assert summary.id in page.url

        # Finished: the page says so by itself, with the accuracy and its interval.
        numbers = page.locator(".st-key-run_numbers")
        expect(button(page, "to_evaluate")).to_be_visible(timeout=3 * MINUTE)
        expect(page.locator(".st-key-stop")).to_have_count(0, timeout=3 * MINUTE)
        print(f"finished after {time.monotonic() - clicked:.1f} s")
        expect(numbers).to_contain_text(re.compile(r"0\.\d{3}"))
        expect(numbers).to_contain_text(re.compile(r"\[0\.\d{3}–[01]\.\d{3}\]"))
        status = store.status(summary.id)
        assert status.state == "finished", status.sentence
        assert status.best["accuracy"] > 0.5, "four classes: chance is a quarter"
        assert_well(page)

        # Evaluate: the report on validation; the test split is opened once, and that is written down.
        settle(page)
        button(page, "to_evaluate").click()
        headline = page.locator(".st-key-headline")
        expect(headline).to_contain_text(f"{status.best['accuracy']:.3f}", timeout=MINUTE)
        # A click on a cell of the matrix shows the pictures in it, and no others.
        settle(page)
        shown = read_result(store.get(summary.id).paths.results("validation"))
        click_point(page, "matrix", 4 + 1)  # second row, second column
        name = shown.classes[1]
        expect(page.get_by_role("heading", name=f"{name}, named rightly")).to_be_visible(timeout=MINUTE)
        pictures = page.locator(".st-key-sheet_mistakes img")
        expect(pictures).to_have_count(min(PAGE, shown.confusion[1][1]), timeout=MINUTE)
        assert all(f"is {name}, called {name}" in words for words in told(pictures))
        paths = store.get(summary.id).paths
        assert openings(paths) == []
        page.locator(".st-key-evaluate_split").get_by_text("Test").click()
        expect(page.locator(".st-key-seal")).to_contain_text("sealed")
        button(page, "open_test").click()
        expect(page.locator(".st-key-seal")).to_contain_text("Opened 1 time", timeout=MINUTE)
        assert len(openings(paths)) == 1
        settle(page)
        assert_well(page)

        # Predict: two pictures, and a text that only says it is one.
        dataset = Library(workspace).get(card.id)
        pictures = [dataset.path(sample) for sample in dataset.of("test")[:2]]
        bad = tmp_path / "no picture <b>.jpg"
        bad.write_text("only text")
        go(page, "Predict")
        settle(page)
        page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files([*map(str, pictures), str(bad)])
        answers = page.get_by_test_id("stMain").or_(page.locator("main")).first
        for name in dataset.classes:
            expect(answers.get_by_text(name, exact=False).first).to_be_attached(timeout=MINUTE)
        expect(answers.get_by_text("no picture").first).to_be_visible()
        settle(page)
        assert_well(page)

        # Runs: it is on the list, and the recipe says what was chosen.
        go(page, "Runs")
        settle(page)
        expect(page.locator(".st-key-run_panel")).to_contain_text("finished")
        assert_well(page)
    assert complaints == []


@pytest.mark.timeout(300)
def test_a_killed_worker_is_noticed_within_15_seconds_and_its_run_can_be_resumed(page: Page, serve, workspace):
    dataset = keep(workspace, make_demo(workspace, "blood-smear", {"images": 60, "size": 48}).id)
    phase = {"name": "everything", "trainable": "everything", "epochs": 500, "learning_rate": 1e-4}
    recipe = Recipe(dataset=dataset.id).set({"image_size": 32, "batch_size": 8, "phases.0": phase})
    store = RunStore(workspace)
    run = store.create(recipe, dataset)
    LocalExecutor(workspace).submit(run)
    wait_for(lambda: store.status(run).epochs_done >= 1, 90)
    with serve(workspace) as address:
        page.goto(f"{address}/train?run={run}")
        wait_for(lambda: points(page, "curve_loss") > 0)
        psutil.Process(read_json(store.get(run).paths.worker)["pid"]).kill()
        killed = time.monotonic()
        expect(page.get_by_text("The worker ended without a word").first).to_be_visible(timeout=15_000)
        print(f"noticed after {time.monotonic() - killed:.1f} s")
        expect(page.locator(".st-key-run_log")).to_be_visible()
        done = store.status(run).epochs_done
        button(page, "resume").click()
        wait_for(lambda: store.status(run).epochs_done > done, 90)
        assert store.status(run).attempt == 2
        button(page, "stop").click()
        expect(page.get_by_text("Stopped on request").first).to_be_visible(timeout=30_000)


@pytest.mark.timeout(300)
def test_a_zip_with_hostile_names_is_shown_as_text_and_kept(page: Page, serve, workspace, tmp_path, complaints):
    script, markdown = "<script>alert(1)</script>", "a *b* [c](d) 🐈"
    archive = tmp_path / "names.zip"
    generator = np.random.default_rng(0)
    with zipfile.ZipFile(archive, "w") as target:
        for label in ("<img src=x onerror=alert(1)>", markdown):
            for number in range(8):
                file = io.BytesIO()
                Image.fromarray(generator.integers(0, 255, (32, 32, 3), np.uint8)).save(file, "PNG")
                target.writestr(f"{label}/{number} '{'x' * number}'.png", file.getvalue())
            target.writestr(f"{label}/{script.replace('/', '')}.jpg", b"no picture")
    alarms: list[str] = []
    page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
    with serve(workspace) as address:
        page.goto(address)
        settle(page)
        page.locator(".st-key-own_zip input[type=file]").set_input_files(str(archive))
        button(page, "own_zip_go").click()
        expect(button(page, "keep")).to_be_visible(timeout=MINUTE)
        settle(page)
        expect(page.get_by_text("Skipped files (2)").first).to_be_visible()
        assert page.locator("main img[src='x'], [data-testid=stMain] img[src='x']").count() == 0
        assert_well(page)
        button(page, "keep").click()
        expect(button(page, "to_augment")).to_be_visible(timeout=MINUTE)
        [card] = Library(workspace).cards()
        assert markdown in card.classes
        assert_well(page)
    assert alarms == []
    assert complaints == []
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"names.zip", "workspace", "workspace.server.log"}, "nothing is written outside the workspace"
