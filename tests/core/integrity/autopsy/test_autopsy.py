"""Every cause is named where it was planted, mended where it can be, and not named where there is none."""

import json

import numpy as np
import pytest

from core.evaluate.classification import evaluate_counts
from core.integrity.autopsy.answers import Answers, Leak
from core.integrity.autopsy.autopsy import autopsy
from core.integrity.autopsy.claims import counts_of
from core.integrity.autopsy.verdict import CAUSES, Autopsy

GENERATOR = np.random.default_rng(7)
ORDER = np.array([2, 0, 1, 5, 3, 4])  # of six classes, none of which stays
FAULTS = {
    "nothing": ("sound", lambda made: made.handed_in()),
    "another order": ("shuffled", lambda made: made.handed_in(predicted=GENERATOR.permutation(made.predicted))),
    "three rows off": ("shifted", lambda made: made.handed_in(predicted=np.roll(made.predicted, 3))),
    "the first batch lost": ("shifted", lambda made: made.handed_in(made.truth[:-32], made.predicted[32:])),
    "an image left out": (
        "shifted",
        lambda made: made.handed_in(made.truth[:-1], np.delete(made.predicted, 250)),
    ),
    "backwards": ("shuffled", lambda made: made.handed_in(predicted=made.predicted[::-1])),
    "rows as text": (
        "shuffled",
        lambda made: made.handed_in(predicted=made.predicted[sorted(range(600), key=str)]),
    ),
    "other numbers": ("permuted-classes", lambda made: made.handed_in(predicted=ORDER[made.predicted])),
    "no last batch": ("truncated", lambda made: made.handed_in(predicted=made.predicted[:576])),
    "no first rows": ("truncated", lambda made: made.handed_in(predicted=made.predicted[7:])),
    "labels cut off": ("truncated", lambda made: made.handed_in(made.truth[:576])),
    "labels twice": ("repeated", lambda made: made.handed_in(np.tile(made.truth, 2))),
    "each label twice": ("repeated", lambda made: made.handed_in(np.repeat(made.truth, 2))),
    "one batch of labels": ("repeated", lambda made: made.handed_in(np.resize(made.truth[:200], 600))),
    "three views in rounds": ("repeated", lambda made: made.handed_in(predicted=np.tile(made.predicted, 3))),
    "two rounds counted": (
        "repeated",
        lambda made: made.handed_in(np.tile(made.truth[:200], 3), np.tile(made.predicted[:200], 3)),
    ),
    "one class": ("constant", lambda made: made.handed_in(predicted=0 * made.predicted + 2)),
    "no model": (
        "chance",
        lambda made: made.handed_in(predicted=GENERATOR.choice(6, 600, p=[0.7, 0.2, 0.1, 0, 0, 0])),
    ),
}


# Class after class, a few borders, or a batch of one class, cannot tell these.
MIXED_ONLY = ("one batch of labels", "an image left out")


CASES = [(fault, ordered) for ordered in (False, True) for fault in FAULTS if not (ordered and fault in MIXED_ONLY)]


@pytest.mark.parametrize(("fault", "by_classes"), CASES)
def test_a_planted_fault_is_named_with_confidence(made, fault, by_classes):
    cause, plant = FAULTS[fault]
    found = autopsy(plant(made(by_classes=by_classes)))
    assert found.verdict == cause
    assert found.confidence > 0.7
    assert found.enough
    assert found.evidence
    assert found.explanation.endswith(".")


def test_one_small_batch_of_labels_is_seen_by_its_order(made):
    """Of so few rows the answers say little, but nobody lays out two classes in such an order over and over."""
    clean = made(2000, 2, 0.9)
    found = autopsy(clean.handed_in(np.resize(clean.truth[:32], 2000)))
    assert (found.verdict, found.repair["first"]) == ("repeated", 32)
    turns = np.arange(600) % 3  # a table that was laid out class by class in turn
    assert autopsy(made(600, 3).handed_in(turns, np.random.default_rng(0).permutation(turns))).verdict == "shuffled"


@pytest.mark.parametrize(("rows", "classes"), [(200, 2), (200, 4), (2000, 4), (2000, 12)])
def test_the_first_batch_of_labels_in_a_table_that_came_class_by_class(made, rows, classes):
    clean = made(rows, classes, 0.9, by_classes=True)
    found = autopsy(clean.handed_in(np.resize(clean.truth[:16], rows)))
    assert found.verdict == "repeated"
    assert found.corrected is None
    assert "every row" in found.explanation
    mixed = made(rows, classes, 0.9)
    assert autopsy(mixed.handed_in(0 * mixed.truth)).verdict == "chance"  # no runs, no reason to think of a batch
    assert autopsy(mixed.handed_in(0 * mixed.truth, np.where(mixed.predicted, 0, 1))).verdict != "repeated"


def test_a_verdict_that_nothing_refuses_is_not_told_with_no_confidence_at_all(made):
    """A model that hardly learned gives few hits: likelihoods call that guessing, but its rows are in place."""
    weak = made(60, 4, 0.28, seed=3)
    found = autopsy(weak.handed_in(predicted=weak.predicted % 2))
    assert found.verdict == "sound"
    assert 0.2 < found.confidence < 0.6
    assert "Nothing wrong can be shown" in found.explanation
    assert found.also[0].weight < 0.75


MENDED = (
    *("three rows off", "the first batch lost", "backwards", "rows as text", "other numbers", "no last batch"),
    *("no first rows", "labels cut off", "labels twice", "each label twice", "one batch of labels"),
    "three views in rounds",
)


@pytest.mark.parametrize("fault", MENDED)
def test_the_report_after_the_repair_is_that_of_the_good_rows(made, fault):
    clean = made()
    found = autopsy(FAULTS[fault][1](clean))
    assert found.corrected is not None
    right = (clean.truth == clean.predicted).mean()
    assert found.corrected.accuracy == pytest.approx(right, abs=0.04)  # some repairs leave rows out
    if found.corrected.n == 600:
        whole = evaluate_counts(counts_of(clean.truth, clean.predicted, 6), clean.classes)
        assert found.corrected.confusion == whole.confusion
        assert found.corrected.interval == whole.interval


def test_the_report_as_given_is_that_of_the_rows_as_they_stand(made):
    clean = made()
    found = autopsy(clean.handed_in(predicted=np.roll(clean.predicted, 3)))
    assert found.as_given.accuracy == pytest.approx((np.roll(clean.predicted, 3) == clean.truth).mean())
    assert found.repair["shift"] == -3


def test_nothing_can_be_repaired_where_the_order_is_lost(made):
    for fault in ("nothing", "another order", "one class", "no model"):
        assert autopsy(FAULTS[fault][1](made())).corrected is None


def test_no_alarm_on_sound_tables_of_any_kind(made):
    alarms = 0
    for seed in range(20):
        rows, classes = (50, 200, 1000)[seed % 3], (2, 3, 10, 20)[seed % 4]
        accuracy = (0.6, 0.75, 0.9, 0.98)[seed % 5 % 4]
        clean = made(rows, classes, accuracy, by_classes=seed % 2 == 0, seed=seed)
        alarms += autopsy(clean.handed_in()).verdict != "sound"
    assert alarms <= 1


def test_the_string_order_is_recognised_and_mended(made):
    clean = made(900, 12)
    as_text = sorted(range(12), key=str)  # 0, 1, 10, 11, 2, ...
    number_of = np.array([as_text.index(label) for label in range(12)])
    found = autopsy(clean.handed_in(predicted=number_of[clean.predicted]))
    assert found.verdict == "permuted-classes"
    assert found.repair["mapping"]["2"] == "10"
    assert "string order" in found.explanation
    assert found.corrected.accuracy == pytest.approx((clean.truth == clean.predicted).mean())
    assert "key=int" in found.code


def test_an_alphabetical_order_against_a_given_one_is_recognised(made):
    clean = made(300, 5)
    given = ("zebra", "ant", "mole", "bee", "cat")
    place = np.array([sorted(given).index(name) for name in given])
    found = autopsy(Answers(given, clean.truth, place[clean.predicted], given_order=True))
    assert found.verdict == "permuted-classes"
    assert "alphabetical order" in found.explanation


def test_answers_counted_from_one_are_recognised():
    generator = np.random.default_rng(1)
    truth = generator.integers(1, 7, 400)  # 1 to 6
    predicted = np.where(generator.random(400) < 0.9, truth, generator.integers(1, 7, 400)) - 1  # 0 to 5
    found = autopsy(Answers(tuple("0123456"), truth, predicted))
    assert found.verdict == "permuted-classes"
    assert found.corrected.accuracy > 0.85


def test_answers_in_the_order_of_file_names_are_put_back(made):
    clean = made(300)
    generator = np.random.default_rng(2)
    ids = tuple(f"img{number}" for number in generator.permutation(5000)[:300])
    order = sorted(range(300), key=lambda row: ids[row])
    found = autopsy(clean.handed_in(predicted=clean.predicted[order], ids=ids))
    assert (found.verdict, found.repair) == ("shuffled", {"order": "names as text"})
    assert found.corrected.accuracy == (clean.truth == clean.predicted).mean()


def test_runs_of_classes_in_another_order_are_not_called_a_shift(made):
    sizes = [40, 90, 60, 30, 120, 75]
    truth = np.repeat(np.arange(6), sizes)
    generator = np.random.default_rng(0)
    predicted = np.where(generator.random(len(truth)) < 0.9, truth, generator.integers(0, 6, len(truth)))
    in_runs = autopsy(Answers(tuple("abcdef"), truth[generator.permutation(len(truth))], predicted))
    assert in_runs.verdict == "shuffled"
    blocks = np.concatenate([np.flatnonzero(truth == label) for label in (3, 0, 5, 1, 4, 2)])
    moved = autopsy(Answers(tuple("abcdef"), truth, predicted[blocks]))
    assert moved.verdict == "shuffled"
    assert "class folders" in moved.explanation


def test_a_model_that_merges_classes_is_sound(made):
    clean = made(400, 8, 0.9)
    assert autopsy(clean.handed_in(predicted=clean.predicted // 2 * 2)).verdict == "sound"


def test_two_classes_that_are_exchanged_are_and_the_doubt_is_told(made):
    clean = made(300, 2, 0.9)
    found = autopsy(clean.handed_in(predicted=1 - clean.predicted))
    assert found.verdict == "permuted-classes"
    assert "exchanged" in found.explanation
    assert any("wrong way round" in told for told in found.cannot_know)


def test_columns_of_probabilities_in_another_order_contradict_the_answers_beside_them(made):
    clean = made()
    shares = np.eye(6, dtype=np.float32)[clean.predicted] * 0.7 + 0.05
    found = autopsy(clean.handed_in(probabilities=shares[:, ORDER]))
    assert found.verdict == "permuted-classes"
    assert "columns" in found.repair
    assert found.corrected.accuracy == pytest.approx((clean.truth == clean.predicted).mean())
    assert found.as_given.accuracy < 0.2
    assert autopsy(clean.handed_in(probabilities=shares)).verdict == "sound"


def test_a_shift_of_a_whole_class_and_a_rotation_of_classes_are_told_as_alike():
    truth = np.repeat(np.arange(4), 50)
    generator = np.random.default_rng(0)
    predicted = np.where(generator.random(200) < 0.9, truth, generator.integers(0, 4, 200))
    found = autopsy(Answers(tuple("abcd"), truth, np.roll(predicted, 50)))
    assert found.verdict in ("shifted", "permuted-classes")
    assert any("look alike" in told for told in found.cannot_know)


def test_a_few_rows_of_a_weak_model_are_not_called_wrong_and_the_doubt_is_told(made):
    clean = made(50, 2, 0.6)
    found = autopsy(clean.handed_in(predicted=np.random.default_rng(3).permutation(clean.predicted)))
    assert found.verdict == "sound"
    assert found.confidence < 0.9
    assert not found.enough


def test_a_truth_in_a_repeating_order_of_its_own_is_sound():
    truth = np.arange(500) % 10  # as in scikit-learn's digits
    generator = np.random.default_rng(0)
    predicted = np.where(generator.random(500) < 0.9, truth, generator.integers(0, 10, 500))
    assert autopsy(Answers(tuple("0123456789"), truth, predicted)).verdict == "sound"


def test_ids_that_come_again_are_images_that_count_twice(made):
    clean = made(300)
    again = np.concatenate([np.arange(300), np.arange(60)])
    ids = tuple(f"image-{row}" for row in again)
    found = autopsy(clean.handed_in(clean.truth[again], clean.predicted[again], ids=ids, joined="table"))
    assert found.verdict == "repeated"
    assert found.corrected.n == 300


def test_leaked_images_are_named_and_left_out(made):
    clean = made()
    wrong = np.flatnonzero(clean.truth != clean.predicted)
    rows = tuple(np.flatnonzero(clean.truth == clean.predicted)[:100].tolist())
    leak = Leak(600, 2000, rows, 100, (("a.jpg", "a.jpg"),), "the same name")
    found = autopsy(clean.handed_in(leak=leak))
    assert found.verdict == "leaked"
    assert found.corrected.n == 500
    assert found.corrected.accuracy == pytest.approx(1 - len(wrong) / 500)
    nothing = autopsy(clean.handed_in(leak=Leak(600, 2000, (), 0, (), "the same name")))
    assert nothing.verdict == "sound"


def test_a_fault_of_the_order_comes_before_a_leak(made):
    leak = Leak(600, 2000, (1, 2, 3), 3, (("a.jpg", "a.jpg"),), "the same name")
    found = autopsy(made().handed_in(predicted=np.roll(made().predicted, 3), leak=leak))
    assert found.verdict == "shifted"
    assert any(row.label == "Evaluated and learned from" for row in found.evidence)


@pytest.mark.parametrize("fault", ["nothing", "another order", "other numbers", "two rounds counted", "one class"])
def test_an_autopsy_comes_back_from_its_json_and_is_always_the_same(made, fault):
    answers = FAULTS[fault][1](made())
    found = autopsy(answers)
    assert Autopsy.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert autopsy(Answers.from_json(json.loads(json.dumps(answers.to_json())))) == found


def test_weights_are_shares_and_causes_have_their_names(made):
    found = autopsy(FAULTS["another order"][1](made()))
    assert set(CAUSES) == {cause for cause, _ in FAULTS.values()} | {"leaked"}
    assert 0.9 < found.confidence + sum(other.weight for other in found.also) <= 1.001
    with pytest.raises(ValueError, match="no cause"):
        Autopsy.from_json({**found.to_json(), "verdict": "cursed"})


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_row_or_two_are_an_answer_too(rows):
    found = autopsy(Answers(("a", "b"), np.zeros(rows, int), np.arange(rows) % 2))
    assert found.verdict in CAUSES
    assert not found.enough
