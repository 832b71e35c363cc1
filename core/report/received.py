"""A bundle, or a page that carries its evidence, as somebody received it: files that nobody vouches for, in memory."""

import io
import json
import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from core.data.archive import MIB, Limits, unpack
from core.data.tree import is_junk
from core.errors import ArchiveError, InputError, shown, storage_errors
from core.report.bundle import KIND, MANIFEST, PAGE
from core.report.collect import picture_name
from core.report.page import without_data

LARGEST = 512 * MIB  # unpacked; a report on 100,000 pictures of 100 classes has a twentieth of it
_NAMES = re.compile(
    r"(report|pictures)\.json|pictures/[0-9a-f]{20}\.jpg"
    r"|runs/[a-z0-9][a-z0-9-]{0,79}/[a-z_]{1,40}\.(json|jsonl|csv)"
)
_RESULTS = re.compile(r"runs/[^/]+/results_(validation|test)\.json")


@dataclass(frozen=True)
class Received:
    """What came."""

    name: str  # of the file, for people
    files: dict[str, bytes]  # by their names in the bundle; of a page alone there are none
    page: str | None  # the report, its pictures replaced by their names; None where there is none or it is no text
    carried: dict[str, bytes]  # the evidence that the page carries; empty where it carries none
    hashes: dict[str, str] | None  # by the manifest; None where there is none that can be read
    beside: tuple[tuple[str, str], ...] = ()  # files that are not looked into, and why, as a sentence

    @property
    def alone(self) -> bool:
        """Whether it is a page without a bundle."""
        return not self.files


def is_evidence(name: str) -> bool:
    """Whether a file of this name is part of the evidence."""
    return _NAMES.fullmatch(name) is not None and not is_result(name)


def is_result(name: str) -> bool:
    """Whether a file of this name was computed from the evidence."""
    return _RESULTS.fullmatch(name) is not None


def receive(path: Path, name: str = "") -> Received:
    """Read a bundle or a page. Raises InputError for what is neither, ArchiveError for a zip that would do harm."""
    name = name or path.name
    if path.is_dir():
        return _sorted(_in_folder(path, name), name, ())
    try:
        with path.open("rb") as file:
            beginning = file.read(4)
            size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{name} cannot be read", found=(error.strerror or "an error").lower()) from error
    if size > LARGEST:
        raise InputError(f"{name} is too large", found=f"{size / MIB:,.0f} MB", expected=f"at most {LARGEST // MIB} MB")
    if beginning.startswith(b"PK"):
        return _bundle(path, name)
    page, carried = _page(path.read_bytes())
    if page is None or not carried:
        raise InputError(
            f"{shown(name)} is no report of Fovea that can be checked",
            found="neither a bundle nor a page that carries its evidence",
            do="Make a bundle: python -m core report RUN --out report.zip",
        )
    return Received(name, {}, page, carried, None)


def _bundle(path: Path, name: str) -> Received:
    files, twice = _unpacked(path)
    return _sorted(files, name, twice)


def _in_folder(folder: Path, name: str) -> dict[str, bytes]:
    """The files of a bundle that somebody has unpacked; links are left alone."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    paths = [path for path in paths if not is_junk(path.relative_to(folder).parts)]
    if sum(path.stat().st_size for path in paths) > LARGEST:
        raise InputError(f"{shown(name)} is too large", expected=f"at most {LARGEST // MIB} MB")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _sorted(files: dict[str, bytes], name: str, twice: tuple[str, ...]) -> Received:
    """What came, in whatever folder of its own it lay; what lies outside of that folder is told of."""
    ends = [one for one in files if one.split("/")[-1] in (MANIFEST, PAGE)]
    folder = min(ends, key=lambda one: one.count("/")).rpartition("/")[0] if ends else ""
    folder += "/" if folder else ""
    told = "It is there twice: programs differ in which of the two they show, and only the first was checked."
    beside = [(one.removeprefix(folder), told) for one in twice]
    beside += [(one, "It lies outside of the report.") for one in files if not one.startswith(folder)]
    files = {one.removeprefix(folder): data for one, data in files.items() if one.startswith(folder)}
    if MANIFEST not in files and PAGE not in files:
        raise InputError(
            f"{shown(name)} is no bundle of a report", found=f"{len(files)} files, no {MANIFEST} among them"
        )
    page, carried = _page(files.get(PAGE, b""))
    return Received(name, files, page, carried, _hashes(files.get(MANIFEST)), tuple(beside))


def _unpacked(path: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files of a zip, and the names of those that are in it a second time."""
    with tempfile.TemporaryDirectory(prefix="verify-") as temporary, storage_errors(temporary):
        tree = unpack(path, Path(temporary) / "files", Limits(entries=20_000, bytes=LARGEST))
        files = {file.name: file.path.read_bytes() for file in tree.files}
        return files, tuple(one.file for one in tree.skipped if one.file in files)


def _page(data: bytes) -> tuple[str | None, dict[str, bytes]]:
    try:
        html = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None, {}
    if not html:
        return None, {}
    text, packed = without_data(html, picture_name)
    return text, _evidence(packed)


def _evidence(packed: bytes | None) -> dict[str, bytes]:
    """The files that a page carries; none where they were damaged."""
    if not packed or not zipfile.is_zipfile(io.BytesIO(packed)):
        return {}
    with tempfile.TemporaryDirectory(prefix="verify-") as temporary:
        path = Path(temporary) / "evidence.zip"
        path.write_bytes(packed)
        try:
            found, _ = _unpacked(path)
        except ArchiveError:
            return {}
    return {name: data for name, data in found.items() if is_evidence(name)}


def _hashes(data: bytes | None) -> dict[str, str] | None:
    try:
        found = json.loads(data or b"")
        files = found["files"] if found["kind"] == KIND else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    texts = isinstance(files, dict) and all(isinstance(value, str) for value in files.values())
    return files if texts else None
