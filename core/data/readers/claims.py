"""What the rows of a table say of the pictures that are there, and what is wrong with them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.data.readers.columns import Source, says, split_of
from core.data.readers.naming import Meant, Names
from core.data.readers.reader import LONGEST_NAME, class_name
from core.data.readers.split_folders import SPLIT_NAMES
from core.data.readers.table import Faults
from core.data.tree import TreeFile
from core.errors import shown

_WHOLE = re.compile(r"[-+]?\d+(\.0*)?")


@dataclass(frozen=True)
class Claim:
    """What a row says of a picture."""

    place: str  # "line 7 of labels.csv"
    text: str  # how it calls the picture
    label: str
    split: str  # one of SPLITS, or "" where it says none of them
    says_split: str  # its own word for it
    group: str
    doubt: int = 0  # whether this picture is meant, as in `Meant`

    def differs(self, other: "Claim") -> str:
        """How another row contradicts this one; "" where it says the same."""
        pairs = ((self.label, other.label), (self.says_split, other.says_split), (self.group, other.group))
        for ours, theirs in pairs:
            if ours != theirs:
                return f"{shown(ours)} on {self.place}, {shown(theirs)} on {other.place}"
        return ""


@dataclass
class Tally:
    """How many rows and pictures were left out or read in an unusual way, and for what."""

    faults: Faults = field(default_factory=Faults)
    missing: int = 0  # rows whose picture is not here
    example: str = ""  # what the first of them calls it
    unclear: int = 0  # rows that fit several pictures
    repeated: int = 0  # rows that say again what another one says
    contradicted: int = 0  # pictures
    unlabelled: int = 0  # pictures
    unsplit: int = 0  # pictures

    def notes(self, source: Source) -> Iterator[str]:
        """What a person should know, and do: a sentence for each kind of fault."""
        name, faults = source.name, self.faults
        for number, thing, what in (
            (
                self.missing,
                "row",
                f"of {name} without a picture here, such as {shown(self.example)}; add it if you can.",
            ),
            (self.unclear, "row", f"of {name} that may mean several pictures; write the folder before the name."),
            (self.contradicted, "picture", f"whose rows in {name} contradict each other; correct the table."),
            (self.unlabelled, "picture", f"to which {name} gives no class; complete the table."),
            (self.unsplit, "picture", f"to which {name} gives none of train, validation and test; correct the table."),
            (
                faults.misfits,
                "row",
                f"of {name} without the {len(source.columns)} cells of its header; correct the table.",
            ),
        ):
            if number:
                yield f"Left out: {_counted(number, thing)} {what}"
        for number, what in (
            (self.repeated, "repeating another one, which counts once."),
            (faults.other_separator, "separated otherwise than the header; read by that separator."),
            (faults.other_letters, "with letters that are no UTF-8; read as Windows-1252, so look at the class names."),
        ):
            if number:
                yield f"In {name}: {_counted(number, 'row')} {what}"


def claims(source: Source, names: Names, picks: Mapping[str, str], tally: Tally) -> dict[TreeFile, tuple[Claim, str]]:
    """For each picture what the table says of it, and how another row contradicts that ("" where none does)."""
    columns = {role: source.columns.index(name) for role, name in picks.items() if name and role != "table"}
    said: dict[TreeFile, tuple[Claim, str]] = {}
    for table in source.tables:
        named = split_of(table.file)
        for line, cells in table.rows(tally.faults):
            row = {role: cells[place] for role, place in columns.items()}
            split = row.get("split", named if source.gives_splits else "")
            claim = Claim(
                place=f"line {line} of {table.name}",
                text=row["images"],
                label=class_name(row["labels"]),
                split=SPLIT_NAMES.get(split.casefold(), ""),
                says_split=split,
                group=class_name(row["group"]) if says(row.get("group", "")) else "",
            )
            found = _meant(names, claim.text, (table.file.parts[:-1], (split or named,), (claim.label,)))
            if len(found) == 1:
                _add(said, found[0].file, replace(claim, doubt=found[0].doubt), tally)
            elif found:
                tally.unclear += 1
                several = ", ".join(one.file.name for one in found[:3])
                tally.faults.leave_out(claim.text, f"{claim.place} fits several pictures: {several}")
            else:
                _miss(claim, tally)
    return said


def _meant(names: Names, text: str, hints: Sequence[tuple[str, ...]]) -> list[Meant]:
    """The pictures that a text may mean; where there are several, the one in a folder that a hint names."""
    found = names.find(text)
    for hint in hints:
        if len(found) > 1 and any(hint):
            nearer = names.find("/".join((*hint, text)))
            found = nearer if len(nearer) == 1 else found
    return found


def _add(said: dict[TreeFile, tuple[Claim, str]], file: TreeFile, claim: Claim, tally: Tally) -> None:
    first, against = said.get(file, (claim, ""))
    if claim.doubt < first.doubt:  # "1.jpg" means 1.jpg, so "elsewhere/1.jpg" does not
        _miss(first, tally)
        said[file] = claim, ""
    elif claim.doubt > first.doubt:
        _miss(claim, tally)
    else:
        tally.repeated += first is not claim and not first.differs(claim)
        said[file] = first, against or first.differs(claim)


def _miss(claim: Claim, tally: Tally) -> None:
    tally.missing += 1
    tally.example = tally.example or claim.text
    tally.faults.leave_out(claim.text or "(no name)", f"not here, though {claim.place} names it")


def settled(said: Mapping[TreeFile, tuple[Claim, str]], *, splits: bool, tally: Tally) -> dict[TreeFile, Claim]:
    """The pictures of which the table says one thing and all that is needed; the others are left out."""
    kept = {}
    for file, (claim, against) in said.items():
        if against:
            tally.contradicted += 1
            tally.faults.leave_out(file.name, f"rows that contradict each other: {against}")
        elif not says(claim.label):
            tally.unlabelled += 1
            tally.faults.leave_out(file.name, f"no class on {claim.place}")
        elif len(claim.label) > LONGEST_NAME:
            tally.unlabelled += 1
            tally.faults.leave_out(file.name, f"a text of {len(claim.label):,} letters for a class on {claim.place}")
        elif splits and not claim.split:
            tally.unsplit += 1
            tally.faults.leave_out(file.name, f"no known split on {claim.place}: {shown(claim.says_split)}")
        else:
            kept[file] = claim
    return kept


def spelled(labels: Iterable[str]) -> dict[str, str]:
    """The class of each label: itself, but of whole numbers without ".0", because "1" and "1.0" are one class."""
    labels = [*labels]
    whole = all(map(_WHOLE.fullmatch, labels))
    return {label: label.partition(".")[0] if whole else label for label in labels}


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" + "s" * (number != 1)
