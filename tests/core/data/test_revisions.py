"""Revisions: whole, numbered, never changed again; nothing that a run has used is ever lost."""

import pytest

from core.data.dataset import Change, load_dataset
from core.data.library import Library
from core.data.revisions import restore, revise, revisions
from core.data.split import SplitRule
from core.errors import DatasetError
from core.executors.inline import InlineExecutor
from core.runs.data import dataset_of
from core.runs.store import RunStore
from tests.running import small


def ids(dataset, label, split="train"):
    return [sample.id for sample in dataset.of(split) if sample.label == label]


def test_a_revision_leaves_out_relabels_and_moves_and_the_first_stays_as_it_was(tiny_dataset):
    before = load_dataset(tiny_dataset.folder)
    first, second, third = ids(before, 0)[:3]
    changes = [
        Change("exclude", (first,), why="it is blank."),
        Change("relabel", (second,), before.classes[1]),
        Change("move", (third,), "validation"),
    ]
    revised = revise(before, changes)
    assert revised.revision == 2
    again = load_dataset(tiny_dataset.folder)
    assert again == revised
    assert again.changes == tuple(changes)
    assert first not in [sample.id for sample in again.samples]
    assert again.sample(second).label == 1
    assert again.sample(third).split == "validation"
    assert again.split_rule.endswith("1 moved by hand")
    assert again.fingerprint != before.fingerprint
    assert again.path(again.sample(second)) == before.path(before.sample(second))
    assert load_dataset(tiny_dataset.folder, 1) == before
    assert [change.sentence for change in changes] == [
        "1 picture left out: it is blank.",
        f"1 picture now called {before.classes[1]}.",
        "1 picture moved to the validation split.",
    ]
    history = revisions(tiny_dataset.folder)
    assert [line.number for line in history] == [1, 2]
    assert [line.samples for line in history] == [len(before.samples), len(before.samples) - 1]
    assert history[1].changes == tuple(changes)


def test_a_class_without_pictures_is_none_any_more_and_a_new_name_is_a_new_one(tiny_dataset):
    before = load_dataset(tiny_dataset.folder)
    pictures = tuple(sample.id for sample in before.samples if sample.label == 0)
    revised = revise(before, [Change("relabel", pictures, "zebra")])
    assert revised.classes == (*before.classes[1:], "zebra")
    assert all(revised.classes[revised.sample(id).label] == "zebra" for id in pictures)
    others = [sample for sample in before.samples if sample.label > 0]
    assert all(revised.classes[revised.sample(sample.id).label] == before.classes[sample.label] for sample in others)


def test_pictures_can_be_dealt_anew(tiny_dataset):
    before = load_dataset(tiny_dataset.folder)
    everything = tuple(sample.id for sample in before.samples)
    rule = SplitRule(0.5, 0.5, 0.0, seed=7)
    revised = revise(before, [Change("deal", everything, rule.to_json())])
    assert set(revised.split_counts()) == {"train", "validation"}
    assert revised.split_rule == rule.sentence


def test_an_earlier_revision_comes_back_as_a_new_one(tiny_dataset):
    before = load_dataset(tiny_dataset.folder)
    revise(before, [Change("exclude", (before.samples[0].id,))])
    with pytest.raises(DatasetError, match="nothing"):
        restore(load_dataset(tiny_dataset.folder), 2)
    back = restore(load_dataset(tiny_dataset.folder), 1)
    assert back.revision == 3
    assert (back.samples, back.fingerprint) == (before.samples, before.fingerprint)
    assert back.changes[0].sentence == "everything again as in revision 1."


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Change("exclude", ("999999",)), "no such sample"),
        (Change("exclude", ()), "nothing to change"),
        (Change("move", ("000000",), "holdout"), "no such split"),
        (Change("relabel", ("000000",), " "), "needs a name"),
        (Change("shuffle", ("000000",)), "no such change"),
        (Change("restore", ("000000",), "1"), "no such change"),
        (Change("deal", ("000000",), "{"), "no rule for splits"),
    ],
)
def test_changes_that_cannot_be_are_refused_and_nothing_is_written(tiny_dataset, change, says):
    before = load_dataset(tiny_dataset.folder)
    with pytest.raises(DatasetError, match=says):
        revise(before, [change])
    assert load_dataset(tiny_dataset.folder) == before
    assert not (tiny_dataset.folder / "revisions").exists()


def test_something_must_be_left_to_learn_from_and_two_classes_to_tell_apart(tiny_dataset):
    others = tuple(sample.id for sample in tiny_dataset.samples if sample.label > 0)
    held_out = tuple(sample.id for sample in tiny_dataset.of("validation"))
    for change in (Change("exclude", others), Change("exclude", held_out)):
        with pytest.raises(DatasetError, match="Too little would be left"):
            revise(tiny_dataset, [change])
    assert load_dataset(tiny_dataset.folder) == tiny_dataset


def test_of_two_who_change_a_dataset_at_once_one_is_told(tiny_dataset):
    before = load_dataset(tiny_dataset.folder)
    revise(before, [Change("exclude", (before.samples[0].id,))])
    with pytest.raises(DatasetError, match="changed meanwhile"):
        revise(before, [Change("exclude", (before.samples[1].id,))])


def test_the_library_opens_a_revision_by_its_number_and_tells_of_the_newest(workspace, tiny_dataset):
    library = Library(workspace)
    before = library.get(tiny_dataset.id)
    revise(before, [Change("exclude", (before.samples[0].id,))])
    assert library.get(tiny_dataset.id).revision == 2
    assert library.get(f"{tiny_dataset.id}@1") == before
    [card] = library.cards()
    assert (card.revision, card.samples) == (2, len(before.samples) - 1)
    for wrong in ("@3", "@0", "@two", "@"):
        with pytest.raises(DatasetError, match="no such revision"):
            library.get(tiny_dataset.id + wrong)
    assert before.reference == f"{tiny_dataset.id}@1"


def test_a_run_keeps_the_revision_that_it_used(workspace, tiny_dataset):
    library, store = Library(workspace), RunStore(workspace)
    before = library.get(tiny_dataset.id)
    run = store.create(small(before), before)
    revised = revise(before, [Change("exclude", (before.of("train")[0].id,))])
    InlineExecutor(workspace).submit(run)
    assert store.get(run).facts.revision == 1
    assert dataset_of(workspace, store.get(run)) == before
    assert store.get(store.create(small(revised), revised)).facts.revision == 2


def test_a_picture_that_is_named_twice_is_left_out_once(tiny_dataset):
    first = tiny_dataset.samples[0].id
    revised = revise(tiny_dataset, [Change("exclude", (first, first))])
    assert len(revised.samples) == len(tiny_dataset.samples) - 1
    assert revised.changes[0].sentence == "1 picture left out."


def test_groups_can_be_taken_back_though_the_splits_are_the_same(tiny_dataset):
    everything = tuple(sample.id for sample in tiny_dataset.samples)
    dealt = revise(tiny_dataset, [Change("deal", everything, SplitRule(seed=1).to_json())])
    grouped = revise(dealt, [Change("deal", everything, SplitRule(seed=1, groups="{group}").to_json())])
    assert grouped.fingerprint == dealt.fingerprint
    assert grouped.samples[0].group
    assert restore(grouped, 2).samples == dealt.samples
