"""How often were the test images looked at, by which runs, and what was chosen after that?"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from core.data.health.finding import Finding
from core.integrity.run_report import Looked
from core.integrity.run_subject import Judged
from core.integrity.subject import number_of
from core.runs.run import RunPaths
from core.runs.seal import openings

MOST_ROWS = 50  # of the ledger, the latest ones


@dataclass(frozen=True)
class Look:
    """One look at the test images."""

    time: float  # seconds since 1970
    by: str  # "page", "command line", ...
    run: str  # id
    name: str


def opened_again(judged: Judged) -> Looked:
    """A test split that was looked at more than once, or before this run was made."""
    if not judged.run.facts.samples.get("test"):
        return Looked(told="This data has no test split, so none was opened.")
    ledger = looks(judged)
    own = [look for look in ledger if look.run == judged.run.id]
    first = min((look.time for look in ledger), default=None)
    knew = first is not None and judged.run.facts.created > first
    if not knew and (len(own) < 2 and (not own or len(ledger) < 2)):
        told = "opened once, by this run" if own else "sealed in this run"
        return Looked(told=f"The test split is {told}, and no run before it had looked at these images.")
    runs = len({look.run for look in ledger})
    after = [line for line in judged.alike if first is not None and line.created > first]
    parts = [f"The test images were opened {_times(len(ledger))} by {number_of(runs, 'run', 'runs')}"]
    if runs > 1 or not own:
        parts.append(f"{_times(len(own))} by this one")
    if after:
        made = number_of(len(after), "run was", "runs were")
        parts.append(f"{made} made after the first look{', this one among them' if knew else ''}")
    advice = (
        "Whatever is chosen after a look at the test images is chosen by them too, so that their figure no longer says "
        "what new images would. Report the first opening of the model that was chosen by validation alone; for a clean "
        "figure put new images aside."
        if after
        else "Nothing was trained after the first look, so no choice can have depended on it; but of several models "
        "that were looked at report the one that validation chose, and not the best of them."
    )
    return Looked(
        (
            Finding(
                "opened-again",
                "warning" if after else "note",
                f"{', '.join(parts)}.",
                advice,
                figures={
                    "looks": len(ledger),
                    "own": len(own),
                    "runs": runs,
                    "made_after": len(after),
                    "rows": [*_rows(ledger)],
                },
            ),
        )
    )


def looks(judged: Judged) -> list[Look]:
    """Every look at the test images of this run's data, by whichever run, oldest first. A run that went on from another
    one took its looks over; these count once."""
    found: dict[tuple[float, str], Look] = {}
    for line in judged.alike:
        for opening in openings(RunPaths(judged.workspace.runs / line.id)):
            found.setdefault((opening["time"], opening["by"]), Look(opening["time"], opening["by"], line.id, line.name))
    return sorted(found.values(), key=lambda look: look.time)


def _rows(ledger: list[Look]) -> Iterator[dict[str, str]]:
    for look in ledger[-MOST_ROWS:]:
        when = datetime.fromtimestamp(look.time).isoformat(" ", "minutes")
        yield {"when": when, "by": look.by, "run": look.name, "id": look.run}


def _times(number: int) -> str:
    return "once" if number == 1 else "twice" if number == 2 else f"{number:,} times"
