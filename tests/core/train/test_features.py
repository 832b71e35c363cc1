import pytest
import torch

from core.augment.catalog import resolve
from core.data.loading import DecodedImages
from core.models.classifiers import build_classifier
from core.train.devices import accelerator_for
from core.train.features import FrozenFeatures


@pytest.fixture
def store(coloured, small_recipe, tmp_path):
    """`store(changes)` opens the features of a fixed random backbone under one shared cache."""

    def opened(changes=None, weights_seed=0):
        recipe = small_recipe.set(changes or {})
        torch.manual_seed(weights_seed)
        model = build_classifier(recipe.model, 3).eval()
        images = DecodedImages(coloured, recipe.image_size, recipe.fit, tmp_path / "cache")
        rows = resolve(recipe.augment)
        return FrozenFeatures(model, images, coloured, recipe, rows, tmp_path / "cache", accelerator)

    with accelerator_for(small_recipe) as accelerator:
        yield opened


def test_features_are_computed_once_and_then_read_by_anyone(store):
    first = store()
    values = first.get([3, 1, 3], None)
    assert first.extracted == 2
    assert torch.equal(values[0], values[2])
    second = store()
    assert torch.equal(second.get([3, 1, 3], None), values)
    assert second.extracted == 0


def test_an_added_image_costs_one_pass(store):
    features = store()
    features.get([0, 1, 2], None)
    features.get([0, 1, 2, 3], None)
    assert features.extracted == 4


def test_features_do_not_depend_on_the_company_an_image_comes_in(store, tmp_path):
    alone = store().get([7], None)
    together = store({"image_size": 33}).get(range(20), None), store().get(range(20), None)
    assert torch.equal(together[1][7], alone[0])
    assert not torch.equal(together[0][7], alone[0])  # another size is another key


@pytest.mark.parametrize("changes", [{"fit": "pad", "image_size": 24}, {"seed": 1}, {"augment.policy": "heavy"}])
def test_what_changes_the_features_changes_the_key(store, changes):
    store().get([0], 0)
    other = store(changes)
    other.get([0], 0)
    assert other.extracted == 1


def test_other_weights_are_another_key(store):
    store().get([0], None)
    other = store(weights_seed=1)
    other.get([0], None)
    assert other.extracted == 1


def test_views_take_turns_and_a_policy_without_randomness_has_one(store):
    features = store({"augment.views": 2})
    assert [features.training_view(draw) for draw in range(4)] == [0, 1, 0, 1]
    assert store({"augment.policy": "none"}).training_view(5) is None


def test_another_precision_is_another_key(store, monkeypatch):
    store().get([0], None)
    monkeypatch.setattr("core.train.features.precision_of", lambda accelerator: "bfloat16")
    other = store()
    other.get([0], None)
    assert other.extracted == 1
