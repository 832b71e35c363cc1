"""A segmentation run as it is watched: curves of each class, and the same few pictures after each epoch."""

from core.runs.run import look_name
from pages.shared.state import WATCHED
from tests.pages.conftest import well, words


def watching(app, run):
    app.query_params["run"] = run.id
    app.session_state[WATCHED] = run.id
    app.run()
    app.switch_page("pages/train.py").run()
    well(app)
    return app


def test_a_segmentation_run_stands_with_its_mean_dice_and_interval(app, finished_mask_run):
    watching(app, finished_mask_run)

    [dice] = [metric for metric in app.metric if metric.label == "validation mean Dice"]
    assert dice.value == f"{finished_mask_run.status.best['dice']:.3f}"
    assert "epoch" in dice.delta
    assert [chart.key for chart in app.get("plotly_chart")] == ["curve_loss", "curve_score", "curve_rate"]


def test_the_pictures_are_those_of_the_newest_epoch_until_the_slider_is_moved_back(app, finished_mask_run):
    watching(app, finished_mask_run)
    [slider] = app.slider
    assert (slider.min, slider.max, slider.value) == (1, 3, 3)

    slider.set_value(1).run()
    well(app)
    assert app.slider[0].value == 1
    app.run()
    assert app.slider[0].value == 1, "it stays where it was put"


def test_pictures_that_are_gone_are_left_out(app, finished_mask_run):
    for file in finished_mask_run.paths.folder.rglob(look_name(3)):
        file.unlink()
    watching(app, finished_mask_run)

    assert "The same few validation images" in words(app)
