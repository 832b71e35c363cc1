"""The lesson: the same answers, with and without the mistake."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import RunError
from core.evaluate.evaluation import evaluate_run
from core.integrity.lesson import (
    CLASSES,
    PER_CLASS,
    SEED,
    autopsy_of_replay,
    kvasir,
    replay,
    replay_lesson,
    replay_run,
)
from core.runs.seal import open_seal


def test_one_switch_turns_92_percent_into_11_and_back():
    right, wrong = replay_lesson(shuffled=False), replay_lesson(shuffled=True)

    assert right.result.accuracy == 0.92
    assert round(wrong.result.accuracy, 2) == 0.11
    assert wrong.result.interval.low < 1 / 8 < wrong.result.interval.high
    assert replay_lesson(shuffled=False) == right


def test_nothing_but_the_order_changes():
    right, wrong = replay_lesson(shuffled=False), replay_lesson(shuffled=True)
    answers = dict(zip(kvasir().files, (CLASSES[label] for label in kvasir().predicted), strict=True))

    assert [row.support for row in right.result.per_class] == [row.support for row in wrong.result.per_class]
    assert np.array_equal(*(np.sum(one.result.confusion, axis=0) for one in (right, wrong)))
    assert [row.answered for row in right.rows] == [row.file for row in right.rows]
    assert [row.answered for row in wrong.rows] != [row.file for row in wrong.rows]
    assert [row.file for row in wrong.rows] == [row.file for row in right.rows]
    for row in (*right.rows, *wrong.rows):
        assert answers[row.answered] == row.answer
        assert row.file.startswith(row.truth)


def test_the_autopsy_names_what_the_switch_does():
    found = autopsy_of_replay("", "", "test", SEED)

    assert found.verdict == "shuffled"
    assert found.as_given == replace(
        replay_lesson(shuffled=True).result, split=found.as_given.split, checkpoint=found.as_given.checkpoint
    )


def test_every_shuffling_leaves_about_chance():
    table = kvasir()
    left = [replay(table, shuffled=True, seed=seed).result.accuracy for seed in range(5)]

    assert len(set(left)) > 1
    assert all(0.09 < accuracy < 0.16 for accuracy in left)


def test_the_drawn_answers_are_those_of_eight_equal_classes():
    table = kvasir()

    assert table.classes == CLASSES
    assert np.bincount(table.truth).tolist() == [PER_CLASS] * 8
    assert np.allclose(table.probabilities.sum(axis=1), 1, atol=1e-6)
    assert table.files[0] == "dyed-lifted-polyps/001.jpg"


def test_the_answers_of_a_run_are_replayed_and_no_seal_is_broken_for_it(workspace, trained_run):
    root, run = str(workspace.root), trained_run
    accuracy = evaluate_run(root, run.id, "validation").accuracy
    right = replay_run(root, run.id, "validation", shuffled=False)

    assert right.result.accuracy == accuracy
    with pytest.raises(RunError, match="no stored answers"):
        replay_run(root, run.id, "test", shuffled=False)
    run.paths.predictions("test").write_bytes(run.paths.predictions("validation").read_bytes())
    with pytest.raises(RunError, match="sealed"):
        replay_run(root, run.id, "test", shuffled=False)
    open_seal(run.paths, "a test")
    assert replay_run(root, run.id, "test", shuffled=True).result.n == right.result.n
