"""Everything that is looked for in a run before its figures are believed, and the report on one run."""

import time
from pathlib import Path

from core.data.health.finding import SEVERITIES, Finding
from core.integrity.changes import data_changed, figures_differ
from core.integrity.choosing import chosen_by_validation
from core.integrity.claims import below_majority, never_predicted, too_small
from core.integrity.gap import apart
from core.integrity.leaks import leaked, shortcut
from core.integrity.ledger import opened_again
from core.integrity.overfitting import overfitted
from core.integrity.run_report import IntegrityReport, Outcome, read_integrity, rests_on, write_integrity
from core.integrity.run_subject import Judged, RunCheck
from core.runs.store import RunStore
from core.workspace import Workspace

RUN_CHECKS = (
    RunCheck(
        "figures-differ",
        "Figures that disagree",
        "A table that does not say what training measured, or whose labels are not those of the data",
        figures_differ,
    ),
    RunCheck(
        "leaked",
        "Known from training",
        "Pictures that judge and were learned from, as copies or as pictures of one group",
        leaked,
    ),
    RunCheck(
        "below-majority",
        "Worse than guessing",
        "Fewer right answers than always answering with the commonest class would give",
        below_majority,
    ),
    RunCheck(
        "overfitted",
        "Over-fitting",
        "A validation loss that rose beyond wavering while the training loss fell: where to stop, and what it cost",
        overfitted,
    ),
    RunCheck("never-predicted", "Class never answered", "Classes that the model never answers with", never_predicted),
    RunCheck("apart", "Validation and test apart", "Scores further apart than chance brings two splits", apart),
    RunCheck("opened-again", "Test opened again", "Test images that were looked at more than once", opened_again),
    RunCheck("data-changed", "Data changed", "Pictures, labels or splits that are no longer the run's", data_changed),
    RunCheck("shortcut", "Shortcuts", "Classes that files and borders give away, by the health check", shortcut),
    RunCheck(
        "too-small", "Too small for the claim", "A split with too few pictures for what its figures say", too_small
    ),
    RunCheck(
        "chosen-by-validation",
        "Chosen and reported by validation",
        "A figure of the very images that chose the epoch or the trial, and what that flatters it by",
        chosen_by_validation,
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
