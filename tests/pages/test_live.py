"""What can be done with a run while it is looked at, and what it says of itself."""

from dataclasses import replace

import pytest

from core.runs.journal import RunWriter
from core.runs.liveness import ProcessMark
from core.runs.run import RunState, write_status
from core.runs.store import RunStore
from core.workspace import write_json
from tests.pages.conftest import well, words


@pytest.fixture
def at_work(finished_run):
    """A run that this very process is at work on, as far as its files tell."""
    write_json(finished_run.paths.worker, ProcessMark.here().to_json())
    write_status(finished_run.paths, replace(finished_run.status, state=RunState.RUNNING, sentence="Going on."))
    return finished_run


def test_a_run_at_work_can_be_paused_once(visit, at_work, workspace):
    app = visit("train")
    app.button(key="pause").click().run()
    well(app)
    assert at_work.paths.pause.exists()
    assert not at_work.paths.stop.exists()
    assert app.button(key="pause").disabled
    assert not app.button(key="stop").disabled, "one may still change one's mind"
    assert RunStore(workspace).status(at_work.id).sentence == "Pausing after this step."


def test_a_paused_run_says_so_and_goes_on(visit, finished_run, workspace):
    sentence = RunState.PAUSED.sentence
    write_status(finished_run.paths, replace(finished_run.status, state=RunState.PAUSED, sentence=sentence))
    finished_run.paths.pause.touch()
    app = visit("train")
    app.button(key="show_run").click().run()
    well(app)
    assert "paused" in words(app)
    assert "goes on exactly where it stopped" in words(app)
    assert app.button(key="to_evaluate"), "it has a best epoch"
    assert app.button(key="resume").label == "Go on"
    app.button(key="resume").click().run()
    well(app)
    assert RunStore(workspace).status(finished_run.id).state is RunState.FINISHED
    assert not finished_run.paths.pause.exists()


def test_what_training_said_stands_under_the_numbers(visit, finished_run):
    writer = RunWriter(finished_run.paths.epochs, finished_run.paths.clock)
    for _ in range(2):
        writer.append({"kind": "said", "epoch": 3, "step": 1, "sentence": "A <b>batch</b> is now 8."})
    writer.close()
    app = visit("train")
    app.button(key="show_run").click().run()
    told = [caption.value for caption in app.caption if "is now 8" in caption.value]
    assert len(told) == 1
    assert "\\<b\\>" in told[0]


def test_a_finished_run_goes_on_for_more_epochs_as_a_new_run_that_says_where_it_comes_from(
    visit, finished_run, workspace
):
    app = visit("train")
    app.button(key="show_run").click().run()
    app.number_input(key=f"continue_epochs_{finished_run.id}").set_value(2).run()
    app.button(key=f"continue_{finished_run.id}").click().run()
    well(app)
    newest, before = RunStore(workspace).list()
    assert before.id == finished_run.id
    assert (newest.state, newest.epochs_done) == (RunState.FINISHED, before.epochs_done + 2), newest.sentence
    assert "Goes on from" in words(app)
    assert app.session_state["run_in_hand"] == newest.id
