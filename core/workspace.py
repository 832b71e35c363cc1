"""The workspace: the one folder Fovea writes to, and the folders it may read from.

workspace/
    datasets/<id>/     imported images and their table
    runs/<id>/         one folder of readable files per training run
    cache/             decoded images and frozen-backbone features, by dataset; may be deleted at any time
    incoming/          imports that nobody has kept yet
    queue/             one empty file per run that waits or is at work
    spares/            warm helper processes waiting for a run
"""

import json
import os
import re
import sys
import time
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError, storage_errors

ENVIRONMENT = "FOVEA_WORKSPACE"
ROOTS_ENVIRONMENT = "FOVEA_ROOTS"
_WINDOWS_TRIES = 50  # a second in all; a reader is done within milliseconds


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

    @classmethod
    def default(cls) -> "Workspace":
        """The folder named by FOVEA_WORKSPACE, or ./workspace."""
        return cls(Path(os.environ.get(ENVIRONMENT) or "workspace").absolute())


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
            _put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _put_in_place(temporary: Path, path: Path) -> None:
    for _ in range(_WINDOWS_TRIES if sys.platform == "win32" else 0):
        try:
            os.replace(temporary, path)
            return
        except PermissionError:  # on Windows a file cannot be replaced in the very moment somebody reads it
            time.sleep(0.02)
    os.replace(temporary, path)


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
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
        return None
