"""Do the intervals hold the truth as often as they say, 95 times in 100?

    python -m benchmarks.coverage [--repeats 60] [--sizes 50 500 5000] [--by-class]

Populations of answers are made up, whose true figures are known: 32 models with 2 to 20 classes, accuracies of 0.6 to
0.98, classes equally frequent or one eight times as frequent as another, some of them far too sure of themselves; and
five segmentation networks. Samples are drawn from each, and every interval that Fovea shows is made for each of them.

They are drawn freely, as the images of a dataset come about; that a split then deals them out by class takes nothing
away from how the dataset may have turned out. With `--by-class` the shares of the classes are fixed instead, as if they
were known beforehand: then the intervals hold a little more often than they say.

A row tells, for each size of sample: in how many of 100 cases the interval held the truth, in brackets the worlds in
which it did so least and most often, and how wide it was. The aim is 93 to 97 over all worlds. Where a mean over
classes rests on five images of each or fewer (50 images of 10 or 20 classes) nobody can do so; the row of those worlds
stands apart, and there the intervals should rather hold too often.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks import bench
from benchmarks.judge import Verdict
from core.metrics.calibration import BINS, bins_of, brier_scores, calibration
from core.metrics.classification import confusion, scores
from core.metrics.ranking import auroc, average_precision, rankings
from core.metrics.segmentation import image_scores, per_image, pooled_scores
from tests.worlds import LABEL_WORLDS, MASK_WORLDS, Answers, label_world, mask_world

LOW, HIGH = 93.0, 97.0  # of 100
APART = "(5 images a class or fewer)"
Case = tuple[str, float | None, tuple[float, float] | None]  # metric, its true value, the interval


class Kept:
    """What intervals of each metric, size and world did."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
        self._widths: dict[tuple[str, int], list[float]] = defaultdict(list)

    def add(self, world: str, size: int, cases: Iterator[Case]) -> None:
        for name, truth, interval in cases:
            if truth is None or interval is None or np.isnan(truth):
                continue
            low, high = interval
            self._held[name, size][world].append(bool(low - 1e-9 <= truth <= high + 1e-9))
            self._widths[name, size].append(high - low)

    @property
    def names(self) -> list[str]:
        """The metrics, in the order in which they came."""
        return list(dict.fromkeys(name for name, _ in self._held))

    def share(self, name: str, size: int) -> tuple[float, float, float, float] | None:
        """In 100: the mean over worlds, the least and the most; and the mean width."""
        worlds = [100 * float(np.mean(held)) for held in self._held[name, size].values() if held]
        if not worlds:
            return None
        return float(np.mean(worlds)), min(worlds), max(worlds), float(np.mean(self._widths[name, size]))


def of_labels(
    kept: Kept, sizes: Sequence[int], repeats: int, *, by_class: bool = False, worlds: Sequence[tuple] = LABEL_WORLDS
) -> None:
    """Every figure of a classifier, in each world of labels."""
    for seed, (classes, accuracy, imbalance) in enumerate(worlds):
        world, generator = label_world(classes, accuracy, imbalance, seed), np.random.default_rng(1000 + seed)
        true, rows = _Truth(world), [np.flatnonzero(world.truth == place) for place in range(classes)]
        for size in sizes:
            for _ in range(repeats):
                sample = world.at(_drawn(generator, rows, size, by_class=by_class))
                told = f"{classes} classes, accuracy {accuracy}, 1 to {imbalance}"
                kept.add(told, size, _cases(sample, true, by_class=by_class))


def of_masks(kept: Kept, sizes: Sequence[int], repeats: int) -> None:
    """Dice and IoU of the object, pooled over pixels and as means over images."""
    for seed, kind in enumerate(MASK_WORLDS):
        world, generator = mask_world(kind, seed), np.random.default_rng(2000 + seed)
        pooled = pooled_scores(world, 0, intervals=False).mean
        means = np.nanmean(per_image(world)[:, :, 1], axis=0)
        for size in sizes:
            for _ in range(repeats):
                sample = world[generator.integers(0, len(world), size)]
                found, over = pooled_scores(sample, 0).mean, image_scores(sample, 0).mean
                cases: list[Case] = [
                    ("Dice, pooled", pooled.dice, found.dice_interval),
                    ("IoU, pooled", pooled.iou, found.iou_interval),
                    ("Dice, mean over images", float(means[1]), over.dice_interval),
                    ("IoU, mean over images", float(means[0]), over.iou_interval),
                ]
                kept.add(kind, size, iter(cases))


class _Truth:
    """The figures of a whole population."""

    def __init__(self, world: Answers) -> None:
        truth, probabilities = world.truth, world.probabilities
        answer, k = probabilities.argmax(axis=1), probabilities.shape[1]
        self.joint = confusion(truth, answer, k) / len(truth)
        confidence = probabilities.max(axis=1)
        self.of_class = [
            tuple(measure(truth == place, probabilities[:, place]).value for measure in (auroc, average_precision))
            for place in range(k)
        ]
        self.confidence = np.array([confidence[truth == place].mean() for place in range(k)])
        self.brier = np.array([brier_scores(truth, probabilities)[truth == place].mean() for place in range(k)])
        # Sums over the bins of each class, so that a split by class has its own true calibration error.
        sums = [bins_of(confidence[truth == place], (answer == truth)[truth == place]) for place in range(k)]
        self.off = (
            np.array([[one.n * (one.confidence - one.accuracy) if one.n else 0.0 for one in bins] for bins in sums])
            / np.bincount(truth, minlength=k)[:, None]
        )
        assert self.off.shape == (k, BINS)


def _cases(sample: Answers, true: _Truth, *, by_class: bool) -> Iterator[Case]:
    counts = confusion(sample.truth, sample.probabilities.argmax(axis=1), len(true.joint))
    n, shares = counts.sum(), true.joint.sum(axis=1)
    if by_class:  # the classes have these shares however often one draws
        shares = counts.sum(axis=1) / n
    joint = true.joint / true.joint.sum(axis=1, keepdims=True) * shares[:, None]
    hits, truths, answers = joint.diagonal(), joint.sum(axis=1), joint.sum(axis=0)
    f1 = 2 * hits / (truths + answers)
    found = scores(counts)
    yield "accuracy", hits.sum(), found.interval
    for place, one in enumerate(found.classes):
        yield "recall", hits[place] / truths[place] if truths[place] else None, one.recall_interval
        yield "precision", hits[place] / answers[place], one.precision_interval
        yield "F1", f1[place], one.f1_interval
    apart = " " + APART if n / len(counts) <= 5 else ""
    seen = counts.sum(axis=0) + counts.sum(axis=1) > 0
    yield "macro F1" + apart, f1[seen].mean(), found.macro_f1_interval
    ranked = rankings(sample.truth, sample.probabilities)
    if not by_class:  # a class against the others depends on how frequent each of those is
        defined = []
        for (area, precision), one in zip(true.of_class, ranked.classes, strict=True):
            yield "AUROC of a class", area, one.auroc_interval
            yield "average precision of a class", precision, one.average_precision_interval
            if one.auroc is not None:
                defined.append((area, precision))
        area, precision = np.mean(defined, axis=0) if defined else (None, None)
        yield "AUROC, mean of the classes" + apart, area, ranked.auroc_interval
        yield "average precision, mean of the classes" + apart, precision, ranked.average_precision_interval
    found = calibration(sample.truth, sample.probabilities)
    yield "calibration error", float(abs(shares @ true.off).sum()), found.error_interval
    yield "over-confidence", float(shares @ true.confidence - hits.sum()), found.gap_interval
    yield "Brier score", float(shares @ true.brier), found.brier_interval


def _drawn(generator: np.random.Generator, rows: list[np.ndarray], size: int, *, by_class: bool) -> np.ndarray:
    """Places of a sample: drawn freely, or with classes in the shares of the population, at least one of each."""
    shares = np.array([len(own) for own in rows], np.float64)
    shares /= shares.sum()
    numbers = generator.multinomial(size, shares)
    if by_class:
        numbers = np.maximum(1, np.floor(shares * size)).astype(int)
        while numbers.sum() > size:
            numbers[numbers.argmax()] -= 1
        numbers[np.argsort(numbers - shares * size)[: size - numbers.sum()]] += 1
    parts = [own[generator.integers(0, len(own), number)] for own, number in zip(rows, numbers, strict=True)]
    return np.concatenate(parts)


def report(kept: Kept, sizes: Sequence[int], verdict: Verdict) -> None:
    """The table, and which of its cells miss the aim."""
    print(
        f"   {'held the truth, in 100 [worlds], and width':<66}" + "".join(f"{size:>10} images    " for size in sizes)
    )
    for name in kept.names:
        cells = [kept.share(name, size) for size in sizes]
        told = [f"{c[0]:5.1f} [{c[1]:3.0f},{c[2]:4.0f}] {c[3]:5.3f}" if c else f"{'–':>21}" for c in cells]
        print(f"   {name:<66}" + "".join(told), flush=True)
        for size, cell in zip(sizes, cells, strict=True):
            if cell and APART not in name:
                where = f"{name}, {size} images"
                verdict.at_least(where, [cell[0]], LOW, unit="of 100")
                verdict.at_most(where, [cell[0]], HIGH, unit="of 100")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=60, help="samples of each size in each world (60)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 500, 5000], help="images of a sample")
    parser.add_argument("--by-class", action="store_true", help="draw so many of each class, as if that were known")
    arguments, verdict, kept = parser.parse_args(), Verdict(), Kept()
    bench.headline("Intervals: how often they hold the truth")
    of_labels(kept, arguments.sizes, arguments.repeats, by_class=arguments.by_class)
    of_masks(kept, arguments.sizes, 4 * arguments.repeats)
    report(kept, arguments.sizes, verdict)
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
