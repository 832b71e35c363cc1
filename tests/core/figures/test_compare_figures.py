import numpy as np
import pytest

from core.compare.comparison import MODELS, ClassChange, Pair
from core.figures.compare import class_changes, overlaid_curves, pair_differences
from core.metrics.intervals import Interval


def journal(*scores):
    return [
        {"kind": "epoch", "epoch": place, "validation": {"accuracy": score, "loss": 1 - score}}
        for place, score in enumerate(scores, start=1)
    ]


def pair(first, second, value, half=0.02):
    interval = Interval(value - half, value + half)
    different = abs(value) > half
    about = {"question": MODELS, "metric": "accuracy", "value": value, "interval": interval, "different": different}
    return Pair(first, second, p=0.1, holm=0.1, n=50, seeds=1, unnoticed=None, method="", sentence="", **about)


def test_curves_of_a_recipe_are_a_mean_in_a_band_and_of_a_single_run_a_line():
    recipes = {"light": [journal(0.5, 0.7), journal(0.6, 0.9)], "heavy": [journal(0.4)]}
    drawn = overlaid_curves(recipes, "classification", "score")
    band, mean, single = drawn.data
    assert list(mean.y) == pytest.approx([0.55, 0.8])
    assert list(band.y) == pytest.approx([0.6, 0.9, 0.7, 0.5])
    assert (mean.name, single.name) == ("light (mean of 2)", "heavy")
    assert list(single.y) == [0.4]
    assert mean.line.color != single.line.color
    assert mean.line.dash != single.line.dash, "a colour is never the only sign"


def test_the_mean_is_of_the_runs_that_reached_an_epoch():
    drawn = overlaid_curves({"light": [journal(0.5, 0.7), journal(0.6)]}, "classification", "score")
    assert list(drawn.data[1].y) == pytest.approx([0.55, 0.7])


def test_losses_are_drawn_too_and_nothing_is_no_error():
    assert list(overlaid_curves({"a": [journal(0.25)]}, "classification", "loss").data[0].y) == [0.75]
    assert not overlaid_curves({"a": [[]]}, "segmentation", "score").data


def test_long_runs_are_thinned():
    drawn = overlaid_curves({"a": [journal(*np.linspace(0, 1, 3000))]}, "classification", "score")
    assert len(drawn.data[0].x) == 1000


def test_differences_stand_in_points_with_the_better_one_first():
    names = {"a": "light", "b": "heavy", "c": "none"}
    drawn = pair_differences([pair("a", "b", -0.05), pair("a", "c", 0.01)], names, "accuracy")
    bar, dot, *_ = drawn.data
    assert list(bar.x) == pytest.approx([3.0, 7.0])
    assert list(dot.x) == pytest.approx([5.0])
    assert drawn.layout.yaxis.ticktext == ("light<br>− heavy", "none<br>− light")
    assert [mark.marker.symbol for mark in drawn.data[1::2]] == ["circle", "circle-open"], "beyond chance is filled"


def test_of_many_pairs_the_largest_differences_are_drawn():
    names = {f"r{place}": f"run {place}" for place in range(20)}
    drawn = pair_differences([pair("r0", f"r{place}", place / 100) for place in range(1, 20)], names, "accuracy")
    assert len(drawn.data) == 24
    assert drawn.layout.yaxis.ticktext[0] == "run 19<br>− run 0"


def test_both_names_of_a_pair_can_be_told_however_long_they_are():
    names = {key: f"tf_efficientnet_lite0, the head alone ({key})" for key in ("one", "two")}
    (title,) = pair_differences([pair("one", "two", 0.01)], names, "accuracy").layout.yaxis.ticktext
    assert "(two)<br>− tf_eff" in title
    assert title.endswith("(one)")


def test_marks_of_an_axis_have_as_many_places_as_their_steps_need():
    stops = overlaid_curves({"a": [journal(0.957, 0.968)]}, "classification", "score").layout.yaxis.tickformatstops
    written = {step: next(one.value for one in stops if _holds(one.dtickrange, step)) for step in (0.0005, 0.002, 0.05)}
    assert written == {0.0005: ".2%", 0.002: ".1%", 0.05: ".0%"}


def _holds(ends, step):
    low, high = ends
    return (low is None or low <= step) and (high is None or step < high)


def test_names_are_text_on_figures():
    assert pair_differences([pair("a", "b", 0.1)], {"a": "<b>x</b>", "b": "y"}, "accuracy").layout.yaxis.ticktext == (
        "y<br>− &lt;b&gt;x&lt;/b&gt;",
    )


def test_classes_keep_their_order_and_those_without_a_change_are_left_out():
    changes = [
        ClassChange("apple", 0.1, Interval(0.0, 0.2), 0.04, True, 30),
        ClassChange("pear", None, None, None, False, 0),
        ClassChange("plum", -0.2, Interval(-0.3, -0.1), 0.01, True, 20),
    ]
    drawn = class_changes(changes, ("apple", "pear", "plum"), "recall")
    assert drawn.layout.yaxis.ticktext == ("apple", "plum")
    assert [list(mark.x) for mark in drawn.data[1::2]] == [pytest.approx([10.0]), pytest.approx([-20.0])]
