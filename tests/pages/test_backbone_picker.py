"""Any network of timm, found by a search and used through the whole app."""

import pytest

from core.models.catalog import BACKBONES
from core.runs.run import RunState
from core.runs.store import RunStore
from tests.pages.conftest import well, words
from tests.running import until

OUTSIDE = "test_resnet"  # of timm, in no row of the catalog


def found(app, text: str) -> list[str]:
    app.text_input(key="train_timm_words").set_value(text).run()
    well(app)
    return list(app.selectbox(key="train_timm_found").options)


def take(app, text: str) -> None:
    found(app, text)
    app.button(key="train_timm_take").click().run()
    well(app)


def test_the_catalog_comes_first_and_nothing_is_searched_before_somebody_asks(visit, tiny_dataset, monkeypatch):
    monkeypatch.setattr("pages.shared.cache.timm_names", lambda *_: pytest.fail("nobody asked"))
    app = visit("train")
    assert len(app.selectbox(key="train_model_backbone").options) == len(BACKBONES)
    assert "More than a thousand networks" in words(app)


def test_a_search_tells_size_and_where_the_weights_are(visit, tiny_dataset):
    app = visit("train")
    lines = found(app, "lite0")
    assert lines[0] == "tf_efficientnet_lite0 · 3.4 M · 224 px · here"
    assert found(app, "convnext tiny")[0] == "convnext_tiny · 27.8 M · 224 px · to fetch"
    app.selectbox(key="train_timm_size").set_value(5).run()
    assert not [box for box in app.selectbox if box.key == "train_timm_found"]
    assert "No network of timm is like that." in words(app)
    app.text_input(key="train_timm_words").set_value("").run()
    app.segmented_control(key="train_timm_weights").set_value("here").run()
    well(app)
    assert [line.split()[0] for line in app.selectbox(key="train_timm_found").options] == ["tf_efficientnet_lite0"]


def test_a_name_that_holds_marks_is_shown_and_breaks_nothing(visit, tiny_dataset):
    app = visit("train")
    app.text_input(key="train_timm_words").set_value("<b>*[x](y)*").run()
    well(app)
    assert "No network of timm is like that." in words(app)


def test_a_network_without_published_weights_starts_at_random_and_that_is_said(visit, tiny_dataset):
    app = visit("train")
    take(app, "test_mambaout")
    assert app.selectbox(key="train_model_backbone").value == "test_mambaout"
    assert app.selectbox(key="train_model_weights").value == "random"
    assert any("publishes no weights" in toast.value for toast in app.toast)


@pytest.mark.slow
def test_a_network_outside_the_catalog_works_through_the_whole_app(visit, app, tiny_dataset, workspace):
    visit("train")
    take(app, OUTSIDE)
    app.selectbox(key="train_model_weights").set_value("random").run()
    app.selectbox(key="train_image_size").set_value(64).run()
    app.number_input(key="train_phases_0_epochs").set_value(1).run()
    until(lambda: "M parameters" in words(app.run()))
    assert "trainable" in words(app)
    assert "about" in words(app), "its time is estimated too"
    app.button(key="train").click().run()
    well(app)
    [run] = RunStore(workspace).list()
    assert (run.state, run.network) == (RunState.FINISHED, OUTSIDE), run.sentence

    for page in ("runs", "evaluate", "predict", "train"):
        app.switch_page(f"pages/{page}.py").run()
        well(app)
        assert not app.error, page
    app.switch_page("pages/runs.py").run()
    assert OUTSIDE in words(app) or any(OUTSIDE in table.value.to_string() for table in app.dataframe)


def test_an_encoder_of_timm_is_found_alike(visit, mask_dataset):
    app = visit("train")
    take(app, OUTSIDE)
    assert app.selectbox(key="train_model_encoder").value == f"tu-{OUTSIDE}"
