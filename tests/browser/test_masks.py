"""The same journey for masks: from drawn polyps to the outline of a polyp in a picture of one's own."""

import csv
import re
import time
import zipfile
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from core.data.dataset import IGNORE, Dataset
from core.data.library import Library
from core.data.mask_files import read_mask
from core.evaluate.masks import MaskTable
from core.evaluate.segmentation import image_rows
from core.predict.submission import decode
from core.runs.store import RunStore
from core.workspace import Workspace
from tests.browser.conftest import assert_well, settle
from tests.browser.steps import (
    MINUTE,
    button,
    choose,
    click_row,
    go,
    points,
    sources,
    told,
    type_number,
    wait_for,
)

EPOCHS = 3
PICTURES = ("Truth", "Answer", "Where they differ")


@pytest.mark.timeout(900)
def test_from_drawn_polyps_to_the_mask_of_a_picture_of_ones_own(
    page: Page, serve, workspace: Workspace, complaints, tmp_path
):
    with serve(workspace) as address:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(address)
        settle(page)
        dataset = draw(page, workspace)
        augment(page)
        run = train(page, workspace)
        evaluate(page, run)
        predict(page, dataset, run, tmp_path)
    assert complaints == []


@pytest.mark.timeout(300)
def test_a_zip_of_pairs_is_audited_its_values_are_mapped_and_only_then_it_is_kept(
    page: Page, serve, workspace: Workspace, tmp_path, complaints
):
    archive = tmp_path / "pairs.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for number in range(10):
            for name, content in a_pair(number, spoiled=number == 9).items():
                target.writestr(f"{name}/{number}.png", content)
    with serve(workspace) as address:
        page.goto(address)
        settle(page)
        page.locator(".st-key-own_zip input[type=file]").set_input_files(str(archive))
        button(page, "own_zip_go").click()
        expect(button(page, "keep")).to_be_visible(timeout=MINUTE)
        settle(page)
        audit = page.locator(".st-key-audit")
        expect(audit).to_contain_text("masks/9.png has 168 pixels of 77")
        expect(page.locator(".st-key-sheet_audit img")).to_have_count(8)
        page.locator(".st-key-found_skipped summary").click()
        previews = sources(page.locator(".st-key-sheet_audit img"))
        field = audit.get_by_role("textbox", name="Class of 128")
        field.fill("<b>lumen</b>")
        field.press("Enter")
        expect(page.get_by_text("<b>lumen</b>", exact=False).first).to_be_visible()
        settle(page)
        choose(audit.get_by_role("combobox", name="What 255 is"), "is ignored")
        wait_for(lambda: set(sources(page.locator(".st-key-sheet_audit img"))) - set(previews))
        settle(page)
        assert Library(workspace).cards() == []
        assert_well(page)
        button(page, "keep").click()
        expect(button(page, "to_augment")).to_be_visible(timeout=MINUTE)
        [card] = Library(workspace).cards()
        dataset = Library(workspace).get(card.id)
        assert card.classes == ("background", "<b>lumen</b>")
        assert len(dataset.samples) == 9
        [refused] = dataset.skipped
        assert "9.png" in refused.file
        assert "77" in refused.reason
        kinds = {int(kind) for sample in dataset.samples for kind in np.unique(read_mask(dataset.mask(sample)))}
        assert kinds == {0, 1, IGNORE}
        settle(page)
        assert_well(page)
    assert complaints == []


def a_pair(number: int, *, spoiled: bool) -> dict[str, bytes]:
    """An image and its mask of grey levels 0, 128 and 255; a spoiled one has some pixels of 77."""
    picture = np.random.default_rng(number).integers(0, 255, (40, 40, 3), np.uint8)
    mask = np.zeros((40, 40), np.uint8)
    mask[5:30, 5:30] = 128
    mask[12:20, 12:20] = 255
    if spoiled:
        mask[32:38, 2:30] = 77
    files = {}
    for name, pixels in (("images", picture), ("masks", mask)):
        Image.fromarray(pixels).save(file := BytesIO(), "PNG")
        files[name] = file.getvalue()
    return files


def draw(page: Page, workspace: Workspace) -> Dataset:
    """Data: one click draws the polyps and keeps them; their masks lie over the contact sheet."""
    clicked = time.monotonic()
    button(page, "demo_polyps").click()
    expect(button(page, "to_augment")).to_be_visible(timeout=MINUTE)
    print(f"demo polyps after {time.monotonic() - clicked:.1f} s")
    [card] = Library(workspace).cards()
    assert card.classes == ("background", "neoplastic", "non-neoplastic")
    expect(page.locator(".st-key-dataset_facts")).to_contain_text("200 images")
    settle(page)
    sheet = page.locator(".st-key-sheet_data img")
    outlined = sources(sheet)
    page.locator(".st-key-data_style").get_by_text("No masks", exact=True).click()
    wait_for(lambda: not set(sources(sheet)) & set(outlined))
    assert_well(page)
    return Library(workspace).get(card.id)


def augment(page: Page) -> None:
    """Augment: image and mask are varied by one draw; the outlines can be taken away."""
    button(page, "to_augment").click()
    variants = page.locator(".st-key-variants_0 img")
    expect(variants).to_have_count(12, timeout=MINUTE)
    with_masks = sources(variants)
    page.locator(".st-key-augment_masks").get_by_text("No masks", exact=True).click()
    wait_for(lambda: len(now := sources(variants)) == 12 and not set(now) & set(with_masks))
    assert_well(page)
    button(page, "to_train").click()


def train(page: Page, workspace: Workspace):
    """Train: fewer and smaller pictures than by default; the curves and the same few images change as it learns."""
    expect(button(page, "train")).to_be_enabled(timeout=MINUTE)
    settle(page)
    type_number(page, "train_phases_0_epochs", EPOCHS)
    settle(page)
    choose(page.locator(".st-key-train_image_size").get_by_role("combobox"), "64 × 64")
    settle(page)
    expect(page.locator(".st-key-train_phases_0_epochs input")).to_have_value(str(EPOCHS))
    assert_well(page)
    clicked = time.monotonic()
    button(page, "train").click()
    wait_for(lambda: points(page, "curve_loss") > 0, 90)
    print(f"first point of the curve after {time.monotonic() - clicked:.1f} s")
    store = RunStore(workspace)
    [summary] = store.list()
    looks = page.locator(".st-key-looks img")
    expect(looks.first).to_be_visible(timeout=2 * MINUTE)
    expect(button(page, "to_evaluate")).to_be_visible(timeout=3 * MINUTE)
    expect(page.locator(".st-key-stop")).to_have_count(0, timeout=3 * MINUTE)
    print(f"finished after {time.monotonic() - clicked:.1f} s")
    run = store.get(summary.id)
    assert run.status.state == "finished", run.status.sentence
    assert (run.recipe.epochs, run.recipe.image_size) == (EPOCHS, 64)
    expect(page.locator(".st-key-run_numbers")).to_contain_text(f"{run.status.best['dice']:.3f}")
    assert points(page, "curve_score") >= 2 * EPOCHS
    settle(page)

    # Back through the epochs: the truth stays, the predictions change.
    wait_for(lambda: any(f"after epoch {EPOCHS}" in alt for alt in told(looks)))
    last = dict(zip(told(looks), sources(looks), strict=True))
    page.locator("[class*=st-key-look_epoch]").get_by_role("slider").press("Home")
    wait_for(lambda: any("after epoch 1" in alt for alt in told(looks)))
    first = dict(zip(told(looks), sources(looks), strict=True))
    truths = [alt for alt in last if "true mask" in alt]
    assert truths
    assert [first[alt] for alt in truths] == [last[alt] for alt in truths]
    assert set(first.values()) != set(last.values()), "three epochs of learning show"
    assert_well(page)
    return run


def evaluate(page: Page, run) -> None:
    """Evaluate: both ways of summing up, and a row of the table of images that opens its picture."""
    button(page, "to_evaluate").click()
    headline = page.locator(".st-key-headline")
    expect(headline).to_contain_text("mean Dice pooled", timeout=MINUTE)
    expect(headline).to_contain_text(re.compile(r"0\.\d{3}.*\[0\.\d{3}–[01]\.\d{3}\]", re.DOTALL))
    rows = image_rows(MaskTable.read(run.paths.predictions("validation")))
    overlays = page.locator(".st-key-overlays img")
    expect(overlays).to_have_count(3, timeout=MINUTE)
    assert told(overlays) == [f"{what}: {rows[0].file}" for what in PICTURES], "the worst first"
    settle(page)

    click_row(page, "per_image", 8)
    wait_for(lambda: told(overlays) == [f"{what}: {rows[8].file}" for what in PICTURES])
    settle(page)
    before = sources(overlays)
    page.locator(".st-key-overlay_style").get_by_text("Filled", exact=True).click()
    wait_for(lambda: len(set(sources(overlays)) - set(before)) >= 1)
    button(page, "better").click()
    wait_for(lambda: told(overlays) == [f"{what}: {rows[9].file}" for what in PICTURES])
    settle(page)
    pooled = headline.inner_text()
    page.locator(".st-key-with_background label").first.click()
    wait_for(lambda: "background included" in page.locator("main, [data-testid=stMain]").first.inner_text())
    assert headline.inner_text() != pooled
    settle(page)
    assert_well(page)


def predict(page: Page, dataset: Dataset, run, folder: Path) -> None:
    """Predict: a picture gets its mask in its own size, as a file of indices, as colours, and as run lengths."""
    sample = dataset.of("test")[0]
    picture = folder / "my polyp.png"
    with Image.open(dataset.path(sample)) as image:
        image.convert("RGB").resize((150, 110)).save(picture)
    bad = folder / "no picture <b>.jpg"
    bad.write_text("only text")
    go(page, "Predict")
    settle(page)
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files([str(picture), str(bad)])
    shown = page.locator(".st-key-answer_0 img").first
    expect(shown).to_have_attribute("alt", "my polyp.png: mask", timeout=MINUTE)
    expect(page.locator(".st-key-answer_1")).to_contain_text("cannot be read as a picture")
    settle(page)
    assert_well(page)

    mask = np.asarray(Image.open(BytesIO(downloaded(page, "mask_png_0", "my polyp.mask.png"))))
    assert mask.shape == (110, 150)
    assert set(np.unique(mask)) <= {0, 1, 2}
    with Image.open(BytesIO(downloaded(page, "colour_png_0", "my polyp.colours.png"))) as colours:
        assert (colours.size, colours.mode) == ((150, 110), "RGB")
    lines = csv.DictReader(StringIO(downloaded(page, "submission_csv", f"{run.id} submission.csv").decode()))
    codes = {line["Id"]: line["Expected"] for line in lines}
    assert list(codes) == ["my polyp_0", "my polyp_1"]
    for place, code in enumerate(codes.values()):
        assert np.array_equal(decode(code, 110, 150), mask == place + 1)

    page.locator(".st-key-predict_view").get_by_text("Heat map", exact=True).click()
    expect(shown).to_have_attribute("alt", "my polyp.png: heat map", timeout=MINUTE)
    settle(page)
    assert_well(page)


def downloaded(page: Page, key: str, name: str) -> bytes:
    """The file behind a download button, which is called so."""
    with page.expect_download() as waiting:
        button(page, key).click()
    assert waiting.value.suggested_filename == name
    return Path(waiting.value.path()).read_bytes()
