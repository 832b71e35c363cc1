"""Sections that tell what other parts of Fovea found out and stored: integrity, comparison, hypothesis, heat maps.

These findings rest on images, on other runs, on weights: a bundle holds what was found, not what it was found in.
"""

from core.errors import InputError
from core.integrity.run_report import IntegrityReport
from core.predict.meaning import MapsCheck
from core.report.document import Block, Cell, Column, Found, Heading, Points, Table, Text
from core.report.evidence import LEAKAGE, Evidence, RunEvidence
from core.report.words import bounds, count, moment, share
from core.runs.hypothesis import HypothesisScore, Verdict

_GRAVITY = {Verdict.CAME_TRUE: "good", Verdict.DID_NOT: "warning"}


def integrity(evidence: Evidence) -> list[Block] | str:
    """What the integrity check of each run found, and what it looked at."""
    found = [(run, _integrity(run)) for run in evidence.runs]
    if not any(report for _, report in found):
        return "no integrity check of these runs had been made."
    blocks: list[Block] = []
    for run, report in found:
        if len(evidence.runs) > 1:
            blocks.append(Heading(run.name))
        blocks += _checked(report) if report else [Text("No integrity check of this run had been made.", "caution")]
        blocks += _price(run)
    return blocks


def _integrity(run: RunEvidence) -> IntegrityReport | None:
    found = run.stored(run.paths.integrity.name)
    if found is None:
        return None
    try:
        return IntegrityReport.from_json(found)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"The integrity report of {run.id} cannot be read", found=str(error)) from error


def _checked(report: IntegrityReport) -> list[Block]:
    blocks: list[Block] = [Text(report.verdict, "lead")]
    blocks += [Found(one.severity, f"{report.label(one.check)}: {one.message}", one.advice) for one in report.findings]
    holds = tuple(f"{one.label}: {one.told or one.sentence}" for one in report.holds)
    if holds:
        blocks += [Text("Looked for, and nothing found:"), Points(holds)]
    unknown = tuple(f"{one.label}: {one.unknown}" for one in report.unknown)
    if unknown:
        blocks += [Text("Could not be looked for:"), Points(unknown)]
    return [*blocks, Text(f"Checked {moment(report.made)}.", "quiet")]


_PRICED = {"all": "all validation pictures", "known": "those known from training", "new": "the others"}


def _price(run: RunEvidence) -> list[Block]:
    """What copies of judged pictures among the training pictures were worth, where somebody has measured it."""
    price = run.stored(LEAKAGE)
    if price is None:
        return []
    rows = tuple(
        (
            Cell(_PRICED[row["pictures"]]),
            Cell(f"{100 * row['mean']:+.1f}", interval=bounds([100 * bound for bound in row["interval"]], 1)),
            Cell(f"{row['n']:,}"),
            Cell(str(row["seeds"])),
        )
        for row in price["rows"]
    )
    how = "95 % interval for other seeds and other pictures: two random factors, crossed"
    columns = (Column("judged by", left=True), Column("points", how), Column("pictures"), Column("seeds"))
    note = f"Points of {price['score']}, with the copies less without, the same recipe and seeds. {how}."
    return [Text(price["sentence"], "lead"), Table("The price of leakage", columns, rows, note)]


def hypothesis(evidence: Evidence) -> list[Block] | str:
    """What was expected of each run before it began, and what became of it."""
    blocks: list[Block] = []
    for run in evidence.runs:
        expected = run.facts.hypothesis
        if expected is None:
            continue
        if len(evidence.runs) > 1:
            blocks.append(Heading(run.name))
        blocks.append(Text(f"Written down before the start ({moment(run.facts.created)}): {expected.sentence}"))
        if expected.text:
            blocks.append(Text(f"In the author's words: {expected.text}"))
        blocks += _scored(run)
    return blocks or "nothing was written down before these runs began."


def _scored(run: RunEvidence) -> list[Block]:
    stored = run.stored(run.paths.score.name)
    if stored is None:
        return [Text("It has not been scored.", "caution")]
    try:
        score = HypothesisScore.from_json(stored)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"The score of the hypothesis of {run.id} cannot be read", found=str(error)) from error
    told = f"This run {share(score.value)} {bounds(score.interval)}".rstrip()
    if score.difference is not None:
        by = f" ({score.method})" if score.method else ""
        told += f"; difference {score.difference:+.3f} {bounds(score.difference_interval)}{by}"
    if score.n:
        told += f"; {count(score.n, 'picture')}"
    gravity = _GRAVITY.get(score.verdict, "note")
    blocks: list[Block] = [Found(gravity, f"It {score.verdict}. {score.sentence}"), Text(f"{told}.")]
    return [*blocks, *([Text(score.caution, "quiet")] if score.caution else [])]


def explanation(evidence: Evidence) -> list[Block] | str:
    """Whether the maps of where the networks look say more than those of random weights."""
    blocks: list[Block] = []
    for run in evidence.runs:
        stored = run.stored(run.paths.maps_check.name)
        if stored is None:
            continue
        try:
            check = MapsCheck.from_json(stored)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"The check of the maps of {run.id} cannot be read", found=str(error)) from error
        if len(evidence.runs) > 1:
            blocks.append(Heading(run.name))
        blocks += [Text(check.sentence, "lead"), _likeness(check)]
    return blocks or "nobody had checked whether heat maps mean anything for these networks"


def _likeness(check: MapsCheck) -> Table:
    kinds = (("all weights drawn anew", check.whole), ("only the head drawn anew", check.head))
    rows = tuple((Cell(name), Cell(share(one.mean), interval=bounds(one.interval))) for name, one in kinds)
    how = "95 % interval for other pictures and other random weights"
    columns = (Column("compared with a network of", left=True), Column("likeness of the maps", how))
    note = (
        f"Mean rank correlation (Spearman) of the maps of {count(check.pictures, 'validation picture')} and of "
        f"{count(check.draws, 'network')} of random weights: 1 is the same map, 0 an unrelated one. {how}. After "
        "Adebayo et al., 2018: maps that a random network draws just as well show nothing that was learned."
    )
    return Table("Likeness to the maps of random weights", columns, rows, note)
