"""A duel of augmentation policies in a real browser: chosen on Augment, started, watched and answered on Runs."""

import re

import pytest
from playwright.sync_api import Page, expect

from core.data.demo import make_demo
from core.data.incoming import keep
from core.runs.store import RunStore
from core.studies import duel
from core.studies.study import StudyStore
from core.workspace import Workspace
from tests.browser.conftest import assert_well, settle
from tests.browser.screens import for_the_readme
from tests.browser.steps import MINUTE, button, points, type_number, wait_for

SEEDS = 3


@pytest.mark.timeout(300)
def test_the_first_touch_of_the_page_starts_a_duel(page: Page, serve, workspace: Workspace, complaints):
    cells = make_demo(workspace, "blood-smear", {"classes": 2, "images": 40, "size": 32, "seed": 0})
    keep(workspace, cells.id, name="Few cells")
    with serve(workspace) as address:
        page.goto(f"{address}/augment")
        settle(page)
        button(page, "duel_start").click()
        expect(page.get_by_role("heading", level=1, name="Runs")).to_be_visible(timeout=MINUTE)
        settle(page)
        assert_well(page)
    assert len(StudyStore(workspace).list()) == 1
    assert complaints == []


@pytest.mark.timeout(600)
def test_two_policies_meet_and_the_page_says_whether_one_is_better(page: Page, serve, workspace: Workspace, complaints):
    cells = make_demo(workspace, "blood-smear", {"classes": 3, "images": 60, "size": 32, "seed": 0})
    keep(workspace, cells.id, name="Few cells")
    with serve(workspace) as address:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(f"{address}/augment")
        settle(page)

        # Three policies, three seeds: the button and the line below it say what that comes to.
        policies = page.locator(".st-key-duel_policies")
        expect(policies).to_be_visible(timeout=MINUTE)
        policies.get_by_role("button", name="Heavy", exact=True).click()
        for label in ("None", "Light", "Heavy"):  # the first two from the start
            chip = policies.get_by_role("button", name=label, exact=True)
            expect(chip).to_have_attribute("aria-pressed", "true", timeout=MINUTE)
        type_number(page, "duel_seeds", SEEDS)
        start = button(page, "duel_start")
        expect(start).to_contain_text("Start the duel: 9 runs", timeout=MINUTE)
        expect(page.get_by_text(re.compile(r"About .* on this machine, one run after the other"))).to_be_visible()
        assert_well(page)
        start.click()

        # The Runs page opens with it, counts its runs, and ends with a verdict in words.
        expect(page.get_by_role("heading", level=1, name="Runs")).to_be_visible(timeout=MINUTE)
        [study] = StudyStore(workspace).list()
        expect(page.locator(".st-key-study")).to_contain_text(f"of {len(study.members)} runs finished", timeout=MINUTE)
        verdict = page.locator(".st-key-duel_verdict")
        told = re.compile(r"No evidence of a difference|is better than|is worse than")
        expect(verdict).to_contain_text(told, timeout=7 * MINUTE)
        expect(page.locator(".st-key-study_stop")).to_have_count(0, timeout=MINUTE)
        wait_for(lambda: points(page, "duel_dots") >= len(study.members))
        assert points(page, "duel_differences") >= SEEDS
        runs = {member.run: RunStore(workspace).get(member.run) for member in study.members}
        table = duel.duel_table(study, runs)
        assert table.counted == len(study.members)
        for pair in table.pairs:
            expect(verdict).to_contain_text(pair.sentence[:40])
        for_the_readme(page, "duel")
        page.locator(".st-key-duel_classes summary").click()
        expect(page.get_by_role("region", name="The change of each class with its interval")).to_be_visible()
        settle(page)
        assert_well(page)
        page.set_viewport_size({"width": 390, "height": 844})
        settle(page)
        assert_well(page)
    assert complaints == []
