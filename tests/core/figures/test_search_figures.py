import math

import pytest

from core.figures.search import search_coordinates, search_history, search_importances


def trial(number, state, value, **values):
    return {"number": number, "state": state, "value": value, "values": values}


@pytest.fixture
def results():
    return {
        "metric": "accuracy",
        "higher_is_better": True,
        "fields": [
            {"path": "phases.0.learning_rate", "label": "learning rate", "log": True},
            {"path": "optimizer.name", "label": "<b>optimizer</b>", "log": False},
        ],
        "trials": [
            trial(1, "finished", 0.7, **{"phases.0.learning_rate": 0.001, "optimizer.name": "sgd"}),
            trial(2, "pruned", 0.4, **{"phases.0.learning_rate": 0.1, "optimizer.name": "adamw"}),
            trial(3, "failed", None, **{"phases.0.learning_rate": 1.0, "optimizer.name": "sgd"}),
            trial(4, "finished", 0.9, **{"phases.0.learning_rate": 0.01, "optimizer.name": "adamw"}),
        ],
        "history": [{"number": 1, "value": 0.7, "best": 0.7}, {"number": 4, "value": 0.9, "best": 0.9}],
        "importances": {"shares": {"optimizer.name": 0.2, "phases.0.learning_rate": 0.8}, "sentence": ""},
    }


def test_the_history_shows_each_trial_by_how_it_ended_and_the_best_so_far(results):
    best, *marks = search_history(results, identity="a").data

    assert (list(best.x), list(best.y)) == ([1, 4], [0.7, 0.9])
    shown = {trace.name: (list(trace.x), list(trace.y)) for trace in marks}
    assert shown == {"finished": ([1, 4], [0.7, 0.9]), "pruned": ([2], [0.4])}
    assert len({trace.marker.symbol for trace in marks}) == 2, "a colour is never the only sign"


def test_the_most_important_field_stands_at_the_top(results):
    (bars,) = search_importances(results).data

    assert list(bars.x) == [0.2, 0.8]
    assert bars.y[-1] == "learning rate"
    assert bars.y[0] == "&lt;b&gt;optimizer&lt;/b&gt;"


def test_a_line_goes_through_the_values_of_a_trial_on_scales_that_suit_them(results):
    (lines,) = search_coordinates(results).data
    rate, optimizer, accuracy = lines.dimensions

    assert [round(value, 6) for value in rate.values] == [-3, -1, -2], "a learning rate goes by its logarithm"
    assert rate.ticktext[0] == "0.001"
    assert rate.ticktext[-1] == "0.1"
    assert list(optimizer.values) == [1, 0, 0]
    assert list(optimizer.ticktext) == ["adamw", "sgd"]
    assert list(accuracy.values) == list(lines.line.color) == [0.7, 0.4, 0.9]
    assert math.isclose(lines.line.cmax, 0.9)


def test_of_a_loss_the_lowest_is_the_darkest(results):
    (higher,) = search_coordinates(results).data
    (lower,) = search_coordinates(results | {"higher_is_better": False}).data

    assert higher.line.colorscale[1][1] == lower.line.colorscale[0][1]


def test_a_search_without_trials_gives_empty_figures(results):
    empty = results | {"trials": [], "history": [], "importances": {"shares": {}, "sentence": "Too few."}}
    for draw in (search_history, search_importances, search_coordinates):
        assert draw(empty).to_json()


def test_one_trial_alone_has_axes_of_some_length(results):
    (lines,) = search_coordinates(results | {"trials": results["trials"][:1]}).data

    assert all(axis.range[0] < axis.range[1] for axis in lines.dimensions)
