"""The Compare page: what it says of runs whose answers are known."""

import numpy as np
import pytest

from core.runs.seal import open_seal
from pages.shared import compare_work, state
from pages.shared.compare_choice import behind
from tests.comparing import answered_run, fruit, store_answers
from tests.pages.conftest import well, words
from tests.pages.mask_runs import box, evaluated_run, masked_dataset
from tests.running import until


@pytest.fixture
def data(workspace):
    return fruit(workspace, 60)


def shown(app, condition):
    """Look again and again, as a browser does, until the page shows something."""

    def looked():
        app.run()
        well(app)
        return condition()

    until(looked)


@pytest.fixture
def compared(app):
    """Open the page with these runs chosen, and wait until the desk has answered."""

    def show(*runs):
        app.session_state[state.COMPARED] = [run.id for run in runs]
        app.run()
        app.switch_page("pages/compare.py")
        shown(app, lambda: any("compare_verdict" in str(block.proto) for block in app.get("flex_container")))
        return app

    return show


def test_without_a_choice_the_page_is_a_leaderboard(visit, workspace, data):
    for wrong in (3, 9):
        answered_run(workspace, data, range(wrong), name=f"wrong {wrong}")
    page = visit("compare")
    assert "Leaderboard" in words(page)
    assert page.dataframe[0].value["run"].tolist() == ["wrong 3", "wrong 9"]
    assert page.button(key="compare_chosen").disabled
    assert "2 runs" not in page.button(key="compare_chosen").label


def test_without_any_run_the_page_says_what_to_do(visit):
    assert "No model has learned anything yet" in words(visit("compare"))


def test_two_runs_are_compared_and_named_as_text(compared, workspace, data):
    one = answered_run(workspace, data, range(25), name="**light** <b>")
    two = answered_run(workspace, data, range(2), name="heavy", augment__policy="heavy")
    page = compared(one, two)
    told = words(page)
    assert "heavy has 38" in told.replace("\\", "")
    assert "nobody can tell yet" in told
    assert "\\*\\*light\\*\\*" in told, "a name is never markup"
    assert f"{one.id},{two.id}" in page.query_params["compare"]


def test_seeds_of_two_recipes_answer_the_question_about_recipes(compared, workspace, data):
    generator = np.random.default_rng(0)
    runs = [
        answered_run(workspace, data, np.flatnonzero(generator.random(60) < share), name=f"{name}, seed {seed}",
                     seed=seed, augment__policy=name)
        for name, share in (("light", 0.5), ("heavy", 0.02))
        for seed in range(3)
    ]  # fmt: skip
    page = compared(*runs)
    assert "more than chance in seeds and images explains" in words(page)
    (question,) = [one for one in page.get("button_group") if one.label == "Question"]
    assert question.value == "recipes"
    question.set_value("models").run()
    well(page)
    assert "What another seed would have trained is no part of it" in words(page)


def test_runs_that_cannot_be_compared_are_told_of(compared, workspace, data):
    other = fruit(workspace, 60, id="fruit-2")
    page = compared(answered_run(workspace, data, range(3)), answered_run(workspace, other, range(3)))
    told = words(page)
    assert "cannot be held against one another" in told
    assert "stands apart" in told


def test_the_test_split_is_never_opened(compared, workspace, data):
    runs = [answered_run(workspace, data, range(3), seed=seed) for seed in range(2)]
    page = compared(*runs)
    (split,) = [one for one in page.get("button_group") if one.label == "Split"]
    split.set_value("test")
    shown(page, lambda: "sealed" in words(page))
    assert not any(run.paths.seal.exists() for run in runs)
    for run in runs:
        open_seal(run.paths, "page")
        store_answers(run, data, range(4), "test")
    shown(page, lambda: "same 60 test images" in words(page))


def test_masks_are_compared(compared, workspace):
    truths = [box(2, 2, 12, 8)] * 12
    masked = masked_dataset(workspace, ("background", "box"), truths)
    good = evaluated_run(workspace, masked, truths, truths)
    poor = evaluated_run(workspace, masked, truths, [box(2, 2, 6 + place % 3, 8) for place in range(12)])
    assert "same experiment" in words(compared(good, poor))


def test_a_deleted_run_is_no_longer_compared(compared, workspace, data):
    from core.runs.store import RunStore

    runs = [answered_run(workspace, data, range(3), seed=seed) for seed in range(3)]
    RunStore(workspace).delete(runs[1].id)
    page = compared(runs[0], runs[2])
    assert page.session_state[state.COMPARED] == [runs[0].id, runs[2].id]
    page.session_state[state.COMPARED] = [runs[0].id, runs[1].id]
    page.run()
    well(page)
    assert page.session_state[state.COMPARED] == [runs[0].id]


def test_behind_is_said_with_care():
    from dataclasses import replace

    from core.runs.run import RunState
    from core.runs.summary import RunSummary

    best = RunSummary("a", "a", RunState.FINISHED, "", "d", "D", 0.0, "n", "head", "light", 32, 1, 1,
                      best={"accuracy": 0.9}, interval=(0.85, 0.95))  # fmt: skip
    close, far = (replace(best, best={"accuracy": score}) for score in (0.86, 0.7))
    assert not behind(close, best, 2)
    assert behind(far, best, 2)
    assert not behind(replace(far, interval=None), best, 2), "without an interval nothing is said"
    assert not behind(replace(best, best={"accuracy": 0.79}), best, 1000), "among very many more is asked for"


def test_a_comparison_that_breaks_says_so_and_can_be_made_again(app, workspace, data, monkeypatch):
    runs = [answered_run(workspace, data, range(wrong)) for wrong in (4, 9)]
    app.session_state[state.COMPARED] = [run.id for run in runs]
    with monkeypatch.context() as patched:
        patched.setattr(compare_work, "WORK", "math:nothing")
        app.run()
        app.switch_page("pages/compare.py")
        shown(app, lambda: "It failed: AttributeError" in words(app))
        assert "Traceback" not in words(app)
    app.button(key="compare_again").click().run()
    shown(app, lambda: any("compare_verdict" in str(block.proto) for block in app.get("flex_container")))


def test_runs_of_one_name_minute_and_score_are_told_apart_in_lists(visit, workspace, data):
    for _ in range(2):
        answered_run(workspace, data, range(4))
    assert len(set(visit("evaluate").selectbox(key="pick_run").options)) == 2
