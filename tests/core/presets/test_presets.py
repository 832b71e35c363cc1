"""Every preset builds, holds only differences, and says why."""

import pytest

from core.errors import RecipeError
from core.presets import DEFAULT, DEFAULTS, PRESETS, preset, presets_for
from core.recipe import SCORES, Recipe, diff


def plain(task: str) -> Recipe:
    """The recipe of a task with nothing chosen."""
    return Recipe.parse({"task": task})


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: row.name)
def test_a_preset_builds_a_recipe_that_names_it(row):
    recipe = row.recipe()
    assert recipe.preset == row.name
    assert recipe.task == row.task
    assert recipe.model.network == row.model
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: row.name)
def test_every_setting_of_a_preset_changes_something_and_has_a_reason(row):
    start = plain(row.task)
    for setting in row.settings:
        assert start.set({setting.path: setting.value}) != start, f"{setting.path} is the default already"
        assert setting.reason.endswith(".")
    assert len(row.reasons) == len(row.settings), "a path is set twice"


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: row.name)
def test_a_preset_differs_from_the_default_only_where_it_says_so(row):
    for difference in diff(plain(row.task), row.recipe()):
        said = any(difference.path == path or difference.path.startswith(path + ".") for path in row.changes)
        assert said or difference.path == "preset", difference


def test_the_default_preset_is_the_default_recipe():
    assert preset(DEFAULT).recipe() == Recipe(preset=DEFAULT)


@pytest.mark.parametrize("task", SCORES)
def test_the_presets_of_a_task_begin_with_its_default(task):
    rows = presets_for(task)
    assert rows[0].name == DEFAULTS[task]
    assert {row.name for row in rows} == {row.name for row in PRESETS if row.task == task}


def test_names_are_unique_and_an_unknown_one_lists_them():
    assert len({row.name for row in PRESETS}) == len(PRESETS)
    with pytest.raises(RecipeError, match="frozen-head, fine-tune, head-then-everything"):
        preset("frozen-haed")
