import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from core.metrics import boundary
from core.metrics.boundary import boundary_errors, outline


def bars(*ends: int, width: int = 12) -> np.ndarray:
    """A mask (6, width) whose class 1 reaches from the left border to before this column."""
    mask = np.zeros((6, width), np.uint8)
    mask[:, : ends[0]] = 1
    return mask


def test_the_outline_lies_inside_the_region_and_not_along_the_border_of_the_picture():
    region = np.zeros((5, 6), bool)
    region[1:4, :3] = True
    found = outline(region, np.zeros_like(region))
    assert sorted(map(tuple, found.tolist())) == [(1, 0), (1, 1), (1, 2), (2, 2), (3, 0), (3, 1), (3, 2)]


def test_an_edge_that_is_three_pixels_off_is_three_pixels_off():
    assert boundary_errors(bars(4), bars(7), 2)[1] == pytest.approx((3, 3))
    assert boundary_errors(bars(4), bars(4), 2)[1] == pytest.approx((0, 0))


def test_it_is_the_same_from_either_side():
    one, other = bars(3), bars(9)
    other[2:4, 5:] = 0
    assert boundary_errors(one, other, 2) == pytest.approx(boundary_errors(other, one, 2))


def test_a_piece_that_only_the_answer_has_shows_in_the_95th_percentile():
    truth, answer = np.zeros((40, 80), np.uint8), np.zeros((40, 80), np.uint8)
    truth[5:35, 5:35] = answer[5:35, 5:35] = 1
    answer[17:23, 70:76] = 1
    mean, tail = boundary_errors(truth, answer, 2)[1]
    assert 0 < mean < 4
    assert tail == pytest.approx(39, abs=3), "from column 34 to columns 70 to 75"


def test_where_truth_or_answer_lacks_the_class_there_is_no_distance():
    empty, full = np.zeros((6, 12), np.uint8), np.ones((6, 12), np.uint8)
    for truth, answer in ((bars(4), empty), (empty, bars(4)), (empty, empty), (full, bars(4)), (full, full)):
        assert np.isnan(boundary_errors(truth, answer, 2)[1]).all()


def test_what_the_truth_ignores_is_neither_region_nor_edge():
    truth, answer = bars(4), bars(9)
    truth[:, 5:] = 255
    assert np.isnan(boundary_errors(truth, answer, 2)[1]).all(), "all of the answer's edge is ignored"
    truth, answer = bars(4), bars(6)
    truth[0], answer[0] = 255, 1
    assert boundary_errors(truth, answer, 2)[1] == pytest.approx((2, 2))


def test_of_many_classes_only_those_on_both_sides_are_worked_on(monkeypatch):
    truth, answer = bars(4), bars(6)
    answer[-1, -1] = 200  # which the truth lacks
    asked = []
    monkeypatch.setattr(boundary, "outline", lambda region, ignored: asked.append(region) or outline(region, ignored))
    found = boundary_errors(truth, answer, 254)
    assert np.flatnonzero(~np.isnan(found[:, 0])).tolist() == [0, 1]
    assert len(asked) == 4


def test_distance_maps_agree():
    """Another way to the same number: SciPy's distance from every pixel to the other outline."""
    generator = np.random.default_rng(0)
    for _ in range(5):
        truth, answer = (generator.random((30, 40)) > 0.4 for _ in range(2))
        truth, answer = truth.astype(np.uint8), answer.astype(np.uint8)
        ignored = np.zeros(truth.shape, bool)
        maps = []
        for mask in (truth, answer):
            free = np.ones(mask.shape, bool)
            free[tuple(outline(mask == 1, ignored).T)] = False
            maps.append((~free, distance_transform_edt(free)))
        (one, to_one), (other, to_other) = maps
        distances = np.concatenate([to_other[one], to_one[other]])
        expected = distances.mean(), np.percentile(distances, 95)
        assert boundary_errors(truth, answer, 2)[1] == pytest.approx(expected)
