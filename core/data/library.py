"""The datasets of a workspace: list them, open one, rename it, delete it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from core.data.cache import forget
from core.data.dataset import DESCRIPTION, REVISION, Dataset, load_dataset, newest_revision, revision_folder
from core.errors import DatasetError, shown, storage_errors
from core.workspace import Workspace, read_json, safe_id, write_json


@dataclass(frozen=True)
class DatasetCard:
    """What a list shows of a dataset, read without opening its table."""

    id: str
    name: str
    task: str
    classes: tuple[str, ...]
    samples: int
    splits: dict[str, int]
    bytes: int
    created: float  # seconds since 1970
    split_rule: str
    fingerprint: str
    skipped: int
    revision: int  # the newest, of which all this is told


class Library:
    """The datasets of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def cards(self) -> list[DatasetCard]:
        """One card per dataset, newest first. A folder that holds no readable dataset is left out."""
        try:
            names = os.listdir(self._workspace.datasets)
        except FileNotFoundError:
            return []
        found = [card for name in names if safe_id(name) and (card := self._card(name))]
        return sorted(found, key=lambda card: (-card.created, card.id))

    def get(self, id: str) -> Dataset:
        """The dataset with this id in its newest revision, or in the one that "id@2" names.

        Raises DatasetError, listing what there is, when there is none.
        """
        id, at, number = id.partition("@")
        if at and not (number.isascii() and number.isdecimal() and 0 < int(number) < 10**9):
            raise DatasetError(
                "There is no such revision", found=shown(f"{id}@{number}"), expected="as in cells-1a2b@2"
            )
        return load_dataset(self._folder(id), int(number or 0))

    def rename(self, id: str, name: str) -> None:
        """Give a dataset another name; its id stays. Raises DatasetError when there is no such dataset or no name."""
        folder = self._folder(id)
        about = read_json(folder / DESCRIPTION)
        write_json(folder / DESCRIPTION, about | {"name": plain_name(name)})

    def delete(self, id: str) -> None:
        """Remove a dataset and its images, and what was cached of them.

        Raises DatasetError when there is no such dataset.
        """
        folder = self._folder(id)
        going = folder.with_name(f".{id}.deleted")  # no id starts with a dot: from here on nobody lists it
        with storage_errors(folder):
            shutil.rmtree(going, ignore_errors=True)
            os.replace(folder, going)
            shutil.rmtree(going, ignore_errors=True)
        forget(self._workspace.cache, id)

    def sweep(self) -> None:
        """Delete what is left of datasets whose deletion was cut off."""
        for folder in self._workspace.datasets.glob(".*.deleted"):
            shutil.rmtree(folder, ignore_errors=True)

    def _folder(self, id: str) -> Path:
        folder = self._workspace.datasets / id
        if safe_id(id) and (folder / DESCRIPTION).is_file():
            return folder
        known = [card.id for card in self.cards()]
        raise DatasetError(
            "There is no such dataset",
            found=repr(id),
            expected=("one of " + ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")) if known else "",
            do="" if known else "Import one first; this workspace has none",
        )

    def _card(self, id: str) -> DatasetCard | None:
        folder = self._workspace.datasets / id
        about, revision = read_json(folder / DESCRIPTION), newest_revision(folder)
        try:
            if revision > 1:
                about |= read_json(revision_folder(folder, revision) / REVISION) | {"created": about["created"]}
            return DatasetCard(
                id=id,
                name=about["name"],
                task=about["task"],
                classes=tuple(about["classes"]),
                samples=about["samples"],
                splits=about["splits"],
                bytes=about["bytes"],
                created=about["created"],
                split_rule=about["split_rule"],
                fingerprint=about["fingerprint"],
                skipped=about["skipped"],
                revision=revision,
            )
        except (KeyError, TypeError):
            return None


def plain_name(text: str) -> str:
    """A name on one line, without control characters, at most 80 long. Raises DatasetError when nothing is left."""
    name = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:80].strip()
    if not name:
        raise DatasetError("A dataset needs a name", found=repr(text), expected="some letters or digits")
    return name
