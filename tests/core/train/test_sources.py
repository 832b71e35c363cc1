import pytest
import torch

from core.augment.catalog import policy
from core.augment.pipeline import Augmentation
from core.data.loading import DecodedImages
from core.data.mask_files import DecodedMasks
from core.train.sources import ImageSource, Itinerary, MaskSource, OrderedBatches, ShuffledBatches
from tests.shapes import shapes_dataset


def test_every_row_comes_once_an_epoch_in_another_order_each_time():
    batches = ShuffledBatches(range(10, 20), 4, seed=0)
    first = [row for batch in batches for row, _ in batch]
    batches.start(1)
    second = [row for batch in batches for row, _ in batch]
    assert sorted(first) == sorted(second) == list(range(10, 20))
    assert first != second


def test_an_epoch_can_be_replayed_without_the_ones_before_it():
    one, two = ShuffledBatches(range(9), 4, seed=3), ShuffledBatches(range(9), 4, seed=3)
    list(one)
    one.start(5)
    two.start(5)
    assert list(one) == list(two)


@pytest.mark.parametrize(("images", "sizes"), [(8, [4, 4]), (10, [4, 4, 2]), (9, [4, 5]), (3, [3]), (1, [1])])
def test_no_batch_holds_a_single_image_if_it_can_be_helped(images, sizes):
    batches = ShuffledBatches(range(images), 4, seed=0)
    assert [len(batch) for batch in batches] == sizes
    assert len(batches) == len(sizes)


@pytest.mark.parametrize(
    ("images", "sizes"), [(24, [(4, 4), (4, 4), (4, 4)]), (19, [(4, 4), (6, 5)]), (20, [(4, 4), (4, 4), (2, 2)])]
)
def test_nor_does_the_share_of_one_of_several_processes(images, sizes):
    shares = [ShuffledBatches(range(images), 8, seed=0, shares=(place, 2)) for place in range(2)]
    assert [(len(one), len(two)) for one, two in zip(*shares, strict=True)] == sizes


def test_validation_comes_in_order_and_as_it_is():
    assert list(OrderedBatches([5, 6, 7], 2)) == [[(5, None), (6, None)], [(7, None)]]


def test_the_next_batch_is_prepared_before_the_present_one_is_used():
    prepared, seen = [], []
    for batch in Itinerary(OrderedBatches(range(5), 2), ahead=prepared.append):
        seen.append((batch, list(prepared)))
    one, two, three = [(0, None), (1, None)], [(2, None), (3, None)], [(4, None)]
    assert seen == [(one, [two]), (two, [two, three]), (three, [two, three])]


def test_an_image_is_the_same_variant_whichever_batch_it_comes_in(coloured, tmp_path):
    images = DecodedImages(coloured, 32, "crop", tmp_path / "cache")
    source = ImageSource(images, coloured, Augmentation(policy("heavy").rows), seed=0)
    together, labels = source.__getitems__([(0, 2), (20, 2), (30, 2)])
    alone, label = source.__getitems__([(20, 2)])
    assert torch.equal(together[1], alone[0])
    assert label.item() == labels[1].item() == 1
    other_draw, _ = source.__getitems__([(20, 3)])
    assert not torch.equal(alone, other_draw)
    as_it_is, _ = source.__getitems__([(20, None)])
    assert torch.equal(as_it_is[0].permute(1, 2, 0), torch.from_numpy(images.get([20])[0]))


def test_an_image_and_its_mask_are_the_same_pair_whichever_batch_they_come_in(tmp_path):
    dataset = shapes_dataset(tmp_path / "shapes")
    images = DecodedImages(dataset, 32, "squash", tmp_path / "cache")
    masks = DecodedMasks(dataset, 32, "squash", tmp_path / "cache")
    source = MaskSource(images, masks, dataset, Augmentation(policy("heavy").rows), seed=0)
    together, beside = source.__getitems__([(0, 2), (4, 2), (7, 2)])
    alone, own = source.__getitems__([(4, 2)])
    assert torch.equal(together[1], alone[0])
    assert torch.equal(beside[1], own[0])
    assert (own.shape, own.dtype) == ((1, 32, 32), torch.uint8)
    other, moved = source.__getitems__([(4, 3)])
    assert not torch.equal(other, alone)
    assert not torch.equal(moved, own)
    as_it_is, truth = source.__getitems__([(4, None)])
    assert torch.equal(as_it_is[0].permute(1, 2, 0), torch.from_numpy(images.get([4])[0]))
    assert torch.equal(truth, torch.from_numpy(masks.get([4])))


def test_masks_are_prepared_beside_their_images(tmp_path, monkeypatch):
    dataset, prepared = shapes_dataset(tmp_path / "shapes"), []
    monkeypatch.setattr(
        "core.data.loading.DecodedRows.prefetch", lambda self, rows: prepared.append((type(self), rows))
    )
    images = DecodedImages(dataset, 32, "squash", tmp_path / "cache")
    masks = DecodedMasks(dataset, 32, "squash", tmp_path / "cache")
    MaskSource(images, masks, dataset, Augmentation(()), seed=0).prefetch([(3, 0), (5, 0)])
    assert prepared == [(DecodedImages, [3, 5]), (DecodedMasks, [3, 5])]
