"""Everything that is looked for in a run before its figures are believed, and the report on one run."""

import time
from pathlib import Path

from core.data.health.finding import SEVERITIES, Finding
from core.integrity.claims import below_majority, never_predicted, too_small
from core.integrity.run_report import IntegrityReport, Outcome, read_integrity, rests_on, write_integrity
from core.integrity.run_subject import Judged, RunCheck
from core.runs.store import RunStore
from core.workspace import Workspace

RUN_CHECKS = (
    RunCheck(
        "below-majority",
        "Worse than guessing",
        "Fewer right answers than always answering with the commonest class would give",
        below_majority,
    ),
    RunCheck("never-predicted", "Class never answered", "Classes that the model never answers with", never_predicted),
    RunCheck(
        "too-small", "Too small for the claim", "A split with too few pictures for what its figures say", too_small
    ),
)


def check_run(root: str, run_id: str, *, anew: bool = False) -> IntegrityReport:
    """What speaks against the figures of a run of the workspace at `root`; kept beside the run.

    What was kept is given back while everything that it rests on is the same, unless it is to be made `anew`. No test
    split is opened: only what somebody has opened already is looked at. Raises RunError when there is no such run,
    StorageError when the disk is full.
    """
    workspace = Workspace(Path(root))
    run = RunStore(workspace).get(run_id)
    if not anew and (kept := read_integrity(run.paths)) is not None:
        return kept
    resting = rests_on(run.paths)  # before the checks: what changes meanwhile makes the report an old one
    judged, outcomes, findings = Judged(workspace, run), [], []
    for check in RUN_CHECKS:
        looked = check.look(judged)
        findings += looked.findings
        told, unknown = ("", "") if looked.findings else (looked.told, looked.unknown)
        outcomes.append(Outcome(check.name, check.label, check.sentence, told, unknown, len(looked.findings)))
    report = IntegrityReport(
        run=run_id,
        checks=tuple(outcomes),
        findings=tuple(sorted(findings, key=_gravity)),
        rests_on=resting,
        made=time.time(),
    )
    write_integrity(run.paths, report)
    return report


def _gravity(finding: Finding) -> int:
    return SEVERITIES.index(finding.severity)
