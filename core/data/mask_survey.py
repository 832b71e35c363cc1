"""The survey of masks: what kind of values they hold, and which of these are nominal, meant and not a trace of
compression. A map from nominal values to classes is proposed; a person may then rename, merge or ignore.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.data.dataset import IGNORE
from core.data.mask_values import (
    MaskEntry,
    MaskMap,
    Value,
    default_label,
    packed,
    shown_colour,
    unpacked,
    value_order,
    value_text,
)
from core.data.masks import NEAR, SOLID, MaskAudit, MaskValue, in_kind, nearest_of
from core.data.raw_masks import Histogram, Kind, channels_of
from core.errors import DatasetError

MOST_EXACT = 64  # values; of more, unless all fill surfaces, or where formats change values, only surfaces are nominal
_SURE = 16  # values; so few are taken as they are
_TOLERANCE = 8  # levels; the most that is snapped in masks without loss
_THIN = 20  # a value of whose pixels fewer than one in so many lie inside a surface of it fills none
_FEW = 5  # masks; in fewer, a value of a single file may well be meant
_ALL_DIFFERENT = 256


@dataclass(frozen=True)
class _Values:
    """All values of all files, each once, and each file's own."""

    kind: Kind
    files: tuple[Histogram, ...]
    values: np.ndarray  # uint32 (n,), rising
    file: np.ndarray  # (m,): which file an entry is of
    which: np.ndarray  # (m,): which value it is
    counts: np.ndarray  # (m,)
    flat: np.ndarray  # (m,)
    colours: dict[int, int] = field(default_factory=dict)

    def per_value(self, weights: np.ndarray) -> np.ndarray:
        return np.bincount(self.which, weights=weights, minlength=len(self.values)).astype(np.int64)


def survey(histograms: Sequence[Histogram], labels: Mapping[str, str] | None = None) -> tuple[MaskAudit, MaskMap]:
    """What the masks hold, and a map to begin with. `labels` are names for values, as in {"128": "cytoplasm"}.

    Raises DatasetError when nothing in the masks could be a class.
    """
    gathered = _gather(histograms)
    blurred, unsteady, nominal, group = _nominal(gathered)
    values = _describe(gathered, nominal, group, unsteady) if nominal.size else []
    likely = [row for row in values if row.files > 1 or len(histograms) < _FEW]
    if not likely:
        raise _nothing_shared(gathered)
    if len(likely) == 1:
        raise DatasetError(
            "The masks hold only one value",
            found=f"{value_text(likely[0].value)} in {likely[0].files:,} of {len(histograms):,} masks",
            expected="two or more values that several masks share, such as background and cell",
            do="Save the masks without loss, as PNG: values near to each other cannot be told apart here" * unsteady,
        )
    proposed = _propose(gathered.kind, [row.value for row in likely], labels or {}, unsteady)
    pixels = int(gathered.counts.sum())
    lossy = blurred or any(one.lossy for one in histograms)
    audit = MaskAudit(gathered.kind, tuple(values), lossy, blurred, proposed.tolerance, pixels, len(histograms))
    return audit, proposed


def _nothing_shared(gathered: _Values) -> DatasetError:
    return DatasetError(
        "No value of these masks can be a class",
        found=f"{len(gathered.files):,} masks, in which no value fills a surface in more than one",
        expected="masks in which a class has the same value everywhere",
    )


def _gather(histograms: Sequence[Histogram]) -> _Values:
    kind = _kind(histograms)
    parts = [in_kind(one, kind) for one in histograms]
    sizes = [len(values) for values, _, _ in parts]
    values, which = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    counts, flat = (np.concatenate([part[place] for part in parts]).astype(np.int64) for place in (1, 2))
    colours: dict[int, int] = {}
    for one in histograms if kind == "index" else ():
        if one.mode == "palette":
            colours |= dict(zip(one.values.tolist(), one.colours.tolist(), strict=True))
    return _Values(
        kind,
        tuple(histograms),
        values,
        np.repeat(np.arange(len(parts), dtype=np.int32), sizes),
        which,
        counts,
        flat,
        colours,
    )


def _kind(histograms: Sequence[Histogram]) -> Kind:
    """Indices if all have palettes that agree or few whole numbers from 0 on; grey if nothing is coloured."""
    modes = {one.mode for one in histograms}
    if modes == {"palette"}:
        seen: dict[int, int] = {}
        if all(
            seen.setdefault(value, colour) == colour
            for one in histograms
            for value, colour in zip(one.values.tolist(), one.colours.tolist(), strict=True)
        ):
            return "index"
    if modes == {"grey"}:
        return "index" if _are_indices(histograms) else "grey"
    if "grey" in modes and any(one.mode == "grey" and one.values.max(initial=0) > IGNORE for one in histograms):
        raise DatasetError(
            "The masks do not fit together",
            found="some of 16-bit grey and some of colours",
            expected="one kind of mask",
        )
    grey = all(((one.colours >> 8) == (one.colours & 0xFF) * 0x101).all() for one in histograms)
    return "grey" if grey else "colour"


def _are_indices(histograms: Sequence[Histogram]) -> bool:
    """Whether grey levels are 0, 1, 2, ... (and perhaps 255), and many of them only if they fill surfaces."""
    values = sorted(set().union(*(one.values.tolist() for one in histograms)) - {IGNORE})
    if any(one.lossy for one in histograms) or len(values) < 2 or values != list(range(len(values))):
        return False
    solid = set().union(*(one.values[one.flat > 0].tolist() for one in histograms))
    return len(values) <= _SURE or len(solid.intersection(values)) >= 0.9 * len(values)


def _nominal(gathered: _Values) -> tuple[bool, bool, np.ndarray, np.ndarray]:
    """Whether outlines are blurred, whether values are unsteady, the nominal values, and which of them each value is
    nearest to (-1: to none of them exactly)."""
    lossy = any(one.lossy for one in gathered.files)
    counts, flat = gathered.per_value(gathered.counts), gathered.per_value(gathered.flat)
    exact = None if lossy else _exact(gathered, counts, flat)
    if exact is not None:
        group = np.full(len(counts), -1)
        group[exact] = np.arange(exact.sum())
        return False, False, gathered.values[exact], group
    nominal = _peaks(gathered, counts, flat)
    return not lossy, True, nominal, nearest_of(gathered.values, gathered.kind, _unpacked(nominal, gathered.kind))[0]


def _exact(gathered: _Values, counts: np.ndarray, flat: np.ndarray) -> np.ndarray | None:
    """The values that are meant as they are, bool (n,), or None where most are traces of blurred outlines.

    A few blurred files among many clean ones do not decide it; their values are not meant, and they will be refused.
    """
    solid = (flat >= SOLID) & (flat * _THIN >= counts)
    sure = np.zeros_like(solid) if gathered.kind == "colour" else solid
    meant = ~_satellites(gathered.values, gathered.kind, counts, sure, least=20)
    if gathered.kind == "index":
        return meant
    masks, files = len(gathered.files), np.bincount(gathered.which, minlength=len(counts))
    usual = meant & (files >= max(2, masks / 20)) if masks >= _FEW else meant
    many = usual.sum()
    if 2 * counts[usual].sum() < counts.sum():
        raise _nothing_shared(gathered)  # each has its own values, as noise has, in which some meet by chance
    if (many > MOST_EXACT and solid[usual].mean() < 0.9) or (many > _SURE and (flat[usual] > 0).mean() < 0.9):
        return None
    around = nearest_of(gathered.values, gathered.kind, _unpacked(gathered.values[usual & solid], gathered.kind))[1]
    if (usual & ~solid & (around <= NEAR)).sum() > (usual & solid).sum():
        return None  # most are the slopes of those that fill surfaces
    meant &= ~_satellites(gathered.values, gathered.kind, counts, solid, least=1)
    usual &= meant
    rare = meant & ~usual
    return usual | (rare if rare.sum() <= _SURE else rare & (flat >= SOLID))


def _unpacked(values: np.ndarray, kind: Kind) -> tuple[Value, ...]:
    return tuple(unpacked(int(value), kind) for value in values)


def _satellites(values: np.ndarray, kind: Kind, counts: np.ndarray, sure: np.ndarray, least: int) -> np.ndarray:
    """Which values are a trace of one beside them that is `least` times as common, bool (n,).

    Neighbouring indices never are, nor are those that are `sure`: grey 51 beside 50 may be a class, if it fills
    surfaces, and its pixels must not be counted as those of another one. With 1 for `least` only they have traces.
    """
    traces = np.zeros(len(values), bool)
    if len(values) > 4096 or kind == "index":
        return traces
    around = set()
    channels = channels_of(values, kind)
    for place in np.argsort(-counts, kind="stable"):
        if traces[place] or (least == 1 and not sure[place]):
            continue
        beside = np.abs(channels - channels[place]).max(1) <= _TOLERANCE
        rare = beside & ~sure & (counts * least <= counts[place])
        if rare.any():
            around.add(int(place))
            traces |= rare
    # Grey 1 beside a grey 0 that is everywhere may be a class; traces around 0 and around 255 are what a program left.
    return traces if kind == "colour" or len(around) > 1 else np.zeros(len(values), bool)


def _peaks(gathered: _Values, counts: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """The values that fill surfaces, commonest first within what is near them, rising."""
    weights = flat if flat.any() else counts
    channels, left = channels_of(gathered.values, gathered.kind), weights.copy()
    least = max(SOLID, int(weights.sum() / 5000))
    peaks: list[int] = []
    while left.any() and len(peaks) < _ALL_DIFFERENT:
        top = int(left.argmax())
        near = (np.abs(channels - channels[top]).max(1) <= NEAR) & (left > 0)
        if left[near].sum() >= least:
            peaks.append(top)
        left[near] = 0
    nominal = gathered.values[peaks]
    if gathered.kind != "index":
        nominal = np.array([packed(_rounded(unpacked(int(v), gathered.kind))) for v in nominal], np.uint32)
    return np.unique(nominal)


def _rounded(value: Value) -> Value:
    """A value without what compression did to it: 254 was meant as 255."""
    round_ones = (0, 64, 128, 192, 255)
    return tuple(next((level for level in round_ones if abs(level - part) <= 6), part) for part in value)


def _describe(gathered: _Values, nominal: np.ndarray, group: np.ndarray, unsteady: bool) -> list[MaskValue]:
    total = max(1, int(gathered.counts.sum()))
    of_entry = group[gathered.which]
    belongs = of_entry >= 0
    table = np.zeros((len(gathered.files), len(nominal)), np.int64)
    np.add.at(table, (gathered.file[belongs], of_entry[belongs]), gathered.counts[belongs])
    solid = table
    if unsteady:  # a file holds a value when it has a surface of it
        peak = channels_of(nominal, gathered.kind)[group]
        close = np.abs(channels_of(gathered.values, gathered.kind) - peak).max(1) <= NEAR
        near = close[gathered.which] & (gathered.flat > 0)
        solid = np.zeros_like(table)
        np.add.at(solid, (gathered.file[near], of_entry[near]), gathered.flat[near])
        solid = np.where(solid >= SOLID, solid, 0) if (solid >= SOLID).any() else solid
    rows = []
    for place, value in enumerate(nominal.tolist()):
        pixels = int(table[:, place].sum())
        example = gathered.files[int(table[:, place].argmax())].mask
        parts = unpacked(value, gathered.kind)
        colour = shown_colour(parts, gathered.colours.get(value))
        rows.append(MaskValue(parts, pixels, pixels / total, int((solid[:, place] > 0).sum()), example, colour))
    return sorted(rows, key=lambda row: value_order(row.value))


def _propose(kind: Kind, values: list[Value], labels: Mapping[str, str], unsteady: bool) -> MaskMap:
    numbers = [value[0] for value in values if len(value) == 1]
    others = [number for number in numbers if number != IGNORE]
    ignores = IGNORE in numbers and len(others) >= 2 and others == list(range(len(others)))
    entries = []
    for value in values:
        text = value_text(value)
        if text in labels:
            label = labels[text]
        elif ignores and value == (IGNORE,):
            label = None
        else:
            label = default_label(value, values, kind)
        entries.append(MaskEntry(value, label))
    channels = channels_of(np.array([packed(value) for value in values], np.uint32), kind)
    apart = [np.abs(channels[a] - channels[b]).max() for a in range(len(values)) for b in range(a)]
    spacing = int(min(apart, default=_ALL_DIFFERENT))
    return MaskMap(tuple(entries), spacing // 4 if unsteady else min(_TOLERANCE, (spacing - 1) // 2))
