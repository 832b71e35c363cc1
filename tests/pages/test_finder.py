"""The learning-rate finder on a page: the button, the curve, and the rate taken over."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import well, words
from tests.running import SMALL


def page(settings, dataset_id, changes):
    """What the Train page does around the finder: the phases in session state make the recipe."""
    from core.recipe import Recipe
    from pages.shared import cache, phases_form
    from pages.shared.finder import finder

    base = Recipe(dataset=dataset_id).set(settings | changes)
    recipe = base.set({"phases": phases_form.held(base)})
    finder(recipe, cache.dataset(dataset_id))


@pytest.fixture
def shown(app, tiny_dataset):
    """The finder alone on a page, about the small recipe with some changes."""

    def show(**changes):
        return AppTest.from_function(page, args=(SMALL, tiny_dataset.id, changes), default_timeout=90).run()

    return show


def found(app):
    """The page once the desk has answered."""
    for _ in range(300):
        if not app.get("progress"):
            break
        time.sleep(0.1)
        app.run()
    well(app)
    return app


def test_a_click_finds_a_rate_and_another_one_takes_it(shown, tiny_dataset, workspace):
    app = shown(**{"phases.0.trainable": "everything"})
    well(app)
    assert not app.get("plotly_chart")
    app.button(key="find_rate").click().run()
    found(app)
    assert len(app.get("plotly_chart")) == 1
    assert "Begin with" in words(app)
    use = app.button(key="use_rate")
    rate = float(use.label.removeprefix("Use "))
    use.click().run()
    well(app)
    assert app.session_state["train_phases"][0]["learning_rate"] == rate
    assert app.button(key="use_rate").disabled
    assert "is the rate of the phase now" in words(app)


def test_choices_that_changed_since_are_told(shown):
    app = shown()
    app.button(key="find_rate").click().run()
    found(app)
    assert "other choices" not in words(app)
    app.session_state["train_phases"] = [{**app.session_state["train_phases"][0], "epochs": 9}]
    app.run()
    assert "other choices" not in words(app), "it does not depend on how long a phase is"
    app.session_state["train_phases"] = [{**app.session_state["train_phases"][0], "trainable": "everything"}]
    app.run()
    assert "other choices" in words(app)


def test_each_phase_has_its_own_rate(shown):
    app = shown(**{"phases.1": {"name": "all", "trainable": "everything", "epochs": 1, "learning_rate": 1e-3}})
    app.selectbox(key="rate_test_phase").set_value(1).run()
    assert "from the weights that the run starts with" in words(app)
    app.button(key="find_rate").click().run()
    found(app)
    assert "of phase all" in words(app)
    if app.button(key="use_rate"):
        app.button(key="use_rate").click().run()
    rates = [phase["learning_rate"] for phase in app.session_state["train_phases"]]
    assert rates[0] == 3e-3
    assert rates[1] != 1e-3


def test_what_is_solved_has_no_rate_to_find(shown):
    app = shown(**{"phases.0.solver": "convex", "phases.0.epochs": 1})
    well(app)
    assert not app.button


def test_what_cannot_train_is_told_in_a_sentence(shown):
    app = shown(batch_size=900)
    app.button(key="find_rate").click().run()
    found(app)
    assert "batch_size: found 900" in words(app).replace("\\", "")
