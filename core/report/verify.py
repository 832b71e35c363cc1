"""Check a report that somebody hands in: compute every number again from its tables, write it again, and compare.

The evidence is there twice, in the bundle and in the page, and each file's hash is in the manifest. So a value that
was changed is not only noticed: it is named with its place, what it says now, and what the other copy says. Whatever
follows from the evidence, the results, the page and the Markdown, is made anew and compared word by word.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import FoveaError, InputError
from core.report.bundle import MANIFEST, PAGE, TEXT, carried, results
from core.report.collect import code
from core.report.copies import agreed, digest, most
from core.report.differences import MOST, NOTHING, Difference, between, between_texts, brief, leaves
from core.report.evidence import Evidence
from core.report.markdown import write_markdown
from core.report.page import write_html
from core.report.reading import pieces_of_html, pieces_of_markdown
from core.report.received import Received, is_evidence, is_result, receive
from core.report.words import count, listed
from core.report.writing import write_document

_MOST_FOLLOWING = 60  # differences that come of one changed table
_FEW_TAGS = 1000  # that somebody may have added to a page before it is no longer looked at word by word
_BROKEN = (
    *(FoveaError, OSError, AttributeError, ArithmeticError, LookupError, TypeError, ValueError),
    *(MemoryError, RecursionError),
)

CANNOT_KNOW = (
    "Whether the prediction tables are what these weights answered: whoever has the weights, whose digest the tables "
    "name, and the pictures can evaluate the run again and compare.",
    "Whether somebody made a whole new bundle with other numbers: it carries no signature, only a second copy of "
    "everything and hashes. Training the recipe again with its seed would show it.",
    "What was stored as it was found, such as health, integrity, hypotheses and what heat maps mean, and what the "
    "pictures show: these were compared with their copies and hashes, not found again.",
    "Whether the test pictures were looked at outside Fovea: only openings within it are counted.",
)


@dataclass(frozen=True)
class Verification:
    """What a check came to."""

    matches: bool
    sentence: str
    differences: tuple[Difference, ...]
    checked: tuple[str, ...]  # what was done, as sentences
    notes: tuple[str, ...]  # what to keep in mind about the check itself
    cannot_know: tuple[str, ...]
    runs: tuple[str, ...]  # ids
    headline: str  # of the report as it should read; "" where it could not be written again
    made: float  # seconds since 1970, as the report says

    def to_json(self) -> dict[str, Any]:
        """Plain data, as the command line gives it."""
        return asdict(self)


def verify(path: str, name: str = "") -> Verification:
    """Check a bundle or a page that carries its evidence; `name` is what people call it.

    Raises InputError for a file that is neither, ArchiveError for a zip that would do harm.
    """
    came = receive(Path(path), name)
    with tempfile.TemporaryDirectory(prefix="verify-") as temporary:
        return _verified(came, Path(temporary))


def _verified(came: Received, folder: Path) -> Verification:
    found: list[Difference] = []
    truth = agreed(came, found)
    for file, data in truth.items():
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    evidence = Evidence(folder)
    headline, runs, numbers, notes, made = "", (), 0, [], 0.0
    try:
        document = write_document(evidence)
        computed = results(evidence)
        headline, runs = document.headline, tuple(evidence.asked["runs"])
        made = float(evidence.asked.get("made") or 0)
        found += _results(came, computed)
        page, text = write_html(document, lambda picture: picture), write_markdown(document)
        found += _written(came, page, text, carries=bool(came.carried) or bool(carried(folder)))
        if (evidence.asked.get("maker") or {}).get("code") == code():
            found = _both_changed(came, found, computed | {TEXT: text.encode()})
        numbers = sum(
            isinstance(leaf, int | float) for data in computed.values() for leaf in leaves("r.json", data).values()
        )
        found += _hashes(came, found)
        found += _consequences(came, truth, computed)
        if found and (evidence.asked.get("maker") or {}).get("code") != code():
            notes.append(
                "This report was written by another version of Fovea than this one: sentences may differ for that "
                "reason alone. Look at the numbers."
            )
    except _BROKEN as error:
        told = str(error) if isinstance(error, FoveaError) else f"{type(error).__name__}: {error}"
        found.append(Difference(came.name, "whole report", brief(told), "", "It cannot be written again from this."))
    differences = tuple(found[: 5 * MOST])
    return Verification(
        matches=not found,
        sentence=_sentence(differences, numbers, made),
        differences=differences,
        checked=_checked(came, numbers),
        notes=tuple(notes),
        cannot_know=CANNOT_KNOW,
        runs=runs,
        headline=headline,
        made=made,
    )


def _sentence(differences: tuple[Difference, ...], numbers: int, made: float) -> str:
    if not differences:
        return f"Everything matches: {numbers:,} numbers, computed again from the tables, are those of the report."
    own = [one for one in differences if not one.follows] or list(differences)
    files = listed(dict.fromkeys(one.file.split("/")[-1] for one in own))
    return f"{count(len(own), 'place')} in {files} {'does' if len(own) == 1 else 'do'} not match."


def _checked(came: Received, numbers: int) -> tuple[str, ...]:
    what = "the page and the evidence it carries" if came.alone else f"{count(len(came.files), 'file')} of the bundle"
    told = [f"Read {what}."]
    if came.hashes is not None:
        told.append(f"Compared the SHA-256 of {count(len(came.hashes), 'file')} with the manifest.")
    if not came.alone and came.carried:
        told.append("Compared every value of the evidence with the copy that the page carries.")
    told.append(f"Computed {numbers:,} numbers again from the prediction tables, intervals included.")
    told.append("Wrote the report again and compared it word by word, and the pictures by their digests.")
    return tuple(told)


def _results(came: Received, computed: dict[str, bytes]) -> list[Difference]:
    if came.alone:
        return []
    found: list[Difference] = []
    for name in sorted({*computed, *filter(is_result, came.files)}):
        there, wanted = came.files.get(name), computed.get(name)
        if there is None:
            if name not in (came.hashes or {}):  # else it was told already
                found.append(Difference(name, "whole file", NOTHING, "", "It is missing from the bundle."))
            continue
        if wanted is None:
            found.append(Difference(name, "whole file", "results", NOTHING, "There is no table that they could be of."))
            continue
        try:
            one, two = leaves(name, there), leaves(name, wanted)
        except ValueError as error:
            found.append(Difference(name, "whole file", f"cannot be read: {brief(str(error))}", "results as JSON"))
            continue
        told = "Computed again from the prediction table."
        whole = digest(there) == (came.hashes or {}).get(name)  # then only a library can make the last digits differ
        found += most([Difference(name, place, *pair, told) for place, *pair in between(one, two, close=whole)])
    return found


def _hashes(came: Received, found: list[Difference]) -> Iterator[Difference]:
    """Files that say what they should although their hash is not the manifest's."""
    named = {one.file for one in found}
    for name, wanted in (came.hashes or {}).items():
        data = came.files.get(name)
        if data is None or name in named or is_evidence(name) or digest(data) == wanted:
            continue
        told = "The file says what it should: the manifest was changed, or how the file is written down."
        yield Difference(MANIFEST, f"files.{name}", wanted, digest(data), told)


def _both_changed(came: Received, found: list[Difference], anew: dict[str, bytes]) -> list[Difference]:
    """The differences, where what follows from the evidence is as the manifest has it and yet does not follow: then it
    is no hash of the manifest that was changed, but both copies of what it is the hash of."""
    hashes = came.hashes or {}
    intact = [name for name in anew if name in came.files and digest(came.files[name]) == hashes.get(name)]
    if all(came.files[name] == anew[name] for name in intact):
        return found
    told = "Both copies of it were changed: the manifest, and what was computed from it, are of another file."
    place = "files."
    return [
        Difference(
            one.place.removeprefix(place),
            "whole file",
            f"SHA-256 {one.recomputed[:16]}…",
            f"SHA-256 {one.found[:16]}…",
            told,
        )
        if one.file == MANIFEST and is_evidence(one.place.removeprefix(place))
        else one
        for one in found
    ]


def _written(came: Received, page: str, text: str, *, carries: bool) -> list[Difference]:
    """Where the page and the Markdown are not as they are written anew; `carries` says whether it has evidence."""
    found: list[Difference] = []
    told = "Written again from the evidence."
    if came.page is None:
        found.append(Difference(PAGE, "whole file", "no page that can be read", "", "It is missing or is no text."))
    elif _trimmed(came.page) != _trimmed(page):
        name = came.name if came.alone else PAGE
        tags, wanted = came.page.count("<"), page.count("<")
        if tags > 4 * wanted + _FEW_TAGS or len(came.page) > 8 * len(page):  # reading it might take for ever
            found.append(Difference(name, "whole file", f"{tags:,} tags", f"{wanted:,} tags", told))
        else:
            pieces = pieces_of_html(came.page), pieces_of_html(page)
            rows = [Difference(name, *row, told) for row in between_texts(*pieces)]
            found += most(rows) or [_first_line(name, came.page, page)]
    if not came.alone and came.page is not None and carries and not came.carried:
        found.append(Difference(PAGE, "its evidence", NOTHING, "", "The page carries no evidence that can be read."))
    markdown = came.files.get(TEXT)
    if markdown is not None:
        there = markdown.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
        if there != text:
            pieces = pieces_of_markdown(there), pieces_of_markdown(text)
            rows = [Difference(TEXT, *row, told) for row in between_texts(*pieces)]
            found += most(rows) or [_first_line(TEXT, there, text)]
    return found


def _trimmed(html: str) -> str:
    return html.rstrip()


def _first_line(file: str, found: str, wanted: str) -> Difference:
    """The first line in which two texts differ, where reading them makes no difference."""
    pairs = enumerate(zip(found.splitlines(), wanted.splitlines(), strict=False), 1)
    line, one, two = next(((n, a, b) for n, (a, b) in pairs if a != b), (0, "an end", "another end"))
    return Difference(
        file, f"line {line}" if line else "end", brief(repr(one)), brief(repr(two)), "Written differently."
    )


def _consequences(came: Received, truth: dict[str, bytes], computed: dict[str, bytes]) -> list[Difference]:
    """What the results would be by tables that were changed: what the change was good for."""
    changed = [
        name for name, data in came.files.items() if name.endswith(".csv") and name in truth and truth[name] != data
    ]
    rows: list[Difference] = []
    for name in changed:
        with tempfile.TemporaryDirectory(prefix="verify-") as temporary:
            folder = Path(temporary)
            for file, data in (truth | {name: came.files[name]}).items():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(data)
            try:
                other = results(Evidence(folder))
            except InputError as error:
                rows.append(Difference(name, "whole file", brief(str(error)), "a prediction table", follows=name))
                continue
        for file, data in other.items():
            told = f"By {name} as it is now; the report has the number of the table as it was."
            pairs = between(leaves(file, computed[file]), leaves(file, data), close=True)
            mine = [Difference(file, place, *pair, told, follows=name) for place, *pair in pairs]
            rows += mine[:_MOST_FOLLOWING]
    return rows
