"""Commands that look for faults in a dataset, and mend them as a new revision."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from core.commands.shared import Command, Progress, listed, pairs, whole
from core.data.dataset import Change, Dataset
from core.data.health.finding import Finding
from core.data.health.store import read_report
from core.data.library import Library
from core.data.revisions import Revision, restore, revise, revisions
from core.errors import DatasetError, RecipeError, shown
from core.integrity.health import check_health
from core.workspace import Workspace


def _dataset_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="its id, or one of its revisions as in cells-1a2b3c@2")


def _health_arguments(parser: argparse.ArgumentParser) -> None:
    _dataset_argument(parser)
    without = "do not look for wrong labels and strange pictures, for which a network sees each picture"
    parser.add_argument("--quick", action="store_true", help=without)


def _health(arguments: argparse.Namespace, workspace: Workspace) -> dict[str, Any]:
    told = Progress("steps")
    report = check_health(str(workspace.root), arguments.dataset, labels=not arguments.quick, report=told)
    return report.to_json()


def _show_health(answer: dict[str, Any]) -> Iterator[str]:
    yield f"{answer['dataset']}@{answer['revision']}: {len(answer['checks'])} checks in {answer['seconds']:.1f} s"
    if not answer["findings"]:
        yield "nothing wrong found"
    for number, finding in enumerate(answer["findings"], 1):
        yield f"{number}. {finding['severity']} ({finding['check']}): {finding['message']}"
        yield f"   {finding['advice']}"
        for option, repair in enumerate(finding["repairs"], 1):
            yield f"   repair {answer['dataset']} {number}{f' --option {option}' * (option > 1)}: {repair['label']}"


def _repair_arguments(parser: argparse.ArgumentParser) -> None:
    _dataset_argument(parser)
    which = "what to mend: numbers of the list that `health` gives, or names of its checks"
    parser.add_argument("findings", nargs="*", metavar="FINDING", help=which)
    parser.add_argument("--option", default="1", metavar="N", help="which of a finding's repairs, from 1 on")
    parser.add_argument("--exclude", action="append", default=[], metavar="ID,ID", help="leave pictures out")
    parser.add_argument("--relabel", action="append", default=[], metavar="ID,ID=CLASS", help="call pictures this")
    parser.add_argument("--move", action="append", default=[], metavar="ID,ID=SPLIT", help="put pictures there")
    parser.add_argument("--why", default="", help="the reason, kept with --exclude, --relabel and --move")
    parser.add_argument("--back", metavar="N", help="make everything as it was in revision N, and nothing else")


def _repair(arguments: argparse.Namespace, workspace: Workspace) -> dict[str, Any]:
    dataset = Library(workspace).get(arguments.dataset)
    if arguments.back is not None:
        return _revised(restore(dataset, whole(arguments.back, "--back", "the number of a revision")))
    changes = [
        *_of_findings(workspace, dataset, arguments.findings, whole(arguments.option, "--option", "1 or more")),
        *(Change("exclude", tuple(listed(text)), why=arguments.why) for text in arguments.exclude),
        *_by_hand("relabel", arguments.relabel, arguments.why, "ID,ID=CLASS"),
        *_by_hand("move", arguments.move, arguments.why, "ID,ID=SPLIT"),
    ]
    if not changes:
        raise DatasetError(
            "There is nothing to change", expected="a finding of `health`, --exclude, --relabel, --move or --back"
        )
    return _revised(revise(dataset, _each_once(changes)))


def _by_hand(kind: str, texts: list[str], why: str, expected: str) -> list[Change]:
    return [
        Change(kind, tuple(listed(ids)), to.strip(), why)
        for text in texts
        for ids, to in pairs([text], f"--{kind}", expected).items()
    ]


def _of_findings(workspace: Workspace, dataset: Dataset, wanted: Sequence[str], option: int) -> list[Change]:
    """The changes of the repairs of some findings of the last check; without one, it is made now, without labels."""
    if not wanted:
        return []
    report = read_report(workspace, dataset, last=True)  # whose numbers were shown
    if report is None:
        report = check_health(str(workspace.root), dataset.reference, labels=False)
    changes = []
    for word in wanted:
        for finding in _named(word, report.findings):
            if not 1 <= option <= len(finding.repairs):
                raise DatasetError(
                    f"{finding.check} has no such repair",
                    found=f"--option {option}" if finding.repairs else "nothing that can be mended here",
                    expected=f"1 to {len(finding.repairs)}" if finding.repairs else "",
                    do="" if finding.repairs else finding.advice,
                )
            changes += finding.repairs[option - 1].changes
    return changes


def _named(word: str, findings: Sequence[Finding]) -> list[Finding]:
    if word.isascii() and word.isdecimal() and 1 <= int(word) <= len(findings):
        return [findings[int(word) - 1]]
    found = [finding for finding in findings if finding.check == word and finding.repairs]
    if found:
        return found
    names = sorted({finding.check for finding in findings if finding.repairs})
    raise RecipeError(
        "FINDING",
        found=shown(word),
        expected=f"1 to {len(findings)}, or one of {', '.join(names)}" if names else "nothing: no finding has a repair",
    )


def _each_once(changes: Sequence[Change]) -> list[Change]:
    """The changes without what is done to pictures that an earlier one of them has left out."""
    gone: set[str] = set()
    kept = []
    for change in sorted(changes, key=lambda change: change.kind != "exclude"):
        ids = tuple(id for id in change.samples if id not in gone)
        if change.kind == "exclude":
            gone.update(ids)
        if ids:
            kept.append(replace(change, samples=ids))
    return kept


def _revised(dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.id,
        "revision": dataset.revision,
        "reference": dataset.reference,
        "fingerprint": dataset.fingerprint,
        "classes": list(dataset.classes),
        "samples": len(dataset.samples),
        "splits": dataset.split_counts(),
        "changes": [change.sentence for change in dataset.changes],
    }


def _show_revised(answer: dict[str, Any]) -> Iterator[str]:
    splits = ", ".join(f"{name} {count}" for name, count in answer["splits"].items())
    yield f"{answer['reference']}: {answer['samples']} images, {len(answer['classes'])} classes ({splits})"
    yield from answer["changes"]


def _revisions(arguments: argparse.Namespace, workspace: Workspace) -> list[dict[str, Any]]:
    folder = Library(workspace).get(arguments.dataset).folder
    return [_told(row) for row in revisions(folder)]


def _told(row: Revision) -> dict[str, Any]:
    facts = asdict(row)
    return facts | {"revision": facts.pop("number"), "changes": [change.sentence for change in row.changes]}


def _show_revisions(answer: list[dict[str, Any]]) -> Iterator[str]:
    for row in answer:
        when = datetime.fromtimestamp(row["created"]).isoformat(" ", "minutes")
        splits = ", ".join(f"{name} {count}" for name, count in row["splits"].items())
        changes = " ".join(row["changes"]) or "As it was imported."
        yield f"{row['revision']} of {len(answer)}, {when}: {row['samples']} images ({splits}). {changes}"


COMMANDS = (
    Command("health", "look for faults in a dataset", _health_arguments, _health, _show_health),
    Command("repair", "mend a dataset, as a new revision of it", _repair_arguments, _repair, _show_revised),
    Command("revisions", "list the revisions of a dataset", _dataset_argument, _revisions, _show_revisions),
)
