"""Evaluated images that the model had learned from, by lists of files."""

import re
from collections.abc import Sequence
from pathlib import Path

from core.data.tree import PICTURE_SUFFIXES
from core.errors import InputError
from core.integrity.autopsy.answers import Leak
from core.integrity.autopsy.grid import ID_WORDS, Source, name_of, plain_word, read_grid

EXAMPLES = 8
_COUNTER = re.compile(r"[^\d]{0,8}\d+|[a-z]{1,8}")


def find_leak(training: Source | None, evaluated: Source | None, ids: Sequence[str]) -> Leak | None:
    """Which evaluated images stand on the list of those learned from; None where no list of these was given.

    The evaluated ones are those of their own list, else the ids of the rows. Paths are compared from their end; two
    names like 001.jpg in different folders prove nothing and are only counted.
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
    by_path = {_path(name): name for name in learned}
    by_name: dict[str, list[str]] = {}
    for name in learned:
        by_name.setdefault(_path(name)[-1], []).append(name)
    rows, examples, doubtful = [], [], 0
    for row, name in enumerate(judged):
        path = _path(name)
        same = by_path.get(path) or _by_end(path, by_name.get(path[-1], ()))
        if same:
            rows.append(row)
            examples += [(name, same)] if len(examples) < EXAMPLES else []
        elif path[-1] in by_name:
            doubtful += 1
    linked = evaluated is None or len(judged) == len(ids) or not ids
    return Leak(
        evaluated=len(judged),
        trained=len(learned),
        rows=tuple(rows) if linked else (),
        shared=len(rows),
        examples=tuple(examples),
        how="the same name",
        doubtful=doubtful,
    )


def list_of(source: Source) -> list[str]:
    """Names of files: of a CSV the column that is called so, else its first one; of a folder all pictures in it."""
    if isinstance(source, Path) and source.is_dir():
        found = sorted(file for file in source.rglob("*") if file.suffix.lower() in PICTURE_SUFFIXES)
        return [file.relative_to(source).as_posix() for file in found]
    grid = read_grid(source)
    places = [place for place, cell in enumerate(grid.header) if plain_word(cell) in ID_WORDS]
    names = [name for name in grid.columns[places[0] if places else 0] if name]
    if not names:
        raise InputError(f"{name_of(source)} names no files", expected="one in each line")
    return names


def _path(name: str) -> tuple[str, ...]:
    return tuple(part for part in name.replace("\\", "/").casefold().split("/") if part not in ("", "."))


def _by_end(path: tuple[str, ...], others: Sequence[str]) -> str | None:
    """The name among those with the same last part that is the same file: not told apart by folders, and no counter."""
    if _COUNTER.fullmatch(path[-1].rsplit(".", 1)[0]):
        return None
    return others[0] if others else None
