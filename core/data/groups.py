"""Groups of samples told from their file names: patients, videos, slides, by a template such as "{group}_*"."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from core.data.dataset import Sample
from core.errors import DatasetError, shown

GROUP, ANY = "{group}", "*"
LONGEST = 200  # characters of a template


class _Part(NamedTuple):
    """One part of a template between slashes: text that must be there, and what may stand between."""

    texts: tuple[str, ...]  # one more than `wild`
    wild: tuple[bool, ...]  # between two texts: True for the group, False for anything


def grouped(samples: Sequence[Sample], template: str) -> tuple[Sample, ...]:
    """Samples with the groups that a template reads from their names; with "" as they are.

    A sample whose name does not fit has no group. Raises DatasetError for a template that cannot be, and when it fits
    no name at all.
    """
    if not template:
        return tuple(samples)
    insist_on_template(template)
    found = [group_of(sample.name, template) for sample in samples]
    if samples and not any(found):
        raise DatasetError(
            "The pattern for groups fits no file name",
            found=f"{shown(template)} for names such as {shown(samples[0].name)}",
            expected=f"a pattern such as {GROUP}_* for names such as patient7_03.png",
        )
    return tuple(replace(sample, group=group) for sample, group in zip(samples, found, strict=True))


def group_of(name: str, template: str) -> str:
    """The group that a template reads from a name such as "train/cat/p7_03.png"; "" where the name does not fit.

    `*` stands for anything, `{group}` for one letter or more, as few as will do; the rest must be there as it is. As
    many parts of the path are looked at as the template has, from the right: `{group}/*` is the folder of a file. The
    ending of the file counts only where the template has a dot in its last part. Raises DatasetError for a template
    that cannot be.
    """
    return _read(_parts(template), name)


def insist_on_template(template: str) -> None:
    """Refuse a template that cannot be: `{group}` must be in it once, and something must stand between two wildcards.

    Raises DatasetError.
    """
    _parts(template)


@lru_cache(maxsize=64)  # one template reads many names
def _parts(template: str) -> tuple[_Part, ...]:
    bare = template.replace(GROUP, "")
    joined = template.replace(GROUP, ANY)
    if template.count(GROUP) != 1 or "{" in bare or "}" in bare or ANY * 2 in joined or len(template) > LONGEST:
        raise DatasetError(
            "This pattern for groups cannot be used",
            found=shown(template),
            expected=f"{GROUP} once, * for anything, and something between the two, as in {GROUP}_*",
        )
    parts = []
    for part in template.split("/"):
        before, is_here, after = part.partition(GROUP)
        left, right = before.split(ANY), after.split(ANY)
        if is_here:
            wild = [False] * (len(left) - 1) + [True] + [False] * (len(right) - 1)
            parts.append(_Part((*left, *right), tuple(wild)))
        else:
            parts.append(_Part(tuple(left), (False,) * (len(left) - 1)))
    return tuple(parts)


def _read(parts: Sequence[_Part], name: str) -> str:
    path = name.split("/")[-len(parts) :]
    if len(path) < len(parts):
        return ""
    if "." not in "".join(parts[-1].texts):
        path[-1] = path[-1].rpartition(".")[0] or path[-1]
    group = ""
    for part, text in zip(parts, path, strict=True):
        found = _fit(part, text)
        if found is None:
            return ""
        group = group or found
    return group


def _fit(part: _Part, text: str) -> str | None:
    """The group in a text, "" where the part has none; None where the text does not fit. Linear, unlike a regex."""
    first, last = part.texts[0], part.texts[-1]
    if not part.wild:
        return "" if text == first else None
    if not text.startswith(first) or not text[len(first) :].endswith(last):
        return None
    group, at, end = "", len(first), len(text) - len(last)
    for place, is_group in enumerate(part.wild):
        inner = place + 1 < len(part.wild)
        stop = text.find(part.texts[place + 1], at + is_group, end) if inner else end
        if stop < at + is_group:
            return None
        group = text[at:stop] if is_group else group
        at = stop + len(part.texts[place + 1])
    return group
