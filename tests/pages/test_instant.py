"""The panel under a run whose head learned on stored features."""

import pytest
from streamlit.testing.v1 import AppTest

from core.executors.instant import TAG
from core.metrics.paired import Paired
from core.runs.store import RunStore
from pages.shared.instant import difference_in_words
from tests.pages.conftest import well, words

SCRIPT = """
from pages.shared import cache
from pages.shared.instant import instant
instant(cache.store().get({id!r}))
"""


@pytest.fixture
def panel(app):
    """`panel(run)` draws what stands under a run; the app's fixture puts the test's workspace behind it."""

    def draw(run):
        return AppTest.from_string(SCRIPT.format(id=run.id), default_timeout=90).run()

    return draw


def opened(page, run):
    page.toggle(key=f"instant_{run.id}_on").set_value(True).run()
    well(page)
    return page


def test_nothing_is_trained_before_somebody_asks(panel, finished_run):
    page = panel(finished_run)
    well(page)
    assert not page.get("metric")


def test_moving_a_choice_shows_the_new_head_beside_the_old(panel, finished_run):
    page = opened(panel(finished_run), finished_run)
    assert [metric.label for metric in page.metric] == ["as the run has it"]
    before = page.metric[0].value
    assert page.button(key="instant_keep").disabled

    page.slider(key=f"instant_{finished_run.id}_0_epochs").set_value(6).run()
    well(page)
    assert [metric.label for metric in page.metric][:2] == ["as the run has it", "with these choices"]
    assert page.metric[0].value == before
    assert "It learned in" in words(page)
    assert len(page.get("plotly_chart")) == 4

    page.button(key="instant_again").click().run()
    well(page)
    assert [metric.label for metric in page.metric] == ["as the run has it"]


def test_a_solved_head_has_no_rate_and_no_epochs(panel, finished_run):
    page = opened(panel(finished_run), finished_run)
    page.button_group(key=f"instant_{finished_run.id}_0_solver").set_value("convex").run()
    well(page)
    assert "with these choices" in words(page)
    assert [slider.label for slider in page.slider] == []


def test_a_head_that_is_kept_is_a_run_like_any_other(panel, finished_run, workspace):
    page = opened(panel(finished_run), finished_run)
    page.select_slider(key=f"instant_{finished_run.id}_0_decay").set_value(0.3).run()
    told = page.metric[1].value
    page.button(key="instant_keep").click().run()
    well(page)
    made = next(run for run in RunStore(workspace).list() if TAG in run.tags)
    assert f"{made.score:.1%}" in told or f"{made.score:.3f}" in told or str(round(100 * made.score, 1)) in told
    assert RunStore(workspace).get(made.id).recipe.optimizer.weight_decay == 0.3


def test_a_choice_that_cannot_be_leaves_the_old_head_in_sight(panel, finished_run, monkeypatch):
    from core.errors import TrainingError
    from pages.shared import cache

    found = cache.retrained

    def fails(run, changes):
        if changes:
            raise TrainingError("Training stopped in epoch 1, step 1", found="a loss that is not a number")
        return found(run, changes)

    monkeypatch.setattr(cache, "retrained", fails)
    page = opened(panel(finished_run), finished_run)
    page.slider(key=f"instant_{finished_run.id}_0_epochs").set_value(6).run()
    well(page)
    assert "not a number" in page.error[0].value
    assert [metric.label for metric in page.metric] == ["as the run has it"]


def test_under_a_run_of_masks_there_is_no_panel(panel, finished_mask_run):
    page = panel(finished_mask_run)
    well(page)
    assert not page.toggle


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Paired(171, 9, 1, 0, 0.02), "hardly chance"),
        (Paired(171, 9, 7, 0, 0.8), "about 80 times in 100"),
        (Paired(171, 9, 1, 0, 0.02), "9** were wrong and now right, and **1** was right and now wrong"),
        (Paired(171, 2, 1, 0, 1.0), "nothing to build on"),
        (Paired(1, 0, 0, 0, 1.0), "No validation image changed sides."),
        (Paired(9, 0, 0, 1, 1.0), "1 wrong one got another name"),
    ],
)
def test_a_difference_is_said_in_words(found, said):
    assert said in difference_in_words(found)
