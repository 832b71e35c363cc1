"""What an autopsy finds: the cause, its evidence, how sure it is, what stays unknown, and the report after a repair."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from core.evaluate.classification import ClassificationResult

Cause = Literal[
    "sound", "shuffled", "shifted", "permuted-classes", "truncated", "repeated", "constant", "chance", "leaked"
]
CAUSES: tuple[Cause, ...] = get_args(Cause)


@dataclass(frozen=True)
class Evidence:
    """One figure that speaks for the verdict, or against another."""

    label: str  # what was measured, in a few words
    value: str  # the figure with its unit, ready to be shown
    meaning: str  # what it says, as a sentence


@dataclass(frozen=True)
class Other:
    """A cause that fits as well, and how well: its share of all that was considered, 0..1."""

    verdict: Cause
    weight: float


@dataclass(frozen=True)
class Autopsy:
    """What is wrong with a report, or that nothing was found."""

    verdict: Cause
    confidence: float  # how probable the verdict is among all causes considered, 0..1
    explanation: str  # the cause in one or two sentences
    evidence: tuple[Evidence, ...]
    cannot_know: tuple[str, ...]  # what these files cannot tell, a sentence each
    as_given: ClassificationResult  # the report on the rows as they stand
    corrected: ClassificationResult | None  # the report after the repair; None where there is none to be had
    also: tuple[Other, ...] = ()  # other causes that fit, the likeliest first
    repair: dict[str, Any] | None = None  # what was done for `corrected`: {"shift": 3}, {"mapping": {"a": "b"}}, ...
    code: str = ""  # the line of Python that avoids or mends the cause
    enough: bool = True  # whether there are enough rows for a verdict, by core.integrity.autopsy.decidable
    notes: tuple[str, ...] = ()  # how the files were read, a sentence each

    def to_json(self) -> dict[str, Any]:
        """Plain data, as the command line answers it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The autopsy from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        if data["verdict"] not in CAUSES:
            raise ValueError(f"{data['verdict']!r} is no cause")
        corrected = data["corrected"]
        return cls(
            **{
                **data,
                "evidence": tuple(Evidence(**row) for row in data["evidence"]),
                "cannot_know": tuple(data["cannot_know"]),
                "as_given": ClassificationResult.from_json(data["as_given"]),
                "corrected": None if corrected is None else ClassificationResult.from_json(corrected),
                "also": tuple(Other(**row) for row in data["also"]),
                "notes": tuple(data["notes"]),
            }
        )
