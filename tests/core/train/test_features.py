from dataclasses import replace

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

    def opened(changes=None, weights_seed=0, dataset=coloured):
        recipe = small_recipe.set(changes or {})
        torch.manual_seed(weights_seed)
        model = build_classifier(recipe.model, 3).eval()
        images = DecodedImages(dataset, recipe.image_size, recipe.fit, tmp_path / "cache")
        rows = resolve(recipe.augment)
        return FrozenFeatures(model, images, dataset, recipe, rows, tmp_path / "cache", accelerator)

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


def changed(dataset, samples, **options):
    """Another revision of it, or with an id another dataset."""
    return replace(dataset, samples=tuple(samples), fingerprint="another", **options)


@pytest.mark.parametrize("view", [None, 1])
def test_other_labels_and_splits_and_places_cost_nothing(store, coloured, view):
    every = range(len(coloured.samples))
    before = store().get(every, view)
    samples = [replace(s, label=2 - s.label, split="train", id=f"9{s.id}") for s in coloured.samples[::-1]]
    relabelled = store(dataset=changed(coloured, samples))
    assert torch.equal(relabelled.get(every, view), before.flip(0))
    assert relabelled.extracted == 0


@pytest.mark.parametrize("view", [None, 0])
def test_an_added_image_costs_itself_alone(store, coloured, view):
    fewer = changed(coloured, coloured.samples[:30])
    store(dataset=fewer).get(range(30), view)
    more = store()
    more.prefetch(range(42), view)
    more.get(range(42), view)
    assert more.extracted == 12


def test_another_dataset_with_the_same_pictures_costs_nothing(store, coloured):
    before = store().get(range(20), 0)
    other = store(dataset=changed(coloured, coloured.samples[10:30], id="other-1"))
    assert torch.equal(other.get(range(10), 0), before[10:])
    assert other.extracted == 0
    other.get(range(20), 0)
    assert other.extracted == 10


def test_small_batches_go_through_the_backbone_in_full_passes(store, coloured):
    """As the loop asks: each batch is announced before the one ahead of it is taken."""
    features, sizes = store(), []
    passed = features._pass
    features._pass = lambda images: sizes.append(len(images)) or passed(images)
    rows = [row for row, sample in enumerate(coloured.samples) if sample.split == "train"]
    batches = [rows[start : start + 3] for start in range(0, len(rows), 3)]
    for batch, following in zip(batches, [*batches[1:], []], strict=True):
        features.prefetch(following, None)
        features.get(batch, None)
    assert features.extracted == len(rows) == 24
    assert sizes == [16, 16]
    assert torch.equal(features.get(rows, None), store().get(rows, None))


@pytest.mark.parametrize("changes", [{"fit": "pad", "image_size": 24}, {"seed": 1}, {"augment.policy": "heavy"}])
def test_what_changes_the_features_changes_the_key(store, changes):
    store().get([0], 0)
    other = store(changes)
    other.get([0], 0)
    assert other.extracted == 1


def test_a_head_on_stored_features_learns_in_one_thread_and_gives_the_others_back(store):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        features = store()
        used = []
        passed = features._pass
        features._pass = lambda images: used.append(torch.get_num_threads()) or passed(images)
        features.get([0, 1], None)
        assert used == [2]
        assert torch.get_num_threads() == 1
        features.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


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


def test_a_pass_that_memory_does_not_take_is_made_of_fewer_images(store, monkeypatch):
    features, passes = store(), []
    look = features._pass

    def tight(images):
        passes.append(len(images))
        if len(images) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return look(images)

    monkeypatch.setattr(features, "_pass", tight)
    found = features.get(range(20), None)
    assert passes == [16, 8] + [4] * 5, "what was refused once is not tried again"
    images = torch.from_numpy(features._images.get(list(range(20)))).permute(0, 3, 1, 2)
    with torch.inference_mode():
        torch.testing.assert_close(found, look(images))


def test_a_single_image_that_memory_does_not_take_is_an_error(store, monkeypatch):
    def full(images):
        raise torch.OutOfMemoryError("CUDA out of memory")

    features = store()
    monkeypatch.setattr(features, "_pass", full)
    with pytest.raises(torch.OutOfMemoryError):
        features.get([0], None)
