"""What a report is made of: a few kinds of blocks, every number in them already written out.

HTML and Markdown are two ways of writing the same document, so they cannot say different things. All text is plain:
names from outside stand in it letter for letter, and whoever writes the document down takes care that they stay text.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note", "good"]


@dataclass(frozen=True)
class Text:
    """A paragraph. "lead" is what to read first, "quiet" what explains, "caution" what speaks against the numbers."""

    text: str
    kind: Literal["plain", "lead", "quiet", "caution"] = "plain"


@dataclass(frozen=True)
class Heading:
    """The title of a part of a section."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """One finding of a check: how grave it is, what was found, what to do about it."""

    severity: Severity
    message: str
    advice: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table; `help` says in one line what it is and how its interval was made."""

    name: str
    help: str = ""
    left: bool = False  # text, not numbers


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `shade` in [0, 1] is how dark it is, `mark` the colour of its class."""

    text: str
    shade: float = 0.0
    mark: str = ""
    interval: str = ""  # of the number, to stand below it


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns; the first column names the row."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    kind: Literal["plain", "matrix"] = "plain"


@dataclass(frozen=True)
class Stroke:
    """A line through points (x, y); `look` is the name of its style."""

    points: tuple[tuple[float, float], ...]
    look: str
    closed: bool = False  # an area


@dataclass(frozen=True)
class Dot:
    """A mark at a point."""

    x: float
    y: float
    look: str
    told: str = ""  # what it stands for, as a tooltip


@dataclass(frozen=True)
class Word:
    """A text in a drawing; `anchor` says which end of it stands at the point."""

    x: float
    y: float
    text: str
    look: str = "tick"
    anchor: Literal["start", "middle", "end"] = "start"


@dataclass(frozen=True)
class Drawing:
    """A figure as lines, marks and words, in units of which `width` make the width of the page's column."""

    title: str
    alt: str  # what it shows, as a sentence
    width: float
    height: float
    strokes: tuple[Stroke, ...] = ()
    dots: tuple[Dot, ...] = ()
    words: tuple[Word, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture that lies beside the report: the name of its file there, what it shows, and what to say under it."""

    name: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Pictures:
    """Pictures in rows of so many."""

    title: str
    items: tuple[Picture, ...]
    across: int = 6
    note: str = ""


Block = Text | Heading | Points | Found | Table | Drawing | Pictures


@dataclass(frozen=True)
class Section:
    """A section with its blocks."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Fact:
    """A figure of the first page: what, how much, and its interval with the method behind it."""

    label: str
    value: str
    interval: str = ""
    help: str = ""


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    subtitle: str
    headline: str  # one sentence with the number that matters and its interval
    below: str  # what to hold it against
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    closing: tuple[str, ...]  # how it was made, and what was left out
