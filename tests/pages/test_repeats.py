"""Starting repeats: how many runs, what is refused, and where they are then to be seen."""

import pytest
from streamlit.testing.v1 import AppTest

from core.runs.store import RunStore
from core.studies.study import StudyStore
from pages.shared import studies
from tests.pages.conftest import well, words
from tests.running import SMALL


def page(settings, dataset_id, kind):
    """What the Train page does around the form of repeats."""
    import streamlit as st

    from core.recipe import Recipe
    from pages.shared import cache
    from pages.shared.repeats import repeats

    st.session_state["ready"] = repeats(Recipe(dataset=dataset_id).set(settings), cache.dataset(dataset_id), kind)


@pytest.fixture
def shown(app, tiny_dataset, monkeypatch):
    """The form alone on a page; where it goes is kept."""
    went = []
    monkeypatch.setattr("pages.shared.repeats.st.switch_page", went.append)

    def show(kind, **changes):
        args = SMALL | {"phases.0.epochs": 1} | changes, tiny_dataset.id, kind
        return AppTest.from_function(page, args=args, default_timeout=90).run(), went

    return show


def test_seeds_are_trained_and_shown_on_the_runs_page(shown, workspace):
    app, went = shown("seeds", seed=7)
    assert app.button(key="repeat_start").label == "Train 5 runs"
    app.number_input(key="repeat_seeds_seeds").set_value(2).run()
    assert "seeds 7 to 8" in words(app)
    app.button(key="repeat_start").click().run()
    well(app)
    (study,) = StudyStore(workspace).list()
    store = RunStore(workspace)
    assert [store.get(member.run).recipe.seed for member in study.members] == [7, 8]
    assert {store.status(member.run).state for member in study.members} == {"finished"}
    assert went == ["pages/runs.py"]
    assert app.session_state[studies.HELD] == study.id
    assert app.session_state[studies.VIEW] == studies.STUDIES


def test_folds_are_trained_with_the_recipes_own_seed_unless_more_are_asked_for(shown, workspace):
    app, _ = shown("folds", seed=3)
    app.number_input(key="repeat_folds").set_value(2).run()
    assert "validates in one of 2 folds" in words(app)
    app.number_input(key="repeat_seeds_folds").set_value(3).run()
    assert app.button(key="repeat_start").label == "Train 6 runs"
    app.number_input(key="repeat_seeds_folds").set_value(1).run()
    app.button(key="repeat_start").click().run()
    well(app)
    runs = [RunStore(workspace).get(member.run) for member in StudyStore(workspace).list()[0].members]
    assert [(run.recipe.fold, run.recipe.seed) for run in runs] == [(0, 3), (1, 3)]


def test_more_folds_than_a_class_has_images_are_refused_before_anything_starts(shown, workspace, monkeypatch):
    monkeypatch.setattr("pages.shared.repeats.MOST_FOLDS", 50)
    app, _ = shown("folds")
    app.number_input(key="repeat_folds").set_value(40).run()
    assert "too few images for 40 folds" in words(app)
    assert app.button(key="repeat_start").disabled
    assert app.session_state["ready"] is False


def test_what_cannot_train_is_told_and_no_run_is_left(shown, workspace):
    app, went = shown("seeds", batch_size=900)
    app.button(key="repeat_start").click().run()
    assert "900" in words(app)
    assert RunStore(workspace).list() == []
    assert went == []
