import subprocess
import sys

import pytest
import torch
from torchvision.transforms import v2

from core.augment.catalog import FAMILIES, POLICIES, TRANSFORMS, insist_on_masks, policy, resolve, transform, views
from core.errors import RecipeError
from core.knobs import check_values
from core.recipe import AugmentChoice, Recipe, TransformChoice

AUTOMATIC = {"rand-augment", "trivial-augment", "aug-mix"}
NAMES = [row.name for row in TRANSFORMS]


@pytest.mark.parametrize("row", TRANSFORMS, ids=NAMES)
def test_every_transform_builds_from_its_defaults_and_from_both_ends_of_its_knobs(row):
    torch.manual_seed(0)
    image = torch.randint(0, 256, (3, 24, 24), dtype=torch.uint8)
    ends = [{knob.name: getattr(knob, end) for knob in row.knobs} for end in ("default", "low", "high")]
    for values in ends:
        built = row.build(check_values(row.knobs, values, row.name))
        assert isinstance(built, v2.Transform)
        for _ in range(5):
            changed = built(image.clone())
            assert (changed.shape, changed.dtype) == (image.shape, torch.uint8)


@pytest.mark.parametrize("row", TRANSFORMS, ids=NAMES)
def test_every_row_says_what_it_does_and_where_it_comes_from(row):
    assert row.label
    assert row.sentence.endswith(".")
    assert "http" in row.source
    assert row.caution == "" or row.caution.endswith(".")
    assert row.label_safe == (row.caution == ""), "where a label can change, the row says when"
    assert row.family in FAMILIES


def test_rows_that_move_pixels_say_so():
    moving = {row.name for row in TRANSFORMS if row.moves}
    assert moving - AUTOMATIC == {row.name for row in TRANSFORMS if row.family == "Place and size"}
    assert moving >= AUTOMATIC


def test_only_the_automatic_policies_leave_masks_behind_and_they_are_refused_where_there_are_any():
    assert {row.name for row in TRANSFORMS if not row.mask_safe} == AUTOMATIC
    insist_on_masks([TransformChoice(name=row.name) for row in TRANSFORMS if row.mask_safe])
    for name in AUTOMATIC:
        flip = TransformChoice(name="h-flip")
        with pytest.raises(RecipeError, match=rf"augment\.rows\.1\.name: found '{name}', which moves the pixels"):
            insist_on_masks([flip, TransformChoice(name=name)])
        insist_on_masks([flip, TransformChoice(name=name, probability=0.0)])


EXPECTED = """h-flip v-flip quarter-turn rotation affine zoom crop random-crop perspective elastic brightness contrast
saturation hue gamma channel-shift grayscale blur noise jpeg sharpness equalise autocontrast erasing rand-augment
trivial-augment aug-mix shift shear"""


def test_every_transform_that_people_expect_is_there():
    assert set(NAMES) == set(EXPECTED.split())


def test_families_stand_together_in_the_order_of_a_page():
    assert list(dict.fromkeys(row.family for row in TRANSFORMS)) == list(FAMILIES)
    assert [row.family for row in TRANSFORMS] == sorted((row.family for row in TRANSFORMS), key=FAMILIES.index)


def test_numbers_have_a_unit_or_say_what_they_mean():
    for row in TRANSFORMS:
        assert all(knob.unit or knob.help for knob in row.knobs), row.name


def test_names_are_given_once():
    assert len(set(NAMES)) == len(NAMES)
    assert [p.name for p in POLICIES] == ["none", "light", "any-way-up", "moderate", "heavy"]


@pytest.mark.parametrize("row", POLICIES, ids=lambda p: p.name)
def test_every_policy_resolves_to_rows_that_say_all_there_is_to_say(row):
    rows = resolve(AugmentChoice(policy=row.name))
    assert [choice.name for choice in rows] == [choice.name for choice in row.rows]
    for choice in rows:
        assert set(choice.values) == {knob.name for knob in transform(choice.name).knobs}
    assert resolve(AugmentChoice(policy="my own", rows=rows)) == rows, "resolving again changes nothing"


def test_the_policy_none_has_no_rows():
    assert resolve(AugmentChoice(policy="none")) == ()


def test_rows_of_ones_own_stand_before_the_policy():
    rows = (TransformChoice(name="rotation", probability=0.3, values={"degrees": 5}),)
    assert resolve(AugmentChoice(policy="heavy", rows=rows)) == (
        TransformChoice(name="rotation", probability=0.3, values={"degrees": 5.0}),
    )
    assert resolve(AugmentChoice(policy="heavy", rows=())) == ()


def test_a_knob_left_out_gets_its_default():
    (row,) = resolve(AugmentChoice(rows=(TransformChoice(name="rotation"),)))
    assert row.values == {"degrees": 15.0}


def test_an_unknown_policy_is_refused_with_the_names_there_are():
    with pytest.raises(RecipeError, match="found 'wild', expected one of none, light, any-way-up, moderate, heavy"):
        resolve(AugmentChoice(policy="wild"))
    assert policy("light").name == "light"


def test_an_unknown_transform_is_refused_with_the_names_there_are():
    with pytest.raises(RecipeError, match=r"augment\.rows\.1\.name.*'spin'.*h-flip, v-flip"):
        resolve(AugmentChoice(rows=(TransformChoice(name="h-flip"), TransformChoice(name="spin"))))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"degrees": 200}, r"augment\.rows\.0\.values\.degrees.*200.*from 0 to 180 degrees"),
        ({"degrees": "far"}, r"augment\.rows\.0\.values\.degrees"),
        ({"speed": 3}, r"augment\.rows\.0\.values\.speed"),
    ],
)
def test_a_bad_knob_is_refused_with_its_field_and_bounds(values, message):
    with pytest.raises(RecipeError, match=message):
        resolve(AugmentChoice(rows=(TransformChoice(name="rotation", values=values),)))


@pytest.mark.parametrize("row", POLICIES, ids=lambda p: p.name)
def test_a_recipe_with_a_policys_rows_survives_its_json(row):
    recipe = Recipe(augment=AugmentChoice(policy=row.name, rows=resolve(AugmentChoice(policy=row.name))))
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_the_rows_can_be_read_without_torch():
    code = """
import sys
from core.augment.catalog import FAMILIES, POLICIES, resolve
from core.recipe import AugmentChoice
for policy in POLICIES:
    resolve(AugmentChoice(policy=policy.name))
assert not {"torch", "torchvision"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_policy_that_can_change_nothing_has_one_view():
    assert views(AugmentChoice(policy="light", views=3)) == 3
    assert views(AugmentChoice(policy="none", views=3)) == 1
    never = (TransformChoice(name="h-flip", probability=0.0),)
    assert views(AugmentChoice(rows=never, views=3)) == 1
