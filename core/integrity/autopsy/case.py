"""Everything that was found about a table of answers, before it is put into words."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.evaluate.classification import ClassificationResult
from core.integrity.autopsy.answers import Answers
from core.integrity.autopsy.claims import Claim, counts_of
from core.integrity.autopsy.orders import known_orders, name_of_order
from core.integrity.autopsy.shares import ceiling
from core.integrity.autopsy.verdict import Cause


@dataclass(frozen=True, eq=False)
class Case:
    """A verdict and what it rests on."""

    answers: Answers
    claim: Claim  # the likeliest one of the verdict
    claims: tuple[Claim, ...]  # all that were weighed, the likeliest first
    weights: dict[Cause, float]
    as_given: ClassificationResult
    corrected: ClassificationResult | None

    @property
    def cause(self) -> Cause:
        return self.claim.cause

    @property
    def repair(self) -> dict[str, Any]:
        return self.claim.repair

    @property
    def guess(self) -> float:
        """The accuracy that these class shares have by chance, 0..1."""
        table = np.array(self.as_given.confusion, float)
        return float((table.sum(axis=0) * table.sum(axis=1)).sum() / table.sum() ** 2)

    @property
    def ceiling(self) -> float:
        """The accuracy of the best of all orders, 0..1."""
        return ceiling(self.answers.truth, self.answers.predicted, len(self.answers.classes))

    @property
    def by_classes(self) -> bool:
        """Whether the truth comes class after class."""
        truth = self.answers.truth
        return int((truth[1:] != truth[:-1]).sum()) < 2 * len(np.unique(truth))

    @property
    def order(self) -> str:
        """What the order of the classes is called that was found; "" where it has no name."""
        if self.claim.mapping is None or "columns" in self.repair:
            return ""
        answers = self.answers
        table = counts_of(answers.truth[self.claim.rows], answers.predicted[self.claim.places], len(answers.classes))
        return name_of_order(table, self.claim.mapping, known_orders(answers.classes, given=answers.given_order))


def percent(value: float) -> str:
    """A share as people read it."""
    return f"{100 * value:.1f} %"


def right(result: ClassificationResult) -> str:
    """The accuracy of a report with Wilson's 95 % interval."""
    low, high = result.interval
    return f"{percent(result.accuracy)} [{100 * low:.1f}, {100 * high:.1f}]"


def rows(number: int) -> str:
    """So many rows."""
    return f"{number:,} row{'s' * (abs(number) != 1)}"
