"""Dots of repeated runs, by their numbers."""

import pytest

from core.figures.repeats import class_dots, score_dots
from core.studies.repeats import RepeatTable, RunLine, spread

LABELS = [f"seed {seed}" for seed in range(3)]


def table(classes=("cat", "dog"), runs=3, **values):
    figures = {"accuracy": [0.8, 0.9, 1.0], "macro_f1": [0.7, None, 0.9], "loss": [3.0, 2.0, 1.0]} | values
    lines = tuple(RunLine(f"run-{number}", LABELS[number % 3], "finished", "") for number in range(runs))
    spreads = tuple(spread(name, name, numbers) for name, numbers in figures.items())
    recalls = tuple(spread("recall", name, [0.5 + place / 100] * runs) for place, name in enumerate(classes))
    return RepeatTable("s", "S", "seeds", "classification", runs, runs, lines, spreads, recalls, "")


def named(figure, name):
    return [trace for trace in figure.data if trace.name == name]


def test_every_run_is_a_dot_beside_its_mean_and_deviation():
    figure = score_dots(table())
    dots, means, bands = (named(figure, name) for name in ("one run", "mean", "mean ± std"))
    assert list(dots[0].x) == [0.8, 0.9, 1.0]
    assert list(means[0].x) == [pytest.approx(0.9)]
    assert list(bands[0].x) == pytest.approx([0.8, 1.0])
    assert list(dots[1].x) == [0.7, 0.9], "a run without the figure has no dot"
    assert list(dots[1].customdata) == ["seed 0", "seed 2"]


def test_the_loss_is_on_another_scale_and_not_drawn():
    assert list(score_dots(table()).layout.yaxis.ticktext) == ["accuracy", "macro_f1"]


def test_equal_runs_are_both_seen():
    dots = named(score_dots(table(accuracy=[0.9, 0.9, 0.9])), "one run")[0]
    assert len(set(dots.y)) == 3


def test_of_many_classes_the_weakest_are_drawn_in_their_own_order_and_colours():
    figure = class_dots(table(classes=[f"class {place}" for place in range(30)]), "recall")
    drawn = list(figure.layout.yaxis.ticktext)
    assert drawn == [f"class {place}" for place in range(12)]
    assert len({trace.marker.color for trace in named(figure, "one run")}) == 12


def test_names_are_only_text_and_one_run_has_no_band():
    figure = class_dots(table(classes=["<b>cat"], runs=1), "recall")
    assert list(figure.layout.yaxis.ticktext) == ["&lt;b&gt;cat"]
    assert not named(figure, "mean ± std")


def test_a_study_without_a_finished_run_draws_an_empty_figure():
    empty = table(accuracy=[None] * 3, macro_f1=[None] * 3)
    assert not named(score_dots(empty), "mean")
    assert score_dots(table(classes=())).layout.height > 100


def test_runs_that_are_all_alike_do_not_stretch_the_axis():
    low, high = score_dots(table(accuracy=[0.98] * 3, macro_f1=[0.98] * 3)).layout.xaxis.range
    assert low < 0.98 < high
    assert high - low >= 0.06
