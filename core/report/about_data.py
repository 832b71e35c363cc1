"""The section on the task and the data: what there is to learn, in which splits, and what a health check found."""

from collections.abc import Mapping
from typing import Any

from core.data.health.finding import HealthReport
from core.figures.colours import class_colour
from core.report.document import Block, Cell, Column, Found, Heading, Table, Text
from core.report.evidence import Evidence, RunEvidence
from core.report.words import count, listed

_TASKS = {
    "classification": "name the class of a picture",
    "segmentation": "give every pixel of a picture its class",
}
_SPLITS = ("train", "validation", "test")
_MOST_FILES = 5  # of a finding that are named


def write(evidence: Evidence) -> list[Block] | str:
    """Every dataset that the runs learned from, once."""
    blocks: list[Block] = []
    seen: set[tuple[str, int, str]] = set()
    several = len({_identity(run) for run in evidence.runs}) > 1
    for run in evidence.runs:
        if _identity(run) in seen:
            continue
        seen.add(_identity(run))
        if several:
            blocks.append(Heading(_name(run)))
        blocks += _dataset(run)
    return blocks


def _identity(run: RunEvidence) -> tuple[str, int, str]:
    return run.facts.dataset, run.facts.revision, run.facts.dataset_fingerprint


def _name(run: RunEvidence) -> str:
    facts = run.facts
    return facts.dataset_name + (f", revision {facts.revision}" if facts.revision > 1 else "")


def _dataset(run: RunEvidence) -> list[Block]:
    facts = run.facts
    classes = facts.classes
    splits = listed(
        f"{count(facts.samples[split], 'picture')} for {split}" for split in _SPLITS if split in facts.samples
    )
    told = (
        f"The task is to {_TASKS[run.recipe.task]}, out of {count(len(classes), 'class', 'classes')}. The data is "
        f"“{_name(run)}”: {splits}."
    )
    if facts.split_rule:
        told += f" How it was split: {facts.split_rule.rstrip('.')}."
    if run.data is None:
        return [Text(told), Text("The data was no longer there when this report was made.", "quiet")]
    if run.data["changes"]:
        told += " This revision differs from the one before it: " + " ".join(run.data["changes"])
    if run.data["skipped"]:
        told += f" {count(run.data['skipped'], 'file')} could not be used when it was imported."
    return [Text(told), _counts(run, run.data), *_health(run.health)]


def _counts(run: RunEvidence, data: Mapping[str, Any]) -> Table:
    counts: dict[str, dict[str, int]] = data["counts"]
    splits = [split for split in ("", *_SPLITS) if split in counts]
    most = max((number for split in splits for number in counts[split].values()), default=1) or 1
    rows = tuple(
        (
            Cell(name, mark=class_colour(place)),
            *(Cell(f"{counts[split].get(name, 0):,}", 0.5 * counts[split].get(name, 0) / most) for split in splits),
            Cell(f"{sum(counts[split].get(name, 0) for split in splits):,}"),
        )
        for place, name in enumerate(run.facts.classes)
    )
    masks = run.recipe.task == "segmentation"
    return Table(
        "Pictures of each class",
        (Column("class", left=True), *(Column(split or "not split") for split in splits), Column("all")),
        rows,
        "A picture counts for every class that its mask has a pixel of." if masks else "",
    )


def _health(report: HealthReport | None) -> list[Block]:
    if report is None:
        return [Text("No health check of this data had been made when this report was written.", "caution")]
    looked = count(len(report.checks), "check")
    if not report.findings:
        return [Found("good", f"Nothing wrong found in the data by {looked}.")]
    found = listed(
        count(number, kind)
        for kind in ("error", "warning", "note")
        if (number := sum(one.severity == kind for one in report.findings))
    )
    told = f"What was found in the data by {looked}: {found}, the gravest first."
    return [Text(told), *(Found(one.severity, one.message, _files(one.files)) for one in report.findings)]


def _files(files: tuple[str, ...]) -> str:
    if not files:
        return ""
    more = f" and {count(len(files) - _MOST_FILES, 'more', 'more')}" if len(files) > _MOST_FILES else ""
    return f"For example {', '.join(files[:_MOST_FILES])}{more}."
