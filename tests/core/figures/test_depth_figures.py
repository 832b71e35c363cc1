import pytest

from core.figures.depth import calibration_curve, confidence_bars, precision_curves, roc_curves
from core.metrics.calibration import Bin
from core.metrics.intervals import Interval

EVIL = "<b>polyp</b>"
BINS = (Bin(0.0, 0.5, 0, None, None, None), Bin(0.5, 1.0, 8, 0.8, 0.75, Interval(0.4, 0.9)))
LINE = (1, EVIL, ((0.0, 0.0), (0.0, 0.5), (1.0, 1.0)), "AUROC 0.900 [0.800–0.950]")


@pytest.mark.parametrize("draw", [roc_curves, precision_curves])
def test_a_curve_of_a_class_has_its_points_its_figure_with_interval_and_its_name_as_text(draw):
    figure = draw([LINE])
    curve = figure.data[-1]
    assert (tuple(curve.x), tuple(curve.y)) == ((0, 0, 1), (0, 0.5, 1))
    assert "[0.800–0.950]" in curve.hovertemplate
    assert "<b>" not in curve.name
    assert "<b>" not in curve.hovertemplate


def test_a_guess_is_drawn_where_its_precision_is_known():
    assert list(precision_curves([LINE], 0.3).data[0].y) == [0.3, 0.3]


def test_calibration_has_a_point_with_its_interval_for_every_bin_that_has_images():
    figure = calibration_curve(BINS, x=f"probability of {EVIL}")
    diagonal, points = figure.data
    assert list(points.x) == [0.8]
    assert list(points.y) == [0.75]
    assert list(points.error_y.array) == pytest.approx([0.15])
    assert list(points.error_y.arrayminus) == pytest.approx([0.35])
    assert "<b>" not in figure.layout.xaxis.title.text
    assert diagonal.x == diagonal.y
    assert list(confidence_bars(BINS).data[0].y) == [0, 8]
