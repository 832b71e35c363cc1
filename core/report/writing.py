"""A report from its evidence: the sections that were asked for, in their order, and what is said at the end."""

from core.report import about_results
from core.report.document import Document, Fact, Section
from core.report.evidence import Evidence
from core.report.sections import SECTIONS, insist_on_sections
from core.report.words import count, listed, measured, moment

_MOST_FACTS = 4
_MOST_NAMED = 4  # runs on the first page


def write_document(evidence: Evidence) -> Document:
    """The whole report. The same evidence always gives the same one. Raises InputError for evidence of nothing."""
    wanted = insist_on_sections(evidence.asked["sections"])
    sections, absent, left_out = [], [], []
    for row in SECTIONS:
        if row.name not in wanted:
            left_out.append(row.title)
            continue
        written = row.write(evidence)
        if isinstance(written, str):
            absent.append(f"{row.title} ({written.rstrip('.')})")
        else:
            sections.append(Section(row.name, row.title, tuple(written)))
    closing = [f"Not in this report, since there was nothing to write: {listed(absent)}."] if absent else []
    if left_out:
        closing.append(f"Left out by whoever made this report: {listed(left_out)}.")
    closing.append(
        "Every number above was computed from the prediction tables that this file carries. Whoever has it can compute "
        "them again and is told of any that was changed: python -m core verify FILE."
    )
    headline, below, facts = _top(evidence)
    names = listed(dict.fromkeys(run.facts.dataset_name for run in evidence.runs))
    runs = evidence.runs[0].name if len(evidence.runs) == 1 else count(len(evidence.runs), "run")
    title = str(evidence.asked.get("title") or "") or f"Report on {names}"
    subtitle = f"{runs} · {names} · {moment(evidence.asked.get('made', 0))}"
    return Document(title, subtitle, headline, below, facts, tuple(sections), tuple(closing))


def _top(evidence: Evidence) -> tuple[str, str, tuple[Fact, ...]]:
    """What to read first: of one run its number, of several whether they differ, or the numbers side by side."""
    first = evidence.runs[0]
    if len(evidence.runs) == 1:
        return *about_results.headline(first), about_results.facts(first)[:_MOST_FACTS]
    shown = evidence.runs[:_MOST_FACTS]
    facts = tuple(fact for run in shown for fact in _named(about_results.facts(run)[:1], run.name))
    told = []
    for run in evidence.runs[:_MOST_NAMED]:
        split, result = next(iter(run.results.items()))
        told.append(f"{run.name} {measured(*about_results.score_of(result))} on {result.n:,} {split} pictures")
    more = f", and {count(len(evidence.runs) - len(told), 'more run')}" if len(evidence.runs) > len(told) else ""
    side_by_side = f"{'; '.join(told)}{more}."
    if not evidence.comparisons:
        return f"{len(evidence.runs)} runs that cannot be held against each other.", side_by_side, facts
    return next(iter(evidence.comparisons.values())).verdict, side_by_side, facts


def _named(facts: tuple[Fact, ...], run: str) -> tuple[Fact, ...]:
    return tuple(Fact(f"{fact.label}: {run}", fact.value, fact.interval, fact.help) for fact in facts)
