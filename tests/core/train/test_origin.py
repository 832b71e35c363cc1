"""A run that starts from what another one saved says so, and does not need that file once it is at work."""

import pytest
import torch
from safetensors.torch import load_file

from core.errors import WeightsError
from core.train.events import Outcome, Said


def test_the_run_says_what_it_started_from_and_goes_on_without_that_file(attempt, coloured, small_recipe):
    moving = small_recipe.set({"phases.0.trainable": "last 1 block", "phases.0.epochs": 2})
    first = attempt("first", moving, coloured)
    again = moving.set({"model.weights": str(first.best)})

    whole = attempt("whole", again, coloured)
    [said] = whole.of(Said)
    assert said.sentence == "Backbone and head start from run first, which has the same classes in the same order."
    assert not first.of(Said), "of a usual start nothing is said"

    stops = iter([False] * 5)  # in the second epoch, of four steps each
    halted = attempt("halted", again, coloured, should_stop=lambda: next(stops, True))
    assert halted.of(Outcome)[0].state == "stopped"
    first.best.unlink()
    resumed = attempt("halted", again, coloured, resume=True)
    assert resumed.of(Outcome)[0].state == "finished"
    assert not resumed.of(Said)
    weights, expected = load_file(resumed.best), load_file(whole.best)
    assert all(torch.equal(weights[key], value) for key, value in expected.items())

    with pytest.raises(WeightsError, match="The weight file is not there"):
        attempt("late", again, coloured)
