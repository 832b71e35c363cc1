"""Is there enough to claim anything: planted cases with their figures, and clean ones in which nothing may be said."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score

from core.integrity.claims import below_majority, enough_for, never_predicted, too_small
from core.integrity.run_subject import Judged
from core.runs.hypothesis import Hypothesis
from tests.made_runs import answered, rows_dataset, wrong

THREE = [0, 1, 2] * 40


@pytest.fixture
def judged(workspace):
    """A run with these answers to validation images of these classes, as the checks see it."""

    def made(truth, predicted, **options):
        dataset = rows_dataset(workspace, {"train": [0, 1, 2], "validation": truth, "test": truth})
        return Judged(workspace, answered(workspace, dataset, {"validation": predicted}, **options))

    return made


# A class that is never answered


def test_a_class_that_is_never_answered_is_told_with_what_it_is_taken_for(judged):
    looked = never_predicted(judged(THREE, [label % 2 for label in THREE]))
    [found] = looked.findings
    assert (found.check, found.severity) == ("never-predicted", "warning")
    assert "owl (40 pictures)" in found.message
    assert found.figures["rows"] == [{"class": "owl", "pictures": 40, "most often called": "cat", "times": 40}]
    assert found.figures["interval_high"] == pytest.approx(binomtest(0, 40).proportion_ci(method="wilson").high)
    assert len(found.evidence) == 24


def test_one_lonely_picture_of_a_class_is_worth_a_note_only(judged):
    truth = [0, 1] * 20 + [2]
    [found] = never_predicted(judged(truth, [0, 1] * 20 + [0])).findings
    assert found.severity == "note"


@pytest.mark.parametrize("truth", [THREE, [0, 1] * 30], ids=["all classes", "one class is not there at all"])
def test_nothing_is_said_where_every_class_that_is_there_was_answered(judged, truth):
    looked = never_predicted(judged(truth, wrong(truth, 9, 2)))
    assert looked.findings == ()
    assert "at least once" in looked.told


# Worse than guessing


def test_fewer_right_answers_than_the_commonest_class_gives_are_an_error_beyond_chance(judged):
    truth = [0] * 70 + [1] * 20 + [2] * 10
    predicted = [1] * 50 + [0] * 20 + [1] * 20 + [2] * 10
    [found] = below_majority(judged(truth, predicted)).findings
    assert found.severity == "error"
    assert found.figures["accuracy"] == accuracy_score(truth, predicted) == 0.5
    assert found.figures["majority"] == 0.7
    assert found.figures["p"] == pytest.approx(binomtest(30, 80).pvalue), "30 gained by the model, 50 lost"
    assert "Autopsy" in found.advice


def test_slightly_fewer_may_be_chance_and_are_called_so(judged):
    truth = [0] * 12 + [1] * 8
    [found] = below_majority(judged(truth, [0] * 10 + [1] * 2 + [1] * 1 + [0] * 7)).findings
    assert found.severity == "warning"
    assert "may be chance" in found.message


@pytest.mark.parametrize("mistakes", [0, 10, 60])
def test_nothing_is_said_of_a_model_that_beats_the_commonest_class(judged, mistakes):
    looked = below_majority(judged(THREE, wrong(THREE, mistakes)))
    assert looked.findings == ()
    assert f"{1 - mistakes / 120:.3f} against 0.333 in validation" in looked.told


# Too small for the claim


def test_ten_pictures_do_not_even_show_that_guessing_is_beaten(judged):
    truth = [0] * 6 + [1] * 4
    [found] = too_small(judged(truth, wrong(truth, 3, 2))).findings
    assert found.severity == "warning"
    assert found.figures["interval"] == pytest.approx(list(binomtest(7, 10).proportion_ci(method="wilson")))
    assert not found.figures["beats_majority"]
    assert "beats always answering cat, right in 0.600" in found.message
    assert found.figures["rows"][2]["pictures"] == 0


def test_a_class_that_is_judged_by_five_pictures_is_named(judged):
    truth = [0, 1] * 60 + [2] * 5
    [found] = too_small(judged(truth, [*truth[:-1], 0])).findings
    assert "the recall of owl rests on 5 pictures: 0.80, from 0.38 to 0.96" in found.message
    assert found.severity == "note"


@pytest.mark.parametrize("mistakes", [0, 6, 30])
def test_nothing_is_said_of_enough_pictures(judged, mistakes):
    looked = too_small(judged(THREE, wrong(THREE, mistakes)))
    assert looked.findings == ()
    assert "120 pictures of validation" in looked.told


@pytest.mark.parametrize(
    ("claim", "decided"),
    [
        (Hypothesis("accuracy", "raises", threshold=0.9), False),  # 0.942, from 0.884 to 0.971
        (Hypothesis("accuracy", "raises", threshold=0.85), True),
        (Hypothesis("accuracy", "lowers", threshold=0.8), True),
        (Hypothesis("recall", "raises", label="dog", threshold=0.9), False),
        (Hypothesis("accuracy", "raises", baseline="another-run"), True),
    ],
)
def test_a_claim_that_so_few_pictures_cannot_decide_is_told(judged, claim, decided):
    run = judged(THREE, wrong(THREE, 7))
    facts = replace(run.run.facts, hypothesis=claim)
    findings = too_small(Judged(run.workspace, replace(run.run, facts=facts))).findings
    if decided:
        assert findings == ()
    else:
        [found] = findings
        assert claim.sentence in found.message
        assert found.figures["interval"][0] < claim.threshold < found.figures["interval"][1]


@pytest.mark.parametrize("accuracy", [0.5, 0.8, 0.94, 1.0])
def test_so_many_pictures_are_enough_and_hardly_fewer_would_be(accuracy):
    n = enough_for(accuracy)
    width = [np.diff(binomtest(round(accuracy * m), m).proportion_ci(method="wilson"))[0] for m in (n, n - 15)]
    assert width[0] <= 0.1 < width[1] + 0.004
