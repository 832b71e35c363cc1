"""Unpack a zip that nobody vouches for.

Everything that can be known from the zip's table of contents is checked before the first byte is written: names that
would leave the folder, links, passwords, damaged structure, too many entries, too much data, data that is suspiciously
well packed, room on the disk. Headers can lie, so bytes are counted while they are written as well. One bad entry
refuses the whole zip, because nobody knows what else is wrong with it.

The entries are written as 000000, 000001, ...: no name from the zip ever becomes a name on this disk. There is nothing
to escape with, and names that this system could not store (too long, reserved, <script>.jpg on Windows) are kept.
"""

import io
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from core.data.dataset import Skipped
from core.data.tree import MAX_FILES, Tree, TreeFile, is_junk, same_letters
from core.errors import ArchiveError, StorageError, storage_errors

MIB = 1024 * 1024
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what zip tools write; the others need unbounded memory
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError)  # what zipfile raises
_AGAIN = "Make or upload the zip again"


@dataclass(frozen=True)
class Limits:
    """How much a zip may hold."""

    entries: int = MAX_FILES
    bytes: int = 4096 * MIB  # unpacked, all entries together
    ratio: int = 200  # unpacked : packed; images are about 1 : 1, text 10 : 1, a zip bomb 1000 : 1
    ratio_entry: int = 10 * MIB  # an entry smaller than this may be packed as well as it likes
    ratio_whole: int = 100 * MIB  # and so may a zip that unpacks to less than this


@dataclass(frozen=True)
class _Entry:
    info: zipfile.ZipInfo
    parts: tuple[str, ...]


def unpack(
    zip_path: Path,
    target: Path,
    limits: Limits | None = None,
    wanted: Callable[[tuple[str, ...]], bool] = lambda parts: True,
    report: Callable[[int, int, str], None] = lambda done, of, what: None,
) -> Tree:
    """Write the files of a zip into the new folder `target` under numbers, and give the tree with their real names.

    A file whose name, in parts, is not `wanted` stands in the tree but is not written. `report` is called with how many
    files are written, of how many, and "unpacking".

    Raises ArchiveError, naming the entry, when the zip is damaged or would do harm, and StorageError when it does not
    fit on the disk; `target` is then gone again.
    """
    limits = limits or Limits()
    with _opened(zip_path, limits) as (archive, entries):
        try:
            with storage_errors(target):
                target.mkdir(parents=True)
                return _write(archive, entries, target, limits, wanted, report)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise


def beginnings(zip_path: Path, size: int, suffix: str, most: int) -> dict[str, bytes]:
    """The first `size` bytes of the files in a zip whose names end in `suffix`, by their names; nothing is written.

    Of one that is damaged there are none; of two of one name the first counts, as for `unpack`. Raises ArchiveError as
    `unpack` does, and for more than `most` of them, which are all in memory at once.
    """
    found: dict[str, bytes] = {}
    with _opened(zip_path, Limits()) as (archive, entries):
        named: dict[str, _Entry] = {}
        for entry in entries:
            if entry.parts[-1].endswith(suffix):
                named.setdefault("/".join(entry.parts), entry)
        if len(named) > most:
            raise ArchiveError(
                f"{zip_path.name} holds too many {suffix} files", found=f"{len(named):,}", expected=f"at most {most:,}"
            )
        for name, entry in named.items():
            found[name] = b""
            with suppress(*_BROKEN), archive.open(entry.info) as source:
                found[name] = source.read(size)
    return found


@contextmanager
def _opened(zip_path: Path, limits: Limits) -> Iterator[tuple[zipfile.ZipFile, list[_Entry]]]:
    """A zip and its files, when all that its table of contents says is harmless."""
    with ExitStack() as opened:
        try:
            file = opened.enter_context(_CappedFile(io.FileIO(zip_path), limits.entries * 200))
            archive = opened.enter_context(zipfile.ZipFile(file))
            entries = _checked(archive, zip_path, limits)
        except _BROKEN as error:
            raise ArchiveError(f"{zip_path.name} is no complete zip", found=str(error), do=_AGAIN) from error
        yield archive, entries


class _CappedFile(io.BufferedReader):
    """A file that refuses to be read in very large pieces.

    The table of contents is the one thing that `zipfile` reads at once, before anyone can look at the number of
    entries: a gigabyte of nothing but contents would fill the memory.
    """

    def __init__(self, raw: io.FileIO, cap: int) -> None:
        super().__init__(raw)
        self._cap = max(cap, MIB)

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(self._cap + 1 if size is None or size < 0 else min(size, self._cap + 1))
        if len(data) > self._cap:
            raise ArchiveError("This zip holds too many entries", found=f"a table of contents over {self._cap:,} bytes")
        return data


def _checked(archive: zipfile.ZipFile, zip_path: Path, limits: Limits) -> list[_Entry]:
    infos = archive.infolist()
    if len(infos) > limits.entries:
        raise ArchiveError(
            f"{zip_path.name} holds too many entries", found=f"{len(infos):,}", expected=f"at most {limits.entries:,}"
        )
    entries = [_Entry(info, _parts(info)) for info in infos]
    for entry in entries:
        _check_entry(entry.info, limits)
    total = sum(info.file_size for info in infos)
    if total > limits.bytes:
        raise ArchiveError(
            f"{zip_path.name} unpacks to too much", found=_size(total), expected=f"at most {_size(limits.bytes)}"
        )
    packed = zip_path.stat().st_size  # not the sum over the entries, which may share their data
    if total > limits.ratio_whole and total > limits.ratio * packed:
        raise ArchiveError(
            f"{zip_path.name} looks like a zip bomb",
            found=f"{_size(total)} packed into {_size(packed)}",
            expected=f"at most {limits.ratio} times the size of the zip",
        )
    return [entry for entry in entries if not entry.info.is_dir() and entry.parts and not is_junk(entry.parts)]


def _parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    """The name of an entry, in parts. Raises ArchiveError when it would lead out of the folder."""
    name = info.orig_filename
    if not info.flag_bits & 0x800:  # no UTF-8 flag: macOS and many tools write UTF-8 all the same
        with suppress(UnicodeError):  # else it is what the standard says: code page 437, as Python has read it
            name = name.encode("cp437").decode("utf-8")
    parts = tuple(part for part in re.split(r"[/\\]", name) if part not in ("", "."))
    if "\0" in name or ".." in parts or name[:1] in ("/", "\\") or re.match(r"[A-Za-z]:", name):
        raise _refuse(info, "a name that leads out of the folder it is unpacked into", name)
    return tuple(same_letters(part) for part in parts)


def _check_entry(info: zipfile.ZipInfo, limits: Limits) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refuse(info, "a link" if kind == stat.S_IFLNK else "neither a file nor a folder")
    if info.flag_bits & 0x1:
        raise _refuse(info, "protected by a password", do="Make the zip again without one")
    if info.compress_type not in _METHODS:
        raise _refuse(info, f"packed by method {info.compress_type}", do="Make the zip again with the usual settings")
    if info.file_size > limits.ratio_entry and info.file_size > limits.ratio * max(1, info.compress_size):
        raise _refuse(info, f"{_size(info.file_size)} packed into {_size(info.compress_size)}, like a zip bomb")


def _write(
    archive: zipfile.ZipFile,
    entries: list[_Entry],
    target: Path,
    limits: Limits,
    wanted: Callable[[tuple[str, ...]], bool],
    report: Callable[[int, int, str], None],
) -> Tree:
    needed = sum(entry.info.file_size for entry in entries if wanted(entry.parts))
    free = shutil.disk_usage(target).free
    if needed > free:
        raise StorageError(
            "The zip does not fit on the disk", found=f"{_size(free)} free", expected=f"{_size(needed)} for its files"
        )
    files: list[TreeFile] = []
    twice: list[Skipped] = []
    seen: set[tuple[str, ...]] = set()
    left = limits.bytes
    for entry in entries:
        if entry.parts in seen:
            twice.append(Skipped("/".join(entry.parts), "a second file of the same name in the zip"))
            continue
        seen.add(entry.parts)
        path = target / f"{len(files):06d}"
        report(len(files), len(entries), "unpacking")
        if wanted(entry.parts):
            left -= _write_one(archive, entry.info, path, left)
        files.append(TreeFile(entry.parts, path))
    return Tree.of(files, twice)


def _write_one(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, left: int) -> int:
    """Write one entry, at most `left` bytes; how many there were."""
    written = 0
    with path.open("xb") as file:
        for block in _blocks(archive, info):
            written += len(block)
            if written > left:
                raise _refuse(info, "more data than the zip says it holds")
            file.write(block)
    if written != info.file_size:
        raise _refuse(info, f"damaged ({written:,} bytes instead of {info.file_size:,})", do=_AGAIN)
    return written


def _blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of an entry. What goes wrong while writing them is not caught here."""
    try:
        with archive.open(info) as source:
            while block := source.read(MIB):
                yield block
    except _BROKEN as error:
        raise _refuse(info, f"damaged ({error})" if str(error) else "cut off", do=_AGAIN) from error


def _refuse(info: zipfile.ZipInfo, found: str, name: str = "", do: str = "") -> ArchiveError:
    shown = (name or info.filename)[:200]
    return ArchiveError(f"The zip is refused because of its entry {shown!r}", found=found, do=do)


def _size(count: int) -> str:
    for unit, size in (("GB", 1024**3), ("MB", MIB), ("KB", 1024)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"
