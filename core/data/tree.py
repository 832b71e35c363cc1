"""What lies in a folder or a zip before anyone knows what it means: files, each with its path in parts.

Readers look at trees and not at the disk, so a folder and a zip are recognised by the same code, and the names in a zip
never become names on this disk. The only files they open are tables and arrays.
"""

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from core.data.dataset import Skipped
from core.errors import DatasetError

MAX_FILES = 200_000
PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp"),
    *(".avif", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".heic", ".heif"),  # these cannot be read; trying gives the reason
)
_JUNK = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX"})  # left behind by file managers


TABLE_SUFFIXES, ARRAYS_SUFFIX = (".csv", ".tsv"), ".npz"


@dataclass(frozen=True)
class TreeFile:
    """One file: where it stands in the tree, and where its bytes are."""

    parts: tuple[str, ...]  # ("train", "cat", "a b.jpg"); text for people and for readers
    path: Path

    @property
    def name(self) -> str:
        return "/".join(self.parts)

    @property
    def suffix(self) -> str:
        """The ending in small letters, with its dot; "" when there is none."""
        name = self.parts[-1]
        dot = name.rfind(".")
        return name[dot:].lower() if dot > 0 else ""

    @property
    def may_describe(self) -> bool:
        """Whether its name says that it holds a table or arrays, which readers open."""
        return self.suffix in (*TABLE_SUFFIXES, ARRAYS_SUFFIX)

    @property
    def may_be_picture(self) -> bool:
        """Whether its name allows for a picture: a known ending, or none at all."""
        return not self.suffix or self.suffix in PICTURE_SUFFIXES


@dataclass(frozen=True)
class Tree:
    """Files in natural order ("9" before "10"), and what was left out on the way with the reason."""

    files: tuple[TreeFile, ...]
    skipped: tuple[Skipped, ...] = ()
    room: Path | None = None  # a folder that need not be there yet, in which a reader may unpack what it reads

    @classmethod
    def of(cls, files: Iterable[TreeFile], skipped: Iterable[Skipped] = ()) -> Self:
        """A tree of these files: what file managers leave behind is dropped silently, hidden files with the reason."""
        kept: list[TreeFile] = []
        left_out = {entry.file: entry for entry in skipped}
        for file in files:
            if is_junk(file.parts):
                continue
            hidden = _hidden(file.parts)
            if hidden:
                left_out.setdefault(hidden.file, hidden)
            else:
                kept.append(file)
        kept.sort(key=lambda file: [natural(part) for part in file.parts])
        return cls(tuple(kept), tuple(left_out.values()))

    def folders(self) -> dict[str, int]:
        """The folders at the top that hold files which may be pictures, at any depth, and how many."""
        counted: dict[str, int] = {}
        for file in self.files:
            if len(file.parts) > 1 and file.may_be_picture:
                counted[file.parts[0]] = counted.get(file.parts[0], 0) + 1
        return counted

    def loose_pictures(self) -> int:
        """How many files that may be pictures lie at the top, in no folder."""
        return sum(len(file.parts) == 1 and file.may_be_picture for file in self.files)

    def below(self, folder: str) -> "Tree":
        """The tree inside one of the top folders; files that are elsewhere are skipped with that reason."""
        inside = (
            TreeFile(file.parts[1:], file.path) for file in self.files if file.parts[0] == folder and file.parts[1:]
        )
        outside = (
            Skipped(file.name, f"lies outside the folder {folder}, which holds the images")
            for file in self.files
            if file.parts[0] != folder or not file.parts[1:]
        )
        return Tree(tuple(inside), (*self.skipped, *outside), self.room)


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts "9" before "10" and does not care about case; equal only for equal texts."""
    pieces = re.split(r"(\d+)", text)
    key = [_number(piece) if index % 2 else (1, 0, piece.casefold()) for index, piece in enumerate(pieces)]
    return (*key, (2, 0, text))


def _number(digits: str) -> tuple[int, int, str]:
    """A sort key for a number of any length: Python makes no whole number of thousands of digits."""
    digits = digits.lstrip("0")
    return 0, len(digits), digits


def same_letters(name: str) -> str:
    """A name in composed Unicode: a Mac writes "é" as two characters, other systems as one, and both mean one class."""
    return unicodedata.normalize("NFC", name)


def is_junk(parts: tuple[str, ...]) -> bool:
    """Whether a path is one of the things that file managers leave behind."""
    return any(part in _JUNK or part.startswith("._") for part in parts)


def _hidden(parts: tuple[str, ...]) -> Skipped | None:
    for depth, part in enumerate(parts, 1):
        if part.startswith("."):
            folder = depth < len(parts)
            return Skipped("/".join(parts[:depth]) + "/" * folder, f"a hidden {'folder' if folder else 'file'}")
    return None


def walk(root: Path, limit: int = MAX_FILES) -> Tree:
    """The files under a folder. Links are followed only to files inside the folder, never to other folders.

    Raises DatasetError when the folder cannot be opened or holds more than `limit` files.
    """
    files: list[TreeFile] = []
    skipped: list[Skipped] = []
    real_root = root.resolve()
    waiting: list[tuple[Path, tuple[str, ...]]] = [(root, ())]
    while waiting:
        folder, above = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            if not above:
                raise DatasetError(f"The folder {root} cannot be opened", found=reason) from error
            skipped.append(Skipped("/".join(above) + "/", f"a folder that cannot be opened ({reason})"))
            continue
        for entry in entries:
            parts = (*above, same_letters(readable(entry.name)))
            if entry.is_dir(follow_symlinks=False):
                if is_junk(parts):
                    continue
                hidden = _hidden(parts)
                if hidden:
                    skipped.append(Skipped(hidden.file + "/", "a hidden folder"))
                else:
                    waiting.append((Path(entry.path), parts))
            elif entry.is_symlink() and not _inside(Path(entry.path), real_root):
                skipped.append(Skipped("/".join(parts), "a link that leads out of the folder, to a folder, or nowhere"))
            elif entry.is_file():
                files.append(TreeFile(parts, Path(entry.path)))
            else:
                skipped.append(Skipped("/".join(parts), "neither a file nor a folder"))
        if len(files) > limit:
            raise DatasetError(
                f"The folder {root} holds too much for one dataset",
                found=f"more than {limit:,} files",
                do="Choose the folder of one dataset",
            )
    return Tree.of(files, skipped)


def readable(name: str) -> str:
    """A file name from the system as text that can be written down: bytes that are no UTF-8 become "�"."""
    return os.fsencode(name).decode("utf-8", "replace")


def _inside(link: Path, root: Path) -> bool:
    try:
        real = link.resolve(strict=True)
    except (OSError, RuntimeError):  # leads nowhere, or in a circle
        return False
    return root in real.parents and real.is_file()
