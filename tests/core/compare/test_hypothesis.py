"""What becomes of hypotheses about runs whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest

from core.compare.hypothesis import current_score, score_hypothesis
from core.data.revisions import Change, revise
from core.errors import RunError
from core.evaluate.predictions import PredictionTable
from core.metrics.intervals import wilson
from core.metrics.several import paired_difference
from core.runs.hypothesis import Hypothesis, Verdict
from core.runs.run import RunState, write_status
from core.runs.store import RunStore
from core.workspace import write_json
from tests.comparing import CLASSES, answered_run, fruit
from tests.pages.mask_runs import box, evaluated_run, masked_dataset


@pytest.fixture
def data(workspace):
    return fruit(workspace)


@pytest.fixture
def scored(workspace):
    """Score a hypothesis of a run, as if the run had begun with it."""

    def score(run, hypothesis):
        write_json(run.paths.facts, replace(run.facts, hypothesis=hypothesis).to_json())
        return score_hypothesis(str(workspace.root), run.id)

    return score


def test_a_difference_that_is_more_than_chance_decides(workspace, data, scored):
    base = answered_run(workspace, data, range(30), name="light")
    run = answered_run(workspace, data, range(8), augment__policy="heavy")
    score = scored(run, Hypothesis("accuracy", "raises", baseline=base.id))

    truth = np.array([sample.label for sample in data.of("validation")])
    answers = [PredictionTable.read(one.paths.predictions("validation")).predicted for one in (base, run)]
    expected = paired_difference("accuracy", truth, *answers)
    assert score.verdict is Verdict.CAME_TRUE
    assert (score.difference, score.value, score.against) == (expected.value, expected.second, expected.first)
    assert score.difference_interval == expected.interval
    assert score.interval == wilson(112, 120)
    assert score.sentence.startswith("It came true: the accuracy is 0.933 here and 0.750 in “light”")
    assert "95 % interval" in score.sentence
    assert "differ in one choice" in score.caution


@pytest.mark.parametrize(
    ("direction", "least", "verdict"),
    [
        ("raises", 0, Verdict.NOISE),
        ("lowers", 0, Verdict.NOISE),
        ("keeps", 2, Verdict.NOISE),
        ("keeps", 10, Verdict.CAME_TRUE),
        ("raises", 10, Verdict.DID_NOT),
    ],
)
def test_a_small_difference_is_called_noise_unless_much_was_claimed(workspace, data, scored, direction, least, verdict):
    base, run = answered_run(workspace, data, range(20)), answered_run(workspace, data, range(1, 22), seed=1)
    score = scored(run, Hypothesis("accuracy", direction, least=least, baseline=base.id))
    assert score.verdict is verdict
    assert "differ only in their seed" in score.caution


def test_the_recall_of_one_class_is_about_its_images_alone(workspace, data, scored):
    labels = np.array([sample.label for sample in data.of("validation")])
    ours, theirs = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    base = answered_run(workspace, data, theirs)
    run = answered_run(workspace, data, ours)
    fell = scored(run, Hypothesis("recall", "lowers", CLASSES[0], 2, base.id, text="vertical flip"))
    assert fell.verdict is Verdict.CAME_TRUE
    assert (fell.value, fell.against, fell.n) == (0.0, 1.0, len(ours))
    run.paths.score.unlink()
    assert scored(run, Hypothesis("recall", "lowers", CLASSES[1], 0, base.id)).verdict is Verdict.DID_NOT


@pytest.mark.parametrize(
    ("direction", "value", "verdict"),
    [("raises", 0.7, Verdict.CAME_TRUE), ("raises", 0.95, Verdict.DID_NOT), ("lowers", 0.8, Verdict.NOISE)],
)
def test_a_fixed_value_is_held_against_the_interval(workspace, data, scored, direction, value, verdict):
    run = answered_run(workspace, data, range(24))
    score = scored(run, Hypothesis("accuracy", direction, threshold=value))
    assert score.verdict is verdict
    assert score.interval == wilson(96, 120)
    assert score.difference_interval.low == pytest.approx(score.interval.low - value)
    assert "flatters" in score.caution


@pytest.mark.parametrize("metric", ["macro_f1", "auroc", "precision", "f1"])
def test_every_figure_of_a_classifier_can_be_held_against_a_value(workspace, data, scored, metric):
    run = answered_run(workspace, data, range(24))
    label = CLASSES[0] if metric in ("precision", "f1") else ""
    score = scored(run, Hypothesis(metric, "raises", label, threshold=0.1))
    assert score.verdict is Verdict.CAME_TRUE
    assert score.interval.low <= score.value <= score.interval.high


@pytest.mark.parametrize("metric", ["mean_dice", "mean_iou", "dice", "iou", "mask_recall", "mask_precision"])
def test_every_figure_of_masks_is_scored(workspace, scored, metric):
    truths = [box(2, 2, 7 + place, 8) for place in range(12)]
    data = masked_dataset(workspace, ("background", "thing"), truths)
    base = evaluated_run(workspace, data, truths, [box(2, 2, 4 + place // 2, 7) for place in range(12)])
    run = evaluated_run(workspace, data, truths, truths)
    label = "" if metric.startswith("mean") else "thing"
    if metric != "mask_precision":  # of which both are right
        score = scored(run, Hypothesis(metric, "raises", label, 1, base.id))
        assert (score.verdict, score.value) == (Verdict.CAME_TRUE, 1.0)
        run.paths.score.unlink()
    assert scored(run, Hypothesis(metric, "raises", label, threshold=0.5)).value == 1.0


def test_a_score_is_kept_until_the_weights_are_others_and_stands_in_the_list(workspace, data, scored):
    store = RunStore(workspace)
    base, run = answered_run(workspace, data, range(30)), answered_run(workspace, data, range(8), seed=1)
    store.list()
    score = scored(run, Hypothesis("accuracy", "lowers", baseline=base.id))
    assert current_score(store, store.get(run.id)) == score
    assert {line.id: line.verdict for line in store.list()} == {run.id: "did not come true", base.id: ""}
    base.paths.best.write_bytes(b"other weights")
    assert current_score(store, store.get(run.id)) is None
    store.delete(base.id)
    assert current_score(store, store.get(run.id)) == score, "what was scored before the other run was deleted stands"


def test_what_cannot_be_judged_says_why_and_is_asked_again(workspace, data, scored):
    store = RunStore(workspace)
    run = answered_run(workspace, data, range(8))
    gone = scored(run, Hypothesis("accuracy", "raises", baseline="gone-1"))
    assert (gone.verdict, run.paths.score.exists()) == (Verdict.UNJUDGED, False)
    assert "no such run" in gone.sentence
    bare = store.create(run.recipe, data)
    assert "no weights" in scored(run, Hypothesis("accuracy", "raises", baseline=bare)).sentence
    left_out = revise(data, [Change("exclude", tuple(sample.id for sample in data.of("validation")[:100]))])
    few = answered_run(workspace, left_out, range(2))
    assert "images" in scored(few, Hypothesis("accuracy", "raises", baseline=run.id)).sentence


def test_a_run_that_has_not_ended_or_expected_nothing_is_not_scored(workspace, data, scored):
    run = answered_run(workspace, data, range(8))
    with pytest.raises(RunError, match="without a hypothesis"):
        score_hypothesis(str(workspace.root), run.id)
    write_status(run.paths, replace(run.status, state=RunState.QUEUED))
    with pytest.raises(RunError, match="not come to its end"):
        scored(run, Hypothesis("accuracy", "raises", threshold=0.5))
