"""Intervals hold the truth about as often as they say: a few cells of the measurement, and the measurement itself."""

import numpy as np
import pytest

from benchmarks.coverage import Kept, of_labels, of_masks, report
from benchmarks.judge import Verdict
from tests.worlds import label_world, mask_world

WORLDS = ((2, 0.8, 1), (4, 0.9, 8))


def test_worlds_are_as_accurate_and_as_uneven_as_they_were_asked_for():
    world = label_world(4, 0.9, 8, seed=0, size=5000)
    assert np.mean(world.probabilities.argmax(axis=1) == world.truth) == pytest.approx(0.9, abs=0.001)
    counts = np.bincount(world.truth)
    assert 6 < counts.max() / counts.min() < 10.5
    assert world.probabilities.sum(axis=1) == pytest.approx(np.ones(5000))
    counts = mask_world("some are missed", 0, size=2000)
    assert (counts[..., 0] <= np.minimum(counts[..., 1], counts[..., 2])).all()
    assert (counts[..., 2].sum(axis=1) == 50_000).all()


def test_an_interval_that_is_never_wrong_and_one_that_always_is_miss_the_aim(capsys):
    kept, verdict = Kept(), Verdict()
    kept.add("a world", 50, iter([("timid", 0.5, (0.0, 1.0)), ("bold", 0.5, (0.6, 0.7)), ("silent", 0.5, None)]))
    report(kept, [50], verdict)
    assert kept.share("timid", 50)[:3] == (100, 100, 100)
    assert kept.share("bold", 50)[0] == 0
    assert kept.share("silent", 50) is None
    assert len(verdict.missed) == 2
    assert "timid" in capsys.readouterr().out


@pytest.mark.slow
def test_intervals_of_two_worlds_hold_the_truth_about_as_often_as_they_say():
    kept = Kept()
    of_labels(kept, [50, 500], 100, worlds=WORLDS)
    of_masks(kept, [50], 60)
    for name in kept.names:
        for size in (50, 500):
            if cell := kept.share(name, size):
                assert cell[0] >= 89, f"{name}, {size}: {cell}"
    assert {"accuracy", "macro F1", "calibration error", "Brier score", "Dice, pooled"} <= set(kept.names)


def test_of_one_world_hardly_an_interval_misses():
    kept = Kept()
    of_labels(kept, [60], 25, worlds=WORLDS[:1])
    assert {name for name in kept.names if kept.share(name, 60)[0] < 72} == set()
