"""Splits: stratified, repeatable, and never with a copy of a training image among the examined ones."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.dataset import SPLITS, Sample
from core.data.split import SplitRule, complete_given, rarest_held, stratified
from core.errors import DatasetError


def test_shares_are_kept_within_every_class():
    splits = stratified([0] * 100 + [1] * 20, SplitRule())
    assert Counter(splits[:100]) == {"train": 70, "validation": 15, "test": 15}
    assert Counter(splits[100:]) == {"train": 14, "validation": 3, "test": 3}


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    train=st.integers(1, 90),
    validation=st.integers(1, 90),
    test=st.integers(0, 90),
    seed=st.integers(0, 2**31 - 1),
)
def test_every_class_of_three_is_in_every_split_that_has_a_share(sizes, train, validation, test, seed):
    whole = train + validation + test
    rule = SplitRule(train / whole, validation / whole, test / whole, seed)
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    splits = stratified(labels, rule)
    wanted = {split for split in SPLITS if rule.shares[split] > 0}
    for label, size in enumerate(sizes):
        counted = Counter(split for split, of in zip(splits, labels, strict=True) if of == label)
        assert set(counted) <= wanted
        if size >= 3:
            assert set(counted) == wanted
        if size == 2:
            assert set(counted) == {"train", "validation"}
        if size == 1:
            assert set(counted) == {"train"}
        for split in wanted:
            assert abs(counted[split] - size * rule.shares[split]) < 3


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    labels = [0, 1] * 30
    assert stratified(labels, SplitRule(seed=1)) == stratified(labels, SplitRule(seed=1))
    assert stratified(labels, SplitRule(seed=1)) != stratified(labels, SplitRule(seed=2))


def test_this_split_is_the_same_on_every_machine_and_in_every_version():
    splits = stratified([0] * 8, SplitRule(0.5, 0.25, 0.25, seed=7))
    assert "".join(split[0] + split[1] for split in splits) == "trtevavatrtrtetr"


def test_copies_of_one_picture_stay_in_one_split():
    pictures = [str(number // 3) for number in range(90)]
    splits = stratified([0] * 90, SplitRule(), pictures)
    together = {}
    for picture, split in zip(pictures, splits, strict=True):
        together.setdefault(picture, set()).add(split)
    assert all(len(places) == 1 for places in together.values())
    assert Counter(splits) == {"train": 63, "validation": 15, "test": 12}


def test_the_order_of_the_files_does_not_decide_who_examines():
    pictures = [f"digest {number}" for number in range(40)]
    forwards = dict(zip(pictures, stratified([0] * 40, SplitRule(), pictures), strict=True))
    backwards = dict(zip(pictures[::-1], stratified([0] * 40, SplitRule(), pictures[::-1]), strict=True))
    assert forwards == backwards


def test_without_a_test_share_there_is_no_test_split():
    assert set(stratified([0] * 50, SplitRule(0.8, 0.2, 0.0))) == {"train", "validation"}


def test_given_splits_stay_as_they_are():
    given_splits = ["train", "validation", "test", "train"]
    assert complete_given(given_splits, [0, 0, 0, 1], SplitRule()) == (given_splits, "given by the folders")


def test_a_missing_validation_split_is_carved_from_train_and_said_so():
    given_splits = ["train"] * 80 + ["test"] * 20
    splits, sentence = complete_given(given_splits, [0] * 80 + [1] * 20, SplitRule(0.6, 0.2, 0.2, seed=5))
    assert splits[80:] == ["test"] * 20
    assert Counter(splits[:80]) == {"train": 60, "validation": 20}
    assert sentence == "given by the folders; validation is 25% of train, stratified by seed 5"


def test_a_missing_test_split_stays_missing():
    assert set(complete_given(["train"] * 20, [0] * 20, SplitRule())[0]) == {"train", "validation"}


def test_without_a_training_split_there_is_nothing_to_learn_from():
    with pytest.raises(DatasetError, match="no training split: found validation and test, expected a folder train"):
        complete_given(["validation", "test"], [0, 1], SplitRule())


@pytest.mark.parametrize(
    "shares", [(0.5, 0.2, 0.2), (1.0, 0.0, 0.0), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)]
)
def test_shares_that_do_not_work_are_refused(shares):
    with pytest.raises(DatasetError, match="train and validation above 0, test 0 or more, together 1"):
        SplitRule(*shares)


def test_a_negative_seed_is_refused():
    with pytest.raises(DatasetError, match="found -1"):
        SplitRule(seed=-1)


def test_the_rule_says_what_it_does():
    assert SplitRule(seed=3).sentence == "70/15/15 stratified by seed 3"
    assert SplitRule(2 / 3, 1 / 3, 0).sentence == "66.7/33.3/0 stratified by seed 0"


def test_an_image_with_a_mask_is_dealt_by_the_class_that_fewest_images_hold():
    def sample(digest, *pixels):
        return Sample("", "", "", -1, "", 4, 4, digest, "PNG", mask="m.png", pixels=pixels)

    samples = [sample("a", 9, 1, 0), sample("b", 9, 1, 0), sample("c", 9, 0, 1), sample("d", 9, 0, 0)]
    assert rarest_held(samples) == [1, 1, 2, 0]
    assert rarest_held([sample("a", 9, 1, 0), sample("a", 9, 0, 1), sample("b", 9, 1, 0)]) == [2, 2, 1]
    assert rarest_held([sample("a", 0, 0), sample("b", 5, 0)]) == [-1, 0]
