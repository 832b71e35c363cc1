"""The learning-rate finder: a real range test on a tiny network."""

import math

import pytest

from core.errors import DatasetError, RecipeError
from core.recipe import Recipe
from core.train import finder
from core.train.finder import find_rate, find_rate_for
from core.workspace import Workspace
from tests.running import SMALL
from tests.shapes import SMALL_MASKS, shapes_dataset

STEPS = 12


@pytest.fixture
def look(tiny_dataset, workspace):
    """Find a rate for the small recipe with some changes."""

    def run(phase=0, steps=STEPS, report=lambda done, total: None, **changes):
        recipe = Recipe(dataset=tiny_dataset.id).set(SMALL | changes)
        return find_rate(recipe, tiny_dataset, phase, cache=workspace.cache, steps=steps, report=report)

    return run


def test_rates_rise_by_equal_factors_from_the_lowest_to_the_highest(look):
    found = look()
    assert found.ended == "highest rate"
    assert found.rates[0] == pytest.approx(finder.LOWEST)
    assert found.rates[-1] == pytest.approx(finder.HIGHEST)
    factors = [b / a for a, b in zip(found.rates, found.rates[1:], strict=False)]
    assert factors == pytest.approx([factors[0]] * (STEPS - 1))
    assert len(found.losses) == len(found.smoothed) == found.planned == STEPS
    assert all(map(math.isfinite, found.losses))


def test_the_same_recipe_gives_the_same_curve_and_another_seed_another_one(look):
    first = look()
    assert look().losses == first.losses
    assert look(seed=1).losses != first.losses


def test_the_loss_falls_where_something_is_learned(look):
    found = look(steps=40, **{"augment.policy": "none", "phases.0.trainable": "everything"})
    assert min(found.smoothed) < 0.5 * found.losses[0]
    assert 1e-4 < found.suggestion < 1e-1


def test_optimizers_are_tried_where_their_rates_usually_are(look):
    assert look(**{"optimizer.name": "sgd"}).rates[0] == pytest.approx(10 * finder.LOWEST)
    assert look(**{"optimizer.name": "lion"}).rates[0] == pytest.approx(0.2 * finder.LOWEST)


def test_the_trainable_part_the_loss_and_the_batch_are_the_recipes(look):
    head = look()
    for changes in ({"phases.0.trainable": "everything"}, {"loss.label_smoothing": 0.3}, {"batch_size": 6}):
        assert look(**changes).losses != head.losses


def test_a_later_phase_has_its_own_test(look):
    two = {"phases.1": {"name": "all", "trainable": "everything", "epochs": 2, "learning_rate": 1e-3}}
    found = look(phase=1, **two)
    assert found.phase == "all"
    assert found.losses != look(**two).losses


def test_an_explosion_ends_the_test(look, monkeypatch):
    monkeypatch.setattr(finder, "HIGHEST", 1e4)
    monkeypatch.setattr(finder, "MOST_RATE", 1e6)
    found = look(steps=60, **{"phases.0.trainable": "everything", "optimizer.name": "sgd"})
    assert found.ended == "explosion"
    assert len(found.rates) < 60


def test_batches_that_make_one_step_together_have_one_rate(look):
    told = []
    found = look(accumulate=2, report=lambda done, total: told.append((done, total)))
    assert len(found.rates) == STEPS
    assert told == [*((done, STEPS) for done in range(STEPS)), (STEPS, STEPS)]


def test_nothing_is_left_but_stored_pictures_and_features(look, workspace):
    before = {path for path in workspace.root.rglob("*") if path.is_file()}
    look()
    after = {path for path in workspace.root.rglob("*") if path.is_file()} - before
    assert after
    assert all(path.is_relative_to(workspace.cache) for path in after)


def test_masks_have_a_rate_as_well(tmp_path):
    dataset = shapes_dataset(tmp_path / "shapes")
    recipe = Recipe.parse({"task": "segmentation"}).set(SMALL_MASKS)
    found = find_rate(recipe, dataset, cache=tmp_path / "cache", steps=6)
    assert len(found.losses) == 6


def test_without_a_number_of_steps_it_takes_as_many_as_its_time_allows(look, monkeypatch):
    monkeypatch.setattr(finder, "STEPS", (14, 7))
    assert look(steps=None).planned == 14
    monkeypatch.setattr(finder, "SECONDS", 0.0)
    assert look(steps=None).planned == 7


def test_when_new_batches_are_slow_those_that_were_seen_come_again(look, monkeypatch):
    monkeypatch.setattr(finder, "FETCHING", 0.0)
    monkeypatch.setattr(finder, "FEWEST_BATCHES", 2)
    found = look(steps=None)
    assert found.images == 16, "two batches of eight"
    assert len(found.losses) == found.planned == 100


def test_a_test_that_takes_too_long_ends_and_says_so(look, monkeypatch):
    monkeypatch.setattr(finder, "MOST_SECONDS", 0.0)
    found = look(steps=None)
    assert (found.ended, len(found.rates), found.suggestion) == ("time", 1, None)


def test_a_fold_is_looked_at_if_the_recipe_asks_for_one(look):
    assert look(folds=3, fold=1).losses != look().losses
    with pytest.raises(DatasetError, match="too few images"):
        look(folds=30)


@pytest.mark.parametrize(
    ("phase", "changes", "told"),
    [
        (1, {}, "phase: found 1, expected 0 to 0"),
        (0, {"phases.0.solver": "convex", "phases.0.epochs": 1, "augment.policy": "none"}, "solved to the end"),
        (0, {"batch_size": 900}, "batch_size"),
        (0, {"steps": 5}, "steps: found 5, expected 6 to 1000"),
    ],
)
def test_what_has_no_rate_is_refused(look, phase, changes, told):
    with pytest.raises(RecipeError, match=told):
        look(phase=phase, **changes)


def test_the_lab_finds_it_by_plain_data(tiny_dataset, workspace):
    recipe = Recipe(dataset=tiny_dataset.id).set(SMALL)
    found = find_rate_for(str(workspace.root), recipe.to_json(), tiny_dataset.id, 0, STEPS)
    assert found.losses == find_rate(recipe, tiny_dataset, cache=Workspace(workspace.root).cache, steps=STEPS).losses
