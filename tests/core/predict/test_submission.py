import csv
from io import StringIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from core.errors import InputError
from core.predict.submission import decode, encode, stem_of, submission_csv

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@settings(deadline=None, max_examples=300)
@given(MASKS)
def test_every_mask_comes_back_from_its_code(mask):
    assert np.array_equal(decode(encode(mask), *mask.shape), mask)


@settings(deadline=None, max_examples=200)
@given(MASKS)
def test_runs_are_sorted_apart_and_as_long_as_the_mask_has_pixels(mask):
    runs = np.array(encode(mask).split(), dtype=int).reshape(-1, 2)
    assert runs[:, 1].sum() == mask.sum()
    assert (runs[:, 0] >= 1).all()
    ends = runs[:, 0] + runs[:, 1]
    assert (runs[1:, 0] > ends[:-1]).all(), "two runs that touch would be one"


def test_pixels_are_counted_from_one_down_the_columns():
    mask = np.array(
        [
            [0, 1, 0],
            [0, 1, 0],
            [1, 0, 1],
        ],
        dtype=bool,
    )
    # columns: 1 2 3 | 4 5 6 | 7 8 9
    assert encode(mask) == "3 3 9 1"


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        (np.zeros((3, 4), bool), ""),
        (np.ones((3, 4), bool), "1 12"),
        (np.ones((1, 1), bool), "1 1"),
        (np.array([[True, False], [False, False]]), "1 1"),
        (np.array([[False, False], [False, True]]), "4 1"),
        (np.array([[True, True], [False, False]]), "1 1 3 1"),
    ],
)
def test_the_ends_of_a_mask_are_no_special_case(mask, code):
    assert encode(mask) == code
    assert np.array_equal(decode(code, *mask.shape), mask)


@pytest.mark.parametrize("code", ["1", "1 2 3", "a b", "1 -2", "1.5 2", "٣ 1", "1 " + "9" * 5000])
def test_a_code_that_is_no_list_of_pairs_is_refused(code):
    with pytest.raises(InputError, match="pairs of start and length"):
        decode(code, 3, 3)


@pytest.mark.parametrize("code", ["0 1", "9 2", "10 1", "1 0", "4 1 2 1", "1 3 2 1", f"1 {10**17}"])
def test_a_code_that_leaves_its_picture_or_its_order_is_refused(code):
    with pytest.raises(InputError, match=r"from pixel 1 to 9 \(3 x 3\)"):
        decode(code, 3, 3)


def test_the_submission_has_one_line_for_each_picture_and_class_without_the_background():
    first, second = np.zeros((2, 2), np.uint8), np.array([[1, 2], [2, 0]], np.uint8)
    text = submission_csv([("test/aaa.jpeg", first), ("bbb.png", second)], [1, 2])
    assert text.splitlines() == ["Id,Expected", "aaa_0,", "aaa_1,", "bbb_0,1 1", "bbb_1,2 2"]


def test_a_name_with_commas_and_quotes_survives_the_table():
    mask = np.ones((1, 1), np.uint8)
    (row,) = csv.DictReader(StringIO(submission_csv([('a,"b".v2.png', mask)], [1])))
    assert row == {"Id": 'a,"b".v2_0', "Expected": "1 1"}


def test_two_pictures_of_one_name_are_refused():
    mask = np.ones((1, 1), np.uint8)
    with pytest.raises(InputError, match=r"'x/a\.png' and 'y/a\.jpg'"):
        submission_csv([("x/a.png", mask), ("y/a.jpg", mask)], [1])


@pytest.mark.parametrize(
    ("name", "stem"), [("a/b.c.png", "b.c"), ("C:\\x\\y.jpg", "y"), ("plain", "plain"), ("", "picture")]
)
def test_a_stem_is_the_files_own_name(name, stem):
    assert stem_of(name) == stem
