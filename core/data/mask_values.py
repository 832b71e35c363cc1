"""Values of masks as people write them, and the map from values to classes."""

import colorsys
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from core.data.dataset import IGNORE
from core.data.raw_masks import Kind
from core.errors import DatasetError, shown

BACKGROUND = "background"
IGNORED = "ignore"  # how a person writes that a value belongs to no class

Value = tuple[int, ...]  # (128,) or (255, 0, 0)

_NAMES = {
    (0, 0, 0): "black", (255, 255, 255): "white", (255, 0, 0): "red", (0, 255, 0): "green", (0, 0, 255): "blue",
    (255, 255, 0): "yellow", (0, 255, 255): "cyan", (255, 0, 255): "magenta", (128, 0, 0): "dark red",
    (0, 128, 0): "dark green", (0, 0, 128): "dark blue", (128, 128, 0): "olive", (0, 128, 128): "teal",
    (128, 0, 128): "purple", (128, 128, 128): "grey", (192, 192, 192): "light grey", (255, 128, 0): "orange",
}  # fmt: skip


@dataclass(frozen=True)
class MaskEntry:
    """One value of the masks and the class it means; None: its pixels are ignored."""

    value: Value
    label: str | None


@dataclass(frozen=True)
class MaskMap:
    """What the values of the masks mean, and how far from them a pixel may be."""

    entries: tuple[MaskEntry, ...]
    tolerance: int = 0  # the largest difference of any channel, in levels

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of the entries, each once; the background first."""
        labels = dict.fromkeys(entry.label for entry in self.entries if entry.label is not None)
        return tuple(sorted(labels, key=lambda label: label.lower() != BACKGROUND))

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(entry.value for entry in self.entries)

    @property
    def codes(self) -> np.ndarray:
        """The index of the class of each entry, or IGNORE, uint8 (entries,)."""
        classes = self.classes
        found = [IGNORE if entry.label is None else classes.index(entry.label) for entry in self.entries]
        return np.array(found, np.uint8)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """As a dataset records it: (value, class), "" for ignored."""
        return tuple((value_text(entry.value), entry.label or "") for entry in self.entries)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"entries": [[list(entry.value), entry.label] for entry in self.entries], "tolerance": self.tolerance}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(tuple(MaskEntry(tuple(value), label) for value, label in data["entries"]), data["tolerance"])


def check_map(mask_map: MaskMap, kind: Kind) -> MaskMap:
    """The map with its labels on one line and trimmed. Raises DatasetError saying which entry cannot be used."""
    channels = 3 if kind == "colour" else 1
    seen: set[Value] = set()
    entries = []
    for entry in mask_map.entries:
        if len(entry.value) != channels or not all(
            0 <= part <= (255 if channels == 3 else 65535) for part in entry.value
        ):
            raise DatasetError(
                "A value of the map is none of these masks", found=_short(entry), expected=_written(kind)
            )
        if entry.value in seen:
            raise DatasetError("The map names a value twice", found=value_text(entry.value), expected="each value once")
        seen.add(entry.value)
        label = entry.label
        if label is not None:
            label = " ".join("".join(c if c.isprintable() else " " for c in label).split())
            if not label or len(label) > 80:
                found = f"{value_text(entry.value)} = {shown(entry.label)}"
                raise DatasetError("A class needs a name", found=found, expected="1 to 80 letters or digits")
        entries.append(MaskEntry(entry.value, label))
    checked = MaskMap(tuple(entries), mask_map.tolerance)
    if not 0 <= checked.tolerance <= 127:
        raise DatasetError(
            "The tolerance of the map", found=str(checked.tolerance), expected="a whole number from 0 to 127"
        )
    classes = checked.classes
    if len(classes) < 2:
        raise DatasetError(
            "The map of the masks needs at least two classes",
            found=", ".join(classes) or "no class",
            expected="2 to 254 classes, such as background and cell",
        )
    if len(classes) >= IGNORE:
        raise DatasetError(
            "The masks hold more values than there can be classes",
            found=f"{len(classes):,} classes, from {shown(classes[0])} to {shown(classes[-1])}",
            expected="2 to 254 classes",
            do="Give every object of one class the same value; masks that number each object are not read here",
        )
    return checked


def map_of(texts: Mapping[str, str], kind: Kind, tolerance: int) -> MaskMap:
    """A map from what a person wrote: {"0": "background", "#ff0000": "polyp", "255": "ignore"}.

    Raises DatasetError naming the value that cannot be read.
    """
    entries = [
        MaskEntry(parse_value(text, kind), None if label.strip().lower() == IGNORED else label)
        for text, label in texts.items()
    ]
    return check_map(MaskMap(tuple(sorted(entries, key=lambda entry: value_order(entry.value))), tolerance), kind)


def parse_value(text: str, kind: Kind) -> Value:
    """A value from "128" or "#ff0000". Raises DatasetError when masks of this kind have no such value."""
    colour = re.fullmatch(r"#([0-9a-f]{6})", text.strip().lower())
    if colour:
        parts = tuple(bytes.fromhex(colour[1]))
        if kind == "colour":
            return parts
        if kind == "grey" and len(set(parts)) == 1:
            return parts[:1]
    elif kind != "colour" and re.fullmatch(r"[0-9]{1,5}", text.strip()) and int(text) <= 65535:
        return (int(text),)
    raise DatasetError("This is no value of these masks", found=shown(text), expected=_written(kind))


def value_text(value: Value) -> str:
    """A value as people write it: "128" or "#ff0000"."""
    return str(value[0]) if len(value) == 1 else "#" + bytes(value).hex()


def value_order(value: Value) -> tuple[float, ...]:
    """Numbers rise; colours go from black over the greys around the colour wheel, red first."""
    if len(value) == 1:
        return value
    hue, saturation, light = colorsys.rgb_to_hsv(*(part / 255 for part in value))
    return (float(saturation > 0.1), round(hue, 3) if saturation > 0.1 else 0.0, -light if saturation > 0.1 else light)


def default_label(value: Value, values: Sequence[Value], kind: Kind) -> str:
    """The name a class has until somebody gives it another."""
    if not any(value):
        return BACKGROUND
    if len(values) == 2 and (0,) * len(value) in values:
        return "foreground"
    if kind == "colour":
        return colour_name(value)
    return f"class {value[0]}" if kind == "index" else f"grey {value[0]}"


def colour_name(value: Value) -> str:
    """ "red" for a colour that has a plain name, else "#rrggbb"."""
    return _NAMES.get(tuple(value), value_text(value))


def shown_colour(value: Value, palette: int | None) -> str:
    """What a value looks like in the file, "#rrggbb"."""
    if palette is not None:
        return f"#{palette:06x}"
    return value_text(value if len(value) == 3 else (min(value[0], 255),) * 3)


def packed(value: Value) -> int:
    """A value as one whole number: a colour as 0xRRGGBB."""
    return value[0] if len(value) == 1 else value[0] << 16 | value[1] << 8 | value[2]


def unpacked(number: int, kind: Kind) -> Value:
    """What `packed` was given."""
    return (number >> 16 & 255, number >> 8 & 255, number & 255) if kind == "colour" else (number,)


def _short(entry: MaskEntry) -> str:
    return shown(entry.value)


def _written(kind: Kind) -> str:
    return "a colour such as #ff0000" if kind == "colour" else "a whole number such as 128"
