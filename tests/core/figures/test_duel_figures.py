"""A duel as dots and intervals, by their numbers."""

from dataclasses import replace

import pytest

from core.figures.duel import class_differences, differences, paired_dots
from core.metrics.crossed import Crossed
from core.metrics.intervals import Interval
from core.studies.duel import ClassGap, DuelTable, Gap, PolicyLine
from core.studies.repeats import spread


def gap(mean, low, high):
    return Crossed(mean, Interval(low, high), 0.01, 0.01, 0.05, 3, 60)


def table(classes=("cat", "dog"), light=(0.9, None, 0.95)):
    found = {"none": (0.8, 0.85, 0.9), "light": light}
    lines = tuple(PolicyLine(name, (spread("accuracy", "accuracy", values),)) for name, values in found.items())
    per_class = tuple(ClassGap(name, gap(place / 100, -0.1, 0.2)) for place, name in enumerate(classes))
    pair = Gap("none", "light", (0, 2), (0.1, 0.05), gap(0.075, -0.02, 0.15), "no evidence", "", per_class)
    empty = ((), lines, (pair,), "", "")
    return DuelTable("s", "S", "classification", "accuracy", "recall", (0, 1, 2), 6, 5, *empty)


def named(figure, name):
    return [trace for trace in figure.data if trace.name == name]


def test_the_runs_of_a_seed_are_joined_and_every_policy_has_its_mean():
    figure = paired_dots(table())
    seeds = named(figure, "runs of one seed")
    assert [list(trace.x) for trace in seeds] == [[0.8, 0.9], [0.85], [0.9, 0.95]]
    assert [[round(y) for y in trace.y] for trace in seeds] == [[1, 0], [1], [1, 0]]
    assert len({trace.y[0] for trace in seeds}) == 3, "equal runs of other seeds are all seen"
    assert figure.layout.xaxis.range[1] <= 1.01
    [means] = named(figure, "mean")
    assert list(means.x) == pytest.approx([0.85, 0.925])
    assert list(figure.layout.yaxis.ticktext) == ["none", "light"]
    assert [trace.showlegend for trace in seeds] == [True, False, False]


def test_a_difference_has_its_interval_its_seeds_and_zero_beside_it():
    figure = differences(table())
    [band], [mean], [seeds] = (named(figure, name) for name in ("95 % interval", "mean difference", "one seed"))
    assert list(band.x) == pytest.approx([-2, 15])
    assert list(mean.x) == pytest.approx([7.5])
    assert list(seeds.customdata) == [0, 2]
    assert list(figure.layout.yaxis.ticktext) == ["light − none"]
    assert figure.layout.shapes[0].x0 == 0
    low, high = figure.layout.xaxis.range
    assert low < -2 < 15 < high


def test_before_a_verdict_there_is_no_interval():
    early = table()
    early = replace(early, pairs=(replace(early.pairs[0], gap=None, differences=(), seeds=(), per_class=()),))
    assert not named(differences(early), "95 % interval")
    assert class_differences(early, early.pairs[0]).layout.height > 100


def test_of_many_classes_those_that_changed_most_are_drawn_in_their_order_and_names_are_only_text():
    many = table(classes=["<b>", *(f"class {place}" for place in range(1, 30))])
    figure = class_differences(many, many.pairs[0])
    assert list(figure.layout.yaxis.ticktext) == [f"class {place}" for place in range(15, 30)]
    few = table(classes=["<b>cat", "dog"])
    assert list(class_differences(few, few.pairs[0]).layout.yaxis.ticktext) == ["&lt;b&gt;cat", "dog"]
    unknown = replace(few.pairs[0], per_class=(ClassGap("cat", None), few.pairs[0].per_class[1]))
    assert list(class_differences(few, unknown).layout.yaxis.ticktext) == ["dog"]


def test_colours_of_classes_are_their_own_and_a_duel_without_a_finished_run_draws_empty_figures():
    figure = class_differences(table(), table().pairs[0])
    assert len({trace.marker.color for trace in named(figure, "mean difference")}) == 2
    assert not paired_dots(table(light=(None,) * 3)).data[0].x[1:]
