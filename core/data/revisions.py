"""Revisions: what was made of a dataset later, each whole, numbered and never changed again.

<dataset>/revisions/2/
    revision.json    when, what was changed and why, and the facts that are no longer those of dataset.json
    samples.csv      one line per image that is still there, under the id that it always had

Nothing is deleted: an image that was left out stays in its file and in every earlier revision.
"""

import os
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.data.dataset import (
    REVISION,
    REVISIONS,
    SAMPLES,
    SPLITS,
    Change,
    Dataset,
    Sample,
    fingerprint_of,
    load_dataset,
    newest_revision,
    revision_folder,
    write_table,
)
from core.data.prints import looked_through
from core.data.split import SplitRule, deal
from core.data.tree import natural
from core.errors import DatasetError, storage_errors
from core.workspace import write_json

KINDS = ("exclude", "relabel", "move", "deal")  # that can be asked for; an earlier revision is taken by `restore`


@dataclass(frozen=True)
class Revision:
    """One revision as a list shows it."""

    number: int
    created: float  # seconds since 1970
    fingerprint: str
    samples: int
    splits: dict[str, int]
    changes: tuple[Change, ...]  # since the one before; none of the first


def revisions(folder: Path) -> tuple[Revision, ...]:
    """All revisions of the dataset in `folder`, the first one first. Raises DatasetError when one cannot be read."""
    found = []
    for number in range(1, newest_revision(folder) + 1):
        dataset = load_dataset(folder, number)
        facts = (dataset.created, dataset.fingerprint, len(dataset.samples), dataset.split_counts(), dataset.changes)
        found.append(Revision(number, *facts))
    return tuple(found)


def revise(dataset: Dataset, changes: Sequence[Change]) -> Dataset:
    """Make a new revision of a dataset by some changes, done in their order, and return it.

    A class that no image is left of is no class any more; a relabelling may bring a new one. Near duplicates and groups
    keep what they share. Raises DatasetError, and nothing is written, for a dataset that is not in its newest revision,
    for a change that cannot be, and where no image would be left to train or to validate with; StorageError when the
    disk is full.
    """
    newest = newest_revision(dataset.folder)
    if dataset.revision != newest:
        raise DatasetError(
            f"The dataset {dataset.name!r} was changed meanwhile",
            found=f"revision {dataset.revision}",
            expected=f"the newest, {newest}",
            do="Look at that one first",
        )
    changes = [replace(change, samples=tuple(dict.fromkeys(change.samples))) for change in changes]
    if not any(change.samples for change in changes):
        raise DatasetError("There is nothing to change", found="no picture", expected="at least one")
    revised = _changed(dataset, changes)
    if (revised.classes, revised.samples) == (dataset.classes, dataset.samples):
        raise DatasetError("These changes change nothing", found="the same classes and splits as before")
    _insist_on_use(revised)
    return _save(revised)


def restore(dataset: Dataset, revision: int) -> Dataset:
    """Make a new revision that is as an earlier one was. Raises what `revise` and `load_dataset` do."""
    earlier = load_dataset(dataset.folder, revision)
    if (earlier.classes, earlier.samples) == (dataset.classes, dataset.samples):
        raise DatasetError("These changes change nothing", found=f"revision {revision} is the same as this one")
    change = Change("restore", tuple(sample.id for sample in earlier.samples), str(revision))
    return _save(replace(earlier, revision=newest_revision(dataset.folder) + 1, changes=(change,), created=time.time()))


def _changed(dataset: Dataset, changes: Sequence[Change]) -> Dataset:
    samples = {sample.id: sample for sample in dataset.samples}
    labels = {sample.id: dataset.classes[sample.label] for sample in dataset.samples if sample.label >= 0}
    rule = dataset.split_rule
    for change in changes:
        _insist_on_sense(dataset, change, samples)
        for id in change.samples:
            if change.kind == "exclude":
                del samples[id]
            elif change.kind == "relabel":
                labels[id] = change.to
            elif change.kind == "move":
                samples[id] = replace(samples[id], split=change.to)
        if change.kind == "deal":
            names = sorted(set(labels.values()))
            now = (
                replace(samples[id], label=names.index(labels[id])) if id in labels else samples[id]
                for id in change.samples
            )
            dealt, rule = deal(looked_through(dataset.folder, tuple(now)), SplitRule.from_json(change.to))
            samples |= {sample.id: sample for sample in dealt}
    moved = sum(len(change.samples) for change in changes if change.kind == "move")
    if moved:
        rule = f"{rule}; {moved:,} moved by hand"
    kept = tuple(samples.values())
    classes = dataset.classes
    if dataset.task == "classification":
        held = {labels[sample.id] for sample in kept}
        same = held == set(dataset.classes)
        classes = dataset.classes if same else tuple(sorted(held, key=natural))
        place = {name: index for index, name in enumerate(classes)}
        kept = tuple(replace(sample, label=place[labels[sample.id]]) for sample in kept)
    return replace(
        dataset,
        classes=classes,
        samples=kept,
        fingerprint=fingerprint_of(classes, kept),
        split_rule=rule,
        revision=dataset.revision + 1,
        changes=tuple(changes),
        created=time.time(),
    )


def _insist_on_sense(dataset: Dataset, change: Change, samples: dict[str, Sample]) -> None:
    if change.kind not in KINDS:
        raise DatasetError("There is no such change", found=repr(change.kind), expected=" or ".join(KINDS))
    gone = next((id for id in change.samples if id not in samples), None)
    if gone is not None:
        raise DatasetError(f"The dataset {dataset.name!r} has no such sample", found=repr(gone))
    if change.kind == "move" and change.to not in SPLITS:
        raise DatasetError("There is no such split", found=repr(change.to), expected="one of " + ", ".join(SPLITS))
    if change.kind == "relabel":
        if dataset.task != "classification":
            raise DatasetError("Masks cannot be called something else", found=f"data for {dataset.task}")
        if not change.to.strip() or not change.to.isprintable():
            raise DatasetError("A class needs a name", found=repr(change.to), expected="some letters or digits")


def _insist_on_use(dataset: Dataset) -> None:
    if len(dataset.classes) < 2:
        raise DatasetError(
            "Too little would be left", found=f"{len(dataset.classes)} class", expected="at least two classes"
        )
    counts = dataset.split_counts()
    for split in ("train", "validation"):
        if split not in counts:
            raise DatasetError("Too little would be left", found=f"no picture for {split}", expected="at least one")


def _save(dataset: Dataset) -> Dataset:
    """Write a revision, which is there as a whole or not at all. Of two that are made at once, one is refused."""
    home = revision_folder(dataset.folder, dataset.revision)
    building = dataset.folder / REVISIONS / f".new-{uuid.uuid4().hex[:8]}"
    about = {
        "created": dataset.created,
        "classes": list(dataset.classes),
        "fingerprint": dataset.fingerprint,
        "split_rule": dataset.split_rule,
        "samples": len(dataset.samples),
        "splits": dataset.split_counts(),
        "changes": [asdict(change) for change in dataset.changes],
    }
    try:
        with storage_errors(building):
            building.mkdir(parents=True)
        write_table(building / SAMPLES, Sample, dataset.samples)
        write_json(building / REVISION, about)
        try:
            os.rename(building, home)
        except OSError:
            if not (home / REVISION).is_file():
                raise
            raise DatasetError(
                f"The dataset {dataset.name!r} was changed in this very moment by somebody else",
                do="Look at the newest revision first",
            ) from None
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return dataset
