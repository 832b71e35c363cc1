"""Whether maps of where a network looks mean anything for it: what the check found. Reading this needs no torch.

The check is that of Adebayo et al., 2018 (https://arxiv.org/abs/1810.03292): if a network of random weights draws the
same maps of the same pictures, the maps show the pictures and the architecture, and nothing that was learned.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

from core.evaluate.current import digest_of
from core.metrics.intervals import Interval
from core.runs.run import RunPaths
from core.workspace import read_json

ALIKE = 0.5  # a rank correlation; from here on two maps put more of their places into the same order than not
LEARNED, NOTHING, UNDECIDED = "learned", "nothing", "undecided"


@dataclass(frozen=True)
class Likeness:
    """How alike the maps of two networks are: their mean rank correlation over pictures and random networks."""

    mean: float  # in [-1, 1]; 1: all places in the same order, 0: unrelated
    interval: Interval  # 95 %, for other pictures and other random weights

    @property
    def verdict(self) -> str:
        """LEARNED where the maps are surely unlike, NOTHING where they are surely alike, else UNDECIDED."""
        if self.interval.high < ALIKE:
            return LEARNED
        return NOTHING if self.interval.low > ALIKE else UNDECIDED


@dataclass(frozen=True)
class MapsCheck:
    """What became of comparing a run's maps with those of random weights."""

    checkpoint: str  # digest of the weights that were looked at
    pictures: int  # validation images whose maps were compared
    cold: int  # others for which the network drew nothing
    draws: int  # random networks
    whole: Likeness  # all weights drawn anew
    head: Likeness  # only the head, or decoder, drawn anew; the backbone as it is

    @property
    def verdict(self) -> str:
        """NOTHING where either comparison says so, LEARNED where both do, else UNDECIDED."""
        both = {self.whole.verdict, self.head.verdict}
        return NOTHING if NOTHING in both else UNDECIDED if UNDECIDED in both else LEARNED

    @property
    def sentence(self) -> str:
        """The verdict in a sentence or two."""
        if self.whole.verdict == NOTHING:
            return (
                "These maps mean nothing: a network of random weights draws nearly the same ones. They show the "
                "pictures, not what was learned."
            )
        if self.head.verdict == NOTHING:
            return (
                "These maps do not tell the classes apart: with a random head on the same backbone they are nearly the "
                "same. They show what catches the backbone's eye, whatever the answer is."
            )
        if self.verdict == UNDECIDED:
            return (
                "It is open whether these maps mean anything: they are somewhat like those of random weights. Do not "
                "rest an argument on them."
            )
        return "These maps come from what was learned: networks of random weights draw other ones."

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"verdict": self.verdict, "sentence": self.sentence}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The check from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        whole, head = (
            Likeness(float(data[name]["mean"]), Interval(*map(float, data[name]["interval"])))
            for name in ("whole", "head")
        )
        counts = {name: int(data[name]) for name in ("pictures", "cold", "draws")}
        return cls(checkpoint=str(data["checkpoint"]), whole=whole, head=head, **counts)


def read_check(paths: RunPaths) -> MapsCheck | None:
    """The stored check of a run; None when there is none, or the run has other weights by now."""
    try:
        found = MapsCheck.from_json(read_json(paths.maps_check) or {})
        return found if found.checkpoint == digest_of(paths.best) else None
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return None
