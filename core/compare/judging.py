"""Which differences between runs, and between recipes, are more than chance: pairs, classes, scores and places."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import sqrt

import numpy as np

from core.compare.answers import Common
from core.compare.comparison import MODELS, RECIPES, ClassChange, Pair, Score
from core.metrics.classification import confusion, macro_f1, macro_f1_interval
from core.metrics.crossed import FEWEST_SEEDS, LEVEL, Crossed, crossed
from core.metrics.groups import grouped, p_value
from core.metrics.intervals import Interval, wilson
from core.metrics.paired import paired
from core.metrics.parts import Metric, labels_of, metric, metrics_of, parts
from core.metrics.ranking import rankings
from core.metrics.resampled import SHARES, Resampled, differs, resample
from core.metrics.segmentation import TRUTH, mean_dice, mean_interval, mean_iou
from core.metrics.several import PairedDifference, between, in_words, level_of, p_words, together

CLASS_FIGURES = {"classification": "recall", "segmentation": "dice"}
MOST_MODELS = 12  # runs that are all held against one another by every figure; of more, by the one that decides


class Judge:
    """Holds the answers of runs against one another. Each answer is resampled once, however often it is compared."""

    def __init__(self, common: Common, report: Callable[[str], None] = lambda what: None) -> None:
        self.common = common
        self._report = report
        self._drawn: dict[tuple[str, str, int | None], Resampled] = {}
        self._parts: dict[tuple[str, str, int | None], np.ndarray] = {}
        if common.truth is None:
            counts = next(iter(common.answers.values()))
            self._there = [c for c in np.flatnonzero(counts[..., TRUTH].sum(axis=0)) if c != common.background]
        else:
            self._there = [int(c) for c in np.unique(common.truth)]

    # Scores

    def score(self, row: Metric, run: str) -> Score:
        """A figure of one run with its 95 % interval, on the common images: as Evaluate and reports have it.

        So a mean counts a class that no image shows and some answer names, as 0. Differences leave such a class out.
        """
        value, interval = self._measured(row, run)
        if value is None or np.isnan(value):
            return Score(row.name, row.label, None, None)
        return Score(row.name, row.label, float(value), interval)

    def mean_score(self, row: Metric, runs: Sequence[str]) -> Score:
        """A figure of a recipe: the mean over its seeds, with an interval for other seeds and other images."""
        scores = [self.score(row, run) for run in runs]
        if len(scores) == 1 or any(score.value is None for score in scores):
            return scores[0]
        from scipy.stats import t

        values = np.array([score.value for score in scores])
        mean, std, n = float(values.mean()), float(values.std(ddof=1)), len(values)
        reach = float(t.ppf((1 + LEVEL) / 2, n - 1)) * std / sqrt(n)
        interval = None
        if all(score.interval for score in scores):
            down = np.mean([score.value - score.interval.low for score in scores])
            up = np.mean([score.interval.high - score.value for score in scores])
            interval = Interval(max(0.0, mean - sqrt(down**2 + reach**2)), min(1.0, mean + sqrt(up**2 + reach**2)))
        return Score(row.name, row.label, mean, interval, std)

    def _measured(self, row: Metric, run: str) -> tuple[float | None, Interval | None]:
        truth, answers = self.common.truth, self.common.answers[run]
        if row.task == "segmentation":
            figure = mean_dice if row.name == "mean_dice" else mean_iou
            value = figure(answers.sum(axis=0), self.common.background)
            return value, mean_interval(answers, self.common.background, figure)
        if row.name == "auroc":
            found = rankings(truth, answers)
            return found.auroc, found.auroc_interval
        counts = confusion(truth, labels_of(answers), len(self.common.classes))
        if row.name == "accuracy":
            right, n = int(np.trace(counts)), self.common.n
            return right / n, wilson(right, n)
        return float(macro_f1(counts)), macro_f1_interval(counts)

    # Models

    def models(self, runs: Sequence[str], names: Mapping[str, str]) -> list[Pair]:
        """Every two of these trained networks, by every figure."""
        couples = list(combinations(runs, 2))
        full = len(runs) <= MOST_MODELS
        found: list[Pair] = []
        for row in metrics_of(self.common.task)[: None if full else 1]:
            level = level_of(len(couples))
            told = [(one, two, self._paired(row, one, two, level=level)) for one, two in couples]
            known = [(one, two, gap) for one, two, gap in told if gap is not None]
            judged = together([gap.p for _, _, gap in known], [gap.interval for _, _, gap in known])
            decides = row is metrics_of(self.common.task)[0]
            for (one, two, gap), fair in zip(known, judged, strict=True):
                self._report(f"{names[one]} and {names[two]}")
                pair = Pair(
                    first=one,
                    second=two,
                    question=MODELS,
                    metric=row.name,
                    value=gap.value,
                    interval=fair.interval,
                    p=gap.p,
                    holm=fair.p,
                    different=fair.different,
                    n=gap.n,
                    seeds=1,
                    unnoticed=None,
                    method=gap.method,
                    sentence=_in_words(row.label, gap.value, fair.interval, fair.p, (names[one], names[two])),
                    per_class=self._class_changes([one], [two]) if decides and full else (),
                )
                found.append(pair)
        return found

    def _paired(
        self, row: Metric, one: str, two: str, *, place: int | None = None, level: float = LEVEL
    ) -> PairedDifference | None:
        truth, (a, b) = self.common.truth, (self.common.answers[run] for run in (one, two))
        ours, theirs = (self._resampled(row, run, place) for run in (one, two))
        if row.name == "recall":
            a, b, truth = (side[truth == place] for side in (labels_of(a), labels_of(b), truth))
            if len(truth) < 2:
                return None
        test = paired(truth, labels_of(a), labels_of(b)) if row.name in SHARES else None
        differing = int(differs(row, a, b, place, self.common.background).sum())
        return between(row.name, ours, theirs, differing, test=test, level=level)

    def _resampled(self, row: Metric, run: str, place: int | None = None) -> Resampled:
        key = row.name, run, place
        if key not in self._drawn:
            truth, answers = self.common.truth, self.common.answers[run]
            if row.name == "recall":
                answers, truth = (side[truth == place] for side in (labels_of(answers), truth))
                if not len(truth):
                    return Resampled(np.nan, np.zeros(0), 0)
            self._drawn[key] = resample(row.name, truth, answers, place=place, background=self.common.background)
        return self._drawn[key]

    # Recipes

    def recipes(
        self,
        groups: Mapping[str, Sequence[tuple[int, str]]],
        names: Mapping[str, str],
        *,
        figures: Sequence[Metric] = (),
        classes: bool = True,
    ) -> list[Pair]:
        """Every two recipes that have three seeds or more. `groups` are key -> (seed, run id).

        By these figures, or by every one; with what became of the `classes`, or without.
        """
        enough = {key: members for key, members in groups.items() if len(members) >= FEWEST_SEEDS}
        couples = list(combinations(enough, 2))
        found: list[Pair] = []
        for row in figures or metrics_of(self.common.task):
            told = []
            for one, two in couples:
                self._report(f"{names[one]} and {names[two]}")
                gap = self._gap(row, enough[one], enough[two], level_of(len(couples)))
                told += [] if gap is None else [(one, two, *gap)]
            judged = together([p for *_, p in told], [gap.interval for _, _, gap, _ in told])
            decides = classes and row is metrics_of(self.common.task)[0]
            for (one, two, gap, p), fair in zip(told, judged, strict=True):
                found.append(
                    Pair(
                        first=one,
                        second=two,
                        question=RECIPES,
                        metric=row.name,
                        value=gap.mean,
                        interval=fair.interval,
                        p=p,
                        holm=fair.p,
                        different=fair.different,
                        n=gap.images,
                        seeds=gap.seeds,
                        unnoticed=gap.unnoticed,
                        method="seeds and images crossed",
                        sentence=recipe_words(row.label, gap, fair.interval, fair.p, (names[one], names[two])),
                        per_class=self._class_changes(enough[one], enough[two]) if decides else (),
                    )
                )
        return found

    def _gap(
        self,
        row: Metric,
        first: Sequence[tuple[int, str]],
        second: Sequence[tuple[int, str]],
        level: float,
        place: int | None = None,
    ) -> tuple[Crossed, float] | None:
        """The difference of two recipes and its p value; paired by seed where both have the same seeds."""
        first, second = sorted(first), sorted(second)
        ours, theirs = (np.stack([self._part(row, run, place) for _, run in side]) for side in (first, second))
        if row.name == "recall":
            ours, theirs = (side[:, self.common.truth == place] for side in (ours, theirs))
        if ours.shape[1] < 2 or np.isnan(ours).any() or np.isnan(theirs).any():
            return None
        same = [seed for seed, _ in first] == [seed for seed, _ in second]

        def at(level: float) -> Crossed:
            return crossed(theirs - ours, level) if same else grouped(ours, theirs, level)

        return at(level), p_value(lambda level: at(level).interval)

    def _part(self, row: Metric, run: str, place: int | None) -> np.ndarray:
        key = row.name, run, place
        if key not in self._parts:
            # Of recall only the images of the class count, and there what each brings is right or wrong.
            name = "accuracy" if row.name == "recall" else row.name
            how = {"place": place, "background": self.common.background, "classes": self._there}
            self._parts[key] = parts(name, self.common.truth, self.common.answers[run], **how)
        return self._parts[key]

    # Classes

    def _class_changes(
        self, first: Sequence[str | tuple[int, str]], second: Sequence[str | tuple[int, str]]
    ) -> tuple[ClassChange, ...]:
        """What became of each class, between two runs or between two recipes of (seed, run id)."""
        row, classes = metric(CLASS_FIGURES[self.common.task]), self.common.classes
        told: list[tuple[int, float, Interval, float]] = []
        level = level_of(len(self._there))
        for place in self._there:
            if isinstance(first[0], str):
                gap = self._paired(row, first[0], second[0], place=place, level=level)
                told += [] if gap is None else [(place, gap.value, gap.interval, gap.p)]
            else:
                found = self._gap(row, first, second, level, place)
                told += [] if found is None else [(place, found[0].mean, found[0].interval, found[1])]
        judged = together([p for *_, p in told], [interval for _, _, interval, _ in told])
        by_place = {place: (value, fair) for (place, value, _, _), fair in zip(told, judged, strict=True)}
        changes = []
        for place, label in enumerate(classes):
            if place == self.common.background:
                continue
            if place in by_place:
                value, fair = by_place[place]
                changes.append(ClassChange(label, value, fair.interval, fair.p, fair.different, self._images_of(place)))
            else:
                changes.append(ClassChange(label, None, None, None, False, self._images_of(place)))
        return tuple(changes)

    def _images_of(self, place: int) -> int:
        if self.common.truth is not None:
            return int((self.common.truth == place).sum())
        return int((next(iter(self.common.answers.values()))[:, place, TRUTH] > 0).sum())


def recipe_words(label: str, gap: Crossed, interval: Interval, p: float, names: tuple[str, str]) -> str:
    """The difference of two recipes in a sentence or two, the better one first."""
    value, interval, (other, better) = _better_last(gap.mean, interval, names)
    told = f"95 % interval {100 * interval.low:+.1f} to {100 * interval.high:+.1f}, {p_words(p)}"
    size = f"{100 * value:.1f} points more {label}"
    if p < 1 - LEVEL:
        return f"{better} gives {size} than {other} ({told}): more than chance in seeds and images explains."
    found = f"{better} gives {size} than {other} on average" if round(1000 * value) else "they are equal on average"
    return (
        f"Within noise: {found}, which chance in seeds and images can bring ({told}). A true difference of less than "
        f"about {100 * gap.unnoticed:.1f} points could well have gone unnoticed."
    )


def _in_words(label: str, value: float, interval: Interval, p: float, names: tuple[str, str]) -> str:
    """The difference of two networks in a sentence, the better one first."""
    value, interval, names = _better_last(value, interval, names)
    return in_words(label, value, interval, p, names)


def _better_last(value: float, interval: Interval, names: tuple[str, str]) -> tuple[float, Interval, tuple[str, str]]:
    """A difference turned so that it is not negative: the second of the names is the better one."""
    if value >= 0:
        return value, interval, names
    return -value, Interval(-interval.high, -interval.low), names[::-1]
