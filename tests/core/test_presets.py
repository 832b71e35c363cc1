"""Every preset builds, holds only differences, and says why."""

import pytest

from core.errors import RecipeError
from core.presets import DEFAULT, PRESETS, preset
from core.recipe import Recipe, diff


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: row.name)
def test_a_preset_builds_a_recipe_that_names_it(row):
    recipe = row.recipe()
    assert recipe.preset == row.name
    assert recipe.task == row.task
    assert recipe.model.backbone == row.model
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: row.name)
def test_every_setting_of_a_preset_changes_something_and_has_a_reason(row):
    for setting in row.settings:
        assert Recipe().set({setting.path: setting.value}) != Recipe(), f"{setting.path} is the default already"
        assert setting.reason.endswith(".")
    assert len(row.reasons) == len(row.settings), "a path is set twice"


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: row.name)
def test_a_preset_differs_from_the_default_only_where_it_says_so(row):
    for difference in diff(Recipe(), row.recipe()):
        said = any(difference.path == path or difference.path.startswith(path + ".") for path in row.changes)
        assert said or difference.path == "preset", difference


def test_the_default_preset_is_the_default_recipe():
    assert preset(DEFAULT).recipe() == Recipe(preset=DEFAULT)


def test_names_are_unique_and_an_unknown_one_lists_them():
    assert len({row.name for row in PRESETS}) == len(PRESETS)
    with pytest.raises(RecipeError, match="frozen-head, fine-tune, head-then-everything"):
        preset("frozen-haed")
