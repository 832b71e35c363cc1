"""An epoch in which every class comes equally often, however rare it is."""

import numpy as np


def balanced_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions in `labels` (N,) for one epoch of N draws, in random order, each class equally often.

    Of a rare class every image comes again, and none a second time more often than another; of a frequent class some
    images are left out this time. Where N is no multiple of the classes that occur, chance gives the rest to some of
    them. Every draw is from `rng`.
    """
    found = np.unique(labels)
    quotas = np.full(len(found), len(labels) // len(found))
    quotas[rng.permutation(len(found))[: len(labels) % len(found)]] += 1
    drawn = []
    for label, quota in zip(found, quotas, strict=True):
        members = np.flatnonzero(labels == label)
        whole, rest = divmod(quota, len(members))
        drawn += [np.tile(members, whole), rng.permutation(members)[:rest]]
    return rng.permutation(np.concatenate(drawn))
