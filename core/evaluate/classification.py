"""The report on a classifier: what a prediction table says, as numbers with their intervals. Pages only show it."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from core.evaluate.predictions import PredictionTable
from core.metrics.classification import ClassScore, confusion, scores
from core.metrics.intervals import Interval


@dataclass(frozen=True)
class PerClass(ClassScore):
    """How one class fared."""

    label: str


@dataclass(frozen=True)
class ClassificationResult:
    """The metrics of one split. All intervals are 95 % intervals; None stands where the counts define no value."""

    split: str
    checkpoint: str  # which weights: their epoch and a hash of them
    n: int  # images
    classes: tuple[str, ...]
    accuracy: float
    interval: Interval  # of the accuracy
    macro_f1: float  # mean F1 of the classes
    macro_f1_interval: Interval
    confusion: tuple[tuple[int, ...], ...]  # counts, rows = truth, columns = prediction
    per_class: tuple[PerClass, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it stands in a run's results file and in the answer of the command line."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The result from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        return cls(
            **data
            | {
                "classes": tuple(data["classes"]),
                "interval": Interval(*data["interval"]),
                "macro_f1_interval": Interval(*data["macro_f1_interval"]),
                "confusion": tuple(tuple(row) for row in data["confusion"]),
                "per_class": tuple(_per_class(row) for row in data["per_class"]),
            }
        )


def evaluate_table(table: PredictionTable) -> ClassificationResult:
    """The report on a prediction table. The same table always gives the same report, intervals included."""
    counts = confusion(table.truth, table.predicted, len(table.classes))
    return evaluate_counts(counts, table.classes, split=table.split, checkpoint=table.checkpoint)


def evaluate_counts(
    counts: np.ndarray, classes: tuple[str, ...], *, split: str = "", checkpoint: str = ""
) -> ClassificationResult:
    """The report on a confusion matrix (K, K), rows = truth, of at least one image."""
    found = scores(counts)
    return ClassificationResult(
        split=split,
        checkpoint=checkpoint,
        n=found.n,
        classes=classes,
        accuracy=found.accuracy,
        interval=found.interval,
        macro_f1=found.macro_f1,
        macro_f1_interval=found.macro_f1_interval,
        confusion=tuple(tuple(row) for row in counts.tolist()),
        per_class=tuple(
            PerClass(**vars(score), label=label) for label, score in zip(classes, found.classes, strict=True)
        ),
    )


def _per_class(data: dict[str, Any]) -> PerClass:
    intervals = {
        name: None if value is None else Interval(*value) for name, value in data.items() if name.endswith("_interval")
    }
    return PerClass(**data | intervals)
