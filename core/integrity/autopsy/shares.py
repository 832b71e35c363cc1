"""Answers that have nothing to do with the truth: is that a good model in another order, or no model at all?

The order of the rows says nothing any more; how often each class was answered still does. A good model answers each
class about as often as there are images of it; a model that knows nothing answers as it likes. Both are drawn from
Dirichlet distributions, and the two marginal likelihoods of the totals are compared.
"""

import math

import numpy as np

_NEAR = np.array([1.0, 3.0, 10.0, 40.0, 160.0])  # concentration for each class, of shares near those of the truth


def share_scores(truth: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, float]:
    """Log marginal likelihoods of how often each class was answered, if it was a good model in another order
    ("shuffled"), no model ("chance"), or one that hardly answers anything but one class ("constant")."""
    totals = np.bincount(predicted, minlength=classes).astype(float)
    shares = (np.bincount(truth, minlength=classes) + 0.5) / (len(truth) + 0.5 * classes)
    near = _mixed([_dirichlet(totals, classes * weight * shares) for weight in _NEAR])
    flat = _dirichlet(totals, np.ones(classes))
    few = _dirichlet(totals, np.full(classes, 1 / classes))
    even = _dirichlet(totals, np.full(classes, 100.0))
    one = []
    for label in range(classes):
        alpha = np.full(classes, 1.0 / classes)
        alpha[label] = 60.0
        one.append(_dirichlet(totals, alpha))
    return {
        "shuffled": near,
        "chance": _mixed([flat, few, even], [0.45, 0.45, 0.1]),
        "constant": _mixed(one),
    }


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


def _mixed(scores: list[float], weights: list[float] | None = None) -> float:
    values = np.array(scores) + np.log(weights if weights is not None else np.full(len(scores), 1 / len(scores)))
    return float(values.max() + np.log(np.exp(values - values.max()).sum()))
