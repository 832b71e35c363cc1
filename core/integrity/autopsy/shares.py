"""Answers that have nothing to do with the truth: is that a good model in another order, or no model at all?

The order of the rows says nothing any more; how often each class was answered still does. A good model answers each
class about as often as there are images of it; a model that knows nothing answers as it likes. Both are drawn from
Dirichlet distributions, and the two marginal likelihoods of the totals are compared.
"""

import math
from collections.abc import Sequence

import numpy as np

MOST_SPOKEN = 1.0  # nats that the sureness of answers may speak
CONSTANT = 0.98  # of the answers: from there on they are called all the same

# A model that knows the class in a share l of the cases, and else answers by any shares, gives shares that scatter
# around those of the truth like a Dirichlet distribution of concentration (K + 1) / (1 - l)^2: for l = 0.2, 0.4, ...
# 0.96, and how likely each is beforehand, good models being likelier.
_KNOWN = np.array([0.2, 0.4, 0.6, 0.8, 0.9, 0.96])
_KNOWN_WEIGHTS = np.array([0.03, 0.1, 0.22, 0.27, 0.22, 0.16])


def share_scores(truth: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, float]:
    """Log marginal likelihoods of how often each class was answered, if it was a good model in another order
    ("shuffled"), no model ("chance"), or one that answers the same nearly always ("constant")."""
    totals = np.bincount(predicted, minlength=classes).astype(float)
    shares = (np.bincount(truth, minlength=classes) + 0.5) / (len(truth) + 0.5 * classes)
    scatter = (classes + 1) / (1 - _KNOWN) ** 2
    near = _mixed([_dirichlet(totals, weight * shares) for weight in scatter], _KNOWN_WEIGHTS)
    flat = _dirichlet(totals, np.ones(classes))
    few = _dirichlet(totals, np.full(classes, 1 / classes))
    even = _dirichlet(totals, np.full(classes, 100.0))
    chance = _mixed([flat, few, even], [0.45, 0.45, 0.1])
    one = totals.max() >= CONSTANT * totals.sum()
    return {"shuffled": near, "chance": -np.inf if one else chance, "constant": chance if one else -np.inf}


def sureness(probabilities: np.ndarray | None) -> float | None:
    """How sure the answers are: the mean highest probability (N, K), 0 where all classes are alike and 1 where there is
    no doubt. None without probabilities, or with ones that only repeat the answers."""
    if probabilities is None or probabilities.shape[1] < 2 or probabilities.min() < 0:
        return None
    if abs(probabilities.sum(axis=1) - 1).max() > 0.02 or probabilities.max(axis=1).min() > 0.999:
        return None
    classes = probabilities.shape[1]
    return float((probabilities.max(axis=1).mean() - 1 / classes) / (1 - 1 / classes))


def speaks_for_order(probabilities: np.ndarray | None) -> float:
    """What the sureness of the answers speaks, in nats, for a good model in another order rather than no model at all.

    Good models are mostly sure (a density of 3 s^2); one that knows nothing is either aware of it (10 exp(-10 s)) or as
    sure as it happens to be, half each. Forests and strongly regularised models are right and unsure, and networks
    wrong and sure, so it never says much.
    """
    sure = sureness(probabilities)
    if sure is None:
        return 0.0
    sure = min(1.0, max(0.02, sure))
    speaks = math.log(3 * sure**2) - math.log(0.5 * 10 * math.exp(-10 * sure) + 0.5)
    return max(-MOST_SPOKEN, min(MOST_SPOKEN, speaks))


def ceiling(truth: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """The largest share of rows that could agree in any order, 0..1: what both have of each class."""
    left, right = np.bincount(truth, minlength=classes), np.bincount(predicted, minlength=classes)
    return float(np.minimum(left / left.sum(), right / right.sum()).sum())


def runs(values: np.ndarray) -> tuple[float, float]:
    """How often neighbours are equal, beyond what chance gives, in standard deviations; and how often, 0..1."""
    number = len(values)
    if number < 3:
        return 0.0, 0.0
    found = float((values[1:] == values[:-1]).mean())
    shares = np.bincount(values) / number
    expected = float((shares**2).sum())
    spread = math.sqrt(max(expected * (1 - expected), 1e-12) / (number - 1))
    return (found - expected) / spread, found


def _dirichlet(totals: np.ndarray, alpha: np.ndarray) -> float:
    from scipy.special import gammaln

    whole = gammaln(alpha.sum()) - gammaln(alpha.sum() + totals.sum())
    return float(whole + (gammaln(alpha + totals) - gammaln(alpha)).sum())


def _mixed(scores: list[float], weights: Sequence[float] | None = None) -> float:
    values = np.array(scores) + np.log(np.full(len(scores), 1 / len(scores)) if weights is None else weights)
    return float(values.max() + np.log(np.exp(values - values.max()).sum()))
