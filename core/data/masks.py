"""The audit of masks: under a map from values to classes each file is judged, and what is found is said.

Pixels near a value of the map are snapped to it and counted. A file with any other value is refused with that value,
because a guess would be learned as truth.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from core.data.dataset import IGNORE
from core.data.mask_values import MaskMap, Value, unpacked, value_text
from core.data.raw_masks import Histogram, Kind, RawMask, channels_of, tally, translate

SOLID = 16  # pixels inside a surface of one value, from which on it is meant
NEAR = 24  # levels; values as near as that to a commoner one are its noise, where values are unsteady


@dataclass(frozen=True)
class MaskValue:
    """A nominal value of a dataset's masks."""

    value: Value
    pixels: int
    share: float  # of all pixels, 0..1
    files: int  # masks that hold it
    example: str  # the mask that holds most of it
    colour: str  # "#rrggbb", how the file shows it


@dataclass(frozen=True)
class Stray:
    """A value in one file that is not in the map."""

    file: str
    value: Value
    pixels: int

    @property
    def amount(self) -> str:
        """Its pixels in words."""
        return "1 pixel" if self.pixels == 1 else f"{self.pixels:,} pixels"


@dataclass(frozen=True)
class MaskAudit:
    """What the masks of an import hold, under its present map."""

    kind: Kind
    values: tuple[MaskValue, ...]  # the nominal ones, whether or not they are in the map
    lossy: bool  # some files are of a format that changes values, or their outlines are blurred
    blurred: bool  # values between the nominal ones are everywhere, whatever the format
    tolerance: int  # the proposed one
    pixels: int
    masks: int
    noise_pixels: int = 0  # snapped to a nominal value
    stray: tuple[Stray, ...] = ()  # why files were refused
    findings: tuple[str, ...] = ()  # what a person should know, as sentences
    turned: tuple[str, ...] = ()  # images that EXIF turns, while their masks have the size that fits

    @property
    def noise_share(self) -> float:
        """The share of pixels that were snapped, 0..1."""
        return self.noise_pixels / self.pixels if self.pixels else 0.0

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """What `asdict` gave, also after a way through JSON."""
        values = tuple(MaskValue(**row | {"value": tuple(row["value"])}) for row in data["values"])
        stray = tuple(Stray(**row | {"value": tuple(row["value"])}) for row in data["stray"])
        texts = {name: tuple(data[name]) for name in ("findings", "turned")}
        return cls(**data | texts | {"values": values, "stray": stray})

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """One mask file under a map."""

    pixels: tuple[int, ...]  # of each class
    ignored: int
    noise: int
    stray: Stray | None  # the commonest value that is not in the map; such a file is refused


def judge(histograms: Iterable[Histogram], audit: MaskAudit, mask_map: MaskMap) -> list[Verdict]:
    """Each file under a map, in their order. Where values are unsteady only solid patches can be strays."""
    codes, classes = mask_map.codes, len(mask_map.classes)
    verdicts = []
    for one in histograms:
        values, counts, flat = in_kind(one, audit.kind)
        nearest, distance = nearest_of(values, audit.kind, mask_map.values)
        far = distance > mask_map.tolerance
        soft = audit.blurred or one.lossy
        stray = (
            _patch(one, audit.kind, values, counts, flat, far)
            if soft
            else _commonest(one, audit.kind, values, counts, far)
        )
        by_code = np.bincount(codes[nearest], weights=counts, minlength=IGNORE + 1).astype(np.int64)
        pixels = tuple(int(number) for number in by_code[:classes])
        verdicts.append(Verdict(pixels, int(by_code[IGNORE]), int(counts[distance > 0].sum()), stray))
    return verdicts


def audited(
    audit: MaskAudit, histograms: Sequence[Histogram], verdicts: Sequence[Verdict], mask_map: MaskMap
) -> MaskAudit:
    """The audit with what a map makes of the files."""
    used = [(one, verdict) for one, verdict in zip(histograms, verdicts, strict=True) if verdict.stray is None]
    stray = tuple(verdict.stray for verdict in verdicts if verdict.stray)
    noise = sum(verdict.noise for _, verdict in used)
    judged = replace(audit, noise_pixels=noise, stray=stray)
    return replace(judged, findings=tuple(_findings(judged, used, mask_map)))


def index_mask(raw: RawMask, audit: MaskAudit, mask_map: MaskMap) -> np.ndarray:
    """A mask file as class indices, uint8 (H, W). Values too far from the map are IGNORE where values are steady."""
    values = raw.of_kind(audit.kind)
    found, _ = tally(values)
    nearest, distance = nearest_of(found, audit.kind, mask_map.values)
    codes = mask_map.codes[nearest]
    if not (audit.blurred or raw.lossy):
        codes = np.where(distance > mask_map.tolerance, IGNORE, codes)
    return translate(values, found, codes.astype(np.uint8))


def in_kind(one: Histogram, kind: Kind) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values of a file as the dataset's kind has them, rising, with their counts and flat counts."""
    if kind == "index" or (kind == "grey" and one.mode == "grey") or (kind == "colour" and one.mode == "colour"):
        return one.values, one.counts, one.flat
    values, which = np.unique(one.colours & 0xFF if kind == "grey" else one.colours, return_inverse=True)
    counts, flat = (
        np.bincount(which, weights=w, minlength=len(values)).astype(np.int64) for w in (one.counts, one.flat)
    )
    return values, counts, flat


def nearest_of(values: np.ndarray, kind: Kind, nominal: Sequence[Value]) -> tuple[np.ndarray, np.ndarray]:
    """For each value the nearest nominal one, and how far it is: the largest difference of any channel."""
    channels = channels_of(values, kind)
    nearest = np.zeros(len(values), np.int64)
    distance = np.full(len(values), np.iinfo(np.int32).max, np.int32)
    for place, value in enumerate(nominal):
        away = np.abs(channels - np.array(value, np.int32)).max(1)
        closer = away < distance
        nearest[closer], distance[closer] = place, away[closer]
    return nearest, distance


def _commonest(one: Histogram, kind: Kind, values: np.ndarray, counts: np.ndarray, far: np.ndarray) -> Stray | None:
    if not far.any():
        return None
    place = int(np.where(far, counts, 0).argmax())
    return Stray(one.mask, unpacked(int(values[place]), kind), int(counts[place]))


def _patch(
    one: Histogram, kind: Kind, values: np.ndarray, counts: np.ndarray, flat: np.ndarray, far: np.ndarray
) -> Stray | None:
    """A surface of a value that is far from every nominal one, by the commonest value within it."""
    left = np.where(far, flat, 0)
    channels = channels_of(values, kind)
    while left.any():
        top = int(left.argmax())
        near = far & (np.abs(channels - channels[top]).max(1) <= NEAR)
        if left[near].sum() >= SOLID:
            return Stray(one.mask, unpacked(int(values[top]), kind), int(counts[near].sum()))
        left[near] = 0
    return None


def _findings(audit: MaskAudit, used: list[tuple[Histogram, Verdict]], mask_map: MaskMap) -> Iterable[str]:
    if audit.noise_pixels:
        worst = sorted(used, key=lambda pair: -pair[1].noise)[:3]
        files = ", ".join(f"{one.mask} ({verdict.noise:,})" for one, verdict in worst if verdict.noise)
        yield (
            f"{audit.noise_pixels:,} pixels ({audit.noise_share:.2%}) lie beside the values of the map, as compression "
            f"or blurred outlines leave them, and count as the nearest one; most in {files}."
        )
    if audit.stray:
        one = audit.stray[0]
        masks = "1 mask is" if len(audit.stray) == 1 else f"{len(audit.stray):,} masks are"
        yield (
            f"{masks} refused for a value that is not in the map: {one.file} has {one.amount} of "
            f"{value_text(one.value)}{' and others have theirs' if len(audit.stray) > 1 else ''}."
        )
    if audit.turned:
        images = "1 image is" if len(audit.turned) == 1 else f"{len(audit.turned):,} images are"
        yield f"{images} turned by EXIF data, and masks are not; look whether they fit: {_some(list(audit.turned))}."
    rim = _between(mask_map) if audit.lossy and audit.kind == "grey" else None
    if rim:
        yield (
            f"Blurred outlines between {rim[0]} and {rim[2]} pass through {rim[1]}, so a thin rim of their pixels "
            f"counts as {rim[1]}."
        )
    ignored = [one.mask for one, verdict in used if not sum(verdict.pixels)]
    if ignored:
        yield f"{_masks(ignored)} nothing but ignored pixels, so nothing is learned there: {_some(ignored)}."
    classes = mask_map.classes
    if classes and classes[0].lower() == "background":
        empty = [one.mask for one, verdict in used if verdict.pixels[0] and not any(verdict.pixels[1:])]
        if empty:
            yield f"{_masks(empty)} nothing but background: {_some(empty)}."
    for index, label in enumerate(classes):
        if not any(verdict.pixels[index] for _, verdict in used):
            yield f"No mask has a pixel of the class {label}."


def _between(mask_map: MaskMap) -> tuple[int, ...] | None:
    """Three grey levels of the map of which the middle one means something else than both of its neighbours."""
    levels = sorted((entry.value[0], entry.label) for entry in mask_map.entries)
    for low, middle, high in zip(levels, levels[1:], levels[2:], strict=False):
        if middle[1] not in (low[1], high[1]):
            return low[0], middle[0], high[0]
    return None


def _masks(files: list[str]) -> str:
    return "1 mask holds" if len(files) == 1 else f"{len(files):,} masks hold"


def _some(files: list[str]) -> str:
    return ", ".join(files[:5]) + (f" and {len(files) - 5:,} more" if len(files) > 5 else "")
