"""Which images a model gets wrong, and what it takes for what. Read from the prediction table alone."""

from dataclasses import dataclass

import numpy as np

from core.evaluate.predictions import PredictionTable
from core.metrics.classification import confusion


@dataclass(frozen=True)
class Mistake:
    """One image and what the model says about it."""

    id: str  # of the sample
    file: str  # the name it came with
    truth: str  # class names
    predicted: str
    confidence: float  # probability of the predicted class, in [0, 1]
    probability_of_truth: float


@dataclass(frozen=True)
class ConfusedPair:
    """How often images of one class are taken for another."""

    truth: str
    predicted: str
    count: int
    share: float  # of the images of the true class


def confident_mistakes(table: PredictionTable, n: int) -> list[Mistake]:
    """The `n` wrong answers that the model is surest of, surest first: often the label is what is wrong there."""
    wrong = np.flatnonzero(table.predicted != table.truth)
    return _described(table, wrong)[:n]


def of_cell(table: PredictionTable, truth: int, predicted: int) -> list[Mistake]:
    """The images in one cell of the confusion matrix, by class numbers, surest first; on the diagonal, the hits.

    Raises ValueError for numbers that are no class.
    """
    k = len(table.classes)
    if not (0 <= truth < k and 0 <= predicted < k):
        raise ValueError(f"cell ({truth}, {predicted}) of a matrix with {k} classes")
    return _described(table, np.flatnonzero((table.truth == truth) & (table.predicted == predicted)))


def extremes(table: PredictionTable, place: int, n: int) -> tuple[list[Mistake], list[Mistake]]:
    """Of the images that truly are of a class, the `n` that the model is surest of being so, and the `n` that it finds
    least likely, most extreme first; none stands on both sides.

    Raises ValueError for a number that is no class.
    """
    if not 0 <= place < len(table.classes):
        raise ValueError(f"class {place} of {len(table.classes)}")
    rows = np.flatnonzero(table.truth == place)
    rows = rows[np.argsort(-table.probabilities[rows, place], kind="stable")]
    best = min(n, (len(rows) + 1) // 2)
    worst = min(n, len(rows) - best)
    return [_mistake(table, row) for row in rows[:best]], [_mistake(table, row) for row in rows[::-1][:worst]]


def confused_pairs(table: PredictionTable) -> list[ConfusedPair]:
    """Every pair of classes of which one was taken for the other, most frequent first, then in class order."""
    counts = confusion(table.truth, table.predicted, len(table.classes))
    np.fill_diagonal(missed := counts.copy(), 0)
    rows, columns = np.nonzero(missed)
    pairs = [
        ConfusedPair(table.classes[r], table.classes[c], int(counts[r, c]), float(counts[r, c] / counts[r].sum()))
        for r, c in zip(rows, columns, strict=True)
    ]
    return sorted(pairs, key=lambda pair: -pair.count)


def _described(table: PredictionTable, rows: np.ndarray) -> list[Mistake]:
    """The rows as mistakes, surest first; equally sure ones in the order of the table."""
    predicted = table.predicted
    confidence = table.probabilities[rows, predicted[rows]]
    return [_mistake(table, row) for row in rows[np.argsort(-confidence, kind="stable")]]


def _mistake(table: PredictionTable, row: int) -> Mistake:
    answer = int(table.probabilities[row].argmax())
    return Mistake(
        id=table.ids[row],
        file=table.files[row],
        truth=table.classes[table.truth[row]],
        predicted=table.classes[answer],
        confidence=float(table.probabilities[row, answer]),
        probability_of_truth=float(table.probabilities[row, table.truth[row]]),
    )
