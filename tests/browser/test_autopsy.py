"""From two dropped files to the cause, and the lesson's switch, in a real browser."""

import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect

from core.workspace import Workspace
from tests.browser.conftest import assert_well, settle
from tests.browser.steps import MINUTE

CLASSES = np.array(["polyp <i>x</i>", "cecum", "pylorus", "z-line"])


def column(name: str, labels: np.ndarray) -> FilePayload:
    text = "\n".join([name, *CLASSES[labels]]) + "\n"
    return {"name": f"{name}.csv", "mimeType": "text/csv", "buffer": text.encode()}


@pytest.mark.timeout(300)
def test_two_files_get_a_cause_and_a_corrected_report_and_a_switch_makes_a_good_model_look_bad(
    page: Page, serve, workspace: Workspace, complaints
):
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 4, 500)
    predicted = np.where(generator.random(500) < 0.92, truth, generator.integers(0, 4, 500))
    with serve(workspace) as address:
        page.goto(address + "/autopsy")
        settle(page)

        # Answers that are two rows late.
        page.locator(".st-key-autopsy_truth input[type=file]").set_input_files(column("y_true", truth))
        settle(page)
        page.locator(".st-key-autopsy_predicted input[type=file]").set_input_files(
            column("y_pred", np.roll(predicted, 2))
        )
        verdict = page.locator(".st-key-autopsy_verdict")
        expect(verdict).to_contain_text("shifted", timeout=MINUTE)
        settle(page)
        expect(page.locator(".st-key-autopsy_numbers_after")).to_contain_text("0.9")
        expect(page.locator(".st-key-autopsy_matrix_after .js-plotly-plot")).to_be_visible()
        assert_well(page)

        # The lesson.
        page.get_by_role("tab", name="A lesson").click()
        numbers = page.locator(".st-key-lesson_numbers")
        expect(numbers).to_contain_text("92%", timeout=MINUTE)
        page.locator(".st-key-lesson_shuffled label").first.click()
        expect(numbers).to_contain_text("11%", timeout=MINUTE)
        expect(page.get_by_test_id("stCode").first).to_contain_text("shuffle=True")
        settle(page)
        assert_well(page)
        page.locator(".st-key-lesson_shuffled label").first.click()
        expect(numbers).to_contain_text("92%", timeout=MINUTE)
    assert complaints == []
