"""What a prediction table says beyond its metrics: how well a model ranks, and whether it is right as often as it says.

Computed once from the stored table, in a helper process, and kept beside the run; pages and reports only read it. Of
masks it is about pixels, for networks of two classes, whose probabilities were counted when the split was evaluated.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.errors import RunError
from core.evaluate.current import digest_of
from core.evaluate.masks import LEVELS, Levels, MaskTable
from core.evaluate.predictions import PredictionTable
from core.evaluate.results import METHOD, method
from core.metrics.calibration import BINS, Bin, Calibration, calibration, error_from
from core.metrics.intervals import FEWEST_IMAGES, Interval, image_intervals, resampled_sums
from core.metrics.ranking import ClassRanking, precision_points, rankings, roc_points
from core.runs.run import RunPaths
from core.runs.store import RunStore
from core.workspace import Workspace, read_json, write_json

Points = tuple[tuple[float, float], ...]

METHODS = {  # figure -> how its interval was made, for a tooltip
    "auroc": "95 % interval: Wilson's for as many images as the area is worth by its standard error (DeLong).",
    "average_precision": "95 % interval: Wilson's for as many images as the figure is worth by its standard error, "
    "which comes from leaving out each image in turn (jackknife).",
    "error": "95 % interval: all true errors under which this figure would not be a rare one (inverted test). With few "
    "images the figure itself lies too high, even above its interval.",
    "gap": "95 % interval: Wilson's for how often the model is wrong, and Student's for the rest (MOVER).",
    "brier": "95 % interval: Wilson's for how often the model is wrong, and Student's for the rest (MOVER).",
    "pixels": "95 % interval: images drawn again, 1,000 times (bootstrap).",
}


@dataclass(frozen=True)
class ClassDepth(ClassRanking):
    """One class against all others, with its curves."""

    label: str
    roc: Points  # (false positive rate, true positive rate); empty where there is no curve
    precision_recall: Points  # (recall, precision)


@dataclass(frozen=True)
class Depth:
    """Ranking and calibration of a classifier on one split. All intervals are 95 % intervals."""

    split: str
    checkpoint: str
    n: int
    auroc: float | None  # mean of the classes, each against all others
    auroc_interval: Interval | None
    average_precision: float | None  # mean of the classes
    average_precision_interval: Interval | None
    per_class: tuple[ClassDepth, ...]
    calibration: Calibration

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it stands in the run's file."""
        return {"task": "classification", **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The same from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        found = _with_intervals({name: value for name, value in data.items() if name != "task"})
        rows = [_with_intervals(row) for row in data["per_class"]]
        curves = ("roc", "precision_recall")
        found["per_class"] = tuple(ClassDepth(**row | {name: _points(row[name]) for name in curves}) for row in rows)
        told = _with_intervals(data["calibration"])
        found["calibration"] = Calibration(**told | {"bins": _bins(told["bins"])})
        return cls(**found)


@dataclass(frozen=True)
class PixelDepth:
    """Ranking and calibration of the foreground's pixels, of a network with two classes on one split."""

    split: str
    checkpoint: str
    n: int  # images
    label: str  # of the foreground
    share: float  # of all pixels that truly belong to it: the average precision of a guess
    average_precision: float | None
    average_precision_interval: Interval | None
    precision_recall: Points
    error: float  # mean distance of probability and share of foreground over ten bins, by pixels
    error_interval: Interval | None
    by_chance: float
    bins: tuple[Bin, ...]  # of the foreground's probability; n counts pixels

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it stands in the run's file."""
        return {"task": "segmentation", **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The same from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        found = _with_intervals({name: value for name, value in data.items() if name != "task"})
        return cls(**found | {"bins": _bins(data["bins"]), "precision_recall": _points(data["precision_recall"])})


def depth_of(table: PredictionTable) -> Depth:
    """Ranking and calibration of a prediction table. The same table always gives the same figures."""
    found = rankings(table.truth, table.probabilities)
    rows = []
    for place, (label, one) in enumerate(zip(table.classes, found.classes, strict=True)):
        positive, score = table.truth == place, table.probabilities[:, place]
        defined = one.auroc is not None
        rows.append(
            ClassDepth(
                **vars(one),
                label=label,
                roc=tuple(roc_points(positive, score)) if defined else (),
                precision_recall=tuple(precision_points(positive, score)) if defined else (),
            )
        )
    return Depth(
        split=table.split,
        checkpoint=table.checkpoint,
        n=len(table),
        auroc=found.auroc,
        auroc_interval=found.auroc_interval,
        average_precision=found.average_precision,
        average_precision_interval=found.average_precision_interval,
        per_class=tuple(rows),
        calibration=calibration(table.truth, table.probabilities),
    )


def pixel_depth_of(table: MaskTable, levels: Levels) -> PixelDepth:
    """Ranking and calibration of pixels, from how many of each image lie at which probability."""
    counts = levels.counts.astype(np.float64)  # (N, 2, 100)
    total = counts.sum(axis=0)
    precision, recall = _along(total)
    value = _area(total)
    drawn = resampled_sums(counts) if len(counts) >= FEWEST_IMAGES else None
    interval = bins = None
    if drawn is not None:
        areas = np.array([_area(one) for one in drawn])
        interval = image_intervals(np.array([value]), areas[:, None], np.array([len(counts)]))[0]
    binned = counts.reshape(len(counts), 2, BINS, LEVELS // BINS)
    middles = (np.arange(LEVELS) + 0.5).reshape(BINS, -1) / LEVELS
    pixels, said, true = binned.sum(axis=(1, 3)), (binned.sum(axis=1) * middles).sum(axis=2), binned[:, 1].sum(axis=2)
    bins, error, error_interval, by_chance = _pixel_bins(pixels, said, true)
    return PixelDepth(
        split=table.split,
        checkpoint=table.checkpoint,
        n=len(table),
        label=table.classes[1],
        share=float(total[1].sum() / max(1.0, total.sum())),
        average_precision=None if np.isnan(value) else value,
        average_precision_interval=interval,
        precision_recall=tuple(
            (float(across), float(up)) for across, up in zip(recall, precision, strict=True) if not np.isnan(up)
        ),
        error=error,
        error_interval=error_interval,
        by_chance=by_chance,
        bins=bins,
    )


def depth_of_run(workspace_root: str, run_id: str, split: str) -> Depth | PixelDepth:
    """Ranking and calibration of a split that has been evaluated, computed where they are not stored yet.

    For a helper process. It reads what was stored when the split was evaluated and opens nothing. Raises RunError when
    the split has not been evaluated by the run's present weights, or the network has more than two classes of pixels.
    """
    run = RunStore(Workspace(Path(workspace_root))).get(run_id)
    if found := current_depth(run.paths, split):
        return found
    masks = run.recipe.task == "segmentation"
    if masks and len(run.facts.classes) != 2:
        raise RunError("Calibration of pixels needs two classes", found=f"{len(run.facts.classes)} classes")
    path = run.paths.predictions(split)
    if not path.exists():
        raise RunError(f"The {split} split of this run has not been evaluated yet", do="Evaluate it first")
    if masks:
        found = pixel_depth_of(MaskTable.read(path), Levels.read(run.paths.levels(split)))
    else:
        found = depth_of(PredictionTable.read(path))
    if not _of_present_weights(run.paths, found):
        raise RunError("The prediction table is of other weights than the run has now", do="Evaluate the run again")
    write_depth(run.paths.depth(split), found)
    return found


def current_depth(paths: RunPaths, split: str) -> Depth | PixelDepth | None:
    """The stored figures; None where there are none, or only some of other weights or by another method. For pages:
    cheap, torch-free."""
    found, by = _read(paths.depth(split))
    if found is None or by != method() or not paths.predictions(split).exists():
        return None
    return found if _of_present_weights(paths, found) else None


def write_depth(path: Path, found: Depth | PixelDepth) -> None:
    """Keep figures that were computed just now. Raises StorageError when the disk is full."""
    write_json(path, {METHOD: method(), **found.to_json()})


def read_depth(path: Path) -> Depth | PixelDepth | None:
    """The figures in a file, by whichever method, or None when there is no such file or it cannot be read."""
    return _read(path)[0]


def _read(path: Path) -> tuple[Depth | PixelDepth | None, str]:
    """The figures in a file, and the method that computed them."""
    data = read_json(path)
    try:
        if data is None:
            return None, ""
        figures = {name: value for name, value in data.items() if name != METHOD}
        return (PixelDepth if data["task"] == "segmentation" else Depth).from_json(figures), str(data.get(METHOD, ""))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None, ""


def _of_present_weights(paths: RunPaths, found: Depth | PixelDepth) -> bool:
    try:
        return found.checkpoint.endswith(digest_of(paths.best))
    except FileNotFoundError:
        return False


def _along(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall (100,) of pixel counts (2, 100), from the surest bin down; NaN where nothing is counted."""
    hits, found = total[1][::-1].cumsum(), total.sum(axis=0)[::-1].cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return hits / found, hits / total[1].sum()


def _area(total: np.ndarray) -> float:
    """The average precision of pixel counts (2, 100); NaN without foreground."""
    precision, recall = _along(total)
    steps = np.diff(recall, prepend=0.0)
    return float(np.where(steps > 0, steps * np.nan_to_num(precision), 0.0).sum()) if total[1].sum() else float("nan")


def _pixel_bins(
    pixels: np.ndarray, said: np.ndarray, true: np.ndarray
) -> tuple[tuple[Bin, ...], float, Interval | None, float]:
    """Bins of pixels from what each image has in them, (N, B) each: how many, the sum of their probabilities, and how
    many are foreground; and the calibration error, its interval, and what chance would show.

    The pixels of an image hang together, so images are what varies: of how far a bin is off, the standard error comes
    from the images' residuals (the delta method).
    """
    number, sums = len(pixels), pixels.sum(axis=0)
    filled = sums > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        confidence, share = said.sum(axis=0) / sums, true.sum(axis=0) / sums
    enough = number >= FEWEST_IMAGES
    intervals: list[Interval | None] = [None] * BINS
    if enough:
        drawn = resampled_sums(np.stack([true, pixels], axis=-1))
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = drawn[..., 0] / drawn[..., 1]
        intervals = image_intervals(share, shares, (pixels > 0).sum(axis=0))
    off = (confidence - share)[filled]
    residuals = (said - true - pixels * (confidence - share))[:, filled] / sums[filled]
    deviations = np.sqrt((residuals**2).sum(axis=0) * number / max(1, number - 1)) + 1e-9
    error, interval, by_chance = error_from(sums[filled] / sums.sum(), off, deviations, number)
    bins = tuple(
        Bin(
            low=place / BINS,
            high=(place + 1) / BINS,
            n=int(sums[place]),
            confidence=float(confidence[place]) if filled[place] else None,
            accuracy=float(share[place]) if filled[place] else None,
            interval=intervals[place],
        )
        for place in range(BINS)
    )
    return bins, error, interval if enough else None, by_chance


def _bins(rows: list[dict[str, Any]]) -> tuple[Bin, ...]:
    return tuple(Bin(**row | {"interval": row["interval"] and Interval(*row["interval"])}) for row in rows)


def _points(rows: list[list[float]]) -> Points:
    return tuple((float(across), float(up)) for across, up in rows)


def _with_intervals(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: Interval(*value) if name.endswith("_interval") and value is not None else value
        for name, value in data.items()
    }
