"""Every optimizer and every schedule, through the loop: paused within an epoch, it goes on to the last bit."""

import pytest

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
