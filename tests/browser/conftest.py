"""What the browser tests share: Chromium where the system has one, servers, and what a page must never show."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from core.workspace import Workspace
from tests.browser.server import ROOT, end_workers, serving

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
]
NOISE = re.compile(
    r"fonts\.gstatic|favicon|ResizeObserver|Infinite extent|preloaded using link preload|Unrecognized feature|"
    r"WebSocket (connection|is closed)|net::ERR_(CONNECTION_REFUSED|NAME_NOT_RESOLVED|INTERNET_DISCONNECTED)|"
    r"GPU stall|WebGL|allow-same-origin|/\w+/_stcore/(health|host-config)|404 .*/media/\w+\.|Image source error",
    re.IGNORECASE,
)  # known, harmless, and not ours. Streamlit looks for its base path after a deep link, and forgets the pictures of a
# page that was left while they were still loading; that no picture on show is broken is what `assert_well` sees to.

expect.set_options(timeout=60_000)  # other things may have the machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in this folder; without a browser skip it and nothing else."""
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium here; apt-get install chromium"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": QUIET}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable]:
    """Start servers over workspaces of this test; their workers are ended with the test."""
    used = []

    def start(workspace: Workspace, **options):
        used.append(workspace.root)
        workspace.root.mkdir(parents=True, exist_ok=True)
        return serving(workspace.root, **options)

    yield start
    for root in used:
        end_workers(root)


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """Every error the page writes to the browser's console, known noise left out."""
    return listen(page)


def listen(page: Page) -> list[str]:
    """A list that fills with the errors of `page`."""
    heard: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        told = f"{message.text} {message.location.get('url', '')}"
        if message.type == "error" and not NOISE.search(told):
            heard.append(told)

    page.on("console", hear)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


def settle(page: Page) -> None:
    """Wait until the page is connected and its script has come to rest."""
    page.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]").wait_for(timeout=60_000)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)


# The pictures that the browser could not show and cannot show now. Streamlit lets go of a run's pictures for a moment
# when another run follows on its heels; one that is asked for just then is answered 404, although it is there again.
BROKEN = """async () => {
    const there = async address => {
        try {
            return (await createImageBitmap(await (await fetch(address)).blob())).width > 0;
        } catch {
            return false;
        }
    };
    const blank = [...document.images].filter(image => !image.naturalWidth).map(image => image.src);
    const found = await Promise.all(blank.map(there));
    return blank.filter((_, place) => !found[place]);
}"""


def assert_well(page: Page) -> None:
    """No exception is shown, no picture is broken, and nothing scrolls sideways."""
    assert page.get_by_test_id("stException").all_inner_texts() == []
    page.wait_for_function("() => [...document.images].every(image => image.complete)", timeout=60_000)
    assert page.evaluate(BROKEN) == []
    wide = page.evaluate(
        """() => {
            const inside = document.querySelector('[data-testid=stMain]') || document.scrollingElement;
            return [document.scrollingElement, inside]
                .map(element => element.scrollWidth - element.clientWidth).reduce((a, b) => Math.max(a, b));
        }"""
    )
    assert wide <= 1, f"{page.url} is {wide} px wider than its window"


def pictures() -> Path:
    """Where pictures of the pages go: `artifacts/`, which git ignores."""
    folder = ROOT / "artifacts"
    folder.mkdir(exist_ok=True)
    return folder


def renews_the_readme() -> bool:
    """Whether this run also renews the README's pictures."""
    return os.environ.get("FOVEA_DOCS") == "1"
