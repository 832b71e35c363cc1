"""Which picture a text means: a path from another computer, a bare name, a name without its ending, a number."""

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import partial

from core.data.readers.mask_pairs import says_role
from core.data.tree import Tree, TreeFile

_ENDING = re.compile(r".+\.[a-z][a-z0-9]{1,4}")


@dataclass(frozen=True)
class Meant:
    """A picture, and how sure it is that it is meant: 0 the same path or part of it, 3 only the same number."""

    file: TreeFile
    doubt: int


class Names:
    """The pictures of a tree by what a table may call them. Capitals make no difference where nothing else does."""

    def __init__(self, tree: Tree) -> None:
        self.files = [file for file in tree.files if file.may_be_picture]
        self._by_name: dict[str, list[TreeFile]] = defaultdict(list)
        self._by_stem: dict[str, list[TreeFile]] = defaultdict(list)
        self._by_number: dict[int, list[TreeFile]] = defaultdict(list)
        for file in self.files:
            name = file.parts[-1].casefold()
            stem = _stem(name)
            self._by_name[name].append(file)
            self._by_stem[stem].append(file)
            if (number := _number(stem)) is not None:
                self._by_number[number].append(file)

    def __contains__(self, text: str) -> bool:
        return bool(self.find(text))

    def find(self, text: str) -> list[Meant]:
        """The pictures that a text may mean, those that fit best; none where no picture is called so."""
        parts = tuple(part for part in text.strip().replace("\\", "/").split("/") if part not in ("", "."))
        if not parts:
            return []
        name = parts[-1].casefold()
        files = self._by_name.get(name)
        if files:
            return [Meant(file, 0 if _agrees(parts, file) else 1) for file in _nearest(parts, files)]
        stem = _stem(name)
        files = self._by_stem.get(name) or self._by_stem.get(stem)
        if files:
            return [Meant(file, 2) for file in _nearest(parts, files)]
        number = _number(stem)
        files = self._by_number.get(number, []) if number is not None else []
        return [Meant(file, 3) for file in _nearest(parts, files)]


def _nearest(parts: tuple[str, ...], files: list[TreeFile]) -> list[TreeFile]:
    """Of several files those with the most folders in common, from the file up; then no masks; then equal capitals."""
    if len(files) < 2:
        return files
    most = max(map(partial(_common, parts), files))
    files = [file for file in files if _common(parts, file) == most]
    files = [file for file in files if says_role(file) != "mask"] or files
    return [file for file in files if file.parts[-1] == parts[-1]] or files


def _common(parts: tuple[str, ...], file: TreeFile) -> int:
    """How many folders agree, from the innermost one."""
    agree = 0
    for ours, theirs in zip(reversed(parts[:-1]), reversed(file.parts[:-1]), strict=False):
        if ours.casefold() != theirs.casefold():
            break
        agree += 1
    return agree


def _agrees(parts: tuple[str, ...], file: TreeFile) -> bool:
    """Whether one path is the end of the other."""
    return _common(parts, file) == min(len(parts), len(file.parts)) - 1


def _stem(name: str) -> str:
    """A name without its ending, if this is one: "a.b" ends in nothing that files are called by."""
    return name.rpartition(".")[0] if _ENDING.fullmatch(name) else name


def _number(stem: str) -> int | None:
    return int(stem) if stem.isascii() and stem.isdecimal() and len(stem) < 19 else None
