"""Values and maps as people write them."""

import pytest

from core.data.mask_values import (
    MaskEntry,
    MaskMap,
    check_map,
    colour_name,
    default_label,
    map_of,
    packed,
    parse_value,
    unpacked,
    value_order,
    value_text,
)
from core.errors import DatasetError


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("0", "grey", (0,)),
        (" 128 ", "grey", (128,)),
        ("#808080", "grey", (128,)),
        ("7", "index", (7,)),
        ("65535", "grey", (65535,)),
        ("#FF0000", "colour", (255, 0, 0)),
        ("#0a0B0c", "colour", (10, 11, 12)),
    ],
)
def test_a_value_is_read_as_it_is_written(text, kind, value):
    assert parse_value(text, kind) == value
    assert parse_value(value_text(value), kind) == value
    assert unpacked(packed(value), kind) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [("red", "colour"), ("0", "colour"), ("#ff0000", "grey"), ("#808080", "index"), ("-1", "grey"), ("70000", "grey"),
     ("1.5", "grey"), ("", "grey"), ("#ff", "colour"), ("٣", "index")],
)  # fmt: skip
def test_what_is_no_value_of_such_masks_is_refused(text, kind):
    with pytest.raises(DatasetError, match="no value of these masks"):
        parse_value(text, kind)


def test_a_map_knows_its_classes_background_first_and_merged_ones_once():
    mask_map = map_of({"255": "nucleus", "128": "cell", "64": "cell", "0": "Background", "7": "Ignore"}, "grey", 3)
    assert mask_map.classes == ("Background", "cell", "nucleus")
    assert mask_map.values == ((0,), (7,), (64,), (128,), (255,))
    assert mask_map.codes.tolist() == [0, 255, 1, 1, 2]
    assert mask_map.pairs == (("0", "Background"), ("7", ""), ("64", "cell"), ("128", "cell"), ("255", "nucleus"))
    assert MaskMap.from_json(mask_map.to_json()) == mask_map


@pytest.mark.parametrize(
    ("entries", "tolerance", "sentence"),
    [
        ({(0,): "a"}, 0, "at least two classes: found a"),
        ({(0,): None, (1,): None}, 0, "at least two classes: found no class"),
        ({(0,): "a", (1,): "a"}, 0, "at least two classes: found a"),
        ({(0,): "a", (1,): " \n "}, 0, "A class needs a name: found 1 = "),
        ({(0,): "a", (1,): "b" * 81}, 0, "A class needs a name"),
        ({(0,): "a", (1, 2, 3): "b"}, 0, r"none of these masks: found \(1, 2, 3\)"),
        ({(0,): "a", (1,): "b"}, -1, "tolerance of the map: found -1"),
        ({(0,): "a", (1,): "b"}, 128, "tolerance of the map: found 128"),
        ({(number,): f"c{number}" for number in range(255)}, 0, "more values than .* found 255 classes, from 'c0' to"),
    ],
)
def test_a_map_that_cannot_be_used_is_refused_with_what_is_wrong(entries, tolerance, sentence):
    mask_map = MaskMap(tuple(MaskEntry(*pair) for pair in entries.items()), tolerance)
    with pytest.raises(DatasetError, match=sentence):
        check_map(mask_map, "grey")


def test_a_value_that_is_named_twice_is_refused():
    with pytest.raises(DatasetError, match="names a value twice: found #ff0000"):
        map_of({"#ff0000": "a", "#FF0000": "b", "#000000": "c"}, "colour", 0)


def test_class_names_are_text_of_any_writing_on_one_line():
    mask_map = map_of({"0": " <b>a</b>\n", "1": "🐈 ète"}, "grey", 0)
    assert mask_map.classes == ("<b>a</b>", "🐈 ète")


def test_default_names_say_what_is_known_and_no_more():
    black, red, green, odd = (0, 0, 0), (255, 0, 0), (0, 255, 0), (1, 2, 3)
    assert [default_label(value, (black, red, green, odd), "colour") for value in (black, red, green, odd)] == [
        "background",
        "red",
        "green",
        "#010203",
    ]
    assert [default_label((value,), ((0,), (128,), (255,)), "grey") for value in (0, 128, 255)] == [
        "background",
        "grey 128",
        "grey 255",
    ]
    assert default_label((2,), ((0,), (1,), (2,)), "index") == "class 2"
    assert default_label((255,), ((0,), (255,)), "grey") == "foreground"
    assert default_label(red, (black, red), "colour") == "foreground"
    assert colour_name((128, 128, 128)) == "grey"


def test_colours_are_listed_black_first_then_around_the_wheel_from_red():
    colours = [(0, 0, 255), (255, 255, 255), (0, 255, 0), (255, 0, 0), (0, 0, 0), (255, 255, 0)]
    assert sorted(colours, key=value_order) == [
        (0, 0, 0),
        (255, 255, 255),
        (255, 0, 0),
        (255, 255, 0),
        (0, 255, 0),
        (0, 0, 255),
    ]
