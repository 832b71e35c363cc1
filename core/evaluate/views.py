"""What test-time augmentation was worth on a split: the figures with it, without it, and their difference.

Torch-free, so that a page can read it; `core.predict.split_views` makes it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from core.evaluate.current import digest_of
from core.metrics.intervals import Interval
from core.metrics.several import PairedDifference
from core.runs.run import RunPaths
from core.workspace import read_json

KINDS = {"mirrored": "As it is and mirrored", "sides": "From all eight sides"}


@dataclass(frozen=True)
class ViewsFigure:
    """One figure, without and with test-time augmentation."""

    name: str  # of `core.metrics.parts.METRICS`
    label: str
    plain: float | None
    plain_interval: Interval | None
    views: float | None
    views_interval: Interval | None
    difference: PairedDifference | None  # with less without, on the same images


@dataclass(frozen=True)
class ViewsResult:
    """What a split looks like when every image is seen from several sides."""

    task: str
    kind: str  # one of KINDS
    split: str
    checkpoint: str
    views: int  # how often each image is looked at
    n: int  # images
    changed: int  # of these, whose answer is another one
    figures: tuple[ViewsFigure, ...]  # the one that decides comes first

    @property
    def sentence(self) -> str:
        """What came of it, in words."""
        first = self.figures[0].difference if self.figures else None
        return first.sentence if first else "Too few images to compare."

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it stands beside the table."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The same from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        return cls(**{**data, "figures": tuple(_figure(row) for row in data["figures"])})


def table_of(paths: RunPaths, split: str, kind: str) -> Path:
    """The prediction table of a split seen from several sides; never that of the run."""
    return paths.views(split) / f"{kind}.csv"


def result_of(paths: RunPaths, split: str, kind: str) -> Path:
    """What came of it."""
    return paths.views(split) / f"{kind}.json"


def current_views(paths: RunPaths, split: str, kind: str) -> ViewsResult | None:
    """The stored figures of a kind; None where there are none, or only some of other weights than the run has now."""
    data = read_json(result_of(paths, split, kind))
    try:
        found = None if data is None else ViewsResult.from_json(data)
        return found if found and found.checkpoint.endswith(digest_of(paths.best)) else None
    except (AttributeError, KeyError, TypeError, ValueError, FileNotFoundError):
        return None


def _figure(row: Mapping[str, Any]) -> ViewsFigure:
    intervals = {name: row[name] and Interval(*row[name]) for name in ("plain_interval", "views_interval")}
    told = row["difference"]
    difference = told and PairedDifference(**told | {"interval": Interval(*told["interval"])})
    return ViewsFigure(**row | intervals | {"difference": difference})
