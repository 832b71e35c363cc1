"""Splits: stratified, repeatable, and never with a copy of a training image among the examined ones."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.dataset import SPLITS, Dataset, Sample, fingerprint_of
from core.data.split import (
    SplitRule,
    complete,
    complete_given,
    dataset_caution,
    deal,
    folded,
    rarest_held,
    straddling,
    stratified,
    units,
)
from core.errors import DatasetError, RecipeError
from tests.shapes import shapes_dataset


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


# What belongs together


def sample(row: int, label: int = 0, **facts) -> Sample:
    digest = facts.pop("digest", f"picture {row}")
    name = facts.pop("name", f"{row}.png")
    return Sample(f"{row:06d}", "", name, label, facts.pop("split", ""), 8, 8, digest, "PNG", **facts)


def sides(samples, what) -> dict[str, set[str]]:
    """For each group (or cluster, or digest) the splits that it is in."""
    found = {}
    for one in samples:
        if what(one):
            found.setdefault(what(one), set()).add(one.split)
    return found


def test_what_is_linked_through_others_is_one_unit_in_whatever_order():
    linked = [
        sample(0, group="p1"),
        sample(1, group="p1", twins="000001"),
        sample(2, twins="000001", digest="same"),
        sample(3, digest="same", group="p2"),
        sample(4, group="p2"),
        sample(5),
        sample(6, group="p3"),
    ]
    assert units(linked) == ["picture 0"] * 5 + ["picture 5", "picture 6"]
    assert units(linked[::-1]) == units(linked)[::-1]
    assert units(linked, apart=False) == ["picture 0"] * 2 + ["picture 4"] * 3 + ["picture 5", "picture 6"]


@settings(deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_no_group_and_no_twins_are_on_both_sides_and_no_picture_is_lost(data, seed):
    count = data.draw(st.integers(12, 60))
    rows = st.lists(st.integers(0, 12), min_size=count, max_size=count)
    groups, twins, labels = data.draw(rows), data.draw(rows), data.draw(rows)
    samples = [
        sample(
            row,
            labels[row] % 3,
            group=f"g{groups[row]}" if groups[row] < 4 else "",
            twins=f"{twins[row]:06d}" if twins[row] < 3 else "",
        )
        for row in range(count)
    ]
    dealt, _ = deal(samples, SplitRule(seed=seed))
    assert [one.id for one in dealt] == [one.id for one in samples]
    assert {one.split for one in dealt} <= set(SPLITS)
    assert not straddling(dealt)
    for what in (lambda one: one.group, lambda one: one.twins):
        assert all(len(found) == 1 for found in sides(dealt, what).values())
    again = {one.id: one.split for one in deal(samples[::-1], SplitRule(seed=seed))[0]}
    assert again == {one.id: one.split for one in dealt}, "the order of the files decides nothing"


def test_patients_of_many_pictures_keep_the_shares_and_every_class_is_everywhere():
    """60 patients with 2 to 12 pictures, each of one of four kinds or of two of them."""
    generator = random.Random(3)
    samples = []
    for patient in range(60):
        kinds = generator.choice([(0,), (1,), (2,), (3,), (0, 1), (2, 3)])
        for _ in range(generator.randint(2, 12)):
            samples.append(sample(len(samples), generator.choice(kinds), name=f"p{patient:02d}_{len(samples)}.png"))
    dealt, sentence = deal(samples, SplitRule(groups="{group}_*"))
    assert sentence == "70/15/15 stratified by seed 0, 60 groups kept whole"
    assert all(len(found) == 1 for found in sides(dealt, lambda one: one.group).values())
    counts, whole = Counter((one.label, one.split) for one in dealt), Counter(one.label for one in dealt)
    for label in range(4):
        for split, share in SplitRule().shares.items():
            assert abs(counts[label, split] - share * whole[label]) <= 0.06 * whole[label] + 1, (label, split, counts)


def test_a_class_of_three_groups_is_in_every_split():
    samples = [sample(row, 0) for row in range(100)]
    samples += [sample(100 + row, 1, group=f"p{row // 10}") for row in range(30)]
    dealt, _ = deal(samples, SplitRule())
    assert Counter(one.split for one in dealt if one.label == 1) == {"train": 10, "validation": 10, "test": 10}
    assert Counter(one.split for one in dealt if one.label == 0) == {"train": 70, "validation": 15, "test": 15}


def test_single_pictures_make_up_for_what_large_groups_took():
    samples = [sample(row, 0, group="large" if row < 40 else "") for row in range(100)]
    dealt, _ = deal(samples, SplitRule(0.4, 0.3, 0.3))
    assert Counter(one.split for one in dealt) == {"train": 40, "validation": 30, "test": 30}


def test_pictures_without_links_are_dealt_as_if_nothing_were_linked():
    plain = [sample(row, row % 2) for row in range(60)]
    linked = [replace(one, group="p") if row < 4 else one for row, one in enumerate(plain)]
    before = {one.id: one.split for one in deal(plain, SplitRule())[0]}
    after = {one.id: one.split for one in deal(linked, SplitRule())[0]}
    assert before == dict(zip(before, stratified([0, 1] * 30, SplitRule(), [one.digest for one in plain]), strict=True))
    assert sum(before[id] != after[id] for id in before) <= 12


def test_near_duplicates_are_scattered_only_where_somebody_insists_and_it_is_said():
    samples = [sample(row, 0, twins=f"{row // 2 * 2:06d}", group="p" if row < 6 else "") for row in range(40)]
    together, sentence = deal(samples, SplitRule())
    assert not straddling(together)
    assert sentence.endswith(", 1 group kept whole, near duplicates kept together")
    scattered, sentence = deal(samples, SplitRule(apart=False))
    assert sentence.endswith(", near duplicates scattered on request")
    found = straddling(scattered)
    assert found.twins
    assert not found.groups, "a group that somebody named is kept whole all the same"


def test_a_rule_with_groups_and_insistence_comes_back_from_json():
    rule = SplitRule(0.6, 0.2, 0.2, 4, "{group}_*", apart=False)
    assert SplitRule.from_json(rule.to_json()) == rule
    assert SplitRule.from_json('{"train": 0.7, "validation": 0.15, "test": 0.15, "seed": 1}') == SplitRule(seed=1)
    with pytest.raises(DatasetError, match=r"\{group\} once"):
        SplitRule(groups="*")


@pytest.mark.parametrize("text", ["", "[1]", '{"shares": 1}', '{"groups": 5}', '{"train": "much"}'])
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(DatasetError, match="no rule for splits"):
        SplitRule.from_json(text)


def test_given_splits_stay_and_a_missing_validation_split_is_carved_in_whole_groups():
    samples = [sample(row, 0, split="train", group=f"p{row // 4}") for row in range(80)]
    samples += [sample(80 + row, 0, split="test", group="p0") for row in range(4)]
    completed, sentence = complete(samples, SplitRule(0.75, 0.25, 0))
    assert [one.split for one in completed[80:]] == ["test"] * 4
    assert Counter(one.split for one in completed) == {"train": 60, "validation": 20, "test": 4}
    assert sentence == "given by the folders; validation is 25% of train, stratified by seed 0, 20 groups kept whole"
    assert [[one[:2] for one in straddling(completed).groups], straddling(completed).twins] == [
        [("000000", "000001")],
        (),
    ]


def test_what_is_on_both_sides_is_told_in_a_sentence():
    told = "so a model is examined on pictures like those it learned from, and scores look better than they are."
    torn = [sample(0, split="train", digest="x"), sample(1, split="test", digest="x")]
    assert straddling(torn).twins == (("000000", "000001"),)
    assert straddling(torn).sentence == f"1 set of near duplicates is in more than one split, {told}"
    torn += [sample(2, split="train", group="p"), sample(3, split="validation", group="p")]
    torn += [sample(4, split="train", group="q"), sample(5, split="test", group="q")]
    assert straddling(torn).sentence == f"2 groups and 1 set of near duplicates are in more than one split, {told}"
    whole = data(0, 0, 1, 1, splits=["train", "validation"] * 2)
    assert not straddling(whole.samples)
    assert dataset_caution(whole) == ""
    copied = data(0, 0, 1, 1, splits=["train", "validation"] * 2, copies={1: 0})
    assert dataset_caution(copied) == straddling(torn[:2]).sentence


# Folds


def data(*labels: int, splits: list[str] | None = None, copies: dict[int, int] | None = None, **changes) -> Dataset:
    """A dataset without files: one sample for each label; `copies` gives a sample the picture of another one."""
    given = splits or stratified(labels, SplitRule())
    samples = tuple(
        Sample(
            f"{row:06d}",
            f"{row}.png",
            f"{row}.png",
            label,
            split,
            8,
            8,
            f"picture {(copies or {}).get(row, row)}",
            "PNG",
        )
        for row, (label, split) in enumerate(zip(labels, given, strict=True))
    )
    classes = tuple(f"class {label}" for label in range(max(labels) + 1))
    facts = {"layout": "", "source": "", "created": 0.0, "split_rule": "given", "skipped": (), "bytes": 0}
    about = {"id": "data-1", "name": "Data", "task": "classification", "fingerprint": fingerprint_of(classes, samples)}
    return replace(Dataset(folder=Path("nowhere"), classes=classes, samples=samples, **about, **facts), **changes)


def members(dataset: Dataset, split: str) -> set[str]:
    return {sample.id for sample in dataset.of(split)}


def test_every_image_but_those_of_the_test_split_validates_in_exactly_one_fold():
    dataset = data(*[0] * 50, *[1] * 30, *[2] * 20)
    folds = [folded(dataset, 5, fold, seed=0) for fold in range(5)]
    pool = members(dataset, "train") | members(dataset, "validation")
    assert sorted(id for fold in folds for id in members(fold, "validation")) == sorted(pool)
    for fold in folds:
        assert members(fold, "test") == members(dataset, "test")
        assert members(fold, "train") == pool - members(fold, "validation")


def test_folds_keep_the_proportions_of_the_classes():
    dataset = data(*[0] * 50, *[1] * 30, *[2] * 20, splits=["train"] * 100)
    for fold in range(5):
        counts = folded(dataset, 5, fold, seed=3).counts()["validation"]
        assert counts == {"class 0": 10, "class 1": 6, "class 2": 4}


def test_a_fold_depends_on_the_seed_and_on_nothing_that_happened_before():
    dataset = data(*[0, 1] * 40)
    assert folded(dataset, 4, 1, seed=7) == folded(dataset, 4, 1, seed=7)
    assert members(folded(dataset, 4, 1, seed=7), "validation") != members(folded(dataset, 4, 1, seed=8), "validation")


def test_folds_of_a_fold_are_those_of_the_dataset():
    dataset = data(*[0, 1] * 40)
    assert folded(folded(dataset, 4, 0, seed=7), 4, 2, seed=7) == folded(dataset, 4, 2, seed=7)


def test_a_fold_shares_what_is_stored_for_the_dataset():
    dataset = data(*[0, 1] * 40)
    fold = folded(dataset, 4, 1, seed=7)
    assert fold.fingerprint == dataset.fingerprint
    assert [sample.id for sample in fold.samples] == [sample.id for sample in dataset.samples]
    assert fold.split_rule == "fold 2 of 4, stratified by seed 7"


def test_copies_of_a_picture_are_never_on_both_sides_of_a_fold():
    copies = {row: row - 1 for row in range(1, 60, 2)}  # each picture twice, some under two names of classes
    dataset = data(*[0, 0, 1, 1, 0, 1] * 10, copies=copies, splits=["train"] * 60)
    for fold in range(5):
        dealt = folded(dataset, 5, fold, seed=0)
        digests = {split: {sample.digest for sample in dealt.of(split)} for split in ("train", "validation")}
        assert digests["validation"]
        assert not digests["train"] & digests["validation"]


def test_groups_and_near_duplicates_stay_together_in_folds_that_are_as_even_as_they_can_be():
    dataset = data(*[0] * 60, *[1] * 40, *[2] * 23, splits=["train"] * 123)
    samples = tuple(
        replace(one, group=f"p{row // 3}" if row < 30 else "", twins=f"{row // 2}" if 60 <= row < 80 else "")
        for row, one in enumerate(dataset.samples)
    )
    dataset, held = replace(dataset, samples=samples), []
    for fold in range(5):
        dealt = folded(dataset, 5, fold, seed=0)
        assert not straddling(dealt.samples)
        counts = dealt.counts()["validation"]
        assert counts["class 0"] == 12
        assert counts["class 1"] == 8
        assert counts["class 2"] in (4, 5)
        held += [one.id for one in dealt.of("validation")]
    assert sorted(held) == [one.id for one in dataset.samples]


def test_folds_are_of_one_size_though_no_class_divides_evenly():
    dataset = data(*[label for label in range(8) for _ in range(11)], splits=["train"] * 88)
    assert sorted(len(folded(dataset, 5, fold, seed=0).of("validation")) for fold in range(5)) == [17, 17, 18, 18, 18]


def test_a_class_in_fewer_groups_than_folds_is_refused():
    dataset = data(*[0] * 50, *[1] * 20, splits=["train"] * 70)
    samples = tuple(replace(one, group="pq"[row % 2] if one.label else "") for row, one in enumerate(dataset.samples))
    with pytest.raises(DatasetError, match="found 2 of 'class 1'"):
        folded(replace(dataset, samples=samples), 3, 0, seed=0)


def test_a_class_with_fewer_pictures_than_folds_is_refused_with_what_would_go():
    dataset = data(*[0] * 50, *[1] * 4, splits=["train"] * 54)
    assert folded(dataset, 4, 3, seed=0).counts()["validation"]["class 1"] == 1
    with pytest.raises(DatasetError, match=r"found 4 of 'class 1'.*expected at least 5.*Choose at most 4 folds"):
        folded(dataset, 5, 0, seed=0)
    copied = data(*[0] * 50, *[1] * 4, splits=["train"] * 54, copies={53: 52, 51: 50})
    with pytest.raises(DatasetError, match="found 2 of 'class 1'"):
        folded(copied, 3, 0, seed=0)


def test_images_of_the_test_split_do_not_count_for_folds():
    dataset = data(*[0] * 20, *[1] * 6, splits=["train"] * 20 + ["train"] * 2 + ["test"] * 4)
    with pytest.raises(DatasetError, match="found 2 of 'class 1'"):
        folded(dataset, 3, 0, seed=0)


@pytest.mark.parametrize(("folds", "fold", "told"), [(1, 0, "2 or more"), (5, 5, "0 to 4"), (5, -1, "0 to 4")])
def test_folds_that_cannot_be_are_refused(folds, fold, told):
    with pytest.raises(RecipeError, match=told):
        folded(data(*[0, 1] * 20), folds, fold, seed=0)


def test_masks_are_dealt_so_that_every_fold_holds_every_class(tmp_path):
    dataset = shapes_dataset(tmp_path, side=16, splits=("train",) * 24 + ("test",) * 3)
    for fold in range(4):
        counts = folded(dataset, 4, fold, seed=1).counts()
        assert all(number > 0 for split in ("train", "validation") for number in counts[split].values()), counts
    with pytest.raises(DatasetError, match="too few images for 17 folds"):  # 8 of each kind, 8 with both
        folded(dataset, 17, 0, seed=1)


def test_masks_that_few_have_as_their_rarest_class_are_dealt_all_the_same():
    """Six of eight images hold a, and five b, the rarer one; the three that hold a alone are fewer than the folds."""
    dataset = data(*[0] * 8, splits=["train"] * 8, task="segmentation", classes=("a", "b"))
    held = [(9, 1), (9, 1), (9, 1), (0, 1), (9, 1), (9, 0), (9, 0), (9, 0)]
    samples = tuple(
        replace(sample, label=-1, mask="m.png", pixels=pixels)
        for sample, pixels in zip(dataset.samples, held, strict=True)
    )
    masks = replace(dataset, samples=samples)
    validated = [len(folded(masks, 4, fold, seed=0).of("validation")) for fold in range(4)]
    assert sorted(validated) == [2, 2, 2, 2]
