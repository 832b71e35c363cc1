"""Checks on files: those that cannot be read, and those that are unlike all the others."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np

from core.data.dataset import Skipped
from core.data.health.finding import Finding
from core.integrity.subject import MOST_EVIDENCE, MOST_FILES, Subject, number_of, some

RARE = 0.05  # of the pictures: a format or a colour mode of fewer is unlike the others
LONG = 4.0  # times as long as wide, or as wide as long
TINY, FAR = 32, 4  # pixels of the short side, and how many times longer it usually is

_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
}
_PICTURES = {suffix for suffixes in _SUFFIXES.values() for suffix in suffixes}
_MODES = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "P": "a palette",
    "PA": "a palette with transparency",
    "RGB": "colours",
    "RGBA": "colours with transparency",
    "CMYK": "inks (CMYK)",
    "I": "grey of 32 bits",
    "I;16": "grey of 16 bits",
    "I;16B": "grey of 16 bits",
    "F": "grey of fractions",
}


def unreadable(subject: Subject) -> Iterator[Finding]:
    """Files that an import had to leave out, and files of the dataset that are gone or damaged by now."""
    dataset, gone = subject.dataset, subject.facts.unreadable
    if gone:
        first = dataset.sample(next(iter(gone)))
        yield Finding(
            "unreadable",
            "error",
            f"{number_of(len(gone))} of this dataset cannot be read any more; the first is {first.name}: "
            f"{gone[first.id]}.",
            "Training would stop there. Somebody changed the workspace, or its disk is failing: import the source "
            "again, or leave these pictures out.",
            files=subject.names(gone),
            figures={"pictures": len(gone)},
            repairs=(subject.leave_out(gone, "Leave them out", "their files cannot be read."),),
        )
    refused = [row for row in dataset.skipped if _meant(row)]
    if refused:
        reasons = Counter(row.reason for row in refused)
        told = some([f"{row.file} ({row.reason})" for row in refused], 2)
        all_of_them, were = len(refused) + len(dataset.samples), "was" if len(refused) == 1 else "were"
        yield Finding(
            "unreadable",
            "warning" if len(refused) > 0.01 * all_of_them else "note",
            f"{number_of(len(refused))} of {all_of_them:,} {were} left out by the import: {told}.",
            "What was left out is missing from everything that follows. Where that matters, mend the files and import "
            "again.",
            files=tuple(row.file for row in refused[:MOST_FILES]),
            figures={"pictures": len(refused), "reasons": dict(reasons.most_common(20))},
        )


def _meant(row: Skipped) -> bool:
    """Whether a file that was left out was meant as a picture: a note or a hidden file was not."""
    return PurePosixPath(row.file).suffix.lower() in _PICTURES and not PurePosixPath(row.file).name.startswith(".")


def odd(subject: Subject) -> Iterator[Finding]:
    """Pictures whose file is unlike those of nearly all others: format, colours, shape, size, a name that is wrong."""
    yield from _rare_kinds(subject)
    yield from _misnamed(subject)
    yield from _shapes(subject)


def _rare_kinds(subject: Subject) -> Iterator[Finding]:
    samples = subject.dataset.samples
    modes = subject.facts.modes(subject.dataset)
    for about, kinds, words in (
        ("format", [sample.format for sample in samples], lambda kind: f"{kind} files"),
        ("mode", modes, lambda kind: f"stored in {_MODES.get(kind, kind)}"),
    ):
        counted = Counter(kind for kind in kinds if kind)
        usual, most = counted.most_common(1)[0] if counted else ("", 0)
        rare = {kind: number for kind, number in counted.items() if number < RARE * len(samples) and kind != usual}
        if not rare or most < (1 - 2 * RARE) * len(samples):
            continue
        ids = [sample.id for sample, kind in zip(samples, kinds, strict=True) if kind in rare]
        told = ", ".join(f"{number:,} {words(kind)}" for kind, number in Counter(rare).most_common(5))
        yield Finding(
            "odd-files",
            "note",
            f"{number_of(len(ids))} of {len(samples):,} {'is' if len(ids) == 1 else 'are'} unlike the others, which "
            f"are {words(usual)}: {told}.",
            "All of them can be read and are made alike for the model. Look whether they come from another source.",
            evidence=tuple((id,) for id in ids[:MOST_EVIDENCE]),
            files=subject.names(ids),
            figures={"about": about, "usual": usual, **rare},
            repairs=(subject.leave_out(ids, "Leave them out", f"an unusual {about}."),),
        )


def _misnamed(subject: Subject) -> Iterator[Finding]:
    wrong: dict[tuple[str, str], list[str]] = defaultdict(list)
    for sample in subject.dataset.samples:
        suffix = PurePosixPath(sample.name).suffix.lower()
        if suffix in _PICTURES and suffix not in _SUFFIXES.get(sample.format, (suffix,)):
            wrong[suffix, sample.format].append(sample.id)
    if not wrong:
        return
    ids = [id for found in wrong.values() for id in found]
    told = ", ".join(f"{len(found):,} called {suffix} that hold {kind}" for (suffix, kind), found in wrong.items())
    yield Finding(
        "odd-files",
        "note",
        f"{number_of(len(ids), 'file is', 'files are')} not what the name says: {told}.",
        "They are read by what they hold, so nothing is lost here; other programs may fail on them.",
        evidence=tuple((id,) for id in ids[:MOST_EVIDENCE]),
        files=subject.names(ids),
        figures={f"{suffix} {kind}": len(found) for (suffix, kind), found in wrong.items()},
    )


def _shapes(subject: Subject) -> Iterator[Finding]:
    samples = subject.dataset.samples
    width, height = np.array([(sample.width, sample.height) for sample in samples], float).T
    short, shape = np.minimum(width, height), np.maximum(width / height, height / width)
    usual = float(np.median(short))
    for name, chosen, words, advice in (
        (
            "shape",
            (shape >= LONG) & (np.median(shape) < LONG / 2),
            f"at least {LONG:g} times as long as wide, or as wide as long",
            "Made square, such a picture is cut to its middle or squeezed. Look whether its subject is still in it.",
        ),
        (
            "size",
            (short < TINY) & (short * FAR <= usual),
            f"under {TINY} pixels wide or high, while the others have about {usual:.0f}",
            "Enlarged to the size that the model sees, nothing but a blur is left. They may be thumbnails or icons.",
        ),
    ):
        ids = [sample.id for sample, is_odd in zip(samples, chosen, strict=True) if is_odd]
        if ids:
            yield Finding(
                "odd-files",
                "note",
                f"{number_of(len(ids), 'picture is', 'pictures are')} {words}.",
                advice,
                evidence=tuple((id,) for id in ids[:MOST_EVIDENCE]),
                files=subject.names(ids),
                figures={"about": name, "pictures": len(ids)},
                repairs=(subject.leave_out(ids, "Leave them out", f"an unusual {name}."),),
            )
