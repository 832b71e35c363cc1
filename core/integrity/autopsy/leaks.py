"""Evaluated images that the model had learned from: by the names on two lists, and by the files where they are at hand.

A name proves something when all of it agrees, or when its last part is no mere number: 001.jpg lies in every folder.
Where both lists lie beside their files on this computer, or are folders, the files are read as well: the same bytes, or
pictures that look the same whichever way up (`core.data.prints`), are the same picture whatever they are called.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from core.data.tree import PICTURE_SUFFIXES
from core.errors import ImageError, InputError
from core.integrity.autopsy.answers import Leak
from core.integrity.autopsy.grid import ID_WORDS, Source, name_of, plain_word, read_grid

EXAMPLES = 8
MOST_FILES = 20_000  # of both lists together that are opened
# Names that any folder may hold: a number, a short word before one, or a short word alone.
_COMMON = re.compile(r"(?:[a-z]{0,6}[ _\-.()]*\d{0,6}[ _\-.()]*)|\d+")


def find_leak(
    training: Source | None, evaluated: Source | None, ids: Sequence[str] = (), rows: int | None = None
) -> Leak | None:
    """Which evaluated images were learned from, by lists of files; None where none of these learned from was given.

    The evaluated images are those of their own list, else the ids of the rows; `rows` is how many there are. Raises
    InputError where nothing says which images were evaluated, or a list cannot be read.
    """
    if training is None:
        return None
    learned = list_of(training)
    judged = list_of(evaluated) if evaluated is not None else list(ids)
    if not judged:
        raise InputError(
            "Nothing says which images were evaluated",
            expected="a list of them, or a column of files or ids beside the answers",
        )
    same, doubtful = _by_name(judged, learned)
    hows = {"the same name"} if same else set()
    if evaluated is not None:
        for how, pairs in _by_content(_files(evaluated, judged), _files(training, learned)).items():
            hows |= {how} if pairs else set()
            same |= {name: other for name, other in pairs.items() if name not in same}
    found = [name for name in judged if name in same]
    return Leak(
        evaluated=len(judged),
        trained=len(learned),
        rows=_rows(judged, same, ids, evaluated is None, rows),
        shared=len(found),
        examples=tuple((name, same[name]) for name in found[:EXAMPLES]),
        how=" and ".join(sorted(hows, key=_HOWS.index)) or "the same name",
        doubtful=len(doubtful - set(same)),
    )


_HOWS = ("the same name", "the same bytes", "looking the same")


def list_of(source: Source) -> list[str]:
    """Names of files: of a CSV the column that is called so, else its first one; of a folder all pictures in it."""
    if isinstance(source, Path) and source.is_dir():
        files = (file for file in source.rglob("*") if file.suffix.lower() in PICTURE_SUFFIXES and file.is_file())
        names = sorted(file.relative_to(source).as_posix() for file in files)
    else:
        grid = read_grid(source)
        places = [place for place, cell in enumerate(grid.header) if plain_word(cell) in ID_WORDS]
        names = [name for name in grid.columns[places[0] if places else 0] if name]
        if grid.header and not places and _path(grid.header[0])[-1:] and "." in grid.header[0]:
            names.insert(0, grid.header[0])  # a list of files has a name where others have a header
    if not names:
        raise InputError(f"{name_of(source)} names no files", expected="one in each line, or a folder of pictures")
    return names


def _by_name(judged: Sequence[str], learned: Sequence[str]) -> tuple[dict[str, str], set[str]]:
    """Evaluated names with the one they agree with, and those that agree in a way that proves nothing."""
    whole = {_path(name): name for name in learned}
    last: dict[str, str] = {}
    for name in learned:
        last.setdefault(_path(name)[-1], name)
    same, doubtful = {}, set()
    for name in judged:
        path = _path(name)
        common = _COMMON.fullmatch(path[-1].rsplit(".", 1)[0]) is not None
        if path in whole and not (common and len(path) == 1):
            same[name] = whole[path]
        elif path[-1] in last and not common:
            same[name] = last[path[-1]]
        elif path[-1] in last:
            doubtful.add(name)
    return same, doubtful


def _by_content(judged: Mapping[str, Path], learned: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """Evaluated names with that of the same picture among those learned from, by how it is the same."""
    if not judged or not learned or len(judged) + len(learned) > MOST_FILES:
        return {}
    digests = {_digest(path): name for name, path in learned.items()}
    bytes_ = {name: digests[digest] for name, path in judged.items() if (digest := _digest(path)) in digests}

    from core.data.loading import read_image  # here, because reading pictures takes long to import
    from core.data.prints import near_duplicates, print_of

    names, prints = [], []
    for side, files in ((0, judged), (1, learned)):
        for name, path in files.items():
            try:
                prints.append(print_of(read_image(path, name=name)))
                names.append((side, name))
            except ImageError:
                continue
    looks: dict[str, str] = {}
    for one, other, *_ in near_duplicates(np.array(prints, np.uint8)) if prints else ():
        (side, name), (other_side, other_name) = sorted((names[one], names[other]))
        if side != other_side:
            looks.setdefault(name, other_name)
    return {"the same bytes": bytes_, "looking the same": looks}


def _files(source: Source, names: Sequence[str]) -> dict[str, Path]:
    """The files that a list on this computer names, where they lie in its folder; of what was uploaded none."""
    if not isinstance(source, Path):
        return {}
    folder = (source if source.is_dir() else source.parent).resolve()
    paths = {name: (folder / name).resolve() for name in names}
    return {name: path for name, path in paths.items() if path.is_relative_to(folder) and path.is_file()}


def _rows(
    judged: Sequence[str], same: Mapping[str, str], ids: Sequence[str], by_ids: bool, rows: int | None
) -> tuple[int, ...]:
    """The rows whose image was learned from; () where the list and the rows have no link."""
    if by_ids:
        return tuple(row for row, name in enumerate(ids) if name in same)
    if ids:
        leaked = {_path(name)[-1] for name in judged if name in same}
        stems = {name.rsplit(".", 1)[0] for name in leaked}
        return tuple(row for row, id in enumerate(ids) if _path(id)[-1:] and _path(id)[-1] in leaked | stems)
    if rows == len(judged):
        return tuple(row for row, name in enumerate(judged) if name in same)
    return ()


def _path(name: str) -> tuple[str, ...]:
    parts = name.replace("\\", "/").casefold().split("/")
    return tuple(part for part in parts if part not in ("", ".")) or (name,)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
