"""The list of runs in a real browser: looked at, named in place, put away, and several of them taken to Compare."""

import pytest
from playwright.sync_api import Page, expect

from core.runs.labels import Labels
from core.runs.store import RunStore
from core.seeding import fingerprint
from core.workspace import Workspace
from tests.browser.conftest import assert_well, settle
from tests.browser.steps import MINUTE, button, click_row, wait_for
from tests.comparing import answered_run, fruit

HOSTILE = "<b>bold</b> <img src=x onerror=alert(1)>"
_NAME = 300  # pixels from the left of a table to the middle of its names
_ROW = 35


def table(*runs):
    """The key of the table that lists these runs."""
    return f"runs_table_{fingerprint(*(run.id for run in runs))}"


@pytest.mark.timeout(300)
def test_runs_are_looked_at_named_compared_and_put_away(page: Page, serve, workspace: Workspace, complaints):
    data, store = fruit(workspace), RunStore(workspace)
    first, second, third = (answered_run(workspace, data, range(wrong), name=f"wrong {wrong}") for wrong in (30, 20, 9))
    with serve(workspace) as address:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(f"{address}/runs")
        settle(page)
        expect(page.get_by_role("heading", level=1, name="Runs")).to_be_visible(timeout=MINUTE)
        panel = page.locator(".st-key-run_panel")
        expect(panel.get_by_role("heading", name="wrong 9")).to_be_visible()

        # A touched row is the run below; its name is typed where it stands, and stays text.
        rows = page.locator(f".st-key-{table(third, second, first)} .dvn-scroller").first
        rows.click(position={"x": _NAME, "y": 2 * _ROW + _ROW + _ROW // 2})
        expect(panel.get_by_role("heading", name="wrong 30")).to_be_visible(timeout=MINUTE)
        name = page.locator(f".st-key-label_name_{first.id} input")
        name.fill(HOSTILE)
        name.press("Enter")
        expect(panel.get_by_role("heading", name=HOSTILE)).to_be_visible(timeout=MINUTE)
        wait_for(lambda: store.get(first.id).labels == Labels(HOSTILE))
        assert page.locator("main img[src='x'], main b").count() == 0
        settle(page)
        assert_well(page)

        # Ticked rows go together: two of them are put away, and come back when asked for.
        for place in range(2):
            click_row(page, table(third, second, first), place)
            settle(page)
        expect(page.get_by_text("2 runs ticked")).to_be_visible(timeout=MINUTE)
        button(page, "ticked_away").click()
        wait_for(lambda: store.get(second.id).labels.archived and store.get(third.id).labels.archived)
        expect(page.locator(f".st-key-{table(first)}")).to_be_visible(timeout=MINUTE)
        page.locator(".st-key-runs_archived label").click()
        again = table(third, second, first)
        expect(page.locator(f".st-key-{again}")).to_be_visible(timeout=MINUTE)
        settle(page)

        # Two ticked runs are compared, in the address too.
        for place in (1, 2):
            click_row(page, again, place)
            settle(page)
        button(page, "compare_ticked").click()
        expect(page.get_by_role("heading", level=1, name="Compare")).to_be_visible(timeout=MINUTE)
        wait_for(lambda: first.id in page.url and second.id in page.url and third.id not in page.url)
        settle(page)
        assert_well(page)
    assert not complaints
