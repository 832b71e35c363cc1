"""What a health check has found, kept with what else is made from a dataset, so that a page shows it at once."""

from dataclasses import replace
from pathlib import Path

from core.data.cache import cache_folder
from core.data.dataset import Dataset
from core.data.health.finding import HealthReport
from core.workspace import Workspace, read_json, write_json

VERSION = 1  # of what the checks find; rises when one of them changes, and older reports are then forgotten


def read_report(workspace: Workspace, dataset: Dataset, *, last: bool = False) -> HealthReport | None:
    """What was found in these very images, labels, groups and splits; None where nobody has looked yet.

    A report that includes the labels goes before one that does not, or with `last` the later before the earlier.
    """
    paths = [_path(workspace, dataset, labels) for labels in (True, False)]
    for path in sorted(paths, key=_written, reverse=True) if last else paths:
        try:
            report = HealthReport.from_json(read_json(path))
        except (KeyError, TypeError):
            continue
        return replace(report, dataset=dataset.id, revision=dataset.revision)
    return None


def write_report(workspace: Workspace, dataset: Dataset, report: HealthReport, *, labels: bool) -> None:
    """Keep a report; `labels` says whether it looked for wrong labels. Raises StorageError when the disk is full."""
    write_json(_path(workspace, dataset, labels), report.to_json())


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # nobody has looked in this way
        return 0.0


def _path(workspace: Workspace, dataset: Dataset, labels: bool) -> Path:
    kind = "full" if labels else "quick"
    return cache_folder(workspace.cache, dataset.id) / "health" / f"{dataset.key}-{kind}-{VERSION}.json"
