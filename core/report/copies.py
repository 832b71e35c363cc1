"""The evidence of a report that came twice: where its copies differ, and which of them is as it was.

A bundle holds each file of the evidence itself and in the page, and its manifest has the hash of each. So of two copies
that differ it can be told which one was changed, value by value.
"""

import hashlib
from collections.abc import Iterator

from core.report.bundle import MANIFEST, PAGE, TEXT, is_picture
from core.report.collect import picture_name
from core.report.differences import MOST, NOTHING, Difference, between, brief, leaves
from core.report.received import Received, is_evidence, is_result


def agreed(came: Received, found: list[Difference]) -> dict[str, bytes]:
    """The evidence as it was when the report was made, as far as that can be known; differences go to `found`."""
    if came.alone:
        return dict(came.carried)
    hashes = came.hashes
    if hashes is None:
        told = "Without it nobody can say which of two copies was changed."
        found.append(Difference(MANIFEST, "whole file", "no manifest that can be read", "", told))
    hashes = hashes or {}
    found += _strangers(came, hashes)
    truth: dict[str, bytes] = {}
    for name in sorted({one for one in (*came.files, *came.carried, *hashes) if is_evidence(one)}):
        here, there, wanted = came.files.get(name), came.carried.get(name), hashes.get(name)
        if is_picture(name):
            found += _picture(name, here)
        elif here is None:
            found.append(Difference(name, "whole file", NOTHING, "", "It is missing from the bundle."))
        elif there is None or here == there:
            found += _hash(name, here, wanted, copied=there is not None)
        else:
            found += _copies(name, here, there, wanted)
        kept = here
        if there is not None and (here is None or wanted is None or digest(here) != wanted):
            kept = there
        if kept is not None:
            truth[name] = kept
    return truth


def _strangers(came: Received, hashes: dict[str, str]) -> Iterator[Difference]:
    """Files that belong to no report, and those that the manifest names and that are gone."""
    for name, told in came.beside:
        yield Difference(name, "whole file", "a file", NOTHING, told)
    if TEXT not in came.files and TEXT not in hashes:
        yield Difference(TEXT, "whole file", NOTHING, "", "It is missing from the bundle.")
    for name in sorted({*came.files, *hashes}):
        known = name in (MANIFEST, PAGE, TEXT) or is_evidence(name) or is_result(name)
        if name not in came.files:
            if not is_evidence(name):
                yield Difference(name, "whole file", NOTHING, "", "It is missing from the bundle.")
        elif not known or (hashes and name not in hashes and name != MANIFEST):
            yield Difference(name, "whole file", f"a file of {len(came.files[name]):,} bytes", NOTHING, "It was added.")


def _picture(name: str, data: bytes | None) -> Iterator[Difference]:
    if data is None:
        yield Difference(name, "whole picture", NOTHING, "", "It is missing from the bundle.")
    elif picture_name(data) != name.split("/")[-1]:
        told = "A picture is called by its digest; another picture stands in its place."
        yield Difference(name, "whole picture", picture_name(data), name.split("/")[-1], told)


def _hash(name: str, data: bytes, wanted: str | None, *, copied: bool) -> Iterator[Difference]:
    """A file whose hash is not the manifest's although no copy of it says anything else."""
    if wanted is None or digest(data) == wanted:
        return
    if copied:
        told = "The file agrees with the copy in the page, so it is the manifest that was changed."
        yield Difference(MANIFEST, f"files.{name}", wanted, digest(data), told)
    else:
        told = "It was changed after the bundle was made; there is no second copy that says where."
        yield Difference(name, "whole file", f"SHA-256 {digest(data)[:16]}…", f"SHA-256 {wanted[:16]}…", told)


def _copies(name: str, here: bytes, there: bytes, wanted: str | None) -> list[Difference]:
    """Where two copies of a file differ, told of the one that was changed."""
    if wanted is not None and digest(here) == wanted:
        told = f"{name} in the bundle says otherwise, and the manifest bears it out."
        return _values(PAGE, name, there, here, told, inside=f"its copy of {name}, ")
    told = "The copy that the report carries says otherwise"
    told += ", and the manifest bears it out." if wanted == digest(there) else "; the manifest agrees with neither."
    return _values(name, name, here, there, told)


def _values(file: str, name: str, found: bytes, wanted: bytes, told: str, inside: str = "") -> list[Difference]:
    try:
        one, two = leaves(name, found), leaves(name, wanted)
    except ValueError as error:
        return [Difference(file, f"{inside}whole file", f"cannot be read: {brief(str(error))}", "", told)]
    rows = [Difference(file, inside + place, *pair, told) for place, *pair in between(one, two)]
    if not rows:
        told = "Its bytes were changed, but no value in it."
        pair = (f"SHA-256 {digest(data)[:16]}…" for data in (found, wanted))
        rows = [Difference(file, f"{inside}whole file", *pair, told)]
    return most(rows)


def most(rows: list[Difference]) -> list[Difference]:
    """At most so many of the differences of one file, with a last line that says how many more there are."""
    if len(rows) <= MOST:
        return rows
    last = rows[MOST]
    more = Difference(last.file, f"{len(rows) - MOST:,} more places", "", "", "They are not listed.")
    return [*rows[:MOST], more]


def digest(data: bytes) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
