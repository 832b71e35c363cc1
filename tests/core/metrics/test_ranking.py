import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from core.metrics.ranking import MOST_POINTS, auroc, average_precision, precision_points, rankings, roc_points


def answers(n: int = 240, k: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers and probabilities in hundredths, so that many of them are equal."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, k, n)
    scores = generator.normal(size=(n, k)) + 1.3 * np.eye(k)[truth]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return truth, probabilities.round(2)


@pytest.mark.parametrize("seed", range(5))
def test_areas_and_precisions_are_those_of_scikit_learn(seed):
    truth, probabilities = answers(seed=seed)
    found = rankings(truth, probabilities)
    areas = [roc_auc_score(truth == place, probabilities[:, place]) for place in range(4)]
    precisions = [average_precision_score(truth == place, probabilities[:, place]) for place in range(4)]

    assert [one.auroc for one in found.classes] == pytest.approx(areas, abs=1e-9)
    assert [one.average_precision for one in found.classes] == pytest.approx(precisions, abs=1e-9)
    assert found.auroc == pytest.approx(np.mean(areas), abs=1e-9)
    assert found.average_precision == pytest.approx(np.mean(precisions), abs=1e-9)


def test_the_bias_of_average_precision_is_that_of_leaving_out_each_image_in_turn():
    truth, probabilities = answers(30, 2)
    positive, score = truth == 1, probabilities[:, 1]
    found = average_precision(positive, score)
    without = [average_precision_score(np.delete(positive, row), np.delete(score, row)) for row in range(30)]

    assert found.bias == pytest.approx(29 * (np.mean(without) - found.value), abs=1e-9)
    assert found.parts == pytest.approx(30 * found.value - 29 * np.array(without), abs=1e-9)


def test_the_parts_of_an_area_say_how_it_varies():
    truth, probabilities = answers(400, 2)
    positive, score = truth == 1, probabilities[:, 1]
    generator, n = np.random.default_rng(0), len(truth)
    drawn = [roc_auc_score(positive[rows], score[rows]) for rows in generator.integers(0, n, (400, n))]
    assert auroc(positive, score).parts.std() / np.sqrt(n) == pytest.approx(np.std(drawn), rel=0.12)


def test_perfect_ranking_of_few_images_is_not_certainty():
    truth = np.repeat([0, 1], 10)
    found = rankings(truth, np.stack([1 - truth, truth], axis=1).astype(float))
    assert found.auroc == found.average_precision == 1
    assert 0.75 < found.auroc_interval.low < 0.95
    assert found.auroc_interval.high == 1


def test_both_of_two_classes_have_one_area_with_one_interval():
    truth, probabilities = answers(60, 2)
    found = rankings(truth, probabilities)
    assert found.auroc == pytest.approx(found.classes[1].auroc)
    assert found.auroc_interval == pytest.approx(found.classes[1].auroc_interval, abs=1e-9)


def test_a_class_without_an_image_has_no_figure_and_is_left_out_of_the_mean():
    truth, probabilities = answers(60, 3)
    truth = np.minimum(truth, 1)
    found = rankings(truth, probabilities)
    assert found.classes[2].auroc is found.classes[2].average_precision_interval is None
    assert found.auroc == pytest.approx(np.mean([one.auroc for one in found.classes[:2]]))
    assert rankings(0 * truth, probabilities).auroc is None


def test_of_one_image_of_a_class_next_to_nothing_is_known():
    truth, probabilities = np.array([1] + [0] * 30), np.tile([0.7, 0.3], (31, 1))
    probabilities[0] = 0.2, 0.8
    low, high = rankings(truth, probabilities).classes[1].auroc_interval
    assert high - low > 0.7


def test_curves_are_scikit_learns_and_have_few_points():
    truth, probabilities = answers(3000, 2)
    probabilities = probabilities + np.random.default_rng(1).normal(0, 1e-4, probabilities.shape)
    positive, score = truth == 1, probabilities[:, 1]
    false, true, _ = roc_curve(positive, score)
    assert set(roc_points(positive, score)) <= set(zip(false, true, strict=True))
    assert len(roc_points(positive, score)) == MOST_POINTS
    precision, recall, _ = precision_recall_curve(positive, score, drop_intermediate=True)
    assert set(precision_points(positive, score)) <= set(zip(recall, precision, strict=True))
    assert precision_points(positive, score)[0] == (0, 1)
    assert precision_points(positive, score)[-1][0] == 1
