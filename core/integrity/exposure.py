"""Checks on light and focus: pictures that are blank, very dark, very bright or blurred, beside the others.

What is usual in a dataset is no fault in it: of cells that shine in the dark every picture is dark. So a picture has to
be far from what can be seen well, and far from the others as well.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from core.data.health.facts import Facts
from core.data.health.finding import Finding, Severity
from core.integrity.subject import MOST_EVIDENCE, Subject, number_of

FAR = 4.0  # standard deviations of the dataset, which are told by its middle half so that faults do not widen them


@dataclass(frozen=True)
class Fault:
    """One way in which a picture shows too little."""

    name: str
    label: str  # of a list
    words: str  # behind "3 pictures are"
    severity: Severity
    chosen: Callable[[Facts], np.ndarray]  # (N,) bool
    figure: str  # the fact that tells it best
    falling: bool  # whether the smallest figure is the worst
    advice: str


def _far_below(values: np.ndarray) -> np.ndarray:
    return values < np.nanmedian(values) - FAR * _deviation(values)


def _far_above(values: np.ndarray) -> np.ndarray:
    return values > np.nanmedian(values) + FAR * _deviation(values)


def _deviation(values: np.ndarray) -> float:
    return 1.4826 * float(np.nanmedian(np.abs(values - np.nanmedian(values))))


def _blank(facts: Facts) -> np.ndarray:
    return (facts.of("spread") < 3) & (np.nanmedian(facts.of("spread")) > 10)


def _dark(facts: Facts) -> np.ndarray:
    usual = np.nanmedian(facts.of("high")) > 80
    return (facts.of("mean") < 25) & (facts.of("high") < 60) & usual & _far_below(facts.of("mean")) & ~_blank(facts)


def _bright(facts: Facts) -> np.ndarray:
    usual = np.nanmedian(facts.of("low")) < 170
    return (facts.of("mean") > 230) & (facts.of("low") > 190) & usual & _far_above(facts.of("mean")) & ~_blank(facts)


def _blurred(facts: Facts) -> np.ndarray:
    blur, usual = facts.of("blur"), np.nanmedian(facts.of("blur"))
    strong = (blur > 0.88) & (blur > usual + 0.2)
    unusual = (blur > 0.7) & (blur > usual + 1.5 * FAR * _deviation(blur))
    return (strong | unusual) & ~_blank(facts) & ~_dark(facts) & ~_bright(facts)


_LOOK = (
    "Look at them: where nobody could tell the class, leave them out. Where such pictures will come in use, keep them"
)

FAULTS = (
    Fault(
        "blank",
        "Blank pictures",
        "blank: one grey or colour all over",
        "warning",
        _blank,
        "spread",
        True,
        "There is nothing to learn from a blank picture, and its label is noise. Leave them out.",
    ),
    Fault(
        "dark", "Very dark pictures", "so dark that hardly anything shows", "warning", _dark, "mean", True, f"{_LOOK}."
    ),
    Fault(
        "bright",
        "Very bright pictures",
        "so bright that hardly anything shows",
        "warning",
        _bright,
        "mean",
        False,
        f"{_LOOK}.",
    ),
    Fault(
        "blurred",
        "Blurred pictures",
        "blurred, far more than the others",
        "warning",
        _blurred,
        "blur",
        False,
        f"{_LOOK}, and let the augmentation blur some of the others.",
    ),
)


def look_for(fault: Fault) -> Callable[[Subject], Iterator[Finding]]:
    """The check that finds pictures with this fault, the worst first."""

    def look(subject: Subject) -> Iterator[Finding]:
        samples, values = subject.dataset.samples, subject.facts.of(fault.figure)
        rows = np.flatnonzero(fault.chosen(subject.facts))
        if not len(rows):
            return
        rows = rows[np.argsort(values[rows] if fault.falling else -values[rows], kind="stable")]
        ids = [samples[row].id for row in rows]
        worst, usual = float(values[rows[0]]), float(np.nanmedian(values))
        yield Finding(
            fault.name,
            fault.severity,
            f"{number_of(len(ids), 'picture is', 'pictures are')} {fault.words}; the worst has "
            f"{_TOLD[fault.figure].format(worst, usual)}.",
            fault.advice,
            evidence=tuple((id,) for id in ids[:MOST_EVIDENCE]),
            files=subject.names(ids),
            figures={"pictures": len(ids), "worst": worst, "usual": usual},
            repairs=(subject.leave_out(ids, "Leave them out", f"{fault.label.lower()}."),),
        )

    return look


_TOLD = {
    "spread": "grey levels that differ by {:.1f} (usual: {:.0f}, of 255)",
    "mean": "a mean grey level of {:.0f} (usual: {:.0f}, of 255)",
    "blur": "a blur of {:.2f} (usual: {:.2f}, from 0 for sharp to 1)",
}
