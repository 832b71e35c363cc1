"""The drawn polyps: repeatable, of two kinds that differ in more than their size, and masked where they are."""

import numpy as np
import pytest

from core.data.polyps import CLASSES, COLOURS, draw_polyps


def inside(kind: int, count: int = 24, difficulty: float = 0.0) -> np.ndarray:
    """Mean colour of polyps of a kind beside that of the wall around, (count, 3), as a ratio."""
    ratios = []
    for seed in range(count):
        picture, mask = draw_polyps((kind,), 64, difficulty, seed)
        pixels = np.asarray(picture, float)
        lit = pixels.sum(2) > 120  # neither the frame nor the depth of the lumen
        ratios.append(pixels[(mask == kind) & lit].mean(0) / pixels[(mask == 0) & lit].mean(0))
    return np.stack(ratios)


def test_a_picture_is_drawn_alike_from_the_same_seed_and_otherwise_from_another():
    one, mask = draw_polyps((1, 2), 48, 0.3, 5)
    again, same = draw_polyps((1, 2), 48, 0.3, 5)
    other, _ = draw_polyps((1, 2), 48, 0.3, 6)
    assert (np.asarray(one) == np.asarray(again)).all()
    assert (mask == same).all()
    assert np.abs(np.asarray(one, int) - np.asarray(other, int)).mean() > 5


@pytest.mark.parametrize("size", [32, 96, 256])
@pytest.mark.parametrize("kinds", [(), (1,), (2,), (1, 2), (2, 2)])
def test_the_mask_holds_the_kinds_that_were_asked_for_and_no_other(size, kinds):
    for seed in range(4):
        picture, mask = draw_polyps(kinds, size, 1.0, seed)
        assert picture.size == (size, size)
        assert mask.dtype == np.uint8
        assert mask.shape == (size, size)
        assert set(np.unique(mask)) - {0} <= set(kinds)
        assert (mask > 0).mean() < 0.6
        assert bool(kinds) == bool(mask.any())


def test_every_class_has_its_colour():
    assert len(CLASSES) == len(COLOURS) == 3
    assert COLOURS[0] == (0, 0, 0)


def test_neoplastic_polyps_are_browner_than_the_wall_and_the_others_paler():
    neoplastic, other = inside(1), inside(2)
    assert np.median(neoplastic[:, 1] / neoplastic[:, 0]) < 0.9 < 1.05 < np.median(other[:, 1] / other[:, 0])


def test_difficulty_makes_the_kinds_more_alike():
    def apart(difficulty):
        one, two = (inside(kind, difficulty=difficulty) for kind in (1, 2))
        return np.median(two[:, 1] / two[:, 0]) - np.median(one[:, 1] / one[:, 0])

    assert apart(1.0) < 0.75 * apart(0.0)


def test_the_outline_of_the_mask_is_where_the_picture_changes():
    def edge(picture, mask, shift):
        line = np.asarray(picture.convert("L"), float)
        moved = np.roll(mask, shift, axis=1)
        border = moved[:, 1:] != moved[:, :-1]
        return np.abs(np.diff(line, axis=1))[border].mean()

    drawn = [draw_polyps((kind,), 96, 0.0, seed) for kind in (1, 2) for seed in range(6)]
    at, beside = (np.mean([edge(*pair, shift) for pair in drawn]) for shift in (0, 9))
    assert at > 1.5 * beside
