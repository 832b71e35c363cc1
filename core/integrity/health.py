"""The health check of a dataset: every check, one after the other, on facts that were gathered in one pass."""

import time
from collections.abc import Callable
from pathlib import Path

from core.data.health.facts import gather
from core.data.health.finding import SEVERITIES, Finding, HealthReport
from core.data.health.store import write_report
from core.data.library import Library
from core.integrity.checks import CHECKS
from core.integrity.subject import Subject
from core.workspace import Workspace

Report = Callable[[int, int], None]  # steps done, steps in all


def check_health(root: str, reference: str, *, labels: bool = True, report: Report | None = None) -> HealthReport:
    """Look at a dataset of the workspace at `root`, "cells-1a2b" or "cells-1a2b@2", and keep what was found.

    With `labels` also likely wrong labels and pictures that belong to no class are looked for, for which every picture
    goes through a network once. `report` is called with the steps done and in all. Raises DatasetError when there is no
    such dataset, StorageError when the disk is full.
    """
    began = time.monotonic()
    workspace = Workspace(Path(root))
    dataset = Library(workspace).get(reference)
    subject = Subject(dataset, gather(dataset, workspace.cache, report))
    checks, findings = [], []
    for check in CHECKS:
        checks.append(check.name)
        findings += check.look(subject)
    found = HealthReport(
        dataset.id, dataset.revision, dataset.fingerprint, tuple(checks), _sorted(findings), time.monotonic() - began
    )
    write_report(workspace, dataset, found, labels=labels)
    return found


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
