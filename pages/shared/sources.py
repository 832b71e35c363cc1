"""What somebody wants to import, from the first look until it is kept: the file or folder, and how it is to be read."""

import shutil
import time
import uuid
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.data.incoming import STALE, Survey
from core.errors import storage_errors
from core.workspace import new_id
from pages.shared import cache, state

ALONE = (".zip", ".npz")  # files that are a whole dataset
MOST = 20  # sources that sessions left behind


@dataclass
class Source:
    """A folder, a zip, an .npz or a table, and what was decided about it so far."""

    id: str
    path: Path
    name: str
    upload: Path | None  # the folder that goes when this is over
    survey: Survey
    layout: str = ""  # the one that somebody chose; "": what was recognised
    answers: dict[str, str] = field(default_factory=dict)  # to what the layout asks

    @property
    def asks(self) -> bool:
        """Whether a person has to say something before it can be read."""
        return self.survey.picks is not None or bool(self.survey.doubt)

    @property
    def told(self) -> str:
        """The answers that somebody gave, as in "class from diagnosis"; "" where what was guessed is taken."""
        labels = {pick.role: pick.label.lower() for pick in self.survey.picks.picks} if self.survey.picks else {}
        return ", ".join(f"{labels.get(role, role)} from {answer}" for role, answer in self.answers.items() if answer)


def held() -> Source | None:
    """The one this session is about."""
    return cache.sources().get(st.session_state.get(state.LOOKED))


def hold(path: Path, name: str, upload: Path | None, survey: Survey) -> Source:
    """Take one in hand; those that sessions left behind long ago go."""
    there = cache.sources()
    for old in list(there)[: max(0, len(there) - MOST)]:
        _remove(old)
    source = Source(uuid.uuid4().hex[:12], path, name, upload, survey)
    there[source.id] = source
    st.session_state[state.LOOKED] = source.id
    return source


def let_go() -> None:
    """Forget the one in hand, and what was uploaded for it."""
    _remove(st.session_state.get(state.LOOKED))
    st.session_state[state.LOOKED] = None


def _remove(id: str | None) -> None:
    source = cache.sources().pop(id, None)
    if source is not None and source.upload is not None:
        shutil.rmtree(source.upload, ignore_errors=True)


def received(files: Sequence[UploadedFile]) -> tuple[Path, str, Path]:
    """Write what a browser sent: the file to import, its name for people, and the folder it lies in.

    A zip or an .npz stays what it is. Anything else, as a table with its images, goes into one zip: so no name that a
    browser gives becomes a name on this disk. Raises StorageError when the disk is full; nothing is then left.
    """
    uploads = cache.workspace().cache / "uploads"
    _sweep(uploads)
    first = files[0]
    suffix = Path(first.name).suffix.lower()
    table = next((file for file in files if Path(file.name).suffix.lower() in (".csv", ".tsv")), first)
    alone = len(files) == 1 and suffix in ALONE
    name = _title(files, first if alone else table)
    folder = uploads / uuid.uuid4().hex[:12]
    path = folder / f"{new_id(name).rpartition('-')[0]}{suffix if alone else '.zip'}"  # errors tell this one
    try:
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if alone:
                with path.open("wb") as target:
                    shutil.copyfileobj(first, target)
            else:
                _packed(files, path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return path, name, folder


def _packed(files: Sequence[UploadedFile], path: Path) -> None:
    with zipfile.ZipFile(path, "w") as target:  # images are packed already
        for file in files:
            with target.open(zipfile.ZipInfo(file.name), "w", force_zip64=True) as entry:
                shutil.copyfileobj(file, entry)


def _title(files: Sequence[UploadedFile], main: UploadedFile) -> str:
    """A folder has a name; of loose files the table, or the one there is, gives it."""
    tops = {PurePosixPath(file.name).parts[0] for file in files if len(PurePosixPath(file.name).parts) > 1}
    whole = len(tops) == 1 and all(len(PurePosixPath(file.name).parts) > 1 for file in files)
    return tops.pop() if whole else Path(main.name).stem or "images"


def _sweep(uploads: Path) -> None:
    """Uploads of servers that ended before they were imported."""
    mine = {source.upload for source in cache.sources().values()}
    with suppress(FileNotFoundError):
        for folder in uploads.iterdir():
            with suppress(OSError):
                if folder not in mine and time.time() - folder.stat().st_mtime > STALE:
                    shutil.rmtree(folder, ignore_errors=True)
