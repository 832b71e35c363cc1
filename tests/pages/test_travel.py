import pytest

from core.data.library import Library
from core.runs.store import RunStore
from tests.pages.conftest import well, words


@pytest.fixture
def at_predict(visit, finished_run, workspace):
    """The Predict page with one picture in it."""
    dataset = Library(workspace).get(finished_run.recipe.dataset)
    sample = dataset.of("validation")[0]
    app = visit("predict")
    app.file_uploader(key="predict_files").upload("c*ll.jpg", dataset.path(sample).read_bytes()).run()
    well(app)
    return app


def test_dragging_the_epoch_shows_what_the_network_said_then(at_predict, finished_run):
    app = at_predict
    assert not app.select_slider, "nothing is computed before somebody asks"
    app.toggle(key="travel_on").set_value(True).run()
    well(app)
    (slider,) = app.select_slider
    assert slider.options == ["before training", "1", "2", "3"]
    assert "epoch 3" in words(app)
    assert "validation accuracy" in words(app)
    slider.set_value(0).run()
    well(app)
    assert "before training" in words(app)
    assert "It says" in words(app)


def test_a_run_that_kept_nothing_says_so(at_predict, finished_run, workspace):
    for file in RunStore(workspace).paths(finished_run.id).snapshots.iterdir():
        file.unlink()
    at_predict.toggle(key="travel_on").set_value(True).run()
    well(at_predict)
    assert "Nothing of this run's earlier epochs was kept" in words(at_predict)


def test_the_heat_map_of_a_classifier_is_there_for_who_asks(at_predict):
    app = at_predict
    assert "what speaks for" not in words(app)
    app.toggle(key="predict_heat").set_value(True).run()
    well(app)
    assert "speaks for" in words(app)
    assert "can be checked on the page Evaluate" in words(app)
