"""Two answers to the same images: how many changed sides, and whether that can be chance."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Paired:
    """How a second answer compares with a first one, image by image."""

    images: int
    gained: int  # wrong before, right now
    lost: int  # right before, wrong now
    moved: int  # wrong before and now, but as another class
    p: float  # McNemar's exact test: how often chance alone changes sides as unevenly; 1 where nothing changed

    @property
    def difference(self) -> float:
        """Accuracy now less accuracy before."""
        return (self.gained - self.lost) / max(1, self.images)


def paired(truth: np.ndarray, before: np.ndarray, now: np.ndarray) -> Paired:
    """Compare two answers (N,) to images of these true classes (N,), all class indices.

    The test is McNemar's in its exact form: of the images that changed sides, as many gained as lost where neither
    answer is better. McNemar 1947, https://doi.org/10.1007/BF02295996
    """
    from scipy.stats import binomtest  # here, because reading a stored comparison needs no SciPy

    was, is_now = before == truth, now == truth
    gained, lost = int((~was & is_now).sum()), int((was & ~is_now).sum())
    moved = int((~was & ~is_now & (before != now)).sum())
    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return Paired(len(truth), gained, lost, moved, p)
