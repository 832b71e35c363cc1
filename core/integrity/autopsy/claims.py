"""Claims about a table of answers: which answer belongs to which row, which class it means, and how likely that is."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.integrity.autopsy.verdict import Cause


@dataclass(frozen=True, eq=False)
class Claim:
    """One way in which truth and answers may belong together."""

    cause: Cause
    rows: np.ndarray  # (R,) places in the truth
    places: np.ndarray  # (R,) places in the answers, for the same images
    prior: float  # log of how probable the claim is beforehand
    repair: dict[str, Any] = field(default_factory=dict)
    mapping: np.ndarray | None = None  # (K,): the answer that means each class; None where each means its own
    weight: float = -np.inf  # log prior and log likelihood together, once it was weighed
    bonus: float = 0.0  # nats that a claim gains for what it explains besides the table of counts


def pairs_at(length: int, other: int, offset: int, *, cyclic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Places in the truth (of `length`) and in the answers (of `other`): answer i belongs to row i + offset."""
    places = np.arange(other)
    rows = places + offset
    if cyclic:
        return rows % length, places
    inside = (rows >= 0) & (rows < length)
    return rows[inside], places[inside]


def counts_of(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (K, K), rows = truth."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)
