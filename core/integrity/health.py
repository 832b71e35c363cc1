"""The health check of a dataset: every check, one after the other, on facts that were gathered in one pass."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from core.data.dataset import Dataset
from core.data.health.facts import gather
from core.data.health.finding import SEVERITIES, Finding, HealthReport
from core.data.health.store import write_report
from core.data.library import Library
from core.data.prints import pairs_of
from core.errors import WeightsError
from core.integrity.checks import CHECKS
from core.integrity.subject import Subject, number_of, possible
from core.workspace import Workspace

Report = Callable[[int, int], None]  # steps done, steps in all

LABELS, OUTLIERS = "wrong-labels", "outliers"
_DEAR = 4  # steps that a picture counts for when it goes through a network, beside the one for its facts


def check_health(root: str, reference: str, *, labels: bool = True, report: Report | None = None) -> HealthReport:
    """Look at a dataset of the workspace at `root`, "cells-1a2b" or "cells-1a2b@2", and keep what was found.

    With `labels` also likely wrong labels and pictures that belong to no class are looked for, for which every picture
    goes through a pretrained network once; where its weights are not to be had, a note says so. `report` is called with
    the steps done and in all. Raises DatasetError when there is no such dataset, StorageError when the disk is full.
    """
    began, workspace = time.monotonic(), Workspace(Path(root))
    dataset = Library(workspace).get(reference)
    pictures, tell = len(dataset.samples), report or (lambda done, of: None)
    steps = pictures * (1 + _DEAR * labels)
    facts = gather(dataset, workspace.cache, lambda done, of: tell(min(done, steps - 1), steps))
    subject = Subject(dataset, facts, pairs_of(dataset))
    names = [check.name for check in CHECKS]
    findings = [finding for check in CHECKS for finding in check.look(subject)]
    if labels and facts.unreadable:
        unread = number_of(len(facts.unreadable))
        what = f"Labels and strange pictures were not looked for, since {unread} cannot be read."
        findings.append(Finding(LABELS, "note", what, "Leave out what cannot be read, then check again."))
    elif labels:
        names += [LABELS, OUTLIERS]
        findings += _of_labels(
            workspace, dataset, lambda done, of: tell(pictures + done * _DEAR * pictures // of, steps)
        )
    tell(steps, steps)
    found = HealthReport(
        dataset=dataset.id,
        revision=dataset.revision,
        fingerprint=dataset.fingerprint,
        checks=tuple(names),
        findings=tuple(sorted((possible(dataset, one) for one in findings), key=_gravity)),
        seconds=round(time.monotonic() - began, 3),
    )
    write_report(workspace, dataset, found, labels=labels)
    return found


def _of_labels(workspace: Workspace, dataset: Dataset, report: Report) -> Iterator[Finding]:
    """What a pretrained network says about the labels and the pictures."""
    from core.integrity.embedding import embed  # here, because it imports torch, and the other checks do without
    from core.integrity.labels import label_findings
    from core.integrity.outliers import outlier_findings

    try:
        embedding = embed(str(workspace.root), dataset.reference, report=report)
    except WeightsError as error:
        yield Finding(LABELS, "note", f"Labels were not looked at. {error}", "Check again when the weights are there.")
        return
    yield from label_findings(dataset, embedding)
    yield from outlier_findings(dataset, embedding)


def _gravity(finding: Finding) -> int:
    return SEVERITIES.index(finding.severity)
