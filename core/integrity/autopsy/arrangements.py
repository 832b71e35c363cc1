"""Orders of rows that programs make by accident, out of which answers can be put back: as text, by names, backwards."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from core.data.tree import natural
from core.integrity.autopsy.claims import Claim

MOST_ROWS = 200_000  # beyond these sorting names takes too long for what it finds


def arranged_claims(truth: np.ndarray, predicted: np.ndarray, ids: Sequence[str]) -> Iterator[Claim]:
    """Answers that stand in another order of the same rows: backwards, by row numbers as text (0, 1, 10, 11, 2, ...),
    or, where rows have ids, by these as text or as numbers."""
    number = len(truth)
    if not 2 < number == len(predicted) <= MOST_ROWS:
        return
    steps = np.arange(number)
    orders = {
        "backwards": steps[::-1],
        "row numbers as text": np.array(sorted(range(number), key=str)),
        "row numbers as text, from 1": np.array(sorted(range(number), key=lambda row: str(row + 1))),
    }
    if len(ids) == number:
        orders["names as text"] = np.array(sorted(range(number), key=lambda row: ids[row]))
        orders["names with their numbers in order"] = np.array(sorted(range(number), key=lambda row: natural(ids[row])))
    tried: list[np.ndarray] = [steps]
    for name, order in orders.items():
        for rows in (order, np.argsort(order)):  # the answers are in that order, or the truth is
            if not any((rows == other).all() for other in tried):
                tried.append(rows)
                yield Claim("shuffled", rows, steps, -math.log(2 * len(orders)), {"order": name})
