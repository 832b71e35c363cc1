"""The report on a segmentation network: what a table of masks says, as numbers with their intervals.

Quick enough to be made again while a person turns a switch; pages only show it.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from core.evaluate.masks import LEVELS, Levels, MaskTable
from core.metrics.intervals import FEWEST_IMAGES, Interval, image_intervals, resampled_sums
from core.metrics.segmentation import (
    EMPTY_RULES,
    METRICS,
    TRUTH,
    MaskScore,
    MaskScores,
    background_of,
    class_counts,
    class_mean,
    image_scores,
    nothing_found,
    per_image,
    pooled_scores,
)

TASK = "segmentation"


@dataclass(frozen=True)
class Means:
    """Means over classes. None where no class has a value; intervals None where a class rests on too few images."""

    mean_iou: float | None
    mean_iou_interval: Interval | None
    mean_dice: float | None
    mean_dice_interval: Interval | None
    mean_precision: float | None
    mean_precision_interval: Interval | None
    mean_recall: float | None
    mean_recall_interval: Interval | None


@dataclass(frozen=True)
class Summary(Means):
    """One way of summing up a split: the means are those of the classes without background."""

    with_background: Means  # the same means over all classes
    per_class: tuple[MaskScore, ...]  # in the order of the classes


@dataclass(frozen=True)
class PerMaskClass(MaskScore):
    """How one class fared, pooled over pixels."""

    label: str
    pixels: int  # that truly belong to it
    images: int  # whose true mask has it
    boundary: float | None  # pixels between the outlines of truth and answer, mean over the images that have both
    boundary_interval: Interval | None
    boundary95: float | None  # the same for the 95th percentile within each image
    boundary_images: int  # with an outline of the class in truth and answer


@dataclass(frozen=True)
class SegmentationResult(Means):
    """The metrics of one split. All intervals are 95 % intervals from drawing images again.

    The means here are pooled over pixels, without background; `over_images` has the means over images beside them.
    """

    split: str
    checkpoint: str  # which weights: their epoch and a hash of them
    n: int  # images
    classes: tuple[str, ...]
    background: int | None  # index of the class that means "nothing"
    per_class: tuple[PerMaskClass, ...]  # pooled over pixels
    with_background: Means  # pooled over pixels
    over_images: Summary
    empty: str  # the rule for images that have nothing of a class, one of EMPTY_RULES; matters to `over_images` only
    confusion: tuple[tuple[int, ...], ...]  # pixels, rows = truth, columns = answer
    ignored: int  # pixels that belong to no class
    nothing_found: Summary | None  # what answering background everywhere would get, pooled; None without a background
    nothing_found_over_images: Summary | None  # and as means over images

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it stands in a run's results file and in the answer of the command line.

        `interval` is that of the score, Dice, here and for every class.
        """
        data = {"task": TASK, **asdict(self), "interval": self.mean_dice_interval}
        data["per_class"] = [
            {"label": row["label"], **row, "interval": row["dice_interval"]} for row in data["per_class"]
        ]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The result from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        if data["task"] != TASK:
            raise ValueError(f"a result of the task {data['task']!r}")
        plain = {name: value for name, value in _with_intervals(data).items() if name not in ("task", "interval")}
        rows = [{name: value for name, value in row.items() if name != "interval"} for row in data["per_class"]]
        return cls(
            **plain
            | {
                "classes": tuple(data["classes"]),
                "per_class": tuple(PerMaskClass(**_with_intervals(row)) for row in rows),
                "with_background": Means(**_with_intervals(data["with_background"])),
                "over_images": _summary_from(data["over_images"]),
                "confusion": tuple(tuple(row) for row in data["confusion"]),
                "nothing_found": _summary_from(data["nothing_found"]),
                "nothing_found_over_images": _summary_from(data["nothing_found_over_images"]),
            }
        )


@dataclass(frozen=True)
class ImageScore:
    """How one image fared, at its own size."""

    id: str  # of the sample
    file: str  # the name it came with
    width: int  # pixels
    height: int
    dice: float | None  # mean of the classes without background; None where there was nothing to find and nothing found
    iou: float | None
    classes: tuple[float | None, ...]  # Dice of each class
    missed: float  # share of the picture that has a class in the truth and background in the answer
    invented: float  # share that has a class in the answer and background in the truth
    confused: float  # share that has one class in the truth and another in the answer; neither is background
    boundary: float | None  # pixels between the outlines, mean of the classes that truth and answer have


def evaluate_masks(table: MaskTable, *, empty: str = "skip") -> SegmentationResult:
    """The report on a table of masks; `empty` is one of EMPTY_RULES.

    The same table always gives the same report, intervals included. Raises ValueError for another rule.
    """
    if empty not in EMPTY_RULES:
        raise ValueError(f"empty is {empty!r}, not one of {', '.join(EMPTY_RULES)}")
    background = background_of(table.classes)
    counts = class_counts(table.confusion)
    pooled = pooled_scores(counts, background)
    idle = None if background is None else nothing_found(counts, background)
    return SegmentationResult(
        **vars(_means(pooled.mean)),
        split=table.split,
        checkpoint=table.checkpoint,
        n=len(table),
        classes=table.classes,
        background=background,
        per_class=_per_class(table, counts, pooled),
        with_background=_means(pooled.mean_with_background),
        over_images=_summary(image_scores(counts, background, empty=empty)),
        empty=empty,
        confusion=tuple(map(tuple, table.confusion.sum(axis=0).tolist())),
        ignored=int(table.sizes.prod(axis=1).sum() - table.confusion.sum()),
        nothing_found=None if idle is None else _summary(pooled_scores(idle, background, intervals=False)),
        nothing_found_over_images=None
        if idle is None
        else _summary(image_scores(idle, background, empty=empty, intervals=False)),
    )


def image_rows(table: MaskTable, *, empty: str = "skip") -> list[ImageScore]:
    """One row for each image, worst Dice first; images with nothing to find and nothing found, without a Dice, last.

    `empty` is one of EMPTY_RULES and holds for the mean of the classes of an image as it does for the mean of images.
    """
    background = background_of(table.classes)
    values = per_image(class_counts(table.confusion), empty=empty)
    ious, dices = values[:, 0], values[:, 1]
    mean_iou, mean_dice = class_mean(ious, background), class_mean(dices, background)
    boundary = class_mean(table.outlines[..., 0], background)
    kinds = _kinds_of_mistakes(table.confusion, background) / np.maximum(1, table.sizes.prod(axis=1))
    order = np.lexsort((np.arange(len(table)), np.nan_to_num(mean_dice, nan=2.0)))
    return [
        ImageScore(
            id=table.ids[row],
            file=table.files[row],
            width=int(table.sizes[row, 0]),
            height=int(table.sizes[row, 1]),
            dice=_known(mean_dice[row]),
            iou=_known(mean_iou[row]),
            classes=tuple(map(_known, dices[row])),
            missed=float(kinds[0, row]),
            invented=float(kinds[1, row]),
            confused=float(kinds[2, row]),
            boundary=_known(boundary[row]),
        )
        for row in order
    ]


def at_threshold(table: MaskTable, levels: Levels, threshold: float) -> MaskTable:
    """The table that the model would give if a pixel counted as class 1 from this probability on, in hundredths.

    For two classes; at 0.5 it is the table itself. The outlines, which would need the masks, are unknown (NaN).
    Raises ValueError for a table of more classes, or one with other rows.
    """
    if len(table.classes) != 2 or len(levels.counts) != len(table) or levels.checkpoint != table.checkpoint:
        raise ValueError(f"{len(levels.counts)} rows of levels and a table of {len(table)} rows")
    first = round(threshold * LEVELS)
    rest, found = levels.counts[..., :first].sum(axis=-1), levels.counts[..., first:].sum(axis=-1)
    outlines = np.full_like(table.outlines, np.nan)
    return replace(table, confusion=np.stack([rest, found], axis=-1), outlines=outlines)


def threshold_figures(levels: Levels) -> dict[str, np.ndarray]:
    """Pooled figures of class 1 at every threshold from 0 to 1 in hundredths: "threshold", "dice", "iou", "precision"
    and "recall", (101,) each; NaN where the counts define none."""
    from_below = np.concatenate([np.zeros((2, 1), np.int64), levels.counts.sum(axis=0).cumsum(axis=-1)], axis=-1)
    found = from_below[:, -1:] - from_below  # (2, 101): pixels at or above each threshold, by true class
    hits, predicted, truth = found[1], found.sum(axis=0), np.broadcast_to(from_below[1, -1], found[1].shape)
    counts = np.stack([hits, predicted, truth], axis=-1)
    return {"threshold": np.arange(LEVELS + 1) / LEVELS} | {name: metric(counts) for name, metric in METRICS.items()}


def _per_class(table: MaskTable, counts: np.ndarray, scores: MaskScores) -> tuple[PerMaskClass, ...]:
    both = ~np.isnan(table.outlines[..., 0])  # (N, K): images with an outline of the class in truth and answer
    parts = np.stack([np.where(both, table.outlines[..., 0], 0.0), both], axis=-1)  # (N, K, 2): they add up
    images = both.sum(axis=0)
    means = np.divide(np.where(both[..., None], table.outlines, 0.0).sum(axis=0), np.maximum(1, images)[:, None])
    drawn = None
    if len(table) >= FEWEST_IMAGES:
        sums = resampled_sums(parts)
        drawn = np.divide(sums[..., 0], sums[..., 1], out=np.full(sums.shape[:2], np.nan), where=sums[..., 1] > 0)
    intervals = image_intervals(means[:, 0], drawn, images, shares=False)
    return tuple(
        PerMaskClass(
            **vars(score),
            label=label,
            pixels=int(counts[:, place, TRUTH].sum()),
            images=int((counts[:, place, TRUTH] > 0).sum()),
            boundary=float(means[place, 0]) if images[place] else None,
            boundary_interval=intervals[place],
            boundary95=float(means[place, 1]) if images[place] else None,
            boundary_images=int(images[place]),
        )
        for place, (label, score) in enumerate(zip(table.classes, scores.classes, strict=True))
    )


def _kinds_of_mistakes(confusion: np.ndarray, background: int | None) -> np.ndarray:
    """Missed, invented and confused pixels (3, N) of matrices (N, K, K); all confused without a background."""
    wrong = confusion.sum(axis=(1, 2)) - np.trace(confusion, axis1=1, axis2=2)
    if background is None:
        return np.stack([0 * wrong, 0 * wrong, wrong])
    right = confusion[:, background, background]
    missed = confusion[:, :, background].sum(axis=1) - right
    invented = confusion[:, background, :].sum(axis=1) - right
    return np.stack([missed, invented, wrong - missed - invented])


def _means(score: MaskScore) -> Means:
    return Means(**{f"mean_{name}": value for name, value in vars(score).items()})


def _summary(scores: MaskScores) -> Summary:
    return Summary(
        **vars(_means(scores.mean)),
        with_background=_means(scores.mean_with_background),
        per_class=scores.classes,
    )


def _summary_from(data: dict[str, Any] | None) -> Summary | None:
    if data is None:
        return None
    return Summary(
        **_with_intervals(data)
        | {
            "with_background": Means(**_with_intervals(data["with_background"])),
            "per_class": tuple(MaskScore(**_with_intervals(row)) for row in data["per_class"]),
        }
    )


def _with_intervals(data: dict[str, Any]) -> dict[str, Any]:
    return {
        name: Interval(*value) if name.endswith("_interval") and value is not None else value
        for name, value in data.items()
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
