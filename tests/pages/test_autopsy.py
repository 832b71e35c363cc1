"""The page Autopsy: a cause is named with its evidence, and the lesson turns 92 % into 11 and back."""

import csv
import io

import numpy as np
import pytest

from core.evaluate.evaluation import evaluate_run
from core.runs.seal import open_seal, openings
from tests.pages.conftest import well, words

CLASSES = ("ant", "bee", "<b>cat</b>", "dog")


@pytest.fixture
def answers() -> tuple[np.ndarray, np.ndarray]:
    """400 labels and answers of which nine in ten are right."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 4, 400)
    return truth, np.where(generator.random(400) < 0.9, truth, generator.integers(0, 4, 400))


def table(column: str, labels) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([[column], *([CLASSES[label]] for label in labels)])
    return text.getvalue().encode()


def drop(app, truth, predicted=None):
    app.file_uploader(key="autopsy_truth").upload("y_true.csv", truth).run()
    if predicted is not None:
        app.file_uploader(key="autopsy_predicted").upload("y_pred.csv", predicted).run()
    return well(app) or app


def metrics(app, label: str) -> list[str]:
    return [metric.value for metric in app.metric if metric.label == label]


def headline(app) -> str:
    return " ".join(heading.value for heading in app.subheader)


def test_shuffled_answers_are_called_that_and_nothing_is_made_up(visit, workspace, answers):
    truth, predicted = answers
    app = drop(
        visit("autopsy"), table("y_true", truth), table("y_pred", np.random.default_rng(1).permutation(predicted))
    )

    assert "in different orders" in headline(app)
    assert len(metrics(app, "accuracy")) == 1
    assert float(metrics(app, "accuracy")[0]) < 0.4


def test_shifted_answers_are_moved_back_and_both_reports_are_shown(visit, workspace, answers):
    truth, predicted = answers
    app = drop(visit("autopsy"), table("y_true", truth), table("y_pred", np.roll(predicted, 3)))

    assert "shifted" in headline(app)
    given, corrected = map(float, metrics(app, "accuracy"))
    assert given < 0.4
    assert corrected == pytest.approx((truth == predicted).mean(), abs=0.01)
    assert all(metric.delta.startswith("[") for metric in app.metric if metric.label == "accuracy")


def test_a_good_report_is_left_in_peace(visit, workspace, answers):
    truth, predicted = answers
    app = drop(visit("autopsy"), table("y_true", truth), table("y_pred", predicted))

    assert "Nothing wrong found" in headline(app)
    assert metrics(app, "rows") == ["400"]


def test_one_file_with_both_is_enough(visit, workspace, answers):
    text = io.StringIO()
    rows = ([CLASSES[label] for label in pair] for pair in zip(*answers, strict=True))
    csv.writer(text).writerows([["truth", "predicted"], *rows])

    assert "Nothing wrong found" in headline(drop(visit("autopsy"), text.getvalue().encode()))


@pytest.mark.parametrize(
    ("truth", "told"),
    [(b"", "empty"), (b"y_true\nant\nbee\n", "rows"), (b"PK\x03\x04\x00\x00\xff\xfe", "is no text")],
)
def test_what_cannot_be_read_is_one_sentence(visit, workspace, answers, truth, told):
    app = visit("autopsy")
    app.file_uploader(key="autopsy_truth").upload("y_true.csv", truth).run()
    app.file_uploader(key="autopsy_predicted").upload("y_pred.csv", table("y_pred", answers[1])).run()

    assert not app.exception
    assert len(app.error) + len(app.warning) >= 1 or "missing" in headline(app)
    assert told in words(app)


def test_a_run_is_looked_at_and_its_seal_stays_whole(visit, workspace, finished_run):
    evaluate_run(str(workspace.root), finished_run.id, "validation")
    app = visit("autopsy")
    app.segmented_control(key="autopsy_way").set_value("run").run()
    well(app)

    assert list(app.segmented_control(key="autopsy_split").options) == ["validation"]
    assert metrics(app, "rows") == [str(finished_run.facts.samples["validation"])]
    assert openings(finished_run.paths) == []


def test_the_lesson_turns_92_percent_into_11_and_back(visit, workspace):
    app = visit("autopsy")
    app.session_state["autopsy_tabs"] = ":material/school: A lesson"
    app.run()
    well(app)
    assert metrics(app, "accuracy") == ["92%"]
    assert "shuffle=False" in app.code[0].value

    app.toggle(key="lesson_shuffled").set_value(True).run()
    well(app)
    assert metrics(app, "accuracy") == ["11%"]
    assert "shuffle=True" in app.code[0].value
    assert "order" in words(app)

    app.toggle(key="lesson_shuffled").set_value(False).run()
    assert metrics(app, "accuracy") == ["92%"]


def test_the_lesson_replays_a_run_of_ones_own(visit, workspace, finished_run):
    evaluate_run(str(workspace.root), finished_run.id, "validation")
    open_seal(finished_run.paths, "a test")
    app = visit("autopsy")
    app.session_state["autopsy_tabs"] = ":material/school: A lesson"
    app.run()
    app.selectbox(key="lesson_source").set_value(finished_run.id).run()
    well(app)

    assert metrics(app, "accuracy") == [f"{finished_run.status.best['accuracy']:.0%}"]
