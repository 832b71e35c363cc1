"""How well probabilities put the images of a class before all others: AUROC and average precision, with intervals.

Each class is held against the rest. Unlike accuracy neither figure depends on where the line between two classes is
drawn. A figure that a class does not define, because no image is of it or none of another, is None, never zero.
"""

from dataclasses import dataclass

import numpy as np

from core.metrics.effective import effective_interval
from core.metrics.intervals import Interval
from core.metrics.parts import ranking_parts

# How many trials a figure is worth where nothing went wrong, for each image of the rarer side. Of AUROC it is what the
# formula of Hanley & McNeil 1982 comes to near 1 (https://doi.org/10.1148/radiology.143.1.7063747).
AUROC_WORTH = 4.0
AVERAGE_PRECISION_WORTH = 1.5
TOGETHER = 2 / 3  # what a mean over classes is worth of that, since classes compete for the same images
FEW = 3  # from fewer images of a side than these nothing is known of how they vary
MOST_POINTS = 200  # of a curve; more are not to be told apart on a screen


@dataclass(frozen=True)
class ClassRanking:
    """One class against all others."""

    auroc: float | None  # how often an image of the class gets a higher probability for it than another image
    auroc_interval: Interval | None
    average_precision: float | None  # mean of the precision over the images of the class, from the surest down
    average_precision_interval: Interval | None
    positives: int  # images of the class


@dataclass(frozen=True)
class Rankings:
    """All classes, and the mean of those that have a figure."""

    auroc: float | None
    auroc_interval: Interval | None
    average_precision: float | None
    average_precision_interval: Interval | None
    classes: tuple[ClassRanking, ...]


@dataclass(frozen=True)
class Leaving:
    """A figure, what each sample brings to it (N,), and by how much such figures lie too high on average."""

    value: float
    parts: np.ndarray
    bias: float = 0.0


def rankings(truth: np.ndarray, probabilities: np.ndarray) -> Rankings:
    """AUROC and average precision of every class and their means, of class numbers (N,) and probabilities (N, K)."""
    areas, precisions, positives = [], [], []
    for place in range(probabilities.shape[1]):
        positive, score = truth == place, probabilities[:, place]
        positives.append(int(positive.sum()))
        both = 0 < positives[-1] < len(truth)
        areas.append(auroc(positive, score) if both else None)
        precisions.append(average_precision(positive, score) if both else None)
    n = len(truth)
    ups = np.array(positives, np.float64)
    area_worth, precision_worth = AUROC_WORTH * ups * (n - ups) / n, AVERAGE_PRECISION_WORTH * ups
    fewest = np.minimum(ups, n - ups)
    classes = []
    for place, (area, precision) in enumerate(zip(areas, precisions, strict=True)):
        few = float(fewest[place]) if fewest[place] < FEW else 0.0
        classes.append(
            ClassRanking(
                auroc=area and area.value,
                auroc_interval=area and _interval(area, few or area_worth[place], few),
                average_precision=precision and precision.value,
                average_precision_interval=precision and _interval(precision, few or precision_worth[place], few),
                positives=positives[place],
            )
        )
    twice = probabilities.shape[1] == 2 and np.allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    area, area_interval = _mean(areas, area_worth, fewest, same=twice)
    precision, precision_interval = _mean(precisions, precision_worth, fewest)
    return Rankings(area, area_interval, precision, precision_interval, tuple(classes))


def auroc(positive: np.ndarray, score: np.ndarray) -> Leaving:
    """The area under the ROC curve of scores (N,) for the images that are `positive` (N,); both sides have some.

    Its parts are the placements of DeLong, DeLong & Clarke-Pearson 1988, https://doi.org/10.2307/2531595
    """
    parts = ranking_parts(positive, score)
    return Leaving(float(parts[positive].mean() + parts[~positive].mean()) / 2, parts)


def average_precision(positive: np.ndarray, score: np.ndarray) -> Leaving:
    """The average precision of scores (N,) for the images that are `positive` (N,), of which there are some.

    Its parts and its bias come from leaving out each image in turn (the jackknife), which takes no longer than a sort:
    all images at or below a score move together. Average precision lies too high from few images, since every image
    counts among those that are ranked as high as itself.

    Efron & Stein 1981, https://doi.org/10.1214/aos/1176345462
    """
    order = np.argsort(-score, kind="stable")
    ranked, right = score[order], positive[order]
    block = np.concatenate([[0], np.cumsum(ranked[1:] != ranked[:-1])])  # equal scores share a place
    hits_here = np.bincount(block, right)
    hits, images = np.cumsum(hits_here), np.cumsum(np.bincount(block)).astype(np.float64)
    n, number = len(score), float(hits[-1])
    value = float((hits_here * hits / images).sum() / number)
    if number < 2:
        return Leaving(value, np.zeros(n))

    one_less = np.maximum(1.0, images - 1)
    gained = _from_below(hits_here * (hits / one_less - hits / images)) / number  # when another image goes
    above = np.cumsum(hits_here * hits / images) - hits_here * hits / images
    lost = (above + _from_below(hits_here * (hits - 1) / one_less) - (hits - 1) / one_less) / (number - 1)
    without = np.empty(n)
    without[order] = np.where(right, lost[block], value + gained[block])
    return Leaving(value, n * value - (n - 1) * without, (n - 1) * (float(without.mean()) - value))


def roc_points(positive: np.ndarray, score: np.ndarray) -> list[tuple[float, float]]:
    """(false positive rate, true positive rate) along the ROC curve, by scikit-learn, thinned."""
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(positive, score)
    return _thinned(false, true)


def precision_points(positive: np.ndarray, score: np.ndarray) -> list[tuple[float, float]]:
    """(recall, precision) along the curve from the surest image to the last, by scikit-learn, thinned."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(positive, score, drop_intermediate=True)
    return _thinned(recall[::-1], precision[::-1])


def _from_below(values: np.ndarray) -> np.ndarray:
    return np.cumsum(values[::-1])[::-1]


def _interval(found: Leaving, worth: float, few: float) -> Interval:
    """`few` images on one side show nothing of how they vary; a share of so many trials varies more than any figure."""
    if few:
        return effective_interval(found.value, np.zeros(2), worth, bias=found.bias)
    return effective_interval(found.value, found.parts, worth, bias=found.bias)


def _mean(
    found: list[Leaving | None], worth: np.ndarray, fewest: np.ndarray, *, same: bool = False
) -> tuple[float | None, Interval | None]:
    """The mean of the classes that have a figure; `same` where they all have the same one."""
    places = [place for place, one in enumerate(found) if one is not None]
    if not places:
        return None, None
    value = float(np.mean([found[place].value for place in places]))
    if same:
        first = places[0]
        return value, _interval(found[first], worth[first], float(fewest[first]) if fewest[first] < FEW else 0)
    parts = np.mean([found[place].parts for place in places], axis=0)
    bias = float(np.mean([found[place].bias for place in places]))
    unseen = sum(_spread(found[place].value, fewest[place]) for place in places if fewest[place] < FEW)
    together = TOGETHER * len(places) ** 2 / float((1 / worth[places]).sum())
    return value, effective_interval(value, parts, together, bias=bias, unseen=float(unseen) / len(places) ** 2)


def _spread(value: float, images: int) -> float:
    """The variance of a share of so few trials, with half a hit and half a miss added."""
    share = (value * images + 0.5) / (images + 1)
    return share * (1 - share) / images


def _thinned(across: np.ndarray, up: np.ndarray) -> list[tuple[float, float]]:
    kept = np.unique(np.linspace(0, len(across) - 1, min(len(across), MOST_POINTS)).round().astype(int))
    return [(float(across[place]), float(up[place])) for place in kept]
