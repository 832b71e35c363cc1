"""What a health check finds in a dataset: how grave it is, the pictures that show it, and what would mend it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from core.data.dataset import Change

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")  # the gravest first


@dataclass(frozen=True)
class Repair:
    """A way to mend a finding, as the changes of one new revision."""

    label: str  # of a button: "Leave out the copies"
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Finding:
    """One thing that a check found."""

    check: str  # name of the check
    severity: Severity
    message: str  # one sentence with its figures
    advice: str  # what to do about it, as a sentence
    # The pictures that show it, ids of those that belong together side by side; the gravest first.
    evidence: tuple[tuple[str, ...], ...] = ()
    files: tuple[str, ...] = ()  # where these pictures, or files that are no pictures, came from
    figures: dict[str, Any] = field(default_factory=dict)  # plain numbers behind the message
    repairs: tuple[Repair, ...] = ()  # ways to mend it, the usual one first

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The finding from plain data. Raises KeyError or TypeError when it is none."""
        return cls(
            **{
                **data,
                "evidence": tuple(map(tuple, data["evidence"])),
                "files": tuple(data["files"]),
                "repairs": tuple(
                    Repair(one["label"], tuple(Change(**{**c, "samples": tuple(c["samples"])}) for c in one["changes"]))
                    for one in data["repairs"]
                ),
            }
        )


@dataclass(frozen=True)
class HealthReport:
    """What the checks found in one revision of a dataset, the gravest first."""

    dataset: str  # id
    revision: int
    fingerprint: str
    checks: tuple[str, ...]  # names of those that were made
    findings: tuple[Finding, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The report from plain data. Raises KeyError or TypeError when it is none."""
        return cls(
            **{
                **data,
                "checks": tuple(data["checks"]),
                "findings": tuple(map(Finding.from_json, data["findings"])),
            }
        )
