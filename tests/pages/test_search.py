"""A search on a page: the form, what it found, and the way to the best recipe. Runs of its trials are made up."""

import pytest
from streamlit.testing.v1 import AppTest

from core.presets import preset
from core.runs.store import RunStore
from core.studies import search, searcher
from core.studies.search import SearchSpec, read_asked, read_results, read_state, standing
from core.studies.space import Options, Range
from core.studies.study import StudyStore
from pages.shared import cache
from tests.pages.conftest import well, words
from tests.running import SMALL
from tests.searching import MadeUpExecutor, drive_here

RATE = "phases.0.learning_rate"


@pytest.fixture(autouse=True)
def executor(workspace, monkeypatch):
    """Drivers do their work at once, with runs that are made up."""
    made_up = MadeUpExecutor(workspace, seconds=0.0)
    monkeypatch.setenv("FOVEA_WORKSPACE", str(workspace.root))
    monkeypatch.setattr(cache, "wake", lambda: None)
    monkeypatch.setattr(search, "start_detached", drive_here(made_up))
    monkeypatch.setattr(search, "SECONDS_TO_START", 0.0)
    monkeypatch.setattr(searcher, "SECONDS_BETWEEN_LOOKS", 0.001)
    yield made_up
    made_up.close()


@pytest.fixture
def recipe(tiny_dataset):
    return preset("frozen-head").recipe().set(SMALL | {"dataset": tiny_dataset.id})


@pytest.fixture
def form(recipe, workspace):
    """The form of a search, as the Train page draws it."""

    def page():
        import streamlit as st

        from core.recipe import Recipe
        from pages.shared import cache, search
        from pages.shared.pickers import or_stop

        recipe = Recipe.from_json(st.session_state["recipe"])
        with or_stop():
            search.search(recipe, cache.dataset(recipe.dataset))

    app = AppTest.from_function(page, default_timeout=60)
    app.session_state["recipe"] = recipe.to_json()
    app.run()
    well(app)
    return app


def shown(study):
    """What a search found, as a page draws it."""

    def page():
        import streamlit as st

        from core.studies.study import StudyStore
        from pages.shared import cache, search

        search.results(StudyStore(cache.workspace()).get(st.session_state["study"]))

    app = AppTest.from_function(page, default_timeout=60)
    app.session_state["study"] = study.id
    app.run()
    well(app)
    return app


def test_a_search_is_started_from_the_form_and_shown(form, workspace):
    assert "one after the other" in words(form)
    form.number_input(key="search_trials").set_value(3)
    form.selectbox(key="search_pruner").set_value("none")
    form.button(key="search_start").click().run()
    well(form)

    [study] = StudyStore(workspace).list()
    spec = search.spec_of(study)
    assert [span.path for span in spec.space] == [RATE]
    assert (spec.trials, spec.pruner, spec.metric) == (3, "none", "score")
    assert standing(study).state == "finished"
    assert len(RunStore(workspace).list()) == 3
    assert "All 3 trials are done" in words(form)
    assert "optimistic" in "\n".join(line.value for line in form.info)


def test_fields_and_ranges_are_chosen(form, workspace):
    form.multiselect(key="search_paths_classification_1").set_value(["model.dropout", "optimizer.name"]).run()
    well(form)
    low, high = (next(box for box in form.number_input if str(box.key).endswith(end)) for end in ("_low", "_high"))
    low.set_value(0.1)
    high.set_value(0.4)
    names = next(box for box in form.multiselect if "optimizer" in str(box.key))
    names.set_value(["adamw", "sgd"])
    form.number_input(key="search_trials").set_value(1)
    form.button(key="search_start").click().run()
    well(form)

    [study] = StudyStore(workspace).list()
    assert search.spec_of(study).space == (
        Range("model.dropout", 0.1, 0.4),
        Options("optimizer.name", ("adamw", "sgd")),
    )


def test_what_cannot_be_searched_is_said_and_not_started(form, workspace):
    low = next(box for box in form.number_input if str(box.key).endswith("_low"))
    low.set_value(5.0).run()
    well(form)
    assert "a low end below the high end" in form.error[0].value.replace("\\", "")
    assert "search_start" not in [button.key for button in form.button]

    form.multiselect(key="search_paths_classification_1").set_value([]).run()
    assert "nothing to vary" in form.error[0].value
    assert StudyStore(workspace).list() == []


def test_a_finished_search_shows_its_figures_and_goes_on(workspace, tiny_dataset, recipe):
    study = search.begin(
        workspace, recipe, tiny_dataset, SearchSpec((Range(RATE, 1e-4, 1.0, log=True),), trials=11, pruner="none")
    )
    app = shown(study)

    assert len(app.get("plotly_chart")) == 3
    assert "finished" in words(app)
    assert f"{read_results(study)['best']['value']:.3f}" in words(app)
    assert len(app.dataframe[0].value) == 11
    app.number_input(key="search_more_1").set_value(2)
    app.button(key="search_continue").click().run()
    well(app)
    assert read_asked(study).trials == 13
    assert len(app.dataframe[0].value) == 13


def test_a_search_at_work_shows_how_far_it_is_and_stops(workspace, tiny_dataset, recipe, monkeypatch):
    monkeypatch.setattr(search, "drive", lambda study: False)
    monkeypatch.setattr("pages.shared.search.drive", lambda study: False)
    study = search.begin(workspace, recipe, tiny_dataset, SearchSpec((Range(RATE, 1e-4, 1.0, log=True),), trials=4))
    app = shown(study)

    assert "waiting" in words(app)
    app.button(key="search_stop").click().run()
    well(app)
    assert read_asked(study).stop
    assert app.button(key="search_stop").disabled


def test_a_search_that_failed_says_why(workspace, tiny_dataset, recipe, executor):
    executor.breaks_above = 0.0
    study = search.begin(workspace, recipe, tiny_dataset, SearchSpec((Range(RATE, 1e-4, 1.0, log=True),), trials=9))
    app = shown(study)

    assert "3 trials in a row failed" in app.error[0].value
    assert "Use the best recipe" not in [button.label for button in app.button]


def test_whoever_looks_brings_back_a_driver_that_is_gone(workspace, tiny_dataset, recipe, monkeypatch):
    with monkeypatch.context() as asleep:
        asleep.setattr(search, "drive", lambda study: False)
        study = search.begin(workspace, recipe, tiny_dataset, SearchSpec((Range(RATE, 1e-4, 1.0, log=True),), trials=2))
    assert read_state(study).state == "waiting"
    shown(study)
    assert read_state(study).state == "finished"


def test_the_best_recipe_fills_the_form_of_the_train_page(workspace, tiny_dataset, recipe, helper, monkeypatch):
    monkeypatch.setattr(cache, "lab", lambda: helper)
    recipe = recipe.set({"model.backbone": "mobilenetv3_small_100", "image_size": 64})
    spec = SearchSpec((Range(RATE, 5e-3, 2e-2, log=True), Range("model.dropout", 0.2, 0.5)), trials=4, metric="loss")
    study = search.begin(workspace, recipe, tiny_dataset, spec)
    best = read_results(study)["best"]["values"]

    filled = AppTest.from_function(_form, default_timeout=60)
    filled.session_state["study"] = study.id
    filled.run()
    well(filled)

    taken = filled.session_state["made"]
    assert taken.phases[0].learning_rate == pytest.approx(best[RATE])
    assert taken.model.dropout == pytest.approx(best["model.dropout"])
    assert taken.best_by == "loss"
    assert taken.phases[0].epochs == recipe.phases[0].epochs
    assert taken.model.backbone == recipe.model.backbone


def _form():
    import streamlit as st

    from core.studies.search import read_results, spec_of, trial_recipe
    from core.studies.study import StudyStore
    from pages.shared import cache, recipe_form

    study = StudyStore(cache.workspace()).get(st.session_state["study"])
    if "made" not in st.session_state:
        best = read_results(study)["best"]["values"]
        recipe_form.begin_with_recipe(trial_recipe(study.recipe, spec_of(study), best), "Best of a search")
    st.session_state["made"] = recipe_form.recipe_form(cache.dataset(study.recipe.dataset))
