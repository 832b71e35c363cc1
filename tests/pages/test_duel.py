"""Duels: the form that starts one, and what the Runs page says of it."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.data.library import Library
from core.executors.inline import InlineExecutor
from core.recipe import AugmentChoice
from core.runs.run import RunState, write_status
from core.runs.store import RunStore
from core.studies import duel
from core.studies.repeats import submit
from core.studies.study import StudyStore
from pages.shared import duel_results, studies
from tests.pages.conftest import well, words
from tests.pages.test_studies import opened, table
from tests.running import small

POLICIES = ("none", "light", "heavy")


def page(dataset_id, names):
    """What the Augment page does around the form."""
    from core.recipe import AugmentChoice
    from pages.shared import cache
    from pages.shared.duel import duel

    duel(cache.dataset(dataset_id), {name.capitalize(): AugmentChoice(policy=name) for name in names})


@pytest.fixture
def shown(app, tiny_dataset, monkeypatch):
    """The form alone on a page; where it goes is kept."""
    went = []
    monkeypatch.setattr("pages.shared.studies.st.switch_page", went.append)

    def show(names=POLICIES):
        return AppTest.from_function(page, args=(tiny_dataset.id, names), default_timeout=90).run(), went

    return show


@pytest.fixture
def nobody_works(monkeypatch):
    monkeypatch.setattr(InlineExecutor, "_take", lambda self, run: None)


@pytest.fixture
def made(workspace, tiny_dataset):
    """A duel of the small recipe whose runs wait."""

    def make(policies=POLICIES[:2], **changes):
        told = {name: AugmentChoice(policy=name).model_dump(mode="json") for name in policies}
        recipe = small(tiny_dataset).set({"phases.0.epochs": 1, **changes})
        id = duel.make(str(workspace.root), recipe.to_json(), tiny_dataset.id, told, [0, 1, 2])
        return StudyStore(workspace).get(id)

    return make


def test_a_duel_of_the_first_two_policies_starts_with_one_click_and_says_before_how_long_it_takes(
    shown, workspace, nobody_works
):
    app, went = shown()
    well(app)
    assert app.button(key="duel_start").label == "Start the duel: 10 runs"
    assert "About **" in words(app)
    assert "stored variants of each image" in words(app)
    app.button(key="duel_start").click().run()
    well(app)
    [study] = StudyStore(workspace).list()
    runs = [RunStore(workspace).get(member.run).recipe for member in study.members]
    assert [(run.augment.policy, run.seed) for run in runs[:3]] == [("none", 0), ("light", 0), ("none", 1)]
    assert {run.image_size for run in runs} == {128}, "no larger than such pictures need"
    assert list(study.spec["policies"]) == ["None", "Light"]
    assert went == ["pages/runs.py"]
    assert app.session_state[studies.HELD] == study.id


def test_policies_seeds_epochs_and_variants_are_chosen(shown, workspace, nobody_works):
    app, _ = shown()
    app.button_group(key="duel_policies").set_value(["Light", "Heavy", "None"]).run()
    app.number_input(key="duel_seeds").set_value(3).run()
    app.number_input(key="duel_epochs_frozen-head").set_value(4).run()
    app.number_input(key="duel_views").set_value(3).run()
    assert app.button(key="duel_start").label == "Start the duel: 9 runs"
    app.button(key="duel_start").click().run()
    well(app)
    runs = [RunStore(workspace).get(one.run).recipe for one in StudyStore(workspace).list()[0].members]
    assert {(run.epochs, run.augment.views) for run in runs} == {(4, 3)}


def test_a_budget_in_minutes_becomes_work(shown, workspace, nobody_works):
    app, _ = shown()
    app.selectbox(key="duel_preset_classification").set_value("fine-tune").run()
    assert app.number_input(key="duel_epochs_fine-tune").value == 5
    app.button_group(key="duel_budget_kind").set_value("minutes").run()
    app.number_input(key="duel_minutes").set_value(2).run()
    few = words(app)
    app.number_input(key="duel_minutes").set_value(20).run()
    assert words(app) != few
    app.button(key="duel_start").click().run()
    well(app)
    assert RunStore(workspace).get(StudyStore(workspace).list()[0].members[0].run).recipe.epochs > 5


def test_networks_for_masks_meet_as_well(app, mask_dataset, workspace, nobody_works, monkeypatch):
    monkeypatch.setattr("pages.shared.studies.st.switch_page", lambda page: None)
    app = AppTest.from_function(page, args=(mask_dataset.id, POLICIES), default_timeout=90).run()
    well(app)
    assert app.selectbox(key="duel_preset_segmentation").value == "unet"
    app.number_input(key="duel_seeds").set_value(3).run()
    app.number_input(key="duel_epochs_unet").set_value(2).run()
    assert "Each run: 2 epochs." in words(app)
    app.button(key="duel_start").click().run()
    well(app)
    runs = [RunStore(workspace).get(one.run).recipe for one in StudyStore(workspace).list()[0].members]
    assert {(run.task, run.epochs, run.image_size) for run in runs} == {("segmentation", 2, 128)}


def test_one_policy_is_no_duel(shown):
    app, _ = shown()
    app.button_group(key="duel_policies").set_value(["Light"]).run()
    assert app.button(key="duel_start").disabled
    assert "2 to 6" in words(app)
    app, _ = shown(("none",))
    assert "A duel needs two policies" in words(app)
    assert not app.button


def test_a_finished_duel_tells_its_verdict_its_figures_and_its_classes(visit, made, workspace):
    study = made()
    submit(InlineExecutor(workspace), study)
    app = opened(visit, study)
    told = words(app)
    assert "none against light" in told
    assert "6 of 6 runs finished" in told
    assert any(word in told for word in ("No evidence of a difference", "light is better", "light is worse"))
    assert "not other training images" in told
    policies = table(app, "policy")
    assert list(policies["policy"]) == ["none", "light"]
    assert all("±" in told for told in policies["accuracy"])
    assert list(table(app, "change (points)")["class"]) == list(Library(workspace).get(study.recipe.dataset).classes)
    runs = table(app, "run")
    assert list(runs["run"])[:4] == ["none, seed 0", "none, seed 1", "none, seed 2", "light, seed 0"]
    assert len(app.get("plotly_chart")) == 3


def test_a_duel_at_work_tells_how_far_it_is_and_gives_no_verdict(visit, made, workspace):
    study = made(("none", "light", "heavy"))
    InlineExecutor(workspace).submit(study.members[0].run)
    app = opened(visit, study)
    told = str([bar.proto for bar in app.get("progress")])
    assert "1 of 9 runs finished" in told
    assert "s left" in told
    assert "No verdict on all policies yet" in words(app)
    app.button(key="study_stop").click().run()
    well(app)
    states = [RunStore(workspace).status(member.run).state for member in study.members]
    assert states == [RunState.FINISHED] + [RunState.STOPPED] * 8


def test_a_duel_without_a_finished_run_says_so(visit, made, workspace):
    study, store = made(), RunStore(workspace)
    for member in study.members:
        write_status(store.paths(member.run), replace(store.status(member.run), state=RunState.FAILED))
    app = opened(visit, study)
    assert "No run has finished yet" in words(app)
    assert duel_results.columns(duel.duel_table(study, {}))["accuracy"] == (None,) * 6
