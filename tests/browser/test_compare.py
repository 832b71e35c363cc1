"""Two runs held against one another in a real browser: chosen on the leaderboard, judged, and looked into."""

import pytest
from playwright.sync_api import Page, expect

from core.workspace import Workspace
from tests.browser.conftest import assert_well, settle
from tests.browser.screens import for_the_readme
from tests.browser.steps import MINUTE, button, click_row, points, told, wait_for
from tests.comparing import answered_run, fruit


@pytest.mark.timeout(300)
def test_two_runs_are_chosen_compared_and_looked_into(page: Page, serve, workspace: Workspace, complaints):
    data = fruit(workspace)
    light = answered_run(workspace, data, range(30), name="light <b>1</b>", epochs=(0.4, 0.6, 0.75))
    heavy = answered_run(workspace, data, range(26, 34), name="heavy", epochs=(0.5, 0.8, 0.93), augment__policy="heavy")
    with serve(workspace) as address:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(f"{address}/compare?dataset={data.id}")
        settle(page)
        expect(page.get_by_role("heading", level=1, name="Compare")).to_be_visible(timeout=MINUTE)

        # Nothing is chosen, so the page is a leaderboard; its rows are what is compared.
        board = f"compare_board_2_{heavy.id}"
        for row in range(2):
            click_row(page, board, row)
            settle(page)
        compare = button(page, "compare_chosen")
        expect(compare).to_contain_text("Compare 2 runs", timeout=MINUTE)
        assert_well(page)
        compare.click()

        # The desk compares them; then the verdict stands first, and the address opens the same again.
        verdict = page.locator(".st-key-compare_verdict")
        expect(verdict).to_contain_text("heavy has 18.3 points more accuracy than light <b>1</b>", timeout=2 * MINUTE)
        expect(verdict).to_contain_text("Whether the recipes differ nobody can tell yet")
        expect(page.get_by_text("heavy is beyond chance better than every other one.")).to_be_visible()
        wait_for(lambda: points(page, "compare_differences") == 3)  # the ends of an interval, and the difference
        wait_for(lambda: points(page, "compare_curve_score") == 6)
        settle(page)
        assert_well(page)
        assert f"compare={heavy.id}%2C{light.id}" in page.url or f"compare={heavy.id},{light.id}" in page.url

        # Another figure; every class; the pictures on which they disagree; what differs.
        page.locator(".st-key-compare_choices").get_by_text("macro F1", exact=True).click()
        expect(page.get_by_text("difference in macro F1 (points)")).to_be_visible(timeout=MINUTE)
        page.get_by_role("tab", name="Every class").click()
        wait_for(lambda: points(page, "compare_class_dots") == 9)
        page.get_by_role("tab", name="Pictures they disagree on").click()
        expect(page.get_by_text("only heavy is right (26)")).to_be_visible(timeout=MINUTE)
        pictures = page.locator(".st-key-sheet_compare img")
        wait_for(lambda: pictures.count() == 4)  # that light alone has right
        assert all("heavy says" in words for words in told(pictures))
        for_the_readme(page, "compare")
        page.get_by_role("tab", name="What differs").click()
        expect(page.get_by_text("One choice differs", exact=False)).to_be_visible(timeout=MINUTE)
        settle(page)
        assert_well(page)

        # A reload shows the same, on a phone as well.
        page.set_viewport_size({"width": 390, "height": 844})
        page.reload()
        settle(page)
        expect(verdict).to_contain_text("heavy has 18.3 points", timeout=MINUTE)
        assert_well(page)
    assert complaints == []
