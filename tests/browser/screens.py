"""Pictures of whole pages, taken when they have come to rest: on a screen and on a phone, by day and by night."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import assert_well, listen, pictures, renews_the_readme, settle
from tests.browser.server import ROOT

SCREENS = {"1440x900": (1440, 900), "390x844": (390, 844)}
TALLEST = 6000  # pixels of a page in one picture
README_WIDTH = 1120  # pixels: small files, and still readable


@contextmanager
def window(browser: Browser, screen: str, scheme: str) -> Iterator[Page]:
    """A window of this size in this colour scheme; at the end its console has no errors."""
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    heard = listen(page)
    yield page
    context.close()
    assert heard == []


def take(page: Page, name: str, screen: str, scheme: str, *, live: bool = False) -> Path:
    """A picture of the window, and one of the page from top to bottom, once nothing is broken or too wide.

    A live page never rests: its curves are waited for.
    """
    width, height = SCREENS[screen]
    if live:
        expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible(timeout=60_000)
    else:
        settle(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=60_000)
    page.wait_for_function("() => [...document.images].every(image => image.complete)")
    page.wait_for_timeout(1500)  # charts are drawn in after their script has ended
    assert_well(page)
    file = pictures() / f"{name}-{screen}-{scheme}.png"
    page.screenshot(path=file)
    whole = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(max(whole, 400) + 60, TALLEST)})
    page.wait_for_timeout(700)
    page.screenshot(path=file.with_stem(file.stem + "-whole"))
    page.set_viewport_size({"width": width, "height": height})
    return file


def for_the_readme(page: Page, name: str) -> None:
    """Renew a picture of the README with what the window shows, where this run is to do that."""
    if renews_the_readme():
        file = pictures() / f"{name}-for-the-readme.png"
        page.screenshot(path=file)
        put_into_the_readme(file, name)


def put_into_the_readme(file: Path, name: str) -> None:
    """Keep a picture for the README, small."""
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(file) as picture:
        small = picture.convert("RGB")
        small.thumbnail((README_WIDTH, 3 * README_WIDTH), Image.Resampling.LANCZOS)
        small.quantize(192, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            folder / f"{name}.png", optimize=True
        )
