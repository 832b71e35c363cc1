import pytest

from core.errors import RecipeError
from core.recipe import Recipe, SegmentationRecipe
from core.studies.space import (
    Options,
    Range,
    check_space,
    combinations,
    default_span,
    label_of,
    read_span,
    searchable,
    span_from_json,
    span_to_json,
    value_at,
    with_values,
)

RECIPES = [
    Recipe(),
    SegmentationRecipe(),
    Recipe().set({"loss.name": "focal", "schedule.name": "step", "model.head": "dense", "optimizer.name": "sgd"}),
]
FIELDS = [(recipe, path) for recipe in RECIPES for path in searchable(recipe)]


@pytest.mark.parametrize(("recipe", "path"), FIELDS, ids=[f"{row[0].task} {row[1]}" for row in FIELDS])
def test_every_field_has_a_range_to_begin_with_that_holds_its_own_value(recipe, path):
    span = default_span(recipe, path)

    check_space(recipe, (span,))
    assert span.holds(value_at(recipe, path))
    assert span_from_json(span_to_json(span)) == span
    for end in span.ends:
        assert value_at(with_values(recipe, {path: end}), path) == end
    assert label_of(recipe, path) != path


def test_each_phase_has_its_own_fields_and_says_which():
    recipe = Recipe().set({"phases.1": {"name": "all", "trainable": "everything", "learning_rate": 1e-4}})

    assert {"phases.0.learning_rate", "phases.1.learning_rate"} <= set(searchable(recipe))
    assert label_of(recipe, "phases.1.learning_rate") == "learning rate, all"
    assert default_span(recipe, "phases.1.learning_rate") == Range("phases.1.learning_rate", 1e-5, 1e-3, log=True)


def test_the_knobs_of_the_chosen_loss_can_be_searched():
    recipe = SegmentationRecipe().set({"loss.name": "tversky"})

    assert value_at(recipe, "loss.values.alpha") == 0.3
    assert default_span(recipe, "loss.values.alpha") == Range("loss.values.alpha", 0.05, 1.0)
    assert "loss.values.share" not in searchable(recipe)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("phases.0.learning_rate=1e-4..1e-2:log", Range("phases.0.learning_rate", 1e-4, 1e-2, log=True)),
        ("model.dropout = 0..0.5", Range("model.dropout", 0, 0.5)),
        ("batch_size=4..8", Range("batch_size", 4, 8, whole=True)),
        ("optimizer.name=adamw,sgd", Options("optimizer.name", ("adamw", "sgd"))),
        ("clip=0,1.5", Options("clip", (0, 1.5))),
        ("model.dropout", Range("model.dropout", 0.0, 0.6)),
    ],
)
def test_a_span_is_read_from_a_command_line(text, span):
    assert read_span(Recipe(), text) == span


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seed=1..2", "no field that a search may vary"),
        ("model.encoder=a,b", "no field that a search may vary"),
        ("phases.1.epochs=1..2", "no field that a search may vary"),
        ("model.dropout=0.5..0.1", "a low end below the high end"),
        ("model.dropout=0.5..0.5", "a low end below the high end"),
        ("model.dropout=0..0.5:log", "a low end above 0"),
        ("model.dropout=0..2", "less than or equal to 0.9"),
        ("model.dropout=0..nan", "a low end below the high end"),
        ("model.dropout=a..b", "LOW..HIGH"),
        ("model.dropout=0..0.5:sqrt", "LOW..HIGH"),
        ("batch_size=1.5..4", "whole numbers"),
        ("optimizer.name=0..1", "a list of values"),
        ("optimizer.name=sgd", "two or more different values"),
        ("optimizer.name=sgd,sgd", "two or more different values"),
        ("fit=crop,pad", "no field that a search may vary"),
        ("model.dropout=", "two or more different values"),
    ],
)
def test_a_bad_span_is_refused_in_one_sentence(text, told):
    recipe = Recipe()
    with pytest.raises(RecipeError) as refused:
        check_space(recipe, (read_span(recipe, text),))
    assert told in str(refused.value)


def test_a_field_is_named_once_and_a_knob_not_beside_its_loss():
    recipe = Recipe().set({"loss.name": "focal"})
    dropout = Range("model.dropout", 0, 0.5)
    with pytest.raises(RecipeError, match="one range for each field"):
        check_space(recipe, (dropout, dropout))
    with pytest.raises(RecipeError, match="only one of the two"):
        check_space(recipe, (Range("loss.values.gamma", 1, 2), Options("loss.name", ("focal", "cross-entropy"))))
    with pytest.raises(RecipeError, match="nothing to vary"):
        check_space(recipe, ())


def test_a_field_without_effect_is_not_searched():
    changes = {"model.head": "dense", "optimizer.name": "sgd"}
    assert not {"model.hidden", "optimizer.momentum"} & set(searchable(Recipe()))
    assert {"model.hidden", "optimizer.momentum", "schedule.warmup"} <= set(searchable(Recipe().set(changes)))
    assert "schedule.warmup" not in searchable(Recipe().set({"schedule.name": "one-cycle"}))
    solved = searchable(Recipe().set({"phases.0.solver": "convex", "phases.0.epochs": 1}))
    assert not {"phases.0.learning_rate", "phases.0.epochs"} & set(solved)
    with pytest.raises(RecipeError, match=r"model.hidden: found no field that a search may vary"):
        check_space(Recipe(), (Range("model.hidden", 64, 128, whole=True),))


def test_another_policy_is_not_hidden_by_rows_and_another_loss_not_given_old_knobs():
    recipe = Recipe().set({"augment.rows": [], "loss.name": "focal", "loss.values.gamma": 3.0})
    changed = with_values(recipe, {"augment.policy": "heavy", "loss.name": "cross-entropy"})

    assert changed.augment.rows is None
    assert changed.loss.values == {}
    assert with_values(recipe, {"loss.name": "focal"}).loss.values == {"gamma": 3.0}


def test_combinations_are_counted_where_they_can_be():
    few = Options("optimizer.name", ("adamw", "sgd")), Range("batch_size", 4, 6, whole=True)

    assert combinations(few) == 6
    assert combinations((*few, Range("model.dropout", 0, 0.5))) is None
