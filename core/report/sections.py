"""Every section that a report can have, as rows: a page draws its boxes from them, and a report is written in order.

A section reads the evidence and nothing else. Where there is nothing to say it gives a sentence why instead of blocks,
and the report names it at its end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import InputError, shown
from core.report import (
    about_comparison,
    about_data,
    about_limits,
    about_mistakes,
    about_results,
    about_training,
    stored,
)
from core.report.document import Block
from core.report.evidence import Evidence


@dataclass(frozen=True)
class SectionRow:
    """One section: its name, its title, what it tells, and how it is written."""

    name: str
    title: str
    sentence: str
    write: Callable[[Evidence], list[Block] | str]  # blocks, or a sentence that says why there are none
    always: bool = False  # nobody can leave it out


SECTIONS: tuple[SectionRow, ...] = (
    SectionRow(
        "data", "Task and data", "What there is to learn, how it was split, what is wrong with it", about_data.write
    ),
    SectionRow("method", "Method", "What was done, written from the recipe", about_training.method),
    SectionRow("training", "Training", "How it learned, epoch by epoch", about_training.write),
    SectionRow("results", "Results", "Every number with its interval, every class, the matrix", about_results.write),
    SectionRow("mistakes", "Mistakes", "The pictures that it got wrong", about_mistakes.write),
    SectionRow("comparison", "Comparison", "Whether the runs differ by more than chance", about_comparison.write),
    SectionRow("hypothesis", "Hypothesis", "What was written down before the start, and what came", stored.hypothesis),
    SectionRow("explanation", "Where it looks", "Whether heat maps mean anything here", stored.explanation),
    SectionRow("integrity", "Integrity", "What might make these numbers mislead", stored.integrity),
    SectionRow(
        "limits", "Limits", "What the numbers do not say; looks at the test split", about_limits.write, always=True
    ),
    SectionRow(
        "repeat", "Versions, seeds and files", "What it takes to do this again", about_limits.repeat, always=True
    ),
)
NAMES = tuple(row.name for row in SECTIONS)


def insist_on_sections(names: Sequence[str]) -> tuple[str, ...]:
    """The names in the order of a report, with those nobody can leave out. Raises InputError for an unknown one."""
    for name in names:
        if name not in NAMES:
            raise InputError("There is no such section", found=shown(name), expected="some of " + ", ".join(NAMES))
    return tuple(row.name for row in SECTIONS if row.always or row.name in names)
