"""What is handed in and what comes of it: download the bundle, change one number in it, and be told which."""

import zipfile

import pytest
from playwright.sync_api import Page, expect

from core.data.demo import make_demo
from core.data.incoming import keep
from core.executors.inline import InlineExecutor
from core.runs.store import RunStore
from core.workspace import Workspace
from tests.browser.conftest import CHROMIUM, QUIET, assert_well, settle
from tests.browser.steps import MINUTE
from tests.running import small


@pytest.mark.timeout(300)
def test_the_bundle_is_downloaded_one_number_is_changed_and_the_page_says_which(
    page: Page, serve, workspace: Workspace, complaints, tmp_path, playwright
):
    dataset = keep(workspace, make_demo(workspace, "blood-smear", {"classes": 3, "images": 60, "size": 32}).id)
    run = RunStore(workspace).create(small(dataset), dataset)
    InlineExecutor(workspace).submit(run)
    with serve(workspace) as address:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(f"{address}/report?run={run}")
        bundle = page.locator(".st-key-report_zip button:visible").first
        expect(bundle).to_be_visible(timeout=2 * MINUTE)
        expect(page.frame_locator(".st-key-report_preview iframe").locator(".headline")).to_contain_text("validation")
        settle(page)
        assert_well(page)
        with page.expect_download() as download:
            bundle.click()
        download.value.save_as(tmp_path / "report.zip")

        # One number of the first sentence is made prettier.
        with zipfile.ZipFile(tmp_path / "report.zip") as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        html = files["report.html"].decode()
        start = html.index('class="headline"')
        place = html.index(" %", start) - 1
        before, after = html[place], str((int(html[place]) + 1) % 10)
        files["report.html"] = (html[:place] + after + html[place + 1 :]).encode()
        with zipfile.ZipFile(tmp_path / "prettier.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)

        # The whole one matches; the prettier one does not, and the page says where.
        page.get_by_role("tab", name="Verify a bundle").click()
        dropped = page.locator(".st-key-verify_file input[type=file]")
        dropped.set_input_files(tmp_path / "report.zip")
        told = page.locator(".st-key-verification")
        expect(told).to_contain_text("Everything matches", timeout=MINUTE)
        dropped.set_input_files(tmp_path / "prettier.zip")
        expect(told).to_contain_text("1 place in report.html does not match", timeout=MINUTE)
        expect(told).to_contain_text("First page")
        number = html[html.rindex(" ", 0, place) + 1 : place]
        expect(told).to_contain_text(f"found {number}{after}")
        expect(told).to_contain_text(f"should be {number}{before}")
        settle(page)
        assert_well(page)
    assert complaints == []

    # What was handed in needs no network, and prints on a few pages.
    (tmp_path / "report.html").write_text(html, encoding="utf-8")
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
    try:
        alone = browser.new_page(viewport={"width": 390, "height": 844})
        asked: list[str] = []
        alone.on("request", lambda request: asked.append(request.url))
        alone.goto((tmp_path / "report.html").as_uri())
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert alone.evaluate("document.documentElement.scrollWidth") <= 390
        broken = "[...document.images].filter(image => !image.naturalWidth).length"
        assert alone.evaluate(broken) == 0
        pages = alone.pdf(prefer_css_page_size=True).count(b"/Type /Page\n")
        assert 3 <= pages <= 12
    finally:
        browser.close()
