"""What a policy leaves of pictures that a model recognises. Apart from `survival`, so that a page can hold it without
torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """How many variants are still recognised, of those of pictures that are recognised as they are."""

    kept: int
    of: int
    interval: tuple[float, float] | None = None  # 95 % of the share, over pictures; None from fewer than five of them

    @property
    def share(self) -> float | None:
        """In [0, 1]; None where there was nothing to be recognised."""
        return self.kept / self.of if self.of else None


@dataclass(frozen=True)
class LostPicture:
    """A variant that is no longer recognised, though its picture is."""

    sample: str  # id in the dataset
    name: str  # of its file, as it came
    truth: str  # the class that was lost
    answer: str  # what a classifier says instead; "" for masks
    before: float  # probability of the class in the picture as it is; of masks their Dice; in [0, 1]
    after: float  # the same of the variant
    original: bytes  # JPEG of the square that the model is shown
    variant: bytes  # JPEG of it, varied


@dataclass(frozen=True)
class RowKept:
    """What one row of a policy does alone, drawn for every picture whatever its probability."""

    name: str  # of the transform
    label: str
    kept: Kept
    lost: tuple[LostPicture, ...]  # a few, the most lost first


@dataclass(frozen=True)
class Survival:
    """What a policy leaves, by the eyes of one trained model."""

    pictures: int  # that were looked at, which the model has not learned from
    recognised: int  # of them, as they are; only their variants are counted
    variants: int  # of each
    overall: Kept
    classes: dict[str, Kept]  # in the order of the dataset; of masks without the background
    rows: tuple[RowKept, ...]  # in the order of the policy, without those that are never drawn
    lost: tuple[LostPicture, ...]  # a few under the whole policy, the most lost first, each of another picture

    @property
    def worst(self) -> RowKept | None:
        """The row that loses most when it is alone, of those that lose more than one picture or so by chance: their
        interval ends below 1. None where there is none, also from fewer than five pictures."""
        losing = [row for row in self.rows if row.kept.interval is not None and row.kept.interval[1] < 1]
        return min(losing, key=lambda row: row.kept.share or 0.0, default=None)

    @property
    def sentence(self) -> str:
        """The finding, for a person."""
        share, interval = self.overall.share, self.overall.interval
        if share is None:
            return f"The model recognises none of the {self.pictures} pictures as they are, so that none can be lost."
        between = f" (95 %: {interval[0]:.0%} to {interval[1]:.0%})" if interval else ""
        said = (
            f"Of {self.recognised} pictures that the model recognises, {share:.0%} of the variants still are{between}."
        )
        worst = self.worst
        if worst is not None and len(self.rows) > 1:
            said += f" Alone, {worst.label} loses most: {worst.kept.share:.0%} still are."
        return said
