"""Every optimizer and every schedule, through the loop: paused within an epoch, it goes on to the last bit."""

import pytest
from safetensors.torch import load_file

from core.train.events import EpochEnd
from core.train.optimizers import OPTIMIZERS
from core.train.schedules import SCHEDULES

PAIRS = list(zip([row.name for row in OPTIMIZERS], [row.name for row in SCHEDULES], strict=True))


@pytest.mark.parametrize(("optimizer", "schedule"), PAIRS)
def test_a_pause_within_an_epoch_changes_no_bit(attempt, small_recipe, coloured, optimizer, schedule):
    recipe = small_recipe.set(
        {
            "phases.0": {"trainable": "last 40%", "epochs": 3, "learning_rate": 1e-3},
            "optimizer.name": optimizer,
            "optimizer.layer_decay": 0.7,
            "schedule.name": schedule,
            "loss.name": "focal",
        }
    )
    whole = attempt("whole", recipe, coloured)
    asked = iter(range(1, 100))
    attempt("parts", recipe, coloured, should_pause=lambda: next(asked) == 7)  # four steps an epoch, and its end
    rest = attempt("parts", recipe, coloured, resume=True)
    assert [event.learning_rate for event in rest.of(EpochEnd)] == [e.learning_rate for e in whole.of(EpochEnd)][1:]
    assert rest.best.read_bytes() == whole.best.read_bytes()
    assert rest.events[-1].best == whole.events[-1].best


def test_norms_of_a_phase_stay_still_through_validation_and_pause(attempt, small_recipe, coloured):
    phase = {"trainable": "everything", "epochs": 2, "learning_rate": 1e-3}
    recipe = small_recipe.set({"phases.0": phase | {"norms": "still"}})
    whole = attempt("whole", recipe, coloured)
    asked = iter(range(1, 100))
    attempt("parts", recipe, coloured, should_pause=lambda: next(asked) == 2)
    rest = attempt("parts", recipe, coloured, resume=True)
    assert rest.best.read_bytes() == whole.best.read_bytes()
    kept, measured = (
        load_file(one.best) for one in (whole, attempt("learn", recipe.set({"phases.0": phase}), coloured))
    )
    means = [name for name in kept if name.endswith("running_mean")]
    assert means
    assert all(not kept[name].any() for name in means), "as a random network is built"
    assert all(measured[name].any() for name in means)
