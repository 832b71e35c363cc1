"""Hypotheses: what can be said, how an interval decides, and that nothing changes one once it is written."""

import pytest

from core.errors import InputError
from core.metrics.intervals import Interval
from core.runs.hypothesis import Hypothesis, HypothesisScore, Verdict, parse, read_score, write_score
from core.runs.store import RunStore
from tests.running import small

TRUE, FALSE, NOISE = Verdict.CAME_TRUE, Verdict.DID_NOT, Verdict.NOISE


@pytest.mark.parametrize(
    ("direction", "least", "interval", "verdict"),
    [
        ("raises", 0, (0.01, 0.05), TRUE),
        ("raises", 0, (-0.01, 0.05), NOISE),
        ("raises", 0, (-0.05, -0.01), FALSE),
        ("raises", 0, (0.0, 0.0), FALSE),
        ("raises", 2, (0.03, 0.05), TRUE),
        ("raises", 2, (0.02, 0.05), TRUE),
        ("raises", 2, (0.01, 0.05), NOISE),
        ("raises", 2, (0.005, 0.015), FALSE),
        ("lowers", 0, (-0.05, -0.01), TRUE),
        ("lowers", 0, (-0.05, 0.01), NOISE),
        ("lowers", 0, (0.01, 0.05), FALSE),
        ("lowers", 2, (-0.05, -0.03), TRUE),
        ("lowers", 2, (-0.015, 0.01), FALSE),
        ("keeps", 2, (-0.01, 0.015), TRUE),
        ("keeps", 2, (-0.03, 0.015), NOISE),
        ("keeps", 2, (0.03, 0.05), FALSE),
        ("keeps", 2, (-0.05, -0.021), FALSE),
    ],
)
def test_the_whole_interval_decides(direction, least, interval, verdict):
    guess = Hypothesis("accuracy", direction, least=least, baseline="run-1")
    assert guess.decide(Interval(*interval)) is verdict


@pytest.mark.parametrize(
    ("text", "expected", "sentence"),
    [
        (
            "vertical flip lowers recall of polyps by 2 against run-1",
            Hypothesis("recall", "lowers", "polyps", 2, "run-1", text="vertical flip"),
            "The recall of “polyps” falls by at least 2 points against the run “run-1”.",
        ),
        (
            "raises accuracy above 0.9",
            Hypothesis("accuracy", "raises", threshold=0.9),
            "The accuracy is above 0.9.",
        ),
        (
            "I think it keeps macro_f1 against run-1",
            Hypothesis("macro_f1", "keeps", least=2, baseline="run-1", text="I think it"),
            "The macro F1 does not change by more than 2 points against the run “run-1”.",
        ),
        (
            "keeps dice of a thing of mine within 1.5 points near 0.5",
            Hypothesis("dice", "keeps", "a thing of mine", 1.5, threshold=0.5),
            "The Dice of “a thing of mine” comes within 1.5 points of 0.5.",
        ),
    ],
)
def test_a_line_says_a_hypothesis(text, expected, sentence):
    assert parse(text) == expected
    assert expected.sentence == sentence
    assert Hypothesis.from_json(expected.to_json()) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected"),
        ("accuracy will rise", "expected"),
        ("raises accuracy below 0.9", "expected"),
        ("raises beauty against run-1", "macro_f1"),
        ("raises recall against run-1", "recall of a class"),
        ("raises accuracy of cats against run-1", "recall of a class"),
        ("keeps accuracy by 0 against run-1", "more than 0"),
        ("raises accuracy by 101 against run-1", "100 points"),
        ("raises accuracy above 1.5", "0 to 1"),
        ("raises accuracy above nan", "0 to 1"),
        ("raises accuracy above it", "0 to 1"),
        ("raises accuracy against ../run", "measured against a run"),
    ],
)
def test_a_line_that_could_not_be_scored_is_refused(text, told):
    with pytest.raises(InputError, match=told):
        parse(text)


def test_class_and_task_have_to_be_those_of_the_data():
    guess = Hypothesis("recall", "raises", "cat", baseline="run-1")
    assert guess.checked("classification", ("cat", "dog")) == guess
    with pytest.raises(InputError, match="dog"):
        guess.checked("classification", ("dog",))
    with pytest.raises(InputError, match="mean_dice"):
        guess.checked("segmentation", ("cat", "dog"))


@pytest.mark.parametrize("against", [{}, {"baseline": "run-1", "threshold": 0.5}])
def test_it_is_measured_against_a_run_or_a_value_and_not_both(against):
    with pytest.raises(InputError, match="Give one"):
        Hypothesis("accuracy", "raises", **against).checked()


def test_a_run_keeps_what_was_expected_of_it_with_the_name_of_its_baseline(workspace, tiny_dataset):
    store = RunStore(workspace)
    base = store.create(small(tiny_dataset).set({"name": "Plain <b>one</b>"}), tiny_dataset)
    guess = Hypothesis("recall", "lowers", tiny_dataset.classes[0], 2, base, text="because of <i>flips</i>")
    run = store.create(small(tiny_dataset), tiny_dataset, hypothesis=guess)

    kept = store.get(run).facts.hypothesis
    assert (kept.baseline_name, kept.text) == ("Plain <b>one</b>", "because of <i>flips</i>")
    line = next(line for line in store.list() if line.id == run)
    assert line.hypothesis == kept.sentence
    assert line.verdict == ""
    store.delete(base)
    assert store.get(run).facts.hypothesis == kept


def test_a_hypothesis_against_a_run_of_other_data_or_none_is_refused_before_the_run_is_made(workspace, tiny_dataset):
    store = RunStore(workspace)
    with pytest.raises(InputError, match="no such run"):
        store.create(small(tiny_dataset), tiny_dataset, hypothesis=Hypothesis("accuracy", "raises", baseline="gone"))
    other = store.create(small(tiny_dataset), tiny_dataset)
    facts = store.paths(other).facts
    facts.write_text(facts.read_text().replace(tiny_dataset.id, "elsewhere"))
    with pytest.raises(InputError, match="same data"):
        store.create(small(tiny_dataset), tiny_dataset, hypothesis=Hypothesis("accuracy", "raises", baseline=other))
    assert [run.id for run in store.list()] == [other]


def test_a_score_is_read_as_it_was_stored(tmp_path):
    score = HypothesisScore(
        Verdict.NOISE, "So-so.", 0.5, Interval(0.4, 0.6), 0.5, 0.0, Interval(-0.1, 0.1), "m", 9, "e", "f"
    )
    write_score(tmp_path / "score.json", score)
    assert read_score(tmp_path / "score.json") == score
    assert read_score(tmp_path / "none.json") is None
    (tmp_path / "score.json").write_text('{"verdict": "perhaps"}')
    assert read_score(tmp_path / "score.json") is None
