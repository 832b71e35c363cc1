"""MixUp and CutMix: what is mixed with what, and that labels follow."""

import pytest
import torch

from core.augment.mixing import Mixing
from core.recipe import MixChoice

CLASSES = 4
LABELS = torch.arange(CLASSES)


def images(side=8):
    """Four images, each of one number throughout: 0, 1, 2 and 3."""
    return torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, side, side).contiguous(memory_format=torch.channels_last)


def mixed(seed=0, given=None, labels=LABELS, **choice):
    return Mixing(MixChoice(**choice), CLASSES)(images() if given is None else given, labels, seed)


@pytest.mark.parametrize("seed", range(5))
def test_mixup_mixes_each_image_with_the_one_before_it_and_its_label_as_much(seed):
    pictures, targets = mixed(seed, mixup=1.0)
    share = targets[1, 1].item()
    assert 0 < share < 1
    assert targets[1, 0].item() == pytest.approx(1 - share)
    assert targets.sum(1).tolist() == pytest.approx([1] * 4)
    assert pictures[1].unique().tolist() == pytest.approx([share])  # of the number 1, the other being 0
    assert pictures[0].unique().tolist() == pytest.approx([3 * (1 - share)], abs=1e-6)  # the first with the last


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_puts_in_a_rectangle_of_the_image_before_and_its_label_by_the_area(seed):
    pictures, targets = mixed(seed, cutmix=1.0)
    assert set(pictures[1].unique().tolist()) <= {0.0, 1.0}
    own = (pictures[1, 0] == 1).float().mean().item()
    assert targets[1].tolist() == pytest.approx([1 - own, own, 0, 0], abs=1e-6)
    cut = (pictures[1, 0] == 0).nonzero()
    if len(cut):  # the pixels fill the rectangle around them
        height, width = (cut.max(0).values - cut.min(0).values + 1).tolist()
        assert len(cut) == height * width


def test_of_both_each_batch_gets_one_and_both_come():
    kinds = {mixed(seed, mixup=1.0, cutmix=1.0)[0][1].unique().numel() for seed in range(40)}
    assert kinds == {1, 2}  # one number throughout, or two


def test_the_probability_says_how_often_a_batch_is_mixed():
    whole = [bool((mixed(seed, mixup=1.0, probability=0.25)[1].max(1).values == 1).all()) for seed in range(400)]
    assert 0.68 < sum(whole) / 400 < 0.82


def test_what_is_not_mixed_keeps_its_images_and_has_its_class_as_the_whole_target():
    given = images()
    pictures, targets = mixed(given=given, mixup=1.0, probability=0.0)
    assert pictures is given
    assert torch.equal(targets, torch.eye(4))
    assert targets.dtype == torch.float32


@pytest.mark.parametrize("choice", [{"mixup": 0.4}, {"cutmix": 1.0}], ids=["mixup", "cutmix"])
def test_the_seed_alone_decides_and_torchs_generator_and_the_images_stay_as_they_were(choice):
    given, before = images(), torch.get_rng_state()
    first = mixed(3, given, **choice)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(given, images())
    torch.rand(7)
    again, other = mixed(3, **choice), mixed(4, **choice)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


@pytest.mark.parametrize("choice", [{"mixup": 0.4}, {"cutmix": 1.0}], ids=["mixup", "cutmix"])
def test_what_is_channels_last_stays_so(choice):
    pictures, _ = mixed(**choice)
    assert pictures.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("choice", [{"mixup": 0.4}, {"cutmix": 1.0}], ids=["mixup", "cutmix"])
def test_an_image_alone_in_its_batch_is_mixed_with_itself(choice):
    pictures, targets = mixed(given=images()[2:3], labels=LABELS[2:3], **choice)
    assert pictures.unique().tolist() == pytest.approx([2.0])
    assert targets.tolist() == [pytest.approx([0, 0, 1, 0])]
