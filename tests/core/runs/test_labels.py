"""What people write on runs: kept as text, changed in place, found again, and never in the way of results."""

import json
from dataclasses import replace

import pytest

from core.errors import InputError, RunError
from core.runs.labels import LONGEST_NAME, MOST_TAGS, Change, Labels, read_labels
from core.runs.listing import Listing, listed, tags_in
from core.runs.store import RunStore
from tests.running import small

HOSTILE = "<script>a</script> & [x](y) :red[z]"


@pytest.fixture
def store(workspace):
    return RunStore(workspace)


@pytest.fixture
def run(store, tiny_dataset):
    return store.create(small(tiny_dataset), tiny_dataset)


def test_what_is_written_on_a_run_stands_in_its_list_and_in_itself(store, run):
    store.list()
    store.label([run], Change(name="Try 7", tags=("week 3", "good"), note="as told\nin the lecture"))

    [line] = store.list(glance=True)
    expected = Labels("Try 7", ("week 3", "good"), "as told\nin the lecture")
    assert (line.name, line.labels) == ("Try 7", expected)
    assert store.get(run).labels == expected
    assert store.get(run).name == "Try 7"


def test_an_empty_name_gives_the_run_the_name_of_its_choices_again(store, run):
    usual = store.get(run).name
    store.label([run], Change(name="Mine"))
    store.label([run], Change(name="  "))
    assert store.get(run).name == store.list()[0].name == usual


def test_a_change_leaves_alone_what_it_does_not_name(store, run):
    store.label([run], Change(name="Mine", tags=("a", "b"), note="note"))
    store.label([run], Change(add=("c", "a"), remove=("b",)))
    assert store.get(run).labels == Labels("Mine", ("a", "c"), "note")
    store.label([run], Change(archived=True))
    assert store.get(run).labels == Labels("Mine", ("a", "c"), "note", archived=True)


def test_putting_a_run_away_and_bringing_it_back_changes_no_other_file(store, run):
    folder = store.paths(run).folder
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    store.label([run], Change(archived=True))
    store.label([run], Change(archived=False))
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "labels.json"}
    assert after == before


def test_labels_are_text_letter_for_letter(store, run):
    store.label([run], Change(name=HOSTILE, tags=(HOSTILE,), note=HOSTILE))
    assert store.get(run).labels == Labels(HOSTILE, (HOSTILE,), HOSTILE)
    assert json.loads(store.paths(run).labels.read_text())["name"] == HOSTILE


def test_names_are_one_line_without_letters_that_turn_the_text_around(store, run):
    store.label([run], Change(name=" a\n\tb\u202ec\x00 ", note="one\r\ntwo  \n"))
    assert store.get(run).labels == Labels("a b c", note="one\ntwo")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change(name="x" * (LONGEST_NAME + 1)), "too long"),
        (Change(tags=("a,b",)), "no comma"),
        (Change(tags=tuple(map(str, range(MOST_TAGS + 1)))), "too many"),
        (Change(note="\ud800"), "UTF-8"),
    ],
)
def test_what_no_run_can_have_is_refused_and_nothing_is_changed(store, run, tiny_dataset, change, told):
    other = store.create(small(tiny_dataset), tiny_dataset)
    with pytest.raises(InputError, match=told):
        store.label([other, run], change)
    assert store.get(other).labels == store.get(run).labels == Labels()


def test_a_run_that_is_not_there_is_said_before_any_is_changed(store, run):
    with pytest.raises(RunError, match="no such run"):
        store.label([run, "gone"], Change(name="Mine"))
    assert store.get(run).labels == Labels()


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"name": 3}', '{"name": "a", "tags": "b", "note": "", "archived": 0}']
)
def test_labels_that_cannot_be_read_are_empty(store, run, damage):
    store.paths(run).labels.write_text(damage)
    assert read_labels(store.paths(run).labels) == Labels()
    assert store.get(run).labels == Labels()


def test_runs_are_found_by_words_tags_and_data_and_sorted(store, tiny_dataset):
    ids = [store.create(small(tiny_dataset).set({"name": name}), tiny_dataset) for name in ("Beta", "alpha", "gamma")]
    store.label(ids[:2], Change(add=("old",)))
    store.label(ids[1:2], Change(add=("kept",), note="With a VERTICAL flip"))
    store.label(ids[2:], Change(archived=True))
    runs = store.list()

    def names(**asked):
        return [run.name for run in listed(runs, Listing(**asked))]

    assert names() == ["alpha", "Beta"], "newest first, without what was put away"
    assert names(archived=True) == ["gamma", "alpha", "Beta"]
    assert names(archived=True, order="name") == ["alpha", "Beta", "gamma"]
    assert names(order="oldest") == ["Beta", "alpha"]
    assert names(words="flip vertical") == names(tags=("kept", "old")) == ["alpha"]
    assert names(words="nothing like it") == names(data=("elsewhere",)) == names(hypothesis=True) == []
    assert tags_in(runs) == ["kept", "old"]


def test_runs_without_a_score_come_after_those_with_one(store, tiny_dataset):
    for name in ("low", "none", "high"):
        store.create(small(tiny_dataset).set({"name": name}), tiny_dataset)
    scores = {"low": {"accuracy": 0.2}, "high": {"accuracy": 0.9}, "none": {}}
    runs = [replace(run, best=scores[run.name]) for run in store.list()]
    assert [run.name for run in listed(runs, Listing(order="score"))] == ["high", "low", "none"]
