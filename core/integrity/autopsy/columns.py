"""Probabilities and classes of the same table that contradict each other: columns in another order than the classes."""

import numpy as np

from core.integrity.autopsy.answers import Answers
from core.integrity.autopsy.claims import Claim, counts_of

AGREE = 0.98  # of the rows: from there on the most probable class counts as the one that was answered


def other_columns(answers: Answers) -> Claim | None:
    """The claim that the columns of the probabilities are in another order than their names say.

    Only where classes were given besides: the most probable column of each row then shows what it really is. None where
    both agree, or where no order of the columns makes them agree.
    """
    if not answers.labelled or answers.probabilities is None or len(answers.truth) != len(answers.predicted):
        return None
    from scipy.optimize import linear_sum_assignment

    classes = len(answers.classes)
    best = answers.probabilities.argmax(axis=1)
    counts = counts_of(answers.predicted, best, classes)
    if np.trace(counts) >= AGREE * counts.sum():
        return None
    _, mapping = linear_sum_assignment(counts + 1e-6 * np.eye(classes), maximize=True)
    if counts[np.arange(classes), mapping].sum() < AGREE * counts.sum():
        return None
    named = {answers.classes[column]: answers.classes[label] for label, column in enumerate(mapping) if column != label}
    rows = np.arange(len(answers.truth))
    return Claim("permuted-classes", rows, rows, 0.0, {"columns": named}, mapping)
