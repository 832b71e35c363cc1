import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from core.metrics.parts import METRICS, metric, metrics_of, parts
from core.metrics.segmentation import HITS, PREDICTED, TRUTH, mean_dice, mean_iou


def answers(n=120, k=4, seed=0, skill=0.5):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, k, n)
    probabilities = generator.dirichlet(np.ones(k), n).round(2) + skill * np.eye(k)[truth]  # rounded: some are equal
    return truth, probabilities / probabilities.sum(axis=1, keepdims=True)


def pixels(n=20, k=3, seed=0):
    generator = np.random.default_rng(seed)
    counts = generator.integers(20, 100, (n, k, 3))
    counts[..., HITS] = generator.integers(0, 20, (n, k))
    return counts


def test_the_mean_of_the_parts_is_the_figure_that_scikit_learn_gives():
    truth, probabilities = answers()
    said = probabilities.argmax(axis=1)
    of_class = {"labels": [2], "average": "macro"}
    expected = {
        "accuracy": (said == truth).mean(),
        "macro_f1": f1_score(truth, said, average="macro"),
        "auroc": roc_auc_score(truth, probabilities, multi_class="ovr"),
        "recall": recall_score(truth, said, **of_class),
        "precision": precision_score(truth, said, **of_class),
        "f1": f1_score(truth, said, **of_class),
    }
    for name, value in expected.items():
        assert parts(name, truth, probabilities, place=2).mean() == pytest.approx(value, abs=1e-9), name


def test_the_mean_of_the_parts_of_masks_is_the_pooled_figure():
    counts = pixels()
    total = counts.sum(axis=0)
    for name, whole in (("mean_dice", mean_dice), ("mean_iou", mean_iou)):
        for ground in (None, 0):
            found = parts(name, None, counts, background=ground).mean()
            assert found == pytest.approx(whole(total, ground), abs=1e-12)
    hits, truth = total[1, HITS], total[1, TRUTH]
    assert parts("mask_recall", None, counts, place=1).mean() == pytest.approx(hits / truth)
    assert parts("dice", None, counts, place=1).mean() == pytest.approx(2 * hits / (truth + total[1, PREDICTED]))


@pytest.mark.parametrize("name", ["macro_f1", "auroc", "mean_dice"])
def test_parts_tell_how_a_figure_moves_when_an_image_is_left_out(name):
    truth, given = (None, pixels(200)) if name == "mean_dice" else answers(400)
    whole = parts(name, truth, given)
    for image in range(5):
        left = parts(name, None if truth is None else np.delete(truth, image), np.delete(given, image, axis=0))
        expected = whole.mean() + (whole.mean() - whole[image]) / (len(whole) - 1)
        assert left.mean() == pytest.approx(expected, abs=2e-4)


def test_a_figure_that_is_not_defined_is_no_number():
    truth = np.array([0, 0, 1, 1])
    assert np.isnan(parts("precision", truth, np.zeros(4, int), place=1)).all()
    assert np.isnan(parts("auroc", np.zeros(4, int), np.full((4, 2), 0.5))).all()
    assert np.isnan(parts("mean_dice", None, np.zeros((4, 2, 3)), background=0)).all()


def test_means_are_over_the_classes_that_are_named():
    truth = np.array([0, 0, 1, 1])
    said = np.array([0, 2, 1, 1])  # a class that the truth lacks
    assert parts("macro_f1", truth, said).mean() == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert parts("macro_f1", truth, said, classes=[0, 1]).mean() == pytest.approx((2 / 3 + 1) / 2)


def test_figures_have_a_task_and_the_first_one_decides():
    assert [metrics_of(task)[0].name for task in ("classification", "segmentation")] == ["accuracy", "mean_dice"]
    assert {row.task for row in METRICS} == {"classification", "segmentation"}
    with pytest.raises(ValueError, match="none of accuracy"):
        metric("luck")


def test_answers_that_cannot_have_the_figure_are_refused():
    truth, probabilities = answers()
    with pytest.raises(ValueError, match="say which"):
        parts("recall", truth, probabilities)
    with pytest.raises(ValueError, match="probabilities"):
        parts("auroc", truth, truth)
    with pytest.raises(ValueError, match="counts"):
        parts("mean_dice", truth, probabilities)
    with pytest.raises(ValueError, match="truth"):
        parts("accuracy", truth[1:], probabilities)
