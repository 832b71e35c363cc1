"""Made-up worlds whose true figures are known: models that name things, and networks that draw masks.

A world is a large population of answers. Samples are drawn from it with replacement, so that what any figure is for the
whole population is its true value, to the last digit.
"""

from dataclasses import dataclass

import numpy as np

LABEL_WORLDS = tuple(
    (classes, accuracy, imbalance)
    for classes in (2, 4, 10, 20)
    for accuracy in (0.6, 0.8, 0.9, 0.98)
    for imbalance in (1, 8)
)
MASK_WORLDS = ("even", "mixed", "large ones are easy", "some are missed", "half have nothing")
POPULATION = 40_000


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says about images of known classes."""

    truth: np.ndarray  # (N,) class numbers
    probabilities: np.ndarray  # (N, K) float64

    def at(self, rows: np.ndarray) -> "Answers":
        """Those of some of the images."""
        return Answers(self.truth[rows], self.probabilities[rows])


def label_world(classes: int, accuracy: float, imbalance: float, seed: int, size: int = POPULATION) -> Answers:
    """A population of answers of this accuracy; the commonest class has `imbalance` times the images of the rarest.

    Some classes are harder, some are alike, and three answers in a hundred are wild. Every other seed gives a model
    that is surer of itself than it should be.
    """
    generator = np.random.default_rng(seed)
    shares = float(imbalance) ** -(np.arange(classes) / max(1, classes - 1))
    truth = generator.choice(classes, size, p=shares / shares.sum())
    spread = np.where(generator.random(size) < 0.03, 2.0, 1.0) * np.sqrt(generator.gamma(4, 0.25, size))
    scores = generator.normal(0, 0.5, (classes, classes))[truth] + spread[:, None] * generator.normal(
        size=(size, classes)
    )
    rows, harder = np.arange(size), generator.normal(0, 0.35, classes)[truth]
    own, best_other = (
        scores[rows, truth] + harder,
        np.where(np.eye(classes, dtype=bool)[truth], -np.inf, scores).max(axis=1),
    )
    scores[rows, truth] = own + np.quantile(best_other - own, accuracy)  # so that so many come out on top
    scores *= 1.2 if seed % 2 else 3.0
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return Answers(truth, scores / scores.sum(axis=1, keepdims=True))


def mask_world(kind: str, seed: int, size: int = POPULATION) -> np.ndarray:
    """Counts (N, 2, 3) of pixels, HITS, PREDICTED and TRUTH, of background and one kind of object in each image."""
    generator = np.random.default_rng(seed)
    area = np.exp(generator.normal(7, 0.8, size)).clip(20, 30_000).round()
    quality = generator.beta(*{"even": (30, 3), "half have nothing": (12, 3)}.get(kind, (5, 1.5)), size)
    if kind == "large ones are easy":
        quality = quality ** (1000 / area).clip(0.3, 3)
    if kind == "some are missed":
        quality[generator.random(size) < 0.1] = 0.0
    truth = area.copy()
    predicted = (area * np.exp(generator.normal(0, 0.15, size))).round() * (quality > 0)
    if kind == "half have nothing":
        nothing = generator.random(size) < 0.5
        truth[nothing] = 0
        predicted[nothing & (generator.random(size) < 0.8)] = 0
    hits = np.minimum(np.minimum(truth, predicted), (quality * (truth + predicted) / 2).round())
    whole = 50_000 - truth - predicted + hits
    ground = np.stack([whole, 50_000 - predicted, 50_000 - truth], axis=-1)
    return np.stack([ground, np.stack([hits, predicted, truth], axis=-1)], axis=1).astype(np.int64)
