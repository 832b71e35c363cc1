"""Overlays are tested pixel by pixel on pictures small enough to be drawn in the test."""

import subprocess
import sys
import time

import numpy as np
import pytest

from core.figures.colours import class_colour
from core.figures.overlay import (
    CONFUSED,
    HIT,
    IGNORED,
    INVENTED,
    MISSED,
    colour_mask,
    draw_errors,
    draw_overlay,
    error_kinds,
    heat_map,
)

GREY = np.full((8, 8, 3), 100, np.uint8)


def rgb(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def square(index: int = 1) -> np.ndarray:
    """Class `index` in rows and columns 2 to 5 of 8."""
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 2:6] = index
    return mask


def touched(picture: np.ndarray, before: np.ndarray = GREY) -> np.ndarray:
    return (picture != before).any(axis=2)


def test_a_fill_tints_the_class_in_its_colour_and_leaves_the_background_alone():
    drawn = draw_overlay(GREY, square(), opacity=1)
    assert (touched(drawn) == (square() == 1)).all()
    assert drawn[3, 3].tolist() == rgb(class_colour(1))


def test_half_opacity_is_half_way_between_picture_and_colour():
    drawn = draw_overlay(GREY, square(), opacity=0.5)[3, 3]
    assert drawn == pytest.approx((100 + np.array(rgb(class_colour(1)))) / 2, abs=1)
    assert (draw_overlay(GREY, square(), opacity=0) == GREY).all()


def test_a_contour_is_drawn_on_the_inside_of_the_edge_only():
    ring = square() == 1
    ring[3:5, 3:5] = False
    assert (touched(draw_overlay(GREY, square(), style="contour", opacity=1)) == ring).all()


def test_two_classes_that_touch_keep_an_outline_each():
    mask = np.ones((8, 8), np.uint8)
    mask[:, 4:] = 2
    drawn = draw_overlay(GREY, mask, style="contour", opacity=1)
    assert drawn[0, 3].tolist() == rgb(class_colour(1))
    assert drawn[0, 4].tolist() == rgb(class_colour(2))
    assert touched(drawn).sum(axis=1).tolist() == [2] * 8


@pytest.mark.parametrize("style", ["fill", "contour"])
def test_only_the_classes_asked_for_are_drawn_and_what_is_ignored_never_is(style):
    mask = square()
    mask[3:5, 3:5], mask[0], mask[7] = 2, 255, 3
    drawn = touched(draw_overlay(GREY, mask, classes=[2], style=style))
    assert (drawn == (mask == 2)).all()
    assert not touched(draw_overlay(GREY, mask, classes=[255, 0], style=style)).any()
    assert not touched(draw_overlay(GREY, mask, classes=[], style=style)).any()


def test_without_a_background_the_first_class_is_drawn_as_the_others_are():
    drawn = draw_overlay(GREY, square(), opacity=1, background=None)
    assert drawn[0, 0].tolist() == rgb(class_colour(0))


def test_the_picture_that_was_given_stays_as_it_was():
    image = GREY.copy()
    draw_overlay(image, square())
    draw_errors(image, square(), square(2))
    assert (image == GREY).all()


def test_each_pixel_of_an_error_overlay_is_what_it_is_for_one_class_and_for_all():
    truth = np.array([[0, 0, 1, 1, 2, 255]], np.uint8)
    answer = np.array([[0, 1, 1, 0, 1, 1]], np.uint8)
    assert error_kinds(truth, answer).tolist() == [[0, 3, 1, 2, 4, 0]]
    assert error_kinds(truth, answer, 1).tolist() == [[0, 3, 1, 2, 3, 0]]
    assert error_kinds(truth, answer, 2).tolist() == [[0, 0, 0, 0, 2, 0]]
    assert error_kinds(truth, answer, background=None).tolist() == [[1, 4, 1, 4, 4, 0]]


def test_missed_invented_and_confused_differ_in_colour_and_in_pattern():
    image = np.full((220, 220, 3), 100, np.uint8)
    everywhere = np.ones((220, 220), np.uint8)
    kinds = {
        HIT: (everywhere, everywhere),
        MISSED: (everywhere, 0 * everywhere),
        INVENTED: (0 * everywhere, everywhere),
        CONFUSED: (everywhere, 2 * everywhere),
    }
    marks = []
    for colour, (truth, answer) in kinds.items():
        drawn = draw_errors(image, truth, answer, opacity=1).astype(int)
        nearness = np.abs(drawn - rgb(colour)).sum(axis=2)
        assert nearness.min() < 200, "the marks have the colour"
        assert touched(drawn, image).all(), "and what lies between them is not left as it was"
        marks.append(nearness == nearness.min())
    hits, *others = marks
    assert hits.all(), "hits are plain"
    for mark in others:
        assert 0.2 < mark.mean() < 0.8, "the others have marks and room between them"
    for place, one in enumerate(others):
        assert all(0.25 < (one != other).mean() < 0.75 for other in others[place + 1 :]), "no two patterns are alike"


def test_a_mask_on_its_own_has_black_background_class_colours_and_grey_for_what_is_ignored():
    drawn = colour_mask(np.array([[0, 1, 255]], np.uint8))
    assert drawn.tolist() == [[[0, 0, 0], rgb(class_colour(1)), list(IGNORED)]]
    assert colour_mask(np.zeros((1, 1), np.uint8), background=None).tolist() == [[rgb(class_colour(0))]]


def test_heat_grows_brighter_with_the_value_and_lies_over_a_picture():
    values = np.arange(256, dtype=np.uint8)[None]
    brightness = heat_map(values).astype(int).sum(axis=2)[0]
    assert (np.diff(brightness) >= 0).all()
    assert brightness[255] - brightness[0] > 500
    image = np.zeros((1, 256, 3), np.uint8)
    assert heat_map(values, image, opacity=0.5)[0, 255] == pytest.approx(heat_map(values)[0, 255] / 2, abs=1)


def test_a_mask_of_another_size_is_refused():
    for draw in (draw_overlay, heat_map):
        with pytest.raises(ValueError, match=r"a picture of \(8, 8\) and a mask of \(4, 8\)"):
            draw(*((GREY, np.zeros((4, 8), np.uint8)) if draw is draw_overlay else (np.zeros((4, 8), np.uint8), GREY)))
    with pytest.raises(ValueError, match="a mask of"):
        draw_errors(GREY, square(), np.zeros((4, 8), np.uint8))
    with pytest.raises(ValueError, match="not fill or contour"):
        draw_overlay(GREY, square(), style="stroke")


def test_a_megapixel_is_drawn_in_the_time_of_a_slider():
    image = np.zeros((1000, 1000, 3), np.uint8)
    mask = np.zeros((1000, 1000), np.uint8)
    mask[200:800, 200:800] = 1
    for draw in (lambda: draw_overlay(image, mask), lambda: draw_errors(image, mask, mask.T)):
        seconds = []
        for _ in range(5):
            begun = time.process_time()
            draw()
            seconds.append(time.process_time() - begun)
        assert min(seconds) < 0.1


def test_overlays_need_nothing_heavy():
    code = "import sys, core.figures.overlay; assert not {'torch', 'scipy', 'plotly'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
