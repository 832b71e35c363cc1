"""The end of a measurement: were its aims met, and were the sides as good as each other?

Two sides that were to learn the same are compared on the same validation images, over all pairs together. They differ
by more than chance when both of these say so at one in a hundred:

- the exact test of McNemar on the pooled answers: of the images that exactly one side got right, as many by either;
- from three pairs on, a paired t test on the accuracies, since answers of one run go together.

Either alone cries wolf: the first takes the luck of one run for that of many images, the second knows three numbers.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

LEVEL = 0.01
AIM_MISSED, ACCURACIES_DIFFER = 1, 2  # what a measurement exits with; the second also when both are so

Answers = Mapping[str, bool]  # by the id of a validation image: whether it was right


def mcnemar(left: Sequence[Answers], right: Sequence[Answers]) -> float:
    """Exact two-sided p-value over all pairs together; each pair must have answered for the same images."""
    from scipy.stats import binomtest

    only_left = only_right = 0
    for one, other in zip(left, right, strict=True):
        if one.keys() != other.keys():
            raise ValueError("the sides were not asked about the same images")
        only_left += sum(one[name] and not other[name] for name in one)
        only_right += sum(other[name] and not one[name] for name in one)
    differing = only_left + only_right
    return float(binomtest(only_left, differing).pvalue) if differing else 1.0


def by_chance(left: Sequence[Answers], right: Sequence[Answers]) -> float:
    """How likely such a difference is between sides that are equally good: the larger p-value of the two tests."""
    from scipy.stats import ttest_rel

    pooled = mcnemar(left, right)
    ours, theirs = [accuracy(one) for one in left], [accuracy(one) for one in right]
    differences = np.subtract(ours, theirs)
    if len(differences) < 3 or np.ptp(differences) < 1e-12:  # too few for the second, or all alike
        return pooled
    return max(pooled, float(ttest_rel(ours, theirs).pvalue))


def accuracy(answers: Answers) -> float:
    """Share of right answers."""
    return sum(answers.values()) / len(answers)


@dataclass
class Verdict:
    """Collects what was found wrong, says it in plain sentences, and ends the process with it."""

    missed: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)

    def at_least(self, name: str, values: Sequence[float], aim: float, *, unit: str = "x") -> None:
        """The median of some measurements is to be `aim` or more."""
        if not (middle := median(values)) >= aim:
            self.missed.append(f"{name}: found {middle:.3g} {unit}, aimed at {aim:g} or more")

    def at_most(self, name: str, values: Sequence[float], aim: float, *, unit: str = "x") -> None:
        """The median of some measurements is to be `aim` or less."""
        if not (middle := median(values)) <= aim:
            self.missed.append(f"{name}: found {middle:.3g} {unit}, aimed at {aim:g} or less")

    def equally_good(self, name: str, left: Sequence[Answers], right: Sequence[Answers]) -> None:
        """Two sides are to be as accurate as each other."""
        ours, theirs = np.mean([accuracy(one) for one in left]), np.mean([accuracy(one) for one in right])
        chance = by_chance(left, right)
        print(f"   {name}: accuracy {ours:.3f} and {theirs:.3f}, p = {chance:.3g}", flush=True)
        if chance < LEVEL:
            self.differing.append(f"{name}: accuracy {ours:.3f} and {theirs:.3f}, p = {chance:.2g}")

    @property
    def code(self) -> int:
        return ACCURACIES_DIFFER if self.differing else AIM_MISSED if self.missed else 0

    def end(self) -> None:
        """Say what is wrong and leave, with a code that is not zero if anything is."""
        for sentence in self.missed:
            print(f"   AIM MISSED. {sentence}", flush=True)
        for sentence in self.differing:
            print(f"   ACCURACIES DIFFER by more than chance. {sentence}", flush=True)
        if not self.code:
            print("   All aims are met.", flush=True)
        sys.exit(self.code)
