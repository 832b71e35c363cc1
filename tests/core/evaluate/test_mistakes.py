import numpy as np
import pytest

from core.evaluate.mistakes import ConfusedPair, Mistake, confident_mistakes, confused_pairs, extremes, of_cell
from core.evaluate.predictions import PredictionTable

#          truth  probabilities
ROWS = [
    (0, (0.9, 0.1, 0.0)),  # right
    (0, (0.2, 0.7, 0.1)),  # cat taken for dog, 0.7
    (0, (0.4, 0.6, 0.0)),  # cat taken for dog, 0.6
    (1, (0.8, 0.1, 0.1)),  # dog taken for cat, 0.8
    (2, (0.3, 0.6, 0.1)),  # fox taken for dog, 0.6
    (2, (0.0, 0.1, 0.9)),  # right
]
TABLE = PredictionTable(
    classes=("cat", "dog", "fox"),
    ids=tuple(f"{number:06d}" for number in range(6)),
    files=tuple(f"{number}.jpg" for number in range(6)),
    truth=np.array([truth for truth, _ in ROWS]),
    probabilities=np.array([probabilities for _, probabilities in ROWS], dtype=np.float32),
    split="validation",
    checkpoint="x",
)


def test_the_surest_mistakes_come_first_and_equally_sure_ones_in_order():
    assert [mistake.id for mistake in confident_mistakes(TABLE, 10)] == ["000003", "000001", "000002", "000004"]


def test_a_mistake_says_all_a_person_needs():
    (first,) = confident_mistakes(TABLE, 1)
    assert first == Mistake("000003", "3.jpg", "dog", "cat", pytest.approx(0.8), pytest.approx(0.1))


def test_a_model_without_mistakes_has_none():
    right = PredictionTable(TABLE.classes, ("1",), ("1",), np.array([0]), TABLE.probabilities[:1], "test", "x")
    assert confident_mistakes(right, 5) == []
    assert confused_pairs(right) == []


def test_a_cell_of_the_confusion_matrix_opens_to_its_images():
    assert [mistake.id for mistake in of_cell(TABLE, truth=0, predicted=1)] == ["000001", "000002"]
    assert [hit.id for hit in of_cell(TABLE, truth=2, predicted=2)] == ["000005"]
    assert of_cell(TABLE, truth=1, predicted=2) == []


@pytest.mark.parametrize("cell", [(3, 0), (0, -1)])
def test_a_cell_that_is_not_there_is_refused(cell):
    with pytest.raises(ValueError, match="3 classes"):
        of_cell(TABLE, *cell)


def test_pairs_are_counted_by_direction_and_the_most_confused_comes_first():
    assert confused_pairs(TABLE) == [
        ConfusedPair("cat", "dog", 2, pytest.approx(2 / 3)),
        ConfusedPair("dog", "cat", 1, 1.0),
        ConfusedPair("fox", "dog", 1, 0.5),
    ]


def test_the_extremes_of_a_class_are_its_surest_and_its_least_likely_images_and_none_stands_twice():
    best, worst = extremes(TABLE, 0, 2)
    assert [one.id for one in best] == ["000000", "000002"]
    assert [one.id for one in worst] == ["000001"]
    assert [[one.id for one in side] for side in extremes(TABLE, 1, 5)] == [["000003"], []], "one image is no extreme"
    with pytest.raises(ValueError, match="class 3"):
        extremes(TABLE, 3, 1)
