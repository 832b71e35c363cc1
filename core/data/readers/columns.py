"""What the columns of a table seem to be, by their names and by what stands in them."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from core.data.dataset import SPLITS
from core.data.readers.naming import Names
from core.data.readers.split_folders import SPLIT_NAMES
from core.data.readers.table import Table, open_table
from core.data.tree import TABLE_SUFFIXES, Tree, TreeFile

MOST_TABLES = 20  # of a tree that are opened; those with the shortest paths first
_LOOK = 1000  # rows of a table by which its columns are guessed
_AND = " + "  # between tables that are read as one

_IMAGE_WORDS = ("image", "file", "filename", "filepath", "path", "img", "picture", "photo", "name", "id")
_LABEL_WORDS = (
    *("label", "labels", "class", "classes", "diagnosis", "dx", "category", "target", "species", "y", "type"),
    *("grade", "finding", "disease", "breed", "truth", "annotation"),
)
_SPLIT_WORDS = ("split", "set", "subset", "partition", "phase", "usage", "fold")
_GROUP_WORDS = (
    *("group", "patient", "subject", "person", "case", "participant", "animal", "lesion", "specimen"),
    *("video", "clip", "sequence", "slide", "series", "study", "session", "donor", "plate"),
)
_NUMBER = re.compile(r"[-+]?\d*[.,]?\d+")


@dataclass(frozen=True)
class Source:
    """One table, or several that are read as one because they are named by their splits and have equal columns."""

    name: str
    tables: tuple[Table, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.tables[0].columns

    @property
    def gives_splits(self) -> bool:
        """Whether each of the tables is a split."""
        return len(self.tables) > 1


@dataclass(frozen=True)
class Guess:
    """What the columns of a table seem to be; "" for none."""

    images: str = ""
    labels: str = ""
    split: str = ""
    group: str = ""
    met: float = 0.0  # share of the rows looked at that name a picture, 0..1
    pictures: int = 0  # different pictures that they name

    @property
    def called(self) -> bool:
        """Whether the column of the labels is called like one."""
        return bool(self.labels) and rank(_LABEL_WORDS)(self.labels) < 2


def sources(tree: Tree, names: Names) -> list[Source]:
    """The tables of a tree; in front those that are one table in parts, one for each split."""
    files = sorted((file for file in tree.files if file.suffix in TABLE_SUFFIXES), key=lambda file: len(file.parts))
    tables = [table for file in files[:MOST_TABLES] if (table := open_table(file, names.__contains__))]
    parts: dict[tuple[str, ...], dict[str, Table]] = defaultdict(dict)
    for table in tables:
        if split := split_of(table.file):
            parts[table.columns].setdefault(split, table)
    joined = [tuple(found[split] for split in SPLITS if split in found) for found in parts.values() if len(found) > 1]
    return [Source(_AND.join(table.name for table in some), some) for some in (*joined, *((one,) for one in tables))]


def split_of(file: TreeFile) -> str:
    """The split that a table's name says, or the folder it lies in; "" for none."""
    said = [*words(file.parts[-1]), *(part.casefold() for part in file.parts[-2:-1])]
    return next((SPLIT_NAMES[word] for word in said if word in SPLIT_NAMES), "")


def chosen(tables: Sequence[Source], names: Names, name: str = "") -> tuple[Source, Guess]:
    """The source of this name, else the one that fits best, with what its columns seem to be."""
    of_name = [source for source in tables if source.name == name]
    guesses = [(source, guess(source, names)) for source in of_name or tables]
    return max(guesses, key=lambda pair: (bool(pair[1].labels), pair[1].pictures, len(pair[0].tables)))


def guess(source: Source, names: Names) -> Guess:
    """What the columns of a source seem to be, by its first rows."""
    rows = [cells for table in source.tables for _, cells in islice(table.rows(), _LOOK)]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(source.columns)}
    meant = {name: {cell: found for cell in {*cells} if (found := names.find(cell))} for name, cells in columns.items()}

    def pictures(name: str) -> int:
        return len({found[0].file for found in meant[name].values()})

    def sure(name: str) -> tuple[int, int, int]:
        return pictures(name), -sum(found[0].doubt for found in meant[name].values()), -rank(_IMAGE_WORDS)(name)

    images = max(columns, key=sure)
    if not pictures(images):
        return Guess()
    met = sum(cell in meant[images] for cell in columns[images]) / len(rows)
    rest = {name: [cell for cell in cells if says(cell)] for name, cells in columns.items() if name != images}
    split = min((name for name in rest if _may_split(rest[name])), key=rank(_SPLIT_WORDS), default="")
    rest.pop(split, None)
    group = min((name for name in rest if _may_group(name, rest[name])), key=rank(_GROUP_WORDS), default="")
    rest.pop(group, None)
    labels = min(
        (name for name in rest if _may_label(name, rest[name])),
        key=lambda name: (rank(_LABEL_WORDS)(name), all(map(_NUMBER.fullmatch, rest[name])), len({*rest[name]})),
        default="",
    )
    return Guess(images, labels, split, group, met, pictures(images))


def says(cell: str) -> bool:
    """Whether a cell says anything: empty ones do not, nor what statistics programs write into those."""
    return cell.casefold() not in ("", "nan")


def _may_split(cells: Sequence[str]) -> bool:
    return sum(cell.casefold() in SPLIT_NAMES for cell in cells) >= max(1, 0.9 * len(cells))


def _may_group(name: str, cells: Sequence[str]) -> bool:
    called = rank(_GROUP_WORDS)(name) < 2 and rank(_LABEL_WORDS)(name) == 2
    return called and 1 < len({*cells}) < len(cells)


def _may_label(name: str, cells: Sequence[str]) -> bool:
    """Whether these could be classes: called so, or texts, more than one and far fewer than there are pictures."""
    called, different = rank(_LABEL_WORDS)(name), len({*cells})
    if called == 0:
        return different > 0
    texts = called == 1 or not all(map(_NUMBER.fullmatch, cells))  # a width is a number too
    return texts and 2 <= different <= max(2, len(cells) // 2)


def rank(known: Sequence[str]) -> Callable[[str], int]:
    """What tells of a name 0 when it is one of the words, 1 when it has one in it, else 2."""

    def of(name: str) -> int:
        said = words(name)
        return 0 if "".join(said) in known else 1 if any(word in known for word in said) else 2

    return of


def words(name: str) -> list[str]:
    """The words in the name of a column, an array or a file, in small letters: ["patient", "id"] of "patientID_2"."""
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold())
