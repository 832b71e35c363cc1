"""What people call a run and say about it: a name, tags, a note, and whether it is put away.

It is the one file of a run that a person may change at any time, so it stands apart from the recipe and the facts, and
no result rests on it. Everything in it is text as somebody typed it: whoever shows it shows text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from core.errors import InputError, shown
from core.workspace import read_json, write_json

LONGEST_NAME = 80  # letters, as many as the Train page lets a person type
LONGEST_TAG = 40
LONGEST_NOTE = 4000
MOST_TAGS = 20  # of one run


@dataclass(frozen=True)
class Labels:
    """What is written on one run. The empty ones are those of a run that nobody wrote anything on."""

    name: str = ""  # "" for the name that its recipe gives it
    tags: tuple[str, ...] = ()  # each once, in the order in which they were given
    note: str = ""  # may have several lines
    archived: bool = False  # left out of the run list until somebody asks for it; everything else stays as it is

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it stands in labels.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Labels from plain data. Raises KeyError, TypeError, ValueError or InputError when it is none."""
        return cls(
            name=one_line(data["name"], LONGEST_NAME, "The name of a run"),
            tags=tags_of(data["tags"]),
            note=lines(data["note"]),
            archived=bool(data["archived"]),
        )


@dataclass(frozen=True)
class Change:
    """What somebody wants to be different. None, or nothing, leaves a part as it is."""

    name: str | None = None
    tags: tuple[str, ...] | None = None  # instead of those that are there
    add: tuple[str, ...] = ()  # tags beside those that are there
    remove: tuple[str, ...] = ()
    note: str | None = None
    archived: bool | None = None

    def of(self, labels: Labels) -> Labels:
        """Labels after the change. Raises InputError for what no run can have: a name too long, too many tags."""
        kept = labels.tags if self.tags is None else self.tags
        gone = set(tags_of(self.remove))
        return Labels(
            name=labels.name if self.name is None else one_line(self.name, LONGEST_NAME, "The name of a run"),
            tags=tuple(tag for tag in tags_of((*kept, *self.add)) if tag not in gone),
            note=labels.note if self.note is None else lines(self.note),
            archived=labels.archived if self.archived is None else self.archived,
        )


def read_labels(path: Path) -> Labels:
    """What is written on a run, by its `RunPaths.labels`; empty labels where there is nothing that can be read."""
    try:
        return Labels.from_json(read_json(path) or {})
    except (KeyError, TypeError, ValueError, InputError, OSError):
        return Labels()


def write_labels(path: Path, labels: Labels) -> None:
    """Replace the labels of a run, whole or not at all. Raises StorageError when the disk is full."""
    write_json(path, labels.to_json())


def tags_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Tags as they are kept: one line each without a comma, each once. Raises InputError for what cannot be a tag."""
    if isinstance(texts, str):
        raise InputError("Tags are a list of texts", found=shown(texts))
    tags = tuple(dict.fromkeys(filter(None, (one_line(text, LONGEST_TAG, "A tag") for text in texts))))
    if comma := next((tag for tag in tags if "," in tag), None):
        raise InputError("A tag has no comma", found=shown(comma), do="Give two tags instead")
    if len(tags) > MOST_TAGS:
        raise InputError("A run has too many tags", found=str(len(tags)), expected=f"at most {MOST_TAGS}")
    return tags


def one_line(text: str, most: int, what: str) -> str:
    """A text with single blanks and no line breaks. Raises InputError, about `what`, where it is too long or no text
    that can be written down."""
    return _fits(" ".join(_text(text, what).split()), most, what)


def lines(text: str, most: int = LONGEST_NOTE, what: str = "The note of a run") -> str:
    """A text that may have several lines, without blanks at its ends and theirs. Raises what `one_line` does."""
    return _fits("\n".join(line.rstrip() for line in _text(text, what).splitlines()).strip(), most, what)


def _text(text: str, what: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"{what} is a text", found=shown(text))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{what} is text in UTF-8", found=shown(text)) from None
    return "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in text.replace("\r\n", "\n"))


def _fits(text: str, most: int, what: str) -> str:
    if len(text) > most:
        raise InputError(f"{what} is too long", found=f"{len(text)} letters", expected=f"at most {most}")
    return text
