"""Studies: what was made is found again, whatever else lies in the folder."""

import pytest

from core.errors import RunError
from core.recipe import Recipe
from core.studies.study import Member, StudyStore
from core.workspace import Workspace


@pytest.fixture
def store(tmp_path) -> StudyStore:
    return StudyStore(Workspace(tmp_path))


def test_a_study_is_found_again_with_its_runs_in_order(store):
    recipe = Recipe().set({"model.dropout": 0.3})
    made = store.create("seeds", "three seeds", recipe, {"seeds": [0, 1]})
    store.add(made.id, "run-a", {"seed": 0})
    store.add(made.id, "run-b", {"seed": 1})

    found = StudyStore(store.workspace).get(made.id)

    assert (found.kind, found.name, found.recipe, found.spec) == ("seeds", "three seeds", recipe, {"seeds": [0, 1]})
    assert found.members == (Member("run-a", {"seed": 0}), Member("run-b", {"seed": 1}))


def test_the_newest_comes_first_and_a_damaged_one_is_left_out(store):
    first = store.create("folds", "one", Recipe(), {})
    second = store.create("search", "two", Recipe(), {})
    damaged = store.workspace.studies / "damaged-000000"
    damaged.mkdir()
    (damaged / "study.json").write_text("{")

    assert [study.id for study in store.list()] == [second.id, first.id]


@pytest.mark.parametrize("name", ["nobody-123456", "../runs", ""])
def test_a_study_that_is_not_there_is_refused_by_name(store, name):
    with pytest.raises(RunError, match="no such study"):
        store.get(name)


def test_deleting_a_study_leaves_the_others(store):
    gone, stays = store.create("seeds", "a", Recipe(), {}), store.create("seeds", "b", Recipe(), {})
    store.delete(gone.id)
    assert [study.id for study in store.list()] == [stays.id]
