"""Made-up answers of a good model, into which tests plant their faults."""

from dataclasses import dataclass

import numpy as np
import pytest

from core.integrity.autopsy.answers import Answers


@dataclass(frozen=True, eq=False)
class Made:
    """Rows of a model that is right in so many cases."""

    classes: tuple[str, ...]
    truth: np.ndarray
    predicted: np.ndarray

    def handed_in(self, truth=None, predicted=None, **options) -> Answers:
        truth = self.truth if truth is None else truth
        return Answers(self.classes, truth, self.predicted if predicted is None else predicted, **options)


@pytest.fixture
def made():
    """`made(rows, classes, accuracy)`: the truth in a mixed order, or class after class."""

    def make(rows=600, classes=6, accuracy=0.85, *, by_classes=False, seed=0) -> Made:
        generator = np.random.default_rng(seed)
        truth = generator.integers(0, classes, rows)
        truth = np.sort(truth) if by_classes else truth
        wrong = (truth + generator.integers(1, classes, rows)) % classes
        predicted = np.where(generator.random(rows) < accuracy, truth, wrong)
        return Made(tuple(map(str, range(classes))), truth, predicted)

    return make
