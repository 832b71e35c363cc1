"""How far the outline of an answer lies from the true one, in pixels of the picture."""

import numpy as np
from scipy.spatial import cKDTree

PERCENTILE = 95


def boundary_errors(truth: np.ndarray, predicted: np.ndarray, k: int) -> np.ndarray:
    """For each of k classes (mean, 95th percentile) of the distances between its two outlines, (k, 2) in pixels.

    Of masks (H, W). From every outline pixel of one side the distance to the nearest outline pixel of the other is
    taken, in both directions together, so that pieces which only one side has count as well: the average symmetric
    surface distance and its percentile (Heimann et al. 2009, https://doi.org/10.1109/TMI.2009.2013851). NaN where
    truth or answer has no outline of the class. What the truth ignores belongs to neither.
    """
    found = np.full((k, 2), np.nan)
    ignored = truth >= k
    there = np.stack([np.bincount(mask.ravel(), minlength=k)[:k] for mask in (truth, predicted)])
    for index in np.flatnonzero(there.all(axis=0)):  # of hundreds of classes a picture holds a few
        sides = [outline(mask == index, ignored) for mask in (truth, predicted)]
        if not all(map(len, sides)):
            continue
        one, other = sides
        distances = np.concatenate([cKDTree(other).query(one)[0], cKDTree(one).query(other)[0]])
        found[index] = distances.mean(), np.percentile(distances, PERCENTILE)
    return found


def outline(region: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """The pixels (P, 2) of a region, rows and columns, that have something else above, below, left or right of them.

    The border of the picture and what is ignored are nothing else: there the object was cut off, it did not end.
    """
    inside, outside = region & ~ignored, ~region & ~ignored
    edge = np.zeros_like(inside)
    edge[1:] |= outside[:-1]
    edge[:-1] |= outside[1:]
    edge[:, 1:] |= outside[:, :-1]
    edge[:, :-1] |= outside[:, 1:]
    return np.argwhere(inside & edge)
