"""What was found that speaks against the figures of a run, kept beside it, so that a page and a report show it at once.

A stored report counts only while everything that it rests on is as it was: the weights and the tables of the run, the
journal, the openings of its test split, its dataset with its revisions and health check, and the other runs that were
judged by the same images. What it rests on is told by the times and sizes of files, so that asking costs no reading.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from core.data.cache import cache_folder
from core.data.dataset import DESCRIPTION, newest_revision
from core.data.health.finding import SEVERITIES, Finding
from core.evaluate.results import method
from core.runs.index import run_index
from core.runs.run import RunPaths
from core.runs.summary import RunSummary
from core.seeding import fingerprint
from core.workspace import Workspace, read_json, write_json

VERSION = 1  # of what the checks find; rises when one of them changes, and older reports are then forgotten


@dataclass(frozen=True)
class Looked:
    """What one check of a run came to: findings, or a sentence that says why there are none."""

    findings: tuple[Finding, ...] = ()
    told: str = ""  # what was compared and holds, as a sentence with its figures
    unknown: str = ""  # why the check could not be made, as a sentence; then it neither holds nor fails


@dataclass(frozen=True)
class Outcome:
    """One check that was made of a run, as the report tells it."""

    name: str
    label: str  # of a list
    sentence: str  # what was looked for
    told: str  # what holds, with its figures; "" where something was found or nothing can be said
    unknown: str  # why nothing can be said; else ""
    found: int  # findings

    @property
    def holds(self) -> bool:
        """Whether the check was made and found nothing."""
        return not self.found and not self.unknown


@dataclass(frozen=True)
class IntegrityReport:
    """What the checks found in one run."""

    run: str  # its id
    checks: tuple[Outcome, ...]  # every check there is, in their usual order
    findings: tuple[Finding, ...]  # the gravest first
    rests_on: dict[str, str] = field(default_factory=dict)  # see `rests_on`
    made: float = 0.0  # seconds since 1970

    @property
    def holds(self) -> tuple[Outcome, ...]:
        """The checks that were made and found nothing."""
        return tuple(one for one in self.checks if one.holds)

    @property
    def unknown(self) -> tuple[Outcome, ...]:
        """The checks that could not be made."""
        return tuple(one for one in self.checks if one.unknown and not one.found)

    @property
    def gravity(self) -> dict[str, int]:
        """How many findings there are of each severity, the gravest first."""
        return {kind: sum(one.severity == kind for one in self.findings) for kind in SEVERITIES}

    @property
    def verdict(self) -> str:
        """The report in one sentence."""
        numbers = [(number, kind) for kind, number in self.gravity.items() if number]
        told = " and ".join(f"{number} {kind}{'' if number == 1 else 's'}" for number, kind in numbers)
        open_ = f"; {len(self.unknown)} could not be made" if self.unknown else ""
        if not numbers:
            return f"Nothing found in {len(self.holds)} checks{open_}."
        if not self.gravity["error"] + self.gravity["warning"]:
            return f"Nothing wrong found in {len(self.holds)} checks, {told} to keep in mind{open_}."
        return f"{told[0].upper()}{told[1:]} found; {len(self.holds)} checks found nothing{open_}."

    def label(self, check: str) -> str:
        """What a check is called on a page."""
        return next((one.label for one in self.checks if one.name == check), check.replace("-", " ").capitalize())

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it is kept and as the command line gives it."""
        return {"version": VERSION, "verdict": self.verdict, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The report from plain data. Raises KeyError, TypeError or ValueError when it is none of this version."""
        if data["version"] != VERSION:
            raise ValueError(f"a report of version {data['version']}")
        return cls(
            run=data["run"],
            checks=tuple(Outcome(**one) for one in data["checks"]),
            findings=tuple(map(Finding.from_json, data["findings"])),
            rests_on=dict(data["rests_on"]),
            made=float(data["made"]),
        )


def read_integrity(paths: RunPaths, *, stale: bool = False) -> IntegrityReport | None:
    """The stored report on a run; None where nobody has looked yet, or where what it rests on is no longer the same.

    With `stale` an old one is given too. Reads one file and asks when others changed: cheap enough for a page.
    """
    try:
        report = IntegrityReport.from_json(read_json(paths.integrity) or {})
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return report if stale or report.rests_on == rests_on(paths) else None


def write_integrity(paths: RunPaths, report: IntegrityReport) -> None:
    """Keep a report beside its run. Raises StorageError when the disk is full."""
    write_json(paths.integrity, report.to_json())


def rests_on(paths: RunPaths) -> dict[str, str]:
    """What a report on this run would rest on now, as short texts that change with it."""
    workspace = Workspace(paths.folder.parent.parent)
    facts = read_json(paths.facts) or {}
    dataset = str(facts.get("dataset", ""))
    folder = workspace.datasets / dataset
    files = {
        "weights": paths.best,
        "journal": paths.epochs,
        "validation": paths.predictions("validation"),
        "test": paths.predictions("test"),
        "openings": paths.seal,
        "dataset": folder / DESCRIPTION,
        "health": cache_folder(workspace.cache, dataset) / "health",
    }
    others = judged_alike(workspace, dataset, facts.get("revision", 1))
    mine = next((one.state.value for one in others if one.id == paths.folder.name), "")
    return {name: _stamp(path) for name, path in files.items()} | {
        "state": mine,
        "method": method(),
        "revision": str(newest_revision(folder)) if dataset else "",
        "runs": hash_of(one.id for one in others if one.best),
        "looks": hash_of(_stamp(RunPaths(workspace.runs / one.id).seal) for one in others),
    }


def judged_alike(workspace: Workspace, dataset: str, revision: int) -> list[RunSummary]:
    """The runs on one revision of a dataset, the earliest first: they share its validation and test images, but for
    those on folds of it."""
    runs = (
        one for one in run_index(workspace).summaries(glance=True) if (one.dataset, one.revision) == (dataset, revision)
    )
    return sorted(runs, key=lambda one: (one.created, one.id))


def hash_of(texts: Iterable[str]) -> str:
    """16 digits that change with any of some texts."""
    return fingerprint(*texts)


def _stamp(path: Path) -> str:
    """When a file or folder was changed last and how large it is; "" where there is none."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return f"{found.st_mtime_ns} {found.st_size}"
