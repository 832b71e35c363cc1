"""The recipe is everything a worker receives: it travels as JSON, hashes, compares, and refuses what cannot be."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.errors import RecipeError
from core.recipe import Difference, Phase, Recipe, SegmentationRecipe, TransformChoice, diff

PHASES = st.lists(
    st.builds(
        Phase,
        name=st.text(max_size=5),
        trainable=st.sampled_from(["head", "everything", "last 40%", "last 4 layers"]),
        epochs=st.integers(1, 1000),
        learning_rate=st.floats(1e-9, 10),
    ),
    min_size=1,
    max_size=3,
)
RECIPES = st.builds(
    Recipe,
    seed=st.integers(0, 2**31 - 1),
    name=st.text(max_size=10),
    image_size=st.integers(16, 1024),
    batch_size=st.integers(1, 4096),
    phases=PHASES.map(tuple),
)


@given(RECIPES)
def test_a_recipe_survives_its_json_text_unchanged(recipe):
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.hash == recipe.hash


def test_the_hash_does_not_depend_on_how_the_recipe_was_written_down():
    data = Recipe(seed=3).model_dump(mode="json")
    reordered = json.dumps(dict(reversed(data.items())))
    assert Recipe.from_json(reordered).hash == Recipe(seed=3).hash
    assert Recipe.from_json('{"seed": 3}').hash == Recipe(seed=3).hash


def test_the_hash_depends_on_every_choice():
    hashes = {
        Recipe().set(changes).hash
        for changes in [{}, {"seed": 1}, {"model.dropout": 0.37}, {"phases.0.epochs": 2}, {"augment.policy": "none"}]
    }
    assert len(hashes) == 5


def test_a_recipe_cannot_be_changed_in_place():
    with pytest.raises(ValidationError):
        Recipe().seed = 1


@pytest.mark.parametrize(
    ("text", "weights"), [("[1, 2.5, 3]", (1, 2.5, 3)), ("balanced", "balanced"), ("none", "none")]
)
@pytest.mark.parametrize("before", ["none", [4, 4]])
def test_weights_of_classes_are_a_word_or_numbers_whatever_they_were(text, weights, before):
    recipe = SegmentationRecipe().set({"loss.class_weights": before})
    assert recipe.set({"loss.class_weights": text}).loss.class_weights == weights


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("image_size", "96", 96),
        ("batch_size", "8", 8),
        ("seed", "5", 5),
        ("model.backbone", "resnet18", "resnet18"),
        ("model.weights", "random", "random"),
        ("augment.policy", "moderate", "moderate"),
        ("phases.0.trainable", "last 40%", "last 40%"),
        ("phases.0.epochs", "3", 3),
        ("phases.0.learning_rate", "1e-3", 1e-3),
        ("model.weights", "/weights/a b.safetensors", "/weights/a b.safetensors"),
        ("name", "2024", "2024"),
        ("name", "null", "null"),
        ("name", '"in quotes"', '"in quotes"'),
    ],
)
def test_a_field_is_set_by_its_path_from_command_line_text(path, text, value):
    here = Recipe().set({path: text}).model_dump()
    for step in path.split("."):
        here = here[int(step) if step.isdecimal() else step]
    assert here == value


def test_a_phase_can_be_added_behind_the_last_one():
    recipe = Recipe().set({"phases.1": {"trainable": "everything", "epochs": 5}})
    assert [phase.trainable for phase in recipe.phases] == ["head", "everything"]
    assert recipe.epochs == Recipe().epochs + 5
    assert Recipe().set({"phases.1": '{"trainable": "everything", "epochs": 5}'}) == recipe


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"batch_size": "0"}, "batch_size: found 0, expected greater than or equal to 1."),
        ({"batch_size": "many"}, "batch_size: found 'many', expected integer"),
        ({"phases.0.learning_rate": "nan"}, "phases.0.learning_rate: found 'nan'"),
        ({"phases.0.learning_rate": -1}, "phases.0.learning_rate: found -1, expected greater than 0."),
        ({"phases.0.trainable": "tail"}, 'phases.0.trainable: found \'tail\', expected "head", "everything"'),
        ({"phases.0.trainable": "last 0%"}, "phases.0.trainable: found 'last 0%'"),
        ({"phases": []}, "phases: found [], expected at least 1."),
        ({"phases": [{}] * 65}, "expected at most 64."),
        ({"loss.class_weights": "rare"}, "loss.class_weights: found 'rare', expected 'none' or 'balanced'."),
        ({"loss.class_weights": [1, 0]}, "loss.class_weights.1: found 0, expected greater than 0."),
        ({"fit": "stretch"}, "fit: found 'stretch', expected 'crop', 'pad' or 'squash'."),
        ({"seed": -1}, "seed: found -1"),
        ({"modle.backbone": "resnet18"}, "modle.backbone: found no field 'modle' there, expected version, task"),
        ({"phases.3.epochs": 1}, "phases.3.epochs: found no field '3' there, expected 0 to 0."),
        ({"seed.x": 1}, "seed.x: found no field 'x' there, expected nothing below it."),
        ({"": 1}, "found no field '' there"),
        ({"seed": "9" * 400}, "seed: found 999"),
        ({"seed": "9" * 5000}, "seed: found '999"),
        ({"seed": "[" * 100_000}, "seed: found '[[["),
        ({"phases." + "9" * 5000: 1}, "expected 0 to 0."),
        ({"name": "caf\udce9"}, "name: found 'caf\\udce9', expected text in UTF-8."),
    ],
)
def test_a_bad_field_is_refused_with_what_was_found_and_what_is_allowed(changes, sentence):
    with pytest.raises(RecipeError) as caught:
        Recipe().set(changes)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"version": 2}', '{"colour": 1}', '{"phases": "all"}'])
def test_text_that_is_no_recipe_is_refused_in_one_line(text):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_json(text)
    assert "\n" not in str(caught.value)


def test_a_difference_names_the_field_and_both_values():
    left, right = Recipe(seed=0, batch_size=8), Recipe(seed=4, batch_size=16)
    assert diff(left, right) == [Difference("seed", 0, 4), Difference("batch_size", 8, 16)]
    assert diff(left, left) == []


def test_a_difference_in_the_number_of_phases_shows_what_one_side_lacks():
    longer = Recipe().set({"phases.1": {"trainable": "everything"}})
    paths = {difference.path: (difference.left, difference.right) for difference in diff(Recipe(), longer)}
    assert paths["phases.1.trainable"] == (None, "everything")


def test_rows_of_an_own_policy_travel_with_the_recipe():
    rows = (TransformChoice(name="rotation", probability=0.5, values={"degrees": 10}),)
    recipe = Recipe().set({"augment.rows": [row.model_dump() for row in rows]})
    assert Recipe.from_json(recipe.to_json()).augment.rows == rows
