"""A hypothesis on its pages: written before a run, kept with it, and scored after."""

from dataclasses import replace

import pytest

from core.runs.hypothesis import Hypothesis, Verdict, read_score
from core.runs.run import RunState, write_status
from core.runs.store import RunStore
from core.workspace import write_json
from pages.shared import cache
from tests.comparing import answered_run, fruit
from tests.pages.conftest import well, words
from tests.running import until

HOSTILE = "<script>alert(1)</script> :red[x] **bold**"


@pytest.fixture
def two(workspace):
    """A run with more right answers than the one before it."""
    data = fruit(workspace)
    return answered_run(workspace, data, range(30), name=HOSTILE), answered_run(workspace, data, range(8))


def expects(run, hypothesis):
    write_json(run.paths.facts, replace(run.facts, hypothesis=hypothesis).to_json())


def test_what_is_written_on_the_train_page_goes_with_the_run_and_not_with_the_next(visit, two, workspace, monkeypatch):
    monkeypatch.setattr("core.executors.inline.InlineExecutor.submit", lambda self, run: None)
    base, _ = two
    app = visit("train")
    app.selectbox(key="guess_direction").select("lowers").run()
    app.selectbox(key="guess_metric").select("recall").run()
    app.selectbox(key="guess_label").select("pear").run()
    app.number_input(key="guess_least").set_value(2.0)
    app.text_area(key="guess_text").set_value(HOSTILE)
    app.selectbox(key="guess_against").select(base.id).run()
    well(app)
    assert "The recall of “pear” falls by at least 2 points against the run" in words(app)

    app.button(key="train").click().run()
    well(app)
    store = RunStore(workspace)
    newest = store.get(store.list()[0].id)
    expected = Hypothesis("recall", "lowers", "pear", 2, base.id, HOSTILE, text=HOSTILE)
    assert newest.facts.hypothesis == expected
    assert "It is scored when the run has ended" in words(app)
    app.button(key="new_run").click().run()
    assert app.selectbox(key="guess_direction").value == ""


def test_without_a_hypothesis_there_is_none(visit, two, workspace, monkeypatch):
    monkeypatch.setattr("core.executors.inline.InlineExecutor.submit", lambda self, run: None)
    app = visit("train")
    app.button(key="train").click().run()
    well(app)
    store = RunStore(workspace)
    assert store.get(store.list()[0].id).facts.hypothesis is None
    assert not [one for one in app.get("container") if "hypothesis" in str(one)]


@pytest.mark.parametrize("name", ["runs", "evaluate"])
def test_a_run_that_has_ended_is_scored_and_the_verdict_shown(visit, workspace, two, name):
    base, run = two
    expects(run, Hypothesis("accuracy", "raises", baseline=base.id, baseline_name=HOSTILE, text=HOSTILE))
    app = visit(name)
    until(lambda: any(one.verdict for one in RunStore(workspace).list()))
    cache.forget_runs()  # as the page does whose timer sees the end, and no timer ticks here
    app.run()
    well(app)
    assert read_score(run.paths.score).verdict is Verdict.CAME_TRUE
    assert "It came true: the accuracy is 0\\.933 here and 0\\.750" in words(app)
    if name == "runs":
        assert list(app.dataframe[0].value["hypothesis"]) == ["came true", ""]


def test_a_run_at_work_is_not_scored_yet(visit, two):
    base, run = two
    expects(run, Hypothesis("accuracy", "raises", baseline=base.id))
    write_status(run.paths, replace(run.status, state=RunState.QUEUED))
    app = visit("runs")
    assert "It is scored when the run has ended" in words(app)
    assert list(app.dataframe[0].value["hypothesis"]) == ["not scored yet", ""]
