"""The workspace: the one folder Fovea writes to, and the folders it may read from.

workspace/
    datasets/<id>/     imported images and their table
    runs/<id>/         one folder of readable files per training run
    cache/             decoded images and frozen-backbone features, by dataset; may be deleted at any time
    incoming/          imports that nobody has kept yet
    queue/             one empty file per run that waits or is at work
    spares/            warm helper processes waiting for a run
    studies/<id>/      runs that belong together: repeats with other seeds or folds, searches
    policies/          augmentations that somebody put together and named
"""

import json
import os
import re
import sys
import time
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError, shown, storage_errors

ENVIRONMENT = "FOVEA_WORKSPACE"
ROOTS_ENVIRONMENT = "FOVEA_ROOTS"
_LONGEST_NAME = 255  # bytes; what the usual file systems take
# On Windows a file cannot be replaced in the very moment somebody reads it, nor read while it is replaced. Either is
# over within milliseconds; it is tried again for a second in all.
_TRIES = 50 if sys.platform == "win32" else 0


@dataclass(frozen=True)
class Workspace:
    """Where everything is kept. Making one writes nothing; folders appear when something is stored."""

    root: Path

    @property
    def datasets(self) -> Path:
        return self.root / "datasets"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def incoming(self) -> Path:
        return self.root / "incoming"

    @property
    def queue(self) -> Path:
        return self.root / "queue"

    @property
    def spares(self) -> Path:
        return self.root / "spares"

    @property
    def studies(self) -> Path:
        return self.root / "studies"

    @property
    def policies(self) -> Path:
        return self.root / "policies"

    @classmethod
    def default(cls) -> "Workspace":
        """The folder named by FOVEA_WORKSPACE, or ./workspace."""
        return cls(Path(os.environ.get(ENVIRONMENT) or "workspace").absolute())


def insist_on_folder(path: Path) -> None:
    """Raise InputError when `path` neither is nor can become a folder: a file stands there or on the way, or its name
    is longer than the system takes."""
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        raise InputError(f"{shown(str(path))} cannot be a folder", found="too long a name", do="Choose another place")
    there = next(place for place in (path.absolute(), *path.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise InputError(f"{path} cannot be a folder", found=f"a file at {there}", do="Choose another place")


def insist_on_file(path: Path) -> None:
    """Raise InputError when no file can be written as `path`: a folder stands there, or its folder cannot be one."""
    if path.is_dir():
        raise InputError(f"{path} cannot be a file", found="a folder", do="Choose another name")
    insist_on_folder(path.parent)


def configured_roots() -> tuple[Path, ...]:
    """The server folders people may import from: FOVEA_ROOTS (separated as PATH is), or this user's home folder."""
    text = os.environ.get(ROOTS_ENVIRONMENT, "")
    named = tuple(Path(part).expanduser().resolve() for part in text.split(os.pathsep) if part)
    return named or (Path.home().resolve(),)


def inside_roots(path: Path | str, roots: tuple[Path, ...]) -> Path:
    """The real path of `path`. Raises InputError when, with links followed, it stands under none of `roots`."""
    real = Path(path).expanduser().resolve()
    if any(real == root or root in real.parents for root in roots):
        return real
    raise InputError(
        "This folder may not be read from here",
        found=str(path),
        expected="a folder under " + " or ".join(str(root) for root in roots),
        do=f"Move the images there, or start Fovea with {ROOTS_ENVIRONMENT} set to their folder",
    )


def new_id(name: str) -> str:
    """A folder name that is safe everywhere and readable: the name in plain letters and six random digits."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return f"{slug or 'unnamed'}-{uuid.uuid4().hex[:6]}"


def safe_id(text: str) -> bool:
    """Whether `text` can be an id made by `new_id`: plain letters, digits and dashes, so it never leaves its folder."""
    return re.fullmatch(r"[a-z0-9][a-z0-9-]{0,79}", text) is not None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; what is written there takes its place at the end, whole or not at all.

    Raises StorageError when the disk is full; the earlier file then stays as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:6]}.tmp")
    try:
        with storage_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            _patiently(lambda: os.replace(temporary, path))
    finally:
        with suppress(NotADirectoryError):  # a file stands where the folder should be, as has been told
            temporary.unlink(missing_ok=True)


def writer_of(path: Path) -> int | None:
    """The process that made this temporary path, if `replacing` gave it; one that is killed leaves it behind."""
    found = re.fullmatch(r"\..+\.(\d+)\.[0-9a-f]{6}\.tmp", path.name)
    return int(found[1]) if found else None


def _patiently(act: Callable[[], Any]) -> Any:
    for _ in range(_TRIES):
        try:
            return act()
        except PermissionError:
            time.sleep(0.02)
    return act()


def write_text(path: Path, text: str) -> None:
    """Write a text file so that readers see the old or the new one, never half of it."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, data: Any) -> None:
    """Write plain data as indented JSON, whole or not at all."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False))


def read_json(path: Path) -> Any | None:
    """The data of a JSON file, or None when there is no such file or it is not readable as JSON."""
    try:
        return json.loads(_patiently(lambda: path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
        return None
