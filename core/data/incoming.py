"""Imports that nobody has kept yet: look at what was found first, then keep it as a dataset or throw it away.

`survey` says which layouts fit and what they ask. `inspect` copies every readable image into incoming/<id>/ and says
what it found. Where the images have masks, `remap` says what the values of the masks mean. `keep` deals the splits and
moves the folder, in one step, to datasets/<id>/: a dataset is there as a whole or not at all.
"""

import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from core.data.archive import unpack
from core.data.dataset import (
    SKIPPED,
    SPLITS,
    Dataset,
    Sample,
    Skipped,
    count_by_class,
    fingerprint_of,
    read_table,
    save_dataset,
    thumbnail_file,
    write_table,
)
from core.data.intake import RAW, Report, Taken, take_all
from core.data.library import plain_name
from core.data.mask_import import Judged, rejudge, settle, small_mask, write_masks
from core.data.mask_values import MaskMap
from core.data.masks import MaskAudit
from core.data.prints import save_prints, twinned
from core.data.readers.catalog import AUTO, fitting, reader, recognise, torn
from core.data.readers.reader import Picks
from core.data.split import SplitRule, complete, deal
from core.data.tree import ARRAYS_SUFFIX, TABLE_SUFFIXES, Tree, TreeFile, readable, walk
from core.errors import DatasetError, storage_errors
from core.workspace import Workspace, new_id, read_json, safe_id, write_json

__all__ = [
    "Proposal",
    "SplitRule",
    "Survey",
    "discard",
    "inspect",
    "keep",
    "load_proposal",
    "mask_preview",
    "new_folder",
    "propose",
    "recover",
    "remap",
    "survey",
    "sweep",
]

STALE = 24 * 3600  # seconds after which an import that nobody kept is thrown away
PROPOSAL, FOUND = "proposal.json", "found.csv"
CSV, NPZ = "csv", "npz"
_GIVERS = {CSV: "table", NPZ: "arrays"}  # of splits, where it is not the folders

Kind = Literal["folder", "zip", "table", "arrays"]


@dataclass(frozen=True)
class Proposal:
    """What an import would become. The images are copied and readable; nothing is decided yet."""

    id: str
    folder: Path
    name: str
    layout: str
    why: str  # what was recognised, as a sentence
    source: str
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]  # their split is "" where the layout gives none, their mask the file as it came
    skipped: tuple[Skipped, ...]
    bytes: int
    notes: tuple[str, ...] = ()  # what a person should know before keeping it, as sentences
    task: str = "classification"
    masks: MaskAudit | None = None  # of segmentation: what the masks hold
    mask_map: MaskMap | None = None  # of segmentation: what their values mean
    said: tuple[str, ...] = ()  # those of the notes that the reader of the layout gave

    @property
    def has_splits(self) -> bool:
        """Whether the layout gives the splits, so that a rule at most completes them."""
        return any(sample.split for sample in self.samples)

    def counts(self) -> dict[str, dict[str, int]]:
        """Images per class within each split that was given; under "" where none was."""
        return count_by_class(self.samples, self.classes)

    def thumbnail(self, sample: Sample) -> Path:
        """A JPEG of the sample, upright, with a long side of at most 160 pixels."""
        return self.folder / thumbnail_file(sample.digest)


@dataclass(frozen=True)
class Survey:
    """What a source seems to be, before any picture is opened."""

    layout: str  # of those that fit, the one that is taken unless somebody chooses
    why: str  # what was recognised, as a sentence
    fits: tuple[tuple[str, str, str], ...]  # all that fit: (name, label, why), the one that is taken first
    picks: Picks | None  # what the layout asks; None where it asks nothing
    files: int  # that lie in the source
    doubt: str = ""  # why a person must choose the layout: half of the pictures lie in one and half in another


def survey(
    workspace: Workspace,
    source: Path,
    *,
    layout: str = AUTO,
    picks: Mapping[str, str] | None = None,
    report: Report | None = None,
    id: str = "",
) -> Survey:
    """Look at a source as `inspect` takes it, quickly: no picture is opened and nothing that is written stays.

    `picks` are answers so far, for what depends on them: the columns on the table that was chosen. `id` is what the
    folder is called that it needs for a moment. Raises what `inspect` raises for a source that cannot be used.
    """
    source, kind = _source(source, layout)
    with new_folder(workspace, "survey", id) as folder:
        try:
            tree, layout, _ = _open(
                source, kind, layout, folder, report, wanted=lambda parts: TreeFile(parts, source).may_describe
            )
            fits = fitting(tree, layout)
            first = fits[0]
            told = tuple((fit.reader.name, fit.reader.label, fit.why) for fit in fits)
            asked = first.reader.picks(first.tree, picks or {})
            doubt = torn(first, picks or {}) if layout == AUTO else ""
            return Survey(first.reader.name, first.why, told, asked, len(tree.files), doubt)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def inspect(
    workspace: Workspace,
    source: Path,
    *,
    layout: str = AUTO,
    name: str = "",
    picks: Mapping[str, str] | None = None,
    report: Report | None = None,
    id: str = "",
) -> Proposal:
    """Read a source of images and say what was found. Nothing but incoming/<id>/ is written.

    A source is a folder, a zip, an .npz, or a .csv beside its images. `picks` answers what the layout asks (see
    `survey`): {role: column or array}; what is not answered is guessed.

    Every image is decoded once, so that a truncated one is found now. Whatever cannot be used is in `skipped` with the
    reason. `report` is called from this thread with how many images are done, and of how many. `id` is that of the
    proposal, where somebody must know it before.

    Raises DatasetError when the layout is unknown or fewer than two classes have a readable image, ArchiveError for a
    zip that is damaged or would do harm, StorageError when the disk is full. After an error nothing is left behind.
    """
    source, kind = _source(source, layout)
    name = plain_name(name or _stem(source))
    with new_folder(workspace, name, id) as folder:
        tree, layout, unpacked = _open(source, kind, layout, folder, report)
        told = readable(source.name if unpacked else str(source))
        return propose(tree, folder, name=name, source=told, layout=layout, picks=picks, owned=unpacked, report=report)


def _open(
    source: Path,
    kind: Kind,
    layout: str,
    folder: Path,
    report: Report | None,
    wanted: Callable[[tuple[str, ...]], bool] = lambda parts: True,
) -> tuple[Tree, str, bool]:
    """The files of a source, the layout it has, and whether the files were unpacked into `folder`.

    Of a zip only the files `wanted` are unpacked.
    """
    if kind == "zip":
        tell = report or (lambda done, of, what: None)
        return unpack(source, folder / "unpacked", wanted=wanted, report=tell), layout, True
    if kind == "arrays":
        return Tree((TreeFile((readable(source.name),), source),)), NPZ if layout == AUTO else layout, False
    if kind == "table":
        beside = walk(source.parent)
        files = [file for file in beside.files if file.path == source or file.suffix not in TABLE_SUFFIXES]
        return replace(beside, files=tuple(files)), CSV if layout == AUTO else layout, False
    return walk(source), layout, False


@contextmanager
def new_folder(workspace: Workspace, name: str, id: str = "") -> Iterator[Path]:
    """A new folder under incoming/, called `id` or after `name`, which is gone again when what is done in it fails.

    Sweeps stale imports first.
    """
    sweep(workspace)
    folder = workspace.incoming / (id or new_id(name))
    with storage_errors(folder):
        folder.mkdir(parents=True)  # before all else: one that is there already is somebody else's
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def propose(
    tree: Tree,
    folder: Path,
    *,
    name: str,
    source: str,
    layout: str = AUTO,
    picks: Mapping[str, str] | None = None,
    owned: bool = False,
    labels: Mapping[str, str] | None = None,
    report: Report | None = None,
) -> Proposal:
    """The proposal for a tree, its images taken into `folder`. `owned` files are moved, others are copied.

    `labels` are names for values of masks, where somebody knows them: {"128": "cytoplasm"}.
    """
    row, why, found = recognise(replace(tree, room=folder / "room"), layout, picks)
    taken = take_all(found, folder, owned, report or (lambda done, of: None))
    for emptied in ("unpacked", "room"):
        shutil.rmtree(folder / emptied, ignore_errors=True)
    skipped = [*found.skipped, *(outcome for outcome in taken if isinstance(outcome, Skipped))]
    readable = [outcome for outcome in taken if isinstance(outcome, Taken)]
    save_prints(folder, {outcome.sample.digest: outcome.print for outcome in readable})
    base = Proposal(
        id=folder.name,
        folder=folder,
        name=name,
        layout=row.name,
        why=why,
        source=source,
        classes=(),
        samples=(),
        skipped=tuple(skipped),
        bytes=sum({outcome.sample.digest: outcome.bytes for outcome in readable}.values()),
        said=found.notes,
    )
    if any(image.mask for image in found.images):
        if not readable:
            _check_classes((), readable, skipped)
        proposal = _with_masks(base, settle(folder, readable, skipped, labels))
    else:
        proposal = _with_labels(base, found.classes, readable)
    _save(proposal)
    return proposal


def _with_labels(base: Proposal, found: tuple[str, ...], readable: list[Taken]) -> Proposal:
    """The proposal of images with one class each. Raises DatasetError when fewer than two classes can be read."""
    holding = {outcome.label for outcome in readable}
    classes = tuple(label for label in found if label in holding)
    _check_classes(classes, readable, list(base.skipped))
    labels = {label: index for index, label in enumerate(classes)}
    samples = tuple(
        replace(outcome.sample, id=f"{place:06d}", label=labels[outcome.label])
        for place, outcome in enumerate(readable)
    )
    empty = [label for label in found if label not in holding]
    samples = twinned(base.folder, samples)
    notes = (
        *base.said,
        *_empty_notes(empty, base.layout),
        *_untrained_notes(samples, classes),
        *_scarce_notes(samples, classes),
    )
    return replace(base, classes=classes, samples=samples, notes=notes)


def _with_masks(base: Proposal, judged: Judged) -> Proposal:
    """The proposal of images with masks, under a map."""
    classes = judged.mask_map.classes
    return replace(
        base,
        task="segmentation",
        classes=classes,
        samples=twinned(base.folder, judged.samples),
        skipped=judged.skipped,
        notes=(
            *base.said,
            *_untrained_notes(judged.samples, classes),
            *_scarce_notes(judged.samples, classes),
            *_contradiction_notes(judged.samples),
        ),
        masks=judged.audit,
        mask_map=judged.mask_map,
    )


def remap(workspace: Workspace, proposal_id: str, mask_map: MaskMap) -> Proposal:
    """The proposal under another map: classes renamed, merged or ignored, another tolerance. Its masks are judged anew.

    Quick: no mask is read again. Raises DatasetError, and nothing changes, when the proposal is gone or has no masks,
    when the map cannot be used, or when no mask fits it.
    """
    proposal = load_proposal(workspace, proposal_id)
    if proposal.masks is None:
        raise DatasetError("This import has no masks whose values could be mapped", found=f"layout {proposal.layout}")
    try:
        changed = _with_masks(proposal, rejudge(proposal.folder, proposal.masks, mask_map))
    except FileNotFoundError:  # kept or discarded by another page in this very moment
        raise _no_longer_there(proposal_id) from None
    _save(changed)
    return changed


def mask_preview(proposal: Proposal, sample: Sample, mask_map: MaskMap | None = None) -> np.ndarray:
    """The mask of a sample under a map, by default the proposal's: class indices and IGNORE, uint8 (h, w).

    As large as the thumbnail of the sample. Raises ImageError when the file is gone.
    """
    return small_mask(proposal.folder / sample.mask, proposal.masks, mask_map or proposal.mask_map)


def load_proposal(workspace: Workspace, id: str) -> Proposal:
    """A proposal made earlier. Raises DatasetError when it was kept, discarded or swept meanwhile."""
    folder = workspace.incoming / id
    about = read_json(folder / PROPOSAL) if safe_id(id) else None
    try:
        return Proposal(
            id=id,
            folder=folder,
            name=about["name"],
            layout=about["layout"],
            why=about["why"],
            source=about["source"],
            classes=tuple(about["classes"]),
            samples=read_table(folder / FOUND, Sample),
            skipped=read_table(folder / SKIPPED, Skipped),
            bytes=about["bytes"],
            notes=tuple(about["notes"]),
            task=about["task"],
            masks=about["masks"] and MaskAudit.from_json(about["masks"]),
            mask_map=about["mask_map"] and MaskMap.from_json(about["mask_map"]),
            said=tuple(about["said"]),
        )
    except (OSError, KeyError, TypeError, ValueError):
        raise _no_longer_there(id) from None


def _no_longer_there(id: str) -> DatasetError:
    return DatasetError(
        "This import is no longer there",
        found=repr(id),
        do="It was kept, discarded or is over a day old; import it again",
    )


def keep(
    workspace: Workspace,
    proposal_id: str,
    *,
    name: str = "",
    rule: SplitRule | None = None,
    report: Report | None = None,
) -> Dataset:
    """Make a dataset of a proposal: deal the splits by the rule where none are given, then move it among the datasets.

    Masks are written as class indices; `report` is called with how many are done, and of how many. Raises DatasetError
    when the proposal is gone or no image is left for training or validation, and StorageError when the disk is full;
    the proposal and all earlier datasets then stay as they were.
    """
    proposal, rule = load_proposal(workspace, proposal_id), rule or SplitRule()
    name = plain_name(name or proposal.name)
    samples, sentence = _deal(proposal, rule)
    id = new_id(name)
    home = workspace.datasets / id
    with _claimed(proposal) as folder:
        if proposal.masks and proposal.mask_map:
            tell = report or (lambda done, of: None)
            samples = write_masks(folder, samples, proposal.masks, proposal.mask_map, tell)
        dataset = Dataset(
            folder=folder,
            id=id,
            name=name,
            task=proposal.task,
            classes=proposal.classes,
            layout=proposal.layout,
            source=proposal.source,
            created=time.time(),
            fingerprint=fingerprint_of(proposal.classes, samples),
            split_rule=sentence,
            samples=samples,
            skipped=proposal.skipped,
            bytes=proposal.bytes,
            mask_map=proposal.mask_map.pairs if proposal.mask_map else (),
        )
        save_dataset(dataset)
        with storage_errors(home):
            home.parent.mkdir(parents=True, exist_ok=True)
            os.rename(folder, home)
    for leftover in (PROPOSAL, FOUND):
        (home / leftover).unlink(missing_ok=True)
    shutil.rmtree(home / RAW, ignore_errors=True)
    return replace(dataset, folder=home)


@contextmanager
def _claimed(proposal: Proposal) -> Iterator[Path]:
    """The proposal's folder under another name: of two pages that keep it at once only one does. Back on failure."""
    claimed = proposal.folder.with_name(f"{proposal.id}-keeping")
    try:
        os.rename(proposal.folder, claimed)
    except FileNotFoundError:
        raise DatasetError("This import was kept or discarded a moment ago", found=repr(proposal.id)) from None
    try:
        yield claimed
    except BaseException:
        shutil.rmtree(claimed / "masks", ignore_errors=True)
        os.rename(claimed, proposal.folder)
        raise


def discard(workspace: Workspace, id: str) -> None:
    """Throw a proposal away. One that is gone already is no error."""
    if safe_id(id):
        shutil.rmtree(workspace.incoming / id, ignore_errors=True)


def recover(workspace: Workspace, id: str) -> None:
    """Tidy up after a process that was ended while it made or kept a proposal: what is half made goes, what was there
    before is there again."""
    folder, claimed = workspace.incoming / id, workspace.incoming / f"{id}-keeping"
    if claimed.is_dir() and not folder.exists():
        shutil.rmtree(claimed / "masks", ignore_errors=True)
        os.rename(claimed, folder)
    elif not (folder / PROPOSAL).is_file():
        shutil.rmtree(folder, ignore_errors=True)


def sweep(workspace: Workspace, older_than: float = STALE) -> None:
    """Throw away the imports that nobody has kept for `older_than` seconds."""
    if not workspace.incoming.is_dir():
        return
    for folder in workspace.incoming.iterdir():
        if safe_id(folder.name) and time.time() - _touched(folder) > older_than:
            shutil.rmtree(folder, ignore_errors=True)


def _touched(folder: Path) -> float:
    try:
        return folder.stat().st_mtime  # set when the import began and when its proposal was written
    except FileNotFoundError:
        return time.time()


def _stem(source: Path) -> str:
    place = source.absolute()
    if place.suffix.lower() in TABLE_SUFFIXES:
        return place.parent.name or "dataset"
    return place.stem if place.suffix.lower() in (".zip", ARRAYS_SUFFIX) else place.name or "dataset"


def _source(source: Path, layout: str) -> tuple[Path, Kind]:
    """A source and what it is.

    Raises DatasetError when it cannot be opened or is nothing that can be imported, and for an unknown layout.
    """
    if layout != AUTO:
        reader(layout)
    source = Path(source)
    expected, suffix = "a folder, a zip, an .npz file, or a .csv file beside its images", source.suffix.lower()
    try:
        if source.is_dir():
            return source, "folder"
        with source.open("rb") as file:
            beginning = file.read(2)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise DatasetError(f"{source} cannot be opened", found=reason, expected=expected) from error
    if suffix in TABLE_SUFFIXES:
        return source, "table"
    if suffix == ARRAYS_SUFFIX:
        return source, "arrays"
    if beginning != b"PK":
        found = f"a {source.suffix} file" if suffix not in ("", ".zip") else "something that is no zip"
        raise DatasetError(f"{source.name} cannot be imported", found=found, expected=expected)
    return source, "zip"


def _check_classes(classes: tuple[str, ...], readable: list[Taken], skipped: list[Skipped]) -> None:
    if len(classes) >= 2:
        return
    left_out = f"; {len(skipped):,} skipped, the first {skipped[0].file}: {skipped[0].reason}" if skipped else ""
    if not classes:
        raise DatasetError("No picture here can be read", found=f"0 readable pictures{left_out}", expected="images")
    raise DatasetError(
        "There is only one class here",
        found=f"{len(readable):,} readable pictures, all of the class {classes[0]}{left_out}",
        expected="readable pictures of at least two classes",
    )


def _empty_notes(labels: list[str], layout: str) -> Iterator[str]:
    what = "class" if layout in (CSV, NPZ) else "folder"
    for label in labels:
        yield f"The {what} {label} holds no readable picture, so it is no class."


def _untrained_notes(samples: Iterable[Sample], classes: tuple[str, ...]) -> Iterator[str]:
    counts = count_by_class(samples, classes)
    if "train" not in counts:
        return
    for label in classes:
        if not counts["train"][label]:
            yield f"The class {label} has no training picture, so a model cannot learn it."


def _scarce_notes(samples: Iterable[Sample], classes: tuple[str, ...]) -> Iterator[str]:
    for label, number in count_by_class(samples, classes).get("", {}).items():
        if 0 < number < len(SPLITS):  # of a class without any the audit of the masks tells
            pictures = "1 picture" if number == 1 else f"{number} pictures"
            yield f"The class {label} has only {pictures}, too few to be in every split: nothing can be said about it."


def _contradiction_notes(samples: Iterable[Sample]) -> Iterator[str]:
    masks: dict[str, dict[str, Sample]] = defaultdict(dict)
    for sample in samples:
        masks[sample.digest].setdefault(sample.mask, sample)
    twice = [tuple(found.values()) for found in masks.values() if len(found) > 1]
    if twice:
        pictures = "1 picture has" if len(twice) == 1 else f"{len(twice):,} pictures have"
        names = " and ".join(sample.name for sample in twice[0][:3])
        yield f"{pictures} different masks under different names, and one of them must be wrong: {names} are the same."


def _deal(proposal: Proposal, rule: SplitRule) -> tuple[tuple[Sample, ...], str]:
    samples, sentence = (complete if proposal.has_splits else deal)(proposal.samples, rule)
    sentence = sentence.replace("given by the folders", f"given by the {_GIVERS.get(proposal.layout, 'folders')}")
    dealt = {sample.split for sample in samples}
    for split in ("train", "validation"):
        if split not in dealt:
            raise DatasetError(
                f"The split leaves no picture for {split}",
                found=f"{len(samples)} pictures in {len(proposal.classes)} classes",
                expected="two or more different pictures in at least one class",
                do="Let near duplicates be on both sides" if rule.apart and any(one.twins for one in samples) else "",
            )
    return samples, sentence


def _save(proposal: Proposal) -> None:
    write_table(proposal.folder / FOUND, Sample, proposal.samples)
    write_table(proposal.folder / SKIPPED, Skipped, proposal.skipped)
    about = {
        "name": proposal.name,
        "layout": proposal.layout,
        "why": proposal.why,
        "source": proposal.source,
        "classes": list(proposal.classes),
        "bytes": proposal.bytes,
        "notes": list(proposal.notes),
        "said": list(proposal.said),
        "task": proposal.task,
        "masks": proposal.masks.to_json() if proposal.masks else None,
        "mask_map": proposal.mask_map.to_json() if proposal.mask_map else None,
    }
    write_json(proposal.folder / PROPOSAL, about)
