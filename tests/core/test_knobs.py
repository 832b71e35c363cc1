"""A knob takes exactly the values it promises, and says what it found otherwise."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DatasetError, RecipeError
from core.knobs import BoolKnob, ChoiceKnob, FloatKnob, IntKnob, check_values, find

ANGLE = FloatKnob("angle", "Angle", default=15, low=0, high=180, unit="degrees")
CLASSES = IntKnob("classes", "Classes", default=4, low=2, high=8)
FILL = ChoiceKnob("fill", "Fill", default="black", options=("black", "mirror"))
CENTRE = BoolKnob("centre", "Around the centre", default=True)


@given(st.floats(min_value=0, max_value=180))
def test_a_float_knob_keeps_every_value_within_its_bounds(value):
    assert ANGLE.check(value) == value


@pytest.mark.parametrize("value", [-0.1, 180.1, math.nan, math.inf, "15", None, True, 10**400])
def test_a_float_knob_refuses_what_is_out_of_bounds_or_no_number(value):
    with pytest.raises(RecipeError, match="a number from 0 to 180 degrees"):
        ANGLE.check(value)


@pytest.mark.parametrize("value", [2, 8, 4.0])
def test_an_int_knob_takes_whole_numbers_and_gives_ints(value):
    checked = CLASSES.check(value)
    assert checked == value
    assert type(checked) is int


@pytest.mark.parametrize("value", [1, 9, 4.5, math.nan, math.inf, "4", False, None, 10**400])
def test_an_int_knob_refuses_the_rest(value):
    with pytest.raises(RecipeError, match="classes: found .*, expected a whole number from 2 to 8"):
        CLASSES.check(value)


def test_a_choice_knob_lists_its_options():
    assert FILL.check("mirror") == "mirror"
    with pytest.raises(RecipeError, match="found 'white', expected one of black, mirror"):
        FILL.check("white")
    with pytest.raises(RecipeError):
        FILL.check(["black"])


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_a_bool_knob_takes_only_true_and_false(value):
    assert CENTRE.check(False) is False
    with pytest.raises(RecipeError, match="true or false"):
        CENTRE.check(value)


def test_values_left_out_keep_their_defaults():
    assert check_values((ANGLE, CLASSES, FILL), {"classes": 3}, "demo") == {"angle": 15, "classes": 3, "fill": "black"}


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(RecipeError, match=r"demo\.klasses: found a name nobody knows, expected one of angle, classes"):
        check_values((ANGLE, CLASSES), {"klasses": 3}, "demo")
    with pytest.raises(RecipeError, match=r"demo\.angle: found a name nobody knows, expected nothing, since there is"):
        check_values((), {"angle": 3}, "demo")


def test_a_row_is_found_by_its_name_or_the_names_are_listed():
    assert find((ANGLE, CLASSES), "classes", "demo.knob") is CLASSES
    with pytest.raises(RecipeError, match=r"demo\.knob: found 'klasses', expected one of angle, classes\."):
        find((ANGLE, CLASSES), "klasses", "demo.knob")
    with pytest.raises(DatasetError, match="found 'klasses', expected one of angle, classes, or none at all"):
        find((ANGLE, CLASSES), "klasses", "There is no such knob", error=DatasetError, also=("or none at all",))
