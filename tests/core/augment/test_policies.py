"""Saved policies: what was put together comes back, under names that people choose."""

import pytest

from core.augment.catalog import POLICIES, resolve
from core.augment.policies import LONGEST_NAME, PolicyStore
from core.errors import InputError, RecipeError
from core.recipe import AugmentChoice, TransformChoice

ROWS = (
    TransformChoice(name="rotation", probability=0.25, values={"degrees": 40}),
    TransformChoice(name="h-flip", probability=0.5),
    TransformChoice(name="rotation", values={"degrees": 5}),
)


@pytest.fixture
def store(workspace) -> PolicyStore:
    return PolicyStore(workspace)


def test_a_saved_policy_comes_back_with_its_rows_in_their_order_and_every_knob(store, workspace):
    saved = store.save("Night shift", ROWS, sentence="For the night  camera.")
    assert saved == PolicyStore(workspace).get("Night shift")
    assert (saved.name, saved.label, saved.sentence) == ("Night shift", "Night shift", "For the night camera.")
    assert saved.rows == resolve(AugmentChoice(rows=ROWS))
    assert [policy.name for policy in store.list()] == ["Night shift"]


def test_making_a_store_and_looking_writes_nothing(store, workspace):
    assert store.list() == ()
    assert not workspace.root.exists()


def test_a_name_is_taken_until_it_is_to_be_replaced_also_in_other_letters(store):
    store.save("Mine", ROWS)
    with pytest.raises(InputError, match="already"):
        store.save("MINE", ROWS[:1])
    assert store.get("mine").rows == resolve(AugmentChoice(rows=ROWS))
    store.save("MINE", ROWS[:1], replace=True)
    assert [(policy.name, len(policy.rows)) for policy in store.list()] == [("MINE", 1)]


def test_a_deleted_policy_is_gone_and_others_stay(store):
    store.save("One", ROWS)
    store.save("Two", ROWS)
    store.delete("One")
    assert [policy.name for policy in store.list()] == ["Two"]
    with pytest.raises(InputError, match="no saved policy.*'One'.*one of Two"):
        store.get("One")
    with pytest.raises(InputError, match="no saved policy"):
        store.delete("One")


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "a\x1bb", "x" * (LONGEST_NAME + 1)])
def test_a_name_that_nobody_can_read_is_refused(store, name):
    with pytest.raises(InputError, match="letters on one line"):
        store.save(name, ROWS)


@pytest.mark.parametrize(
    "name", ["../outside", "..", "/etc/policy", "a\\b", "CON", "ночь", "夜", "x" * LONGEST_NAME, "a\nb"]
)
def test_whatever_a_policy_is_called_its_file_stays_in_the_folder(store, workspace, name):
    store.save(name, ROWS)
    assert store.get(name).rows
    assert [path.parent for path in workspace.root.rglob("*.json")] == [workspace.policies]


def test_names_that_look_alike_in_plain_letters_are_kept_apart(store):
    store.save("a b", ROWS[:1])
    store.save("a-b", ROWS[:2])
    assert [len(store.get(name).rows) for name in ("a b", "a-b")] == [1, 2]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_names_of_the_catalog_cannot_be_taken(store, policy):
    for name in (policy.name, policy.label):
        with pytest.raises(InputError, match="Fovea's own"):
            store.save(name, ROWS)


def test_what_cannot_be_drawn_is_not_kept(store):
    with pytest.raises(InputError, match="found 0 transforms"):
        store.save("Empty", ())
    with pytest.raises(RecipeError, match="one of h-flip"):
        store.save("Spin", (TransformChoice(name="spin"),))
    with pytest.raises(RecipeError, match="degrees"):
        store.save("Far", (TransformChoice(name="rotation", values={"degrees": 999}),))
    assert store.list() == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"name": "a", "sentence": "", "rows": [{"name": "gone"}]}',
        '{"name": "light", "sentence": "", "rows": null}',
    ],
)
def test_a_file_that_cannot_be_read_does_not_hide_the_others(store, workspace, text):
    store.save("Good", ROWS)
    broken = store.save("Broken", ROWS)
    path = next(workspace.policies.glob("broken-*.json"))
    path.write_text(text)
    assert [policy.name for policy in store.list()] == ["Good"]
    with pytest.raises(InputError):
        store.get(broken.name)
    store.save("Broken", ROWS, replace=True)
    assert len(store.list()) == 2
