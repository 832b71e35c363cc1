"""What a person wrote before a run began about what it will do, in a form that can be scored afterwards.

"Vertical flip lowers the recall of polyps by at least 2 points against the run without it." A hypothesis names a metric
of the validation split, a direction, and what to measure against: another run, or a fixed value. It is written into the
facts of a run when that is made and never changes; `core.compare.hypothesis` scores it. Reading both needs no torch.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self, get_args

from core.errors import InputError, shown
from core.metrics.intervals import Interval
from core.metrics.parts import METRICS
from core.runs.labels import lines, one_line
from core.workspace import read_json, safe_id, write_json

Direction = Literal["raises", "lowers", "keeps"]

LONGEST_TEXT = 500  # letters of what a person adds in words of one's own
MOST_POINTS = 100.0  # a point is a hundredth
NEAR = 2.0  # points within which a metric counts as unchanged, unless another number is given


class Verdict(StrEnum):
    """What became of a hypothesis."""

    CAME_TRUE = "came true"
    DID_NOT = "did not come true"
    NOISE = "cannot be told from noise"
    UNJUDGED = "cannot be judged"


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis. Of `baseline` and `threshold` exactly one is given."""

    metric: str  # a name in core.metrics.parts
    direction: Direction  # against a fixed value: above it, below it, near it
    label: str = ""  # the class that the metric is about; "" for one of the whole split
    least: float = 0.0  # points by which it moves at least; of "keeps" by which it moves at most
    baseline: str = ""  # id of the run that it is measured against
    baseline_name: str = ""  # what that run was called when this was written
    threshold: float | None = None  # a fixed value in [0, 1] to measure against instead
    text: str = ""  # what a person adds in words of one's own

    @property
    def sentence(self) -> str:
        """It as one sentence of plain text."""
        what = next((row.label for row in METRICS if row.name == self.metric), self.metric)
        subject = f"{what} of “{self.label}”" if self.label else what
        points = f"{self.least:g} {'point' if self.least == 1 else 'points'}"
        if self.threshold is not None:
            value = f"{self.threshold:.3g}"
            if self.direction == "keeps":
                return f"The {subject} comes within {points} of {value}."
            margin = f" by at least {points}" if self.least else ""
            return f"The {subject} is {'above' if self.direction == 'raises' else 'below'} {value}{margin}."
        against = f" against the run “{self.baseline_name or self.baseline}”."
        if self.direction == "keeps":
            return f"The {subject} does not change by more than {points}{against}"
        margin = f" by at least {points}" if self.least else ""
        return f"The {subject} {'rises' if self.direction == 'raises' else 'falls'}{margin}{against}"

    def decide(self, interval: Interval) -> Verdict:
        """What the 95 % interval of a difference says of it: this run less the baseline, or less the fixed value.

        It came true where the whole interval agrees with it, and did not where none of it does. "Keeps" is held to the
        whole interval as well, as tests of equivalence are: that nothing was found is no proof that nothing changed.
        """
        low, high = interval
        least = self.least / 100
        if self.direction == "keeps":
            inside, outside = -least <= low and high <= least, low > least or high < -least
        else:
            if self.direction == "lowers":
                low, high = -high, -low
            inside = low >= least if least else low > 0
            outside = high < least if least else high <= 0
        return Verdict.CAME_TRUE if inside else Verdict.DID_NOT if outside else Verdict.NOISE

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it stands in the facts of a run."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The hypothesis from plain data. Raises KeyError, TypeError, ValueError or InputError when it is none."""
        threshold = data["threshold"]
        return cls(
            metric=str(data["metric"]),
            direction=data["direction"],
            label=str(data["label"]),
            least=float(data["least"]),
            baseline=str(data["baseline"]),
            baseline_name=str(data["baseline_name"]),
            threshold=None if threshold is None else float(threshold),
            text=lines(data["text"], LONGEST_TEXT, "The text of a hypothesis"),
        ).checked()

    def checked(self, task: str = "", classes: Sequence[str] | None = None) -> Self:
        """The hypothesis itself, its texts tidied. Raises InputError where it says nothing that could be scored, or,
        with a task and classes given, nothing that runs of them could show."""
        rows = [row for row in METRICS if row.task == (task or row.task)]
        if not any(row.name == self.metric and row.of_class == bool(self.label) for row in rows):
            told = ", ".join(f"{row.name} of a class" if row.of_class else row.name for row in rows)
            found = shown(self.metric) + (f" of {shown(self.label)}" if self.label else "")
            raise InputError("The metric of a hypothesis", found=found, expected=told)
        if classes is not None and self.label and self.label not in classes:
            raise InputError(
                "The class of a hypothesis", found=shown(self.label), expected=f"one of {', '.join(classes)}"
            )
        if self.direction not in get_args(Direction):
            told = ", ".join(get_args(Direction))
            raise InputError("The direction of a hypothesis", found=shown(self.direction), expected=told)
        if not 0 <= self.least <= MOST_POINTS or (self.direction == "keeps" and not self.least):
            least = "more than 0" if self.direction == "keeps" else "0"
            expected = f"{least} to {MOST_POINTS:g} points"
            raise InputError("The size in a hypothesis", found=f"{self.least:g}", expected=expected)
        if bool(self.baseline) == (self.threshold is not None):
            raise InputError("A hypothesis is measured against a run or a fixed value", do="Give one of the two")
        if self.baseline and not safe_id(self.baseline):
            raise InputError("A hypothesis is measured against a run", found=shown(self.baseline))
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise InputError("The fixed value of a hypothesis", found=f"{self.threshold:g}", expected="0 to 1")
        return replace(
            self,
            baseline_name=one_line(self.baseline_name, 200, "The name of a run"),
            text=lines(self.text, LONGEST_TEXT, "The text of a hypothesis"),
        )


@dataclass(frozen=True)
class HypothesisScore:
    """What became of a hypothesis, once its run had ended."""

    verdict: Verdict
    sentence: str  # the verdict with its figures, or why there is none; plain text
    value: float | None = None  # the metric of this run
    interval: Interval | None = None  # of it, 95 %
    against: float | None = None  # the metric of the baseline, or the fixed value
    difference: float | None = None  # this run less what it is measured against
    difference_interval: Interval | None = None  # 95 %
    method: str = ""  # how the interval of the difference was found
    n: int = 0  # images of the validation split
    checkpoint: str = ""  # whose answers were scored: epoch and digest of the weights of this run
    baseline_checkpoint: str = ""  # and those of the baseline; "" without one
    caution: str = ""  # what the figures cannot know

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it stands beside the run and in the answer of the command line."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The score from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        intervals = {
            name: None if data[name] is None else Interval(*map(float, data[name]))
            for name in ("interval", "difference_interval")
        }
        return cls(**{**data, "verdict": Verdict(data["verdict"]), **intervals})


def read_score(path: Path) -> HypothesisScore | None:
    """The stored score at `RunPaths.score`; None where there is none that can be read.

    Whether it is still about the weights that are there, `core.compare.hypothesis.current_score` says.
    """
    try:
        return HypothesisScore.from_json(read_json(path) or {})
    except (KeyError, TypeError, ValueError):
        return None


def write_score(path: Path, score: HypothesisScore) -> None:
    """Store the score, whole or not at all. Raises StorageError when the disk is full."""
    write_json(path, score.to_json())


_SENTENCE = re.compile(
    r"(?P<text>(?:.*\s)?)(?P<direction>raises|lowers|keeps)\s+(?P<metric>\w+)(?:\s+of\s+(?P<label>.+?))?"
    r"(?:\s+(?:by|within)\s+(?P<least>\d+(?:\.\d+)?)(?:\s+points?)?)?"
    r"\s+(?P<how>against|above|below|near)\s+(?P<what>\S+)",
    re.DOTALL,
)
_FORM = (
    '"raises|lowers|keeps METRIC [of CLASS] [by POINTS] against RUN", or "raises METRIC above VALUE", "lowers METRIC '
    'below VALUE", "keeps METRIC within POINTS near VALUE", with any words before it'
)
_ABOUT_VALUES = {"raises": "above", "lowers": "below", "keeps": "near"}


def parse(sentence: str) -> Hypothesis:
    """The hypothesis that a line says, as in "vertical flip lowers recall of polyps by 2 against RUN": words of one's
    own, then the form of `_FORM`. Raises InputError for any other line."""
    found = _SENTENCE.fullmatch(sentence.strip())
    if not found or (found["how"] != "against" and found["how"] != _ABOUT_VALUES[found["direction"]]):
        raise InputError("A hypothesis", found=shown(sentence), expected=_FORM)
    value: float | None = None
    if found["how"] != "against":
        try:
            value = float(found["what"])
        except ValueError:
            raise InputError("The fixed value of a hypothesis", found=shown(found["what"]), expected="0 to 1") from None
    usual = NEAR if found["direction"] == "keeps" else 0.0
    return Hypothesis(
        metric=found["metric"],
        direction=found["direction"],
        label=found["label"] or "",
        least=float(found["least"]) if found["least"] else usual,
        baseline=found["what"] if value is None else "",
        threshold=value,
        text=found["text"],
    ).checked()
