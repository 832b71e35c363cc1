"""What a person does on a page, and waits for: buttons by their keys, pages by the list at the side."""

import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

MINUTE = 60_000  # milliseconds
_HEADER, _ROW = 35, 35  # pixels, of a table


def button(page: Page, key: str) -> Locator:
    """The button with this key."""
    return page.locator(f".st-key-{key} button").first


def go(page: Page, name: str) -> None:
    """To another page by the list at the side."""
    page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def choose(box: Locator, option: str) -> None:
    """Take an option of a drop-down list. A page that still moves closes the list again: then it is opened again."""
    wanted = box.page.get_by_role("option", name=option, exact=True)

    def opened() -> bool:
        if not wanted.is_visible():
            box.click()
            box.page.wait_for_timeout(400)
        return wanted.is_visible()

    wait_for(opened)
    wanted.click()


def type_number(page: Page, key: str, value: float) -> None:
    """Type into a number field."""
    field = page.locator(f".st-key-{key} input")
    field.fill(str(value))
    field.press("Enter")


def click_row(page: Page, table: str, place: int) -> None:
    """Choose a row of a table by the box at its left; tables are drawn on a canvas, so it is known by its place."""
    cells = page.locator(f".st-key-{table} .dvn-scroller").first
    cells.click(position={"x": 16, "y": _HEADER + _ROW * place + _ROW // 2})


def points(page: Page, chart: str) -> int:
    """How many points a chart draws, over all of its traces."""
    return page.evaluate(
        """key => {
            const plot = document.querySelector(`.st-key-${key} .js-plotly-plot`);
            return plot ? plot.data.reduce((sum, trace) => sum + (trace.x ? trace.x.length : 0), 0) : 0;
        }""",
        chart,
    )


def click_point(page: Page, chart: str, place: int) -> None:
    """Click the point of a chart that it draws at this place, counted from 0; what lies over the points gets it."""
    box = page.locator(f".st-key-{chart} .js-plotly-plot .scatterlayer .point").nth(place).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def sources(images: Locator) -> list[str]:
    """Where pictures come from: another picture has another address."""
    return [image.get_attribute("src") for image in images.all()]


def told(images: Locator) -> list[str]:
    """What pictures show, as it is told to those who cannot see them."""
    return [image.get_attribute("alt") for image in images.all()]


def wait_for(what: Callable[[], object], patience: float = 60) -> None:
    """Wait until something holds, for `patience` seconds at most."""
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
