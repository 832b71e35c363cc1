"""A table beside its pictures: one column names the picture, another its class, more may give its split and its group.

Every row is held against the pictures that are there. A row whose picture is missing, a picture without a row, rows
that contradict each other: each is left out with its reason, and the rest is read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from core.data.dataset import SPLITS, Skipped
from core.data.readers.claims import Claim, Tally, claims, settled, spelled
from core.data.readers.columns import Source, chosen, sources
from core.data.readers.mask_pairs import says_role
from core.data.readers.naming import Names
from core.data.readers.reader import Found, FoundImage, Pick, Picks, Reader, insist_on_classes, no_picture
from core.data.readers.table import SEPARATORS
from core.data.tree import Tree, TreeFile, natural
from core.errors import DatasetError, shown

_SHOWN, _WIDE = 8, 80  # rows of the preview, characters of a cell in it
_OTHER_COLUMN = "Choose another column for the class"


def recognise(tree: Tree) -> str | None:
    names = Names(tree)
    tables = sources(tree, names)
    if not tables:
        return None
    source, guess = chosen(tables, names)
    enough = guess.met >= 0.5 or 2 * guess.pictures >= len(names.files)
    if not (guess.images and guess.labels and enough):
        return None
    return f"{source.name} names pictures (column {guess.images}) and their classes (column {guess.labels})"


def _sure(tree: Tree) -> bool:
    """Whether the column of the classes is called so; else it may as well be who took the pictures."""
    names = Names(tree)
    return chosen(sources(tree, names), names)[1].called


def ask(tree: Tree, given: Mapping[str, str]) -> Picks | None:
    """What to ask about the table that was given, else the best one; None where there is none, or no picture."""
    names = Names(tree)
    tables = sources(tree, names) if names.files else []
    if not tables:
        return None
    source, guess = chosen(tables, names, given.get("table", ""))
    columns = source.columns
    asked = [
        Pick("images", "Picture", "The column that names the picture of each row", columns, guess.images, True),
        Pick("labels", "Class", "The column that says the class of each picture", columns, guess.labels, True),
        Pick("split", "Split", "The column that says train, validation or test", columns, guess.split, False),
        Pick("group", "Group", "The column of the patient, video or slide", columns, guess.group, False),
    ]
    if len(tables) > 1:
        options = tuple(table.name for table in tables)
        asked.insert(0, Pick("table", "Table", "The table that is read", options, source.name, True))
    rows = islice((cells for table in source.tables for _, cells in table.rows()), _SHOWN)
    preview = (columns, *(tuple(cell[:_WIDE] for cell in cells) for cells in rows))
    first = source.tables[0]
    how = f"{source.name} is separated by {SEPARATORS[first.separator]}"
    how += " and written in UTF-16." if first.encoding.startswith("utf-16") else "."
    how += "" if first.above else " It has no header, so its columns are numbered."
    return Picks(tuple(asked), preview, (how,))


def read(tree: Tree, picks: Mapping[str, str]) -> Found:
    names = Names(tree)
    source, _ = chosen(sources(tree, names), names, picks.get("table", ""))
    if picks["images"] == picks["labels"]:
        found = f"{shown(picks['images'])} for both"
        raise DatasetError("One column cannot name the picture and its class", found=found, do=_OTHER_COLUMN)
    tally = Tally()
    said = claims(source, names, picks, tally)
    if not said:
        raise _nothing_named(source, names, picks, tally)
    splits = bool(picks["split"]) or source.gives_splits
    if splits:
        _insist_on_splits((claim for claim, _ in said.values()), source, picks)
    kept = settled(said, splits=splits, tally=tally)
    labels = spelled({claim.label for claim in kept.values()})
    classes = tuple(sorted({*labels.values()}, key=natural))
    insist_on_classes(classes, len(kept), f"The column {picks['labels']}", _OTHER_COLUMN)
    images = [
        FoundImage(file, labels[claim.label], claim.split, group=claim.group)
        for file in names.files
        if (claim := kept.get(file))
    ]
    if splits:
        images.sort(key=lambda image: SPLITS.index(image.split))
    alone = [file for file in names.files if file not in said]
    tables = {table.file for table in source.tables}
    others = (no_picture(file) for file in tree.files if not file.may_be_picture and file not in tables)
    without = (Skipped(file.name, _without(file, source)) for file in alone)
    notes = (*tally.notes(source), *_alone_notes(alone, source), *_alike_notes(classes))
    return Found(classes, tuple(images), (*tree.skipped, *tally.faults.rows, *without, *others), notes)


def _nothing_named(source: Source, names: Names, picks: Mapping[str, str], tally: Tally) -> DatasetError:
    column = f" in the column {picks['images']}"
    return DatasetError(
        f"No row of {source.name} names a picture that is here",
        found=shown(tally.example) + column if tally.example else f"nothing that names one picture{column}",
        expected=f"names such as {names.files[0].name}",
        do="Choose the column that names the pictures",
    )


def _insist_on_splits(said: Iterable[Claim], source: Source, picks: Mapping[str, str]) -> None:
    values: set[str] = set()
    for claim in said:
        if claim.split:
            return
        values.add(claim.says_split)
    some = sorted(values, key=natural)
    raise DatasetError(
        f"The column {picks['split']} of {source.name} gives no split",
        found="the values " + ", ".join(map(shown, some[:5])) + ", ..." * (len(some) > 5),
        expected="train, validation (or val, valid, dev) and test",
        do="Choose another column for the split, or none",
    )


def _without(file: TreeFile, source: Source) -> str:
    if says_role(file) == "mask":
        return f"lies among masks, and no row of {source.name} names it"
    return f"has no row in {source.name}"


def _alone_notes(alone: Sequence[TreeFile], source: Source) -> Iterator[str]:
    pictures = [file for file in alone if says_role(file) != "mask"]
    if pictures:
        number = f"{len(pictures):,} {'picture' if len(pictures) == 1 else 'pictures'}"
        yield f"Left out: {number} without a row in {source.name}, such as {pictures[0].name}; add rows to use them."


def _alike_notes(classes: Sequence[str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for label in classes:
        other = seen.setdefault("".join(label.casefold().split()), label)
        if other != label:
            yield f"The classes {shown(other)} and {shown(label)} differ only in capitals or blanks; are they one?"


CSV_LABELS = Reader(
    name="csv",
    label="Table of labels",
    sentence="A .csv file beside the images, with a column that names the image and one that names its class",
    recognise=recognise,
    read=read,
    picks=ask,
    sure=_sure,
)
