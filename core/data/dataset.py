"""A dataset: labelled images in splits, kept in one folder that never changes again.

<folder>/
    dataset.json     what it is: name, classes, where it came from, how it was split, counts
    samples.csv      one line per image
    skipped.csv      one line per file that was left out, with the reason
    prints.npz       what near duplicates are found by (see core.data.prints); made anew where it is missing
    revisions/2/     what was made of it later, with a description and a table of its own (see core.data.revisions)
    files/ab/ab…jpg  the images, byte for byte as they came, named by their SHA-256
    masks/ab/ab…png  for segmentation: class indices, named by the SHA-256 of the file; 255 is ignored
    thumbs/ab/ab…jpg small JPEGs of them
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, astuple, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from core.errors import DatasetError
from core.seeding import fingerprint
from core.workspace import read_json, replacing, write_json

IGNORE = 255  # in a mask: a pixel that belongs to no class, learned from and counted nowhere
SPLITS = ("train", "validation", "test")
THUMBNAIL_SIDE = 160  # pixels, long side; a grid cell on a page is at most this wide

DESCRIPTION, SAMPLES, SKIPPED = "dataset.json", "samples.csv", "skipped.csv"
REVISIONS, REVISION = "revisions", "revision.json"


@dataclass(frozen=True)
class Sample:
    """One labelled image: its class, or for segmentation its mask."""

    id: str  # "000017": its place in the dataset, from 000000
    file: str  # relative to the dataset folder, with forward slashes
    name: str  # where it came from, as in "train/cat/a b.jpg"; text for people, never a path to open
    label: int  # index into the dataset's classes; -1 for segmentation
    split: str  # one of SPLITS; "" while an import has no split yet
    width: int  # pixels, after the turn that EXIF asks for
    height: int
    digest: str  # SHA-256 of the file, hexadecimal
    format: str  # Pillow's name of the format: "JPEG", "PNG", ...
    mask: str = ""  # relative to the dataset folder: 8-bit grey PNG of the image's size, class indices and IGNORE
    pixels: tuple[int, ...] = ()  # of the mask, for each class; what is missing to width x height is ignored
    mode: str = ""  # Pillow's name of the colours in the file: "RGB", "L", "P", ...; "" where nobody looked
    group: str = ""  # what it shares with others that must be in its split: a patient, a video, a slide; "" for none
    twins: str = ""  # of pictures that look nearly the same: the id of the first of them; "" for one like no other

    @property
    def holds(self) -> tuple[int, ...]:
        """The classes in it: its own, or those that its mask has a pixel of."""
        if not self.mask:
            return (self.label,)
        return tuple(index for index, number in enumerate(self.pixels) if number)

    @property
    def thumbnail(self) -> str:
        """Where its thumbnail is, relative to the dataset folder."""
        return thumbnail_file(self.digest)


@dataclass(frozen=True)
class Change:
    """One way in which a revision differs from the one before it."""

    kind: str  # "exclude", "relabel", "move" (to a split), "deal" (into splits anew) or "restore" (an earlier revision)
    samples: tuple[str, ...]  # ids, as the revision before it has them
    to: str = ""  # of a relabelling the class's name, of a move the split, of a deal the SplitRule as JSON, of a
    # restoring the number of the revision
    why: str = ""  # the reason, as a sentence

    @property
    def sentence(self) -> str:
        """What was done, for a person: "2 pictures left out: they cannot be told apart."."""
        number = f"{len(self.samples):,} {'picture' if len(self.samples) == 1 else 'pictures'}"
        done = {
            "exclude": f"{number} left out",
            "relabel": f"{number} now called {self.to}",
            "move": f"{number} moved to the {self.to} split",
            "deal": f"{number} dealt into splits anew",
            "restore": f"everything again as in revision {self.to}",
        }[self.kind]
        return f"{done}: {self.why}" if self.why else f"{done}."


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """Labelled images in splits. The order of `samples` is fixed and everything that has rows follows it."""

    folder: Path
    id: str
    name: str
    task: str
    classes: tuple[str, ...]
    layout: str  # name of the reader that recognised it
    source: str  # where it was imported from
    created: float  # seconds since 1970
    fingerprint: str  # changes with any image, label, class name or split, and with nothing else
    split_rule: str  # how the splits came about, as a sentence
    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...]
    bytes: int  # size of the image files
    mask_map: tuple[tuple[str, str], ...] = ()  # (value or colour in the masks as they came, class or "" for ignored)
    revision: int = 1  # 1 as it was imported
    changes: tuple[Change, ...] = ()  # what makes this revision differ from the one before it

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits that change with the fingerprint, and with the ids, groups and near duplicates of the
        samples: of two copies of one file either may be left out, and the fingerprint is the same."""
        rows = "\n".join(f"{sample.id} {sample.twins} {sample.group}" for sample in self.samples)
        return fingerprint(self.fingerprint, rows)

    @property
    def reference(self) -> str:
        """How a command calls this very revision: "cells-1a2b3c@2"."""
        return f"{self.id}@{self.revision}"

    def of(self, split: str) -> tuple[Sample, ...]:
        """The samples of one split, in their order. Raises DatasetError for a name that is no split."""
        if split not in SPLITS:
            raise DatasetError("There is no such split", found=repr(split), expected="one of " + ", ".join(SPLITS))
        return tuple(sample for sample in self.samples if sample.split == split)

    def split_counts(self) -> dict[str, int]:
        """Images per split; a split without images is left out."""
        counted = Counter(sample.split for sample in self.samples)
        return {split: counted[split] for split in SPLITS if counted[split]}

    def counts(self) -> dict[str, dict[str, int]]:
        """Images per class within each split that has images; a class without one there has 0.

        An image with a mask counts for every class that the mask has a pixel of.
        """
        return count_by_class(self.samples, self.classes)

    def path(self, sample: Sample) -> Path:
        """The image file of a sample."""
        return self.folder / sample.file

    def mask(self, sample: Sample) -> Path:
        """The mask file of a sample of a segmentation dataset."""
        return self.folder / sample.mask

    def thumbnail(self, sample: Sample) -> Path:
        """A JPEG of the sample, upright, with a long side of at most 160 pixels."""
        return self.folder / thumbnail_file(sample.digest)

    def sample(self, id: str) -> Sample:
        """The sample with this id. Raises DatasetError when there is none."""
        try:
            return self._by_id[id]
        except KeyError:
            raise DatasetError(
                f"The dataset {self.name!r} has no such sample",
                found=repr(id),
                expected=f"an id from {self.samples[0].id} to {self.samples[-1].id}" if self.samples else "",
            ) from None

    @cached_property
    def _by_id(self) -> dict[str, Sample]:
        return {sample.id: sample for sample in self.samples}


def count_by_class(samples: Sequence[Sample], classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Images per class within each split that occurs, splits in their usual order ("" first).

    An image with a mask counts for every class that the mask has a pixel of.
    """
    counted = Counter((sample.split, index) for sample in samples for index in sample.holds)
    present = {sample.split for sample in samples}
    return {
        split: {name: counted[split, label] for label, name in enumerate(classes)}
        for split in ("", *SPLITS)
        if split in present
    }


def thumbnail_file(digest: str) -> str:
    """Where the thumbnail of the image with this SHA-256 is, relative to the dataset folder."""
    return f"thumbs/{digest[:2]}/{digest}.jpg"


def fingerprint_of(classes: tuple[str, ...], samples: Sequence[Sample]) -> str:
    """16 hexadecimal digits that depend on the classes and, in order, on every image, its label or mask, its split."""
    task = "segmentation" if any(sample.mask for sample in samples) else "classification"
    rows = (f"{sample.digest} {sample.mask or sample.label} {sample.split}" for sample in samples)
    return fingerprint(task, *classes, "\n".join(rows))


def describe(dataset: Dataset) -> dict[str, Any]:
    """What `dataset.json` holds: everything but the two tables, and how long those are."""
    return {
        "version": 1,
        "id": dataset.id,
        "name": dataset.name,
        "task": dataset.task,
        "classes": list(dataset.classes),
        "layout": dataset.layout,
        "source": dataset.source,
        "created": dataset.created,
        "fingerprint": dataset.fingerprint,
        "split_rule": dataset.split_rule,
        "samples": len(dataset.samples),
        "splits": dataset.split_counts(),
        "skipped": len(dataset.skipped),
        "bytes": dataset.bytes,
        "mask_map": [list(pair) for pair in dataset.mask_map],
    }


def save_dataset(dataset: Dataset) -> None:
    """Write the tables, then the description: a folder that has a description holds a whole dataset.

    Raises StorageError when the disk is full.
    """
    write_table(dataset.folder / SAMPLES, Sample, dataset.samples)
    write_table(dataset.folder / SKIPPED, Skipped, dataset.skipped)
    write_json(dataset.folder / DESCRIPTION, describe(dataset))


def load_dataset(folder: Path, revision: int = 0) -> Dataset:
    """The dataset in `folder` in one of its revisions, by default the newest.

    Raises DatasetError when there is none, or no such revision, or its tables cannot be read.
    """
    about = read_json(folder / DESCRIPTION)
    if not isinstance(about, dict):
        raise DatasetError(f"There is no dataset in {folder}", expected=f"a file {DESCRIPTION}")
    newest = newest_revision(folder)
    revision = revision or newest
    if not 1 <= revision <= newest:
        raise DatasetError(
            f"The dataset {about.get('name')!r} has no such revision",
            found=str(revision),
            expected=f"1 to {newest}" if newest > 1 else "1, the only one",
        )
    place = revision_folder(folder, revision)
    try:
        if revision > 1:
            about |= read_json(place / REVISION) or {"samples": None}
        return Dataset(
            folder=folder,
            id=about["id"],
            name=about["name"],
            task=about["task"],
            classes=tuple(about["classes"]),
            layout=about["layout"],
            source=about["source"],
            created=about["created"],
            fingerprint=about["fingerprint"],
            split_rule=about["split_rule"],
            samples=read_table(place / SAMPLES, Sample),
            skipped=read_table(folder / SKIPPED, Skipped),
            bytes=about["bytes"],
            mask_map=tuple((value, label) for value, label in about.get("mask_map", ())),
            revision=revision,
            changes=tuple(Change(**{**one, "samples": tuple(one["samples"])}) for one in about.get("changes", ())),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"The dataset in {folder} cannot be read", found=f"{type(error).__name__}: {error}", do="Import it again"
        ) from error


def newest_revision(folder: Path) -> int:
    """The number of the newest revision of the dataset in `folder`."""
    numbers = (path.parent.name for path in (folder / REVISIONS).glob(f"*/{REVISION}"))
    return max((int(name) for name in numbers if name.isdecimal()), default=1)


def revision_folder(folder: Path, revision: int) -> Path:
    """Where the table of a revision lies: the dataset's own folder for the first one."""
    return folder if revision == 1 else folder / REVISIONS / str(revision)


Row = TypeVar("Row", Sample, Skipped)


def write_table(path: Path, kind: type[Row], rows: Iterable[Row]) -> None:
    """Write rows as CSV with a header, whole or not at all. Raises StorageError when the disk is full."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(kind)])
        writer.writerows([_cell(value) for value in astuple(row)] for row in rows)


def read_table(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    """The rows that `write_table` wrote, now or before the last columns of `kind`, which have defaults, were added.

    Raises ValueError when the columns are not those of `kind`.
    """
    known = fields(kind)
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        header = next(lines, [])
        late = known[len(header) :]
        if header != [field.name for field in known[: len(header)]] or any(field.default is MISSING for field in late):
            raise ValueError(f"{path.name} has the columns {', '.join(header) or 'of an empty file'}")
        read = [_READ.get(field.type, str) for field in known[: len(header)]]
        return tuple(kind(*(of(cell) for of, cell in zip(read, line, strict=True))) for line in lines)


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


_READ: dict[Any, Callable[[str], Any]] = {
    int: int,
    tuple[int, ...]: lambda cell: tuple(int(number) for number in cell.split()),
}
