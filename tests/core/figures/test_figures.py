"""Figures are tested by the numbers and words they carry, not by their pixels."""

import json

import numpy as np

from core.figures.colours import class_colour
from core.figures.confusion import confusion_matrix
from core.figures.counts import class_counts, pixel_shares
from core.figures.curves import (
    MOST_CLASSES,
    MOST_POINTS,
    accuracy_curves,
    dice_curves,
    loss_curves,
    step_points,
    thinned,
)
from core.figures.layout import label
from core.figures.probabilities import MOST_BARS, probability_bars
from core.figures.segmentation import pixel_confusion, threshold_curve

EVIL = "<img src=x onerror=alert(1)> & co"


def trace(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def epoch(number, *, train=(0.9, 0.5), validation=(1.0, 0.4), phase=0, best=False):
    return {
        "kind": "epoch",
        "phase": phase,
        "epoch": number,
        "train": {"loss": train[0], "accuracy": train[1]},
        "validation": {"loss": validation[0], "accuracy": validation[1]},
        "interval": [validation[1] - 0.1, validation[1] + 0.1],
        "best": best,
    }


def mask_epoch(number, per_class, *, mean=0.5, best=False):
    return {
        "kind": "epoch",
        "phase": 0,
        "epoch": number,
        "train": {"loss": 1.0, "dice": mean - 0.1, "iou": 0.3},
        "validation": {"loss": 1.0, "dice": mean, "iou": 0.4},
        "per_class": per_class,
        "interval": [mean - 0.1, mean + 0.1],
        "best": best,
    }


def step(epoch_number, number, loss, steps=10):
    return {"kind": "step", "phase": 0, "epoch": epoch_number, "step": number, "steps": steps, "loss": loss}


def test_a_label_is_shown_letter_for_letter_and_never_as_markup():
    assert label("<b>a</b>") == "&lt;b&gt;a&lt;/b&gt;"
    assert label('say "cheese" & go') == 'say "cheese" &amp; go'
    assert label("a\nb") == "a b"


def test_a_long_label_keeps_its_beginning_and_its_end():
    assert label("a" * 50 + "z", width=10) == "aaaaaa…aaz"


def test_no_name_reaches_a_figure_unescaped():
    figures = [
        class_counts({"train": {EVIL: 3, "b": 1}}, [EVIL, "b"]),
        pixel_shares([3, 1], [EVIL, "b"]),
        confusion_matrix([[1, 2], [3, 4]], [EVIL, "b"]),
        probability_bars({EVIL: 0.5, "b": 0.5}, [EVIL, "b"]),
        pixel_confusion([[1, 2], [3, 4]], [EVIL, "b"]),
        dice_curves([mask_epoch(1, [0.5, 0.5])], [EVIL, "b"]),
        accuracy_curves([epoch(1), {"kind": "phase", "phase": 1, "name": EVIL}, epoch(2, phase=1)]),
    ]
    for figure in figures:
        drawn = json.loads(figure.to_json())
        assert "<img" not in json.dumps(drawn)
        assert "&lt;img" in json.dumps(drawn)


def test_counts_are_stacked_by_split_with_their_total_beside_them():
    figure = class_counts({"train": {"cat": 7, "dog": 3}, "validation": {"cat": 2}}, ["cat", "dog"])

    assert list(trace(figure, "train").x) == [7, 3]
    assert list(trace(figure, "validation").x) == [2, 0]
    totals = next(t for t in figure.data if t.type == "scatter" and t.mode == "text")
    assert [text.strip() for text in totals.text] == ["9", "3"]


def test_steps_are_placed_within_their_epoch():
    assert step_points([step(1, 5, 2.0), step(2, 10, 1.0), {"kind": "end"}]) == [(0.5, 2.0), (2.0, 1.0)]


def test_a_long_run_draws_at_most_a_thousand_points_and_always_the_last():
    points = [(float(place), 0.0) for place in range(12345)]

    assert len(thinned(points)) == MOST_POINTS
    assert thinned(points)[0] == points[0]
    assert thinned(points)[-1] == points[-1]
    assert len(trace(loss_curves([step(1, n, 1.0, 5000) for n in range(5000)]), "within the epoch").x) == MOST_POINTS


def test_the_curves_carry_the_journals_numbers():
    entries = [
        step(1, 10, 1.5),
        epoch(1, train=(1.2, 0.5), validation=(1.1, 0.6)),
        epoch(2, validation=(0.8, 0.7), best=True),
    ]

    assert list(trace(loss_curves(entries), "validation").y) == [1.1, 0.8]
    accuracy = accuracy_curves(entries)
    assert list(trace(accuracy, "validation").y) == [0.6, 0.7]
    assert (list(trace(accuracy, "kept").x), list(trace(accuracy, "kept").y)) == ([2], [0.7])
    assert len(trace(accuracy, "95 % interval").x) == 4


def test_a_run_that_has_not_begun_has_empty_curves():
    assert not loss_curves([]).data
    assert not accuracy_curves([{"kind": "start"}]).data


def test_the_first_step_and_the_first_interval_can_be_seen():
    assert trace(loss_curves([step(1, 1, 2.0)]), "within the epoch").mode == "markers"
    assert trace(loss_curves([step(1, 1, 2.0), step(1, 2, 1.0)]), "within the epoch").mode == "lines"


def test_no_line_leads_over_epochs_whose_steps_nobody_saw():
    line = trace(loss_curves([step(1, 1, 2.0), step(1, 2, 1.5), step(4, 1, 1.0)]), "within the epoch")

    assert line.y == (2.0, 1.5, None, 1.0)
    assert trace(accuracy_curves([epoch(1)]), "95 % interval").line.width > 0
    assert trace(accuracy_curves([epoch(1), epoch(2)]), "95 % interval").line.width == 0


def test_zoom_survives_new_data_for_the_same_run():
    assert (
        loss_curves([], identity="run-1").layout.uirevision == accuracy_curves([], identity="run-1").layout.uirevision
    )


def test_a_new_phase_is_marked():
    figure = loss_curves([epoch(1), {"kind": "phase", "phase": 1, "name": "everything"}, epoch(2, phase=1)])

    assert [note.text for note in figure.layout.annotations] == ["everything"]


def test_every_cell_of_the_matrix_knows_its_classes():
    figure = confusion_matrix([[5, 1], [0, 4]], ["a", "b"], chosen=(0, 1))
    points = figure.data[1]

    assert [tuple(pair) for pair in points.customdata] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert points.text[1] == "true: a<br>predicted: b<br>1 of 6 (17%)"
    assert [list(row) for row in figure.data[0].text] == [["5", "1"], ["", "4"]]
    assert len(figure.layout.shapes) == 1


def test_turned_class_names_end_at_their_column_so_that_none_is_left_out():
    names = confusion_matrix([[1, 0], [0, 1]], ["a" * 40, "b" * 40]).layout.xaxis

    assert list(names.autotickangles) == [0, -45, -90]


def test_a_class_without_images_does_not_break_the_matrix():
    assert confusion_matrix([[0, 0], [1, 1]], ["a", "b"]).data[0].z[0] == [0.0, 0.0]


def test_bars_are_ranked_and_few():
    bars = probability_bars({f"class {n}": n / 45 for n in range(10)}, [f"class {n}" for n in range(10)]).data[0]

    assert len(bars.x) == MOST_BARS
    assert list(bars.x) == sorted(bars.x, reverse=True)
    assert bars.text[0] == "20.0%"


def test_masks_have_a_curve_for_their_mean_and_one_for_each_class_in_its_colour():
    entries = [mask_epoch(1, [0.99, 0.4, None], mean=0.4), mask_epoch(2, [0.99, 0.7, 0.5], mean=0.6, best=True)]
    figure = dice_curves(entries, ["background", "polyp", "tool"])

    assert list(trace(figure, "mean, validation").y) == [0.4, 0.6]
    assert list(trace(figure, "mean, training").y) == [0.30000000000000004, 0.5]
    assert (list(trace(figure, "kept").x), list(trace(figure, "kept").y)) == ([2], [0.6])
    assert len(trace(figure, "95 % interval").x) == 4
    assert list(trace(figure, "polyp").y) == [0.4, 0.7]
    assert (list(trace(figure, "tool").x), list(trace(figure, "tool").y)) == ([2], [0.5])
    assert trace(figure, "polyp").line.color == class_colour(1)
    assert trace(figure, "polyp").marker.symbol != trace(figure, "tool").marker.symbol
    assert trace(figure, "background").visible == "legendonly"


def test_of_many_classes_the_lowest_curves_are_drawn():
    entries = [mask_epoch(1, [1 - index / 100 for index in range(30)])]
    drawn = [t.name for t in dice_curves(entries, [f"class {n}" for n in range(30)]).data if t.name.startswith("class")]

    assert drawn == [f"class {n}" for n in range(30 - MOST_CLASSES, 30)]


def test_a_run_of_masks_that_has_not_begun_has_empty_curves():
    assert not dice_curves([], ["background", "polyp"]).data


def test_confusion_of_pixels_shows_shares_of_the_true_class_and_never_rounds_a_pixel_away():
    figure = pixel_confusion([[99999, 1, 0], [25, 75, 0], [0, 0, 0]], ["a", "b", "c"]).data[0]

    assert [list(row) for row in figure.text] == [
        ["&gt;99.9 %", "&lt;0.1 %", ""],
        ["25.0 %", "75.0 %", ""],
        ["", "", ""],
    ]
    assert [list(row) for row in figure.z][1:] == [[0.25, 0.75, 0], [0, 0, 0]]
    assert figure.customdata[1][0] == "true: b<br>predicted: a<br>25 of 100 pixels (25.00%)"


def test_a_threshold_has_its_figures_and_a_mark():
    figures = {name: np.array([0.2, np.nan]) for name in ("dice", "iou", "precision", "recall")}
    figure = threshold_curve(figures | {"threshold": np.array([0.0, 1.0])}, 0.35)

    assert list(trace(figure, "Dice").y) == [0.2, None]
    assert figure.layout.shapes[0].x0 == 0.35
    assert len({(t.line.dash, t.line.color) for t in figure.data}) == 4


def test_bars_show_the_share_of_pixels_of_each_class():
    [bars] = pixel_shares([9000, 999, 1, 0], ["background", "cell", "speck", "nothing"]).data
    assert list(bars.x) == [0.9, 0.0999, 0.0001, 0.0]
    assert list(bars.text) == ["90.0%", "10.0%", "&lt; 0.1%", "0.0%"]
    assert list(pixel_shares([0, 0], ["a", "b"]).data[0].x) == [0, 0]
