import pytest

from core.data.library import Library
from core.evaluate.predictions import PredictionTable
from tests.pages.conftest import well, words


def test_without_a_trained_model_the_page_shows_the_way_to_one(visit, tiny_dataset):
    app = visit("predict")

    assert "No model has learned anything yet" in words(app)


@pytest.mark.slow
def test_several_pictures_are_answered_and_a_bad_one_gets_its_sentence(visit, finished_run, workspace):
    dataset = Library(workspace).get(finished_run.recipe.dataset)
    sample = dataset.of("validation")[0]
    app = visit("predict")
    uploader = app.file_uploader(key="predict_files")
    uploader.upload("cell.jpg", dataset.path(sample).read_bytes()).upload("no <b>picture.jpg", b"text").run()
    well(app)

    table = PredictionTable.read(finished_run.paths.predictions("validation"))
    row = table.ids.index(sample.id)
    named = table.classes[table.predicted[row]]
    assert f"#### {named}" in words(app)
    assert f"[{table.probabilities[row].max():.1%}]" in words(app)
    assert len(app.get("plotly_chart")) == 1
    assert len(app.error) == 1
    assert "cannot be read as a picture" in app.error[0].value
    assert "\\<b\\>" in app.error[0].value, "its name stays text"


def test_the_camera_is_asked_for_only_when_wanted(visit, finished_run):
    app = visit("predict")
    assert not app.camera_input
    app.toggle(key="camera_on").set_value(True).run()
    well(app)

    assert len(app.camera_input) == 1
