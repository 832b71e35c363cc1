"""Predict: the exports of a run, made and taken along."""

from concurrent.futures import Future
from dataclasses import replace

import pytest

from core.predict.export.kept import kept_file, read_kept
from core.runs.run import RunState, write_status
from pages.shared.atwork import AtWork
from pages.shared.cached.export import at_work
from tests.pages.conftest import well, words


@pytest.fixture
def opened(visit, finished_run):
    """The page with the exports of a finished run unfolded."""
    app = visit("predict")
    app.session_state[f"export_{finished_run.id}"] = True
    app.run()
    well(app)
    return app


def test_every_format_is_offered_and_none_is_made_unasked(opened, finished_run):
    labels = [button.label for button in opened.button if button.key and button.key.startswith("export_make")]
    assert labels == ["Make it"] * 3
    assert "onnxruntime" in words(opened)
    assert not (finished_run.paths.folder / "exports").exists()


def test_a_format_is_made_and_can_then_be_downloaded(opened, finished_run):
    opened.button(key=f"export_make_script_{finished_run.id}").click().run()
    at_work()[finished_run.id, "script"].future.result(timeout=120)
    opened.run()
    well(opened)
    assert read_kept(finished_run.paths, "script")["bytes"] == kept_file(finished_run.paths, "script").stat().st_size
    assert "same weights" in words(opened)
    assert opened.button(key=f"export_make_script_{finished_run.id}").label == "Make it again"


def test_why_there_is_no_script_of_a_run_that_was_stopped_is_said(visit, finished_run):
    write_status(finished_run.paths, replace(finished_run.status, state=RunState.STOPPED, epochs_done=2))
    app = visit("predict")
    app.session_state[f"export_{finished_run.id}"] = True
    app.run()
    well(app)
    assert "Only a finished run" in words(app)


def test_an_export_that_breaks_says_so_and_can_be_made_again(visit, finished_run):
    broken = Future()
    broken.set_exception(RuntimeError("KeyError in an export: '<b>x</b>'\n\nTraceback (most recent call last): ..."))
    at_work()[finished_run.id, "onnx"] = AtWork("ONNX", "picture", broken, progress=None, place=None)
    app = visit("predict")
    app.session_state[f"export_{finished_run.id}"] = True
    app.run()
    well(app)
    assert "It failed: KeyError in an export" in words(app)
    assert "Traceback" not in words(app)
    assert [app.button(key=f"export_make_{name}_{finished_run.id}").disabled for name in ("onnx", "zip")] == [False] * 2
