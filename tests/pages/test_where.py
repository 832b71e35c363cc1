import pytest

from core.evaluate.predictions import PredictionTable
from core.metrics.intervals import Interval
from core.predict.meaning import Likeness, MapsCheck
from core.runs.data import dataset_of
from core.workspace import write_json
from tests.pages.conftest import well, words


@pytest.fixture
def panel(app, finished_run, workspace):
    """The panel alone on a page of its own."""
    from streamlit.testing.v1 import AppTest

    def page(root, run_id):
        from pathlib import Path

        from core.evaluate.predictions import PredictionTable
        from core.runs.data import dataset_of
        from core.runs.store import RunStore
        from core.workspace import Workspace
        from pages.shared import where

        workspace = Workspace(Path(root))
        run = RunStore(workspace).get(run_id)
        table = PredictionTable.read(run.paths.predictions("validation"))
        where.panel(run, dataset_of(workspace, run), table)

    shown = AppTest.from_function(page, args=(str(workspace.root), finished_run.id), default_timeout=90)
    shown.run()
    well(shown)
    return shown


def test_maps_are_drawn_for_who_asks_and_mistakes_come_first(panel, finished_run, workspace):
    table = PredictionTable.read(finished_run.paths.predictions("validation"))
    assert not panel.get("image")
    panel.segmented_control(key="where_pictures").set_value("Named rightly").run()
    panel.toggle(key="where_on").set_value(True).run()
    well(panel)
    right = int((table.predicted == table.truth).sum())
    assert right == 0 or len(panel.get("image")) == min(12, right)
    assert dataset_of(workspace, finished_run).samples


def test_the_verdict_on_the_maps_stands_first_with_its_intervals(panel, finished_run):
    from core.evaluate.current import digest_of

    assert panel.button(key="maps_check_start")
    near = Likeness(0.91, Interval(0.83, 0.97))
    check = MapsCheck(digest_of(finished_run.paths.best), 24, 2, 4, near, near)
    write_json(finished_run.paths.maps_check, check.to_json())
    panel.run()
    well(panel)
    assert "These maps mean nothing" in words(panel)
    assert "0.91 [0.83 to 0.97]" in words(panel).replace("\\", "")
    assert not panel.button


def test_the_check_can_be_made_from_here(panel, finished_run):
    panel.button(key="maps_check_start").click().run()
    from tests.running import until

    until(finished_run.paths.maps_check.exists)
    # The work ends a moment after its file is there.
    until(lambda: "Likeness to maps of networks" in words(panel.run()))
    well(panel)
