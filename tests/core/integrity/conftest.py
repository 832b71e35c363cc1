"""Fixtures of the checks: a dataset of any files, what was gathered of it, and the findings of a check."""

import pytest

from core.data.dataset import Dataset
from core.data.health.facts import gather
from core.data.health.finding import Finding
from core.data.prints import pairs_of
from core.integrity.health import check_health
from core.integrity.subject import Subject
from tests.planted import imported


@pytest.fixture
def kept(workspace, tmp_path):
    """Import these files into the test's workspace; gives the dataset."""
    return lambda files: imported(workspace, tmp_path / "source", files)


@pytest.fixture
def looked_at(workspace):
    """What the checks are given of a dataset."""

    def gathered(dataset: Dataset) -> Subject:
        return Subject(dataset, gather(dataset, workspace.cache), pairs_of(dataset))

    return gathered


@pytest.fixture
def found(workspace):
    """The findings of a whole health check without labels, by the name of the check."""

    def findings(dataset: Dataset) -> dict[str, list[Finding]]:
        by_check: dict[str, list[Finding]] = {}
        for finding in check_health(str(workspace.root), dataset.id, labels=False).findings:
            by_check.setdefault(finding.check, []).append(finding)
        return by_check

    return findings
