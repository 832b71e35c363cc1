"""Over-fitting: planted courses with where they turn and what that cost, and clean ones that must stay silent."""

import numpy as np
import pytest

from core.integrity.overfitting import overfitted
from core.integrity.run_subject import Judged
from core.runs.store import RunStore
from tests.made_runs import answered, rows_dataset, wrong

LABELS = [0, 1, 2] * 80


def course(epochs=40, turn=12, rise=0.3, drop=0.0, noise=0.01, seed=0, learning=True, phase=0):
    """A validation loss that falls to `turn` and rises by `rise`, and an accuracy that loses `drop` after it."""
    generator, places = np.random.default_rng(seed), np.arange(epochs)
    after = np.clip((places - turn) / max(1, epochs - 1 - turn), 0, 1)
    loss = 0.4 + 0.6 * np.exp(-places / (turn / 3)) + rise * after + noise * generator.standard_normal(epochs)
    score = 0.88 - 0.3 * np.exp(-places / (turn / 6)) - drop * after + 0.004 * generator.standard_normal(epochs)
    learned = np.exp(-places / 10) if learning else 0.3 + 0.5 * after
    return [
        {"loss": float(a), "accuracy": float(b), "train_loss": float(c), "phase": phase, "seconds": 2.0}
        for a, b, c in zip(loss, score, learned, strict=True)
    ]


@pytest.fixture
def looked(workspace):
    """What the check says of a run with this course."""

    def look(epochs, *, best=None, mistakes=30, sure=0.9):
        dataset = rows_dataset(workspace, {"train": LABELS, "validation": LABELS})
        run = answered(workspace, dataset, {"validation": wrong(LABELS, mistakes)}, epochs=epochs, sure=sure)
        judged = Judged(workspace, RunStore(workspace).get(run.id))
        judged.run.status.best["epoch"] = best or 1
        return overfitted(judged)

    return look


def test_the_stop_the_cost_and_the_lost_points_are_told_with_their_intervals(looked):
    [found] = looked(course(drop=0.08), best=12).findings
    figures = found.figures
    assert found.severity == "warning"
    assert figures["stop_interval"][0] <= 13 <= figures["stop_interval"][1]
    assert figures["stop_interval"][1] - figures["stop_interval"][0] <= 10
    low, high = figures["loss_interval"]
    assert 0 < low < figures["loss_rise"] < high
    assert low < 0.3 < high + 0.05
    assert figures["score_lost"] == pytest.approx(0.08, abs=0.025)
    assert figures["score_interval"][0] > 0
    assert figures["seconds"] == pytest.approx(2.0 * figures["extra_epochs"])
    assert "The accuracy fell by" in found.message
    assert not figures["kept_after"]


def test_a_network_that_only_becomes_surer_is_told_so_as_a_note(looked):
    [found] = looked(course(), best=12).findings
    assert found.severity == "note"
    assert "did not change beyond chance" in found.message


def test_weights_from_after_the_turn_carry_it(looked):
    [found] = looked(course(), best=38).findings
    assert found.severity == "warning"
    assert found.figures["kept_after"]
    assert "carry it" in found.advice


def test_a_drop_of_a_few_images_is_not_called_lost(looked):
    """Two of 240 images on other sides are chance, however steadily the accuracy fell."""
    [found] = looked(course(drop=0.01), best=12).findings
    assert "fell by" not in found.message


@pytest.mark.parametrize("seed", range(2))
def test_a_course_that_falls_and_wavers_is_no_finding(looked, seed):
    said = looked(course(rise=0.0, noise=0.03, seed=seed))
    assert said.findings == ()
    assert "does not rise beyond wavering" in said.told


def test_a_loss_that_rises_with_the_training_loss_is_no_overfitting(looked):
    said = looked(course(learning=False))
    assert said.findings == ()
    assert "so does the training loss" in said.told


def test_a_jump_where_another_phase_begins_is_no_overfitting(looked):
    second = [one | {"loss": one["loss"] + 0.5} for one in course(20, 30, 0.0, phase=1, seed=5)]
    assert looked(course(20, 30, 0.0) + second).findings == ()


def test_a_phase_that_turns_is_named(looked):
    [found] = looked(course(15, 30, 0.0) + course(40, 12, 0.4, phase=1)).findings
    assert "in the phase phase 1" in found.message
    assert found.figures["stop_interval"][0] > 15


def test_a_rise_that_a_few_images_explain_is_no_finding(looked):
    """One of 240 answers is sure and wrong, and holds nearly all of the loss: other images may have none like it."""
    epochs = course(rise=0.1)
    assert looked(epochs, mistakes=30).findings
    assert looked(epochs, mistakes=1, sure=0.999).findings == ()


def test_too_few_epochs_say_nothing(looked):
    said = looked(course(6, 3))
    assert (said.findings, said.told) == ((), "")
    assert "6 epochs in a row are too few" in said.unknown
