"""How well one way of holding answers against the truth explains them: a marginal likelihood, in nats.

Every cause is a claim about which answer belongs to which row and which class it means. Under each claim the answers
make another table of counts C (K, K), rows = truth, and the same answers are explained better or worse. What explains
them is a model of a classifier: the answers to class c are drawn from a Dirichlet distribution around

    share of class j = mu [j is c] + (1 - mu) q_j,    with the weight of s answers,

q being the shares of these answers. `mu` says how good the model is, `s` how much classes differ (a small s allows that
one class is hardly ever found and another is taken for it). Both are unknown and averaged over. With mu = 0 and s
without bound the answers have nothing to do with the truth: that is what every score is told relative to, so claims
that explain different rows can be compared, and rows that a claim leaves out count as unexplained.

The Dirichlet-multinomial and its use for tables: Gunel & Dickey 1974, https://doi.org/10.1093/biomet/61.3.545
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

_MU = np.array([0.04, 0.1, 0.2, 0.32, 0.45, 0.6, 0.72, 0.83, 0.91, 0.96, 0.99])
_S = np.array([5.0, 20.0, 100.0, 2000.0])
_S_WEIGHTS = np.array([0.2, 0.3, 0.3, 0.2])
_WEAK = np.array([0.02, 0.05])  # mu of models that know hardly anything
_LOOSE = np.array([1.0, 4.0, 15.0, 60.0])  # s of answers that depend on the truth in some other way


@dataclass(frozen=True, eq=False)
class Agreement:
    """Scores tables of counts of one set of answers."""

    totals: np.ndarray  # (K,): how often each class was answered, in all rows

    @cached_property
    def shares(self) -> np.ndarray:
        """The shares q (K,) of the answers, none of them zero."""
        return (self.totals + 0.5) / (self.totals.sum() + 0.5 * len(self.totals))

    def of(self, counts: np.ndarray) -> Self:
        """The same for the answers in a table of counts alone: in a part of rows in some order, classes have other
        shares, and that explains nothing."""
        return type(self)(counts.sum(axis=0))

    def score(self, counts: np.ndarray, favoured: np.ndarray | None = None, *, alike: bool = False) -> float:
        """Log of how much better than independence a model explains counts (K, K), rows = truth.

        `favoured` (K,) says which answer means each class; by default its own. `alike` leaves out models that never
        find one class and always find another, as whole blocks of rows in the wrong place make it look.
        """
        some = slice(int(alike), None)
        weights = np.log(_mu_weights())[:, None] + np.log(_S_WEIGHTS[some] / _S_WEIGHTS[some].sum())[None]
        own = self.of(counts)
        return float(_logsumexp(own._grid(counts, favoured, _MU, _S[some]) + weights) - own._independent(counts))

    def apart(self, counts: np.ndarray) -> float:
        """What it explains, in nats, that the answers in counts have other shares than those that are left out: the
        Bayes factor of two Dirichlet-multinomials against one. Below zero where they have the same."""
        from scipy.special import gammaln

        inside = counts.sum(axis=0)
        alpha = len(inside) * self.shares
        parts = np.stack([inside, self.totals - inside, self.totals])
        found = (gammaln(alpha + parts) - gammaln(alpha)).sum(axis=1)
        found += gammaln(alpha.sum()) - gammaln(alpha.sum() + parts.sum(axis=1))
        return float(found[0] + found[1] - found[2])

    def weak(self, counts: np.ndarray) -> float:
        """The same for answers that are hardly better than guessing."""
        own = self.of(counts)
        found = own._grid(counts, None, _WEAK, _S[-1:])
        return float(_logsumexp(found - np.log(found.size)) - own._independent(counts))

    def loose(self, counts: np.ndarray) -> float:
        """The same for answers that depend on the truth, but not class by class."""
        own = self.of(counts)
        found = own._grid(counts, None, np.zeros(1), _LOOSE)
        return float(_logsumexp(found - np.log(found.size)) - own._independent(counts))

    def mapping(self, counts: np.ndarray) -> np.ndarray:
        """Which answer most likely means each class, (K,): the best assignment under the same model.

        The likelihood is a product over the favoured cells, so the assignment is exact for each mu and s; of a few of
        these the one with the best score is taken. Where nothing speaks for another class, a class keeps its own.
        """
        from scipy.optimize import linear_sum_assignment

        best, most, shares = np.arange(len(counts)), -np.inf, self.of(counts).shares
        for mu, s in ((0.6, 12.0), (0.8, 40.0), (0.5, 2000.0)):
            base = s * (1 - mu) * shares[None]
            gain = _rising(base + s * mu, counts) - _rising(np.broadcast_to(base, counts.shape), counts)
            gain = gain + 1e-6 * np.eye(len(counts))
            _, columns = linear_sum_assignment(gain, maximize=True)
            columns = _kept(counts, columns)
            if (found := self.score(counts, columns)) > most:
                best, most = columns, found
        return best

    def worth(self) -> tuple[np.ndarray, np.ndarray]:
        """What a hit of each class gains over a miss (G, K), and a miss over independence (G,), for each mu, where all
        classes are alike: s without bound. For quick scores of many tables."""
        mu = _MU[:, None]
        return np.log1p(mu / self.shares[None] - mu) - np.log1p(-mu), np.log1p(-_MU)

    def over_mu(self, scores: np.ndarray) -> np.ndarray:
        """Scores (..., G) for each mu as one (...)."""
        return _logsumexp(scores + np.log(_mu_weights()), axis=-1)

    def _independent(self, counts: np.ndarray) -> float:
        return float(counts.sum(axis=0) @ np.log(self.shares))

    def _grid(self, counts: np.ndarray, favoured: np.ndarray | None, mu: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Log likelihoods (len(mu), len(s)). Empty cells add nothing."""
        from scipy.special import gammaln

        favoured = np.arange(len(counts)) if favoured is None else favoured
        rows, columns = np.nonzero(counts)
        cells = counts[rows, columns]
        hit = (columns == favoured[rows]).astype(float)
        alpha = mu[:, None, None] * hit + (1 - mu[:, None, None]) * self.shares[columns]
        alpha = alpha * s[:, None]
        sums = counts.sum(axis=1)
        sums = sums[sums > 0]
        whole = (gammaln(s)[:, None] - gammaln(s[:, None] + sums)).sum(axis=1)
        return (gammaln(alpha + cells) - gammaln(alpha)).sum(axis=2) + whole


def _mu_weights() -> np.ndarray:
    """How probable each mu is beforehand: models that are hardly better than guessing are rare."""
    edges = np.concatenate([[0.0], (_MU[1:] + _MU[:-1]) / 2, [1.0]])
    weights = np.diff(edges**3)
    return weights / weights.sum()


def _rising(alpha: np.ndarray, counts: np.ndarray) -> np.ndarray:
    from scipy.special import gammaln

    return gammaln(alpha + counts) - gammaln(alpha)


def _kept(counts: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """An assignment in which classes without a hit under it keep their own answer wherever that is free."""
    columns = columns.copy()
    free = np.flatnonzero(counts[np.arange(len(counts)), columns] == 0)
    left = set(columns[free].tolist())
    own = [row for row in free.tolist() if row in left]
    rest = [row for row in free.tolist() if row not in own]
    columns[own] = own
    columns[rest] = sorted(left - set(own))
    return columns


def _logsumexp(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    top = values.max(axis=axis, keepdims=axis is not None)
    summed = np.log(np.exp(values - top).sum(axis=axis))
    return summed + (top if axis is None else np.squeeze(top, axis=axis))
