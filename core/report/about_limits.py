"""The sections nobody can leave out: what the numbers do not say, and what it takes to get them again."""

from collections.abc import Mapping
from typing import Any

from core.evaluate.classification import ClassificationResult
from core.report.document import Block, Cell, Column, Heading, Points, Table, Text
from core.report.evidence import Evidence, RunEvidence
from core.report.words import count, moment

_FEW = 100  # pictures; below it an interval of an accuracy is some 15 points wide or more


def write(evidence: Evidence) -> list[Block] | str:
    """What speaks against the numbers of each run, and how often its test split was opened."""
    blocks: list[Block] = []
    for run in evidence.runs:
        if len(evidence.runs) > 1:
            blocks.append(Heading(run.name))
        blocks += [Text(_seal(run), "lead"), Points(tuple(_limits(run)))]
    return blocks


def _seal(run: RunEvidence) -> str:
    if not run.facts.samples.get("test"):
        return "The data has no test split, so no number here is free of choices made by looking at it."
    opened = run.openings
    if not opened:
        return "The test split was opened 0 times: it is sealed, and every number here is from validation pictures."
    last = moment(opened[-1]["time"])
    times = count(len(opened), "time")
    told = f"The test split was opened {times}, last {last} from the {opened[-1]['by']}."
    if len(opened) > 1:
        told += " Whoever changes something between two looks chooses by the test pictures, and they flatter then too."
    if "test" not in run.tables:
        told += " No result of it belongs to these weights, so none is shown."
    return told


def _limits(run: RunEvidence) -> list[str]:
    found = [caution for caution in run.facts.cautions if caution]
    if "validation" in run.tables:
        kept = "the epoch whose weights are kept"
        found.append(f"The validation pictures also chose {kept}, so their numbers flatter a little.")
    small = [(split, result.n) for split, result in run.results.items() if result.n < _FEW]
    found += [
        f"{count(number, f'{split} picture')} are few: see how wide the intervals are." for split, number in small
    ]
    for split, result in run.results.items():
        if isinstance(result, ClassificationResult):
            missing = [row.label for row in result.per_class if not row.support]
            if missing:
                found.append(f"The {split} split has no picture of {', '.join(missing)}: nothing is known about them.")
    if not run.status.state.is_finished or run.status.state != "finished":
        found.append(f"The run did not come to its end: it was {run.status.state}. {run.status.sentence}")
    found.append(
        "Every interval is a 95 % interval and speaks of further pictures of the same kind, drawn as these were: not "
        "of other cameras, places or seasons, and not of another seed."
    )
    return found


def repeat(evidence: Evidence) -> list[Block] | str:
    """Seeds, fingerprints and versions."""
    rows: list[tuple[Cell, ...]] = []
    several = len(evidence.runs) > 1
    for run in evidence.runs:
        facts, recipe = run.facts, run.recipe
        told = [
            ("run", run.id),
            ("seed", str(recipe.seed)),
            ("recipe", recipe.hash),
            ("data", f"{facts.dataset}@{facts.revision}, fingerprint {facts.dataset_fingerprint}"),
            ("weights", next(iter(run.tables.values())).checkpoint),
            ("made", moment(facts.created)),
            ("trained with", _versions(run) or "not written down"),
        ]
        named = (Cell(run.name),) if several else ()
        rows += [(*named, Cell(what), Cell(value)) for what, value in told]
    table = Table(
        "What each run was made of" if several else "What the run was made of",
        (*([Column("run", left=True)] if several else []), Column("what", left=True), Column("value", left=True)),
        tuple(rows),
        "A recipe, a fingerprint and a seed give the same weights, bit for bit, on the same machine's CPU. The recipe "
        "is recipe.json in the bundle; `python -m core train DATASET --set ...` takes every field of it.",
    )
    maker = evidence.asked.get("maker") or {}
    made = moment(evidence.asked.get("made", 0))
    told = f"This report was written {made} with {_listed(maker.get('versions') or {})}."
    return [table, Text(told, "quiet")]


def _versions(run: RunEvidence) -> str:
    starts = [entry for entry in run.entries if entry.get("kind") == "start" and entry.get("versions")]
    return _listed(starts[-1]["versions"]) if starts else ""


def _listed(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items()) or "versions that nobody wrote down"
