"""The rule of when a table of answers can decide: how many rows it takes, from its classes, their shares and accuracy.

Take a classifier of `lift` lambda: it knows the class in a share lambda of the cases and else answers by the shares q
of all its answers, so that it is right in a = g + lambda (1 - g), where g is the sum of q squared. An answer in its own
row then speaks, in nats,

    log(lambda / q_c + 1 - lambda)   where it is a hit of class c,    log(1 - lambda)   where it is none,

for belonging there rather than anywhere. With mean m1 and deviation s1 of that over the rows of such a model, and m0
and s0 over answers that have nothing to do with the truth, n rows can decide

- that answers belong nowhere ("shuffled", "chance"), against a model of no more than the lift LEAST, when
  n (m1 - m0) >= sqrt(n) (Z99 s1 + Z95 s0): fewer than one such model in a hundred is then called so, and 95 of a
  hundred tables without any order are. That it is no model at all ("chance") is only known where no order could make
  more than GOOD of the answers right, that it is a good one in another order ("shuffled") where one could make CLOSE;
- where they belong ("shifted", "permuted-classes", "truncated", "repeated"), for a model of at least the lift LEAST,
  when n m1 - Z95 sqrt(n) s1 is at least the log of the number of claims of that kind, plus MARGIN; and when the same
  holds of the rows alone on which the claim differs from the table as it stands: of a sorted truth shifted by k these
  are only about k for each class.
"""

import math

import numpy as np

from core.integrity.autopsy.verdict import Cause

LEAST = 0.2  # lift of the weakest model that is not to be called guessing: 60 % right of two equal classes, 28 % of ten
Z99, Z95 = 2.326, 1.645
# The accuracy that the best order of the rows would reach: below GOOD it was no model at all, from CLOSE on a good one
# in another order; in between it may be either.
GOOD, CLOSE = 0.6, 0.85
MARGIN = 5.0  # nats: what the priors and the threshold of an alarm ask for


def shares_of(labels: np.ndarray, classes: int) -> np.ndarray:
    """The shares (K,) of labels (N,), none of them zero."""
    return (np.bincount(labels, minlength=classes) + 0.5) / (len(labels) + 0.5 * classes)


def lift_of(accuracy: float, shares: np.ndarray) -> float:
    """The lift of an accuracy with such shares (K,) of answers, at least 0."""
    guess = float((shares**2).sum())
    return max(0.0, (accuracy - guess) / max(1e-12, 1 - guess))


def nats(shares: np.ndarray, lift: float, *, truth: np.ndarray | None = None, knows: bool) -> tuple[float, float]:
    """Mean and deviation of what one answer speaks for its own row, of a model of that lift or of answers by chance.

    `shares` (K,) are those of the answers, `truth` those of the true classes where they differ.
    """
    truth = shares if truth is None else truth
    lift = min(lift, 0.999)
    hit, miss = np.log(lift / shares + 1 - lift), math.log(1 - lift)
    rate = truth * ((lift + (1 - lift) * shares) if knows else shares)
    mean = float(rate @ hit + (1 - rate.sum()) * miss)
    square = float(rate @ hit**2 + (1 - rate.sum()) * miss**2)
    return mean, math.sqrt(max(0.0, square - mean**2))


def can_refuse(rows: int, shares: np.ndarray, truth: np.ndarray | None = None) -> bool:
    """Whether so many rows can show that answers belong nowhere."""
    truth = shares if truth is None else truth
    used = _used(truth, shares)
    rows, truth = round(rows * float(truth[used].sum())), np.where(used, truth, 0) / max(1e-12, truth[used].sum())
    with_model, with_chance = (nats(shares, LEAST, truth=truth, knows=knows) for knows in (True, False))
    gap = rows * (with_model[0] - with_chance[0])
    return gap >= math.sqrt(rows) * (Z99 * with_model[1] + Z95 * with_chance[1])


def _used(truth: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The classes (K,) that are answered often enough to be known at all: only their images can show whether they are.

    Models that never answer some class are no guesses for that.
    """
    return shares >= LEAST * truth


def refuses(counts: np.ndarray, shares: np.ndarray) -> bool:
    """Whether counts (K, K), rows = truth, hold fewer hits than all but one in a hundred of the weakest models give."""
    used = _used(counts.sum(axis=1) / counts.sum(), counts.sum(axis=0) / counts.sum())
    counts = np.where(used[:, None], counts, 0)
    rows = int(counts.sum())
    truth = counts.sum(axis=1) / max(1, rows)
    hit, miss = np.log(LEAST / shares + 1 - LEAST), math.log(1 - LEAST)
    found = float(counts.diagonal() @ hit + (rows - np.trace(counts)) * miss)
    mean, deviation = nats(shares, LEAST, truth=truth, knows=True)
    return found <= rows * mean - Z99 * math.sqrt(rows) * deviation


def can_place(
    rows: int,
    shares: np.ndarray,
    lift: float,
    claims: float,
    *,
    truth: np.ndarray | None = None,
    differing: int | None = None,
) -> bool:
    """Whether so many rows of a model of that lift can show where answers belong, among so many claims (their log).

    `differing` is on how many rows the claim and the table as it stands say another class.
    """
    differing = rows if differing is None else differing
    mean, deviation = nats(shares, lift, truth=truth, knows=True)
    needed = claims + MARGIN
    return lift >= LEAST and all(
        number * mean - Z95 * math.sqrt(number) * deviation >= needed for number in (rows, differing)
    )


def claims_of(cause: Cause, rows: int, classes: int) -> float:
    """The log of how many claims of one kind there are."""
    if cause == "shifted":
        return math.log(2 * rows)
    if cause == "permuted-classes":
        return math.lgamma(classes + 1)
    return math.log(10) if cause in ("truncated", "repeated") else 0.0
