"""Read a written report back into pieces, each with its place: a section, a table with its row and column, a figure."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from core.report.differences import Piece

_JOINT = " › "


def pieces_of_html(html: str) -> list[Piece]:
    """Everything that a page says, shows or hides, in its order: tags, attributes, texts, comments."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.pieces


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[Piece] = []
        self._section = "First page"
        self._part = self._block = self._row = ""
        self._columns: list[str] = []
        self._column = -1
        self._open: list[str] = []
        self._class = ""

    @property
    def _place(self) -> str:
        cell = self._columns[self._column] if 0 <= self._column < len(self._columns) else ""
        where = [self._section, self._part, self._block, self._row, cell if self._row else ""]
        return _JOINT.join(part for part in where if part)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag not in ("meta", "link", "img", "br", "circle", "path"):
            self._open.append(tag)
        self._class = told.get("class") or ""
        if tag == "section":
            self._section, self._part, self._block = told.get("id") or "section", "", ""
        elif tag == "footer":
            self._section, self._part, self._block = "Closing words", "", ""
        elif tag == "figure":
            self._block = ""
        elif tag == "thead":
            self._columns = []
        elif tag == "tr":
            self._row, self._column = "", -1
        elif tag in ("td", "th"):
            self._column += 1
        self._add(f"<{tag}>")
        for name, value in attrs:
            self._add(f"{name}={value}", f" ({tag}, {name})")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        if tag in ("figure", "ul", "section"):
            self._block = self._row = ""
        elif tag == "tr":
            self._row, self._column = "", -1
        self._add(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text:
            return
        inside = self._open[-1] if self._open else ""
        if inside == "h2":
            self._section = text
        elif inside == "h3":
            self._part = text
        elif inside == "caption" or (inside == "figcaption" and self._class == "title"):
            self._block = f"“{text}”"
        elif inside == "th" and "thead" in self._open:
            of = next((name for name in reversed(self._columns) if not name.endswith("95 %")), "")
            self._columns.append(f"{of}, {text}" if text == "95 %" and of else text)
        elif inside == "th":
            self._row = text
        self._add(text)

    def handle_comment(self, data: str) -> None:
        self._add(f"comment {data}")

    def handle_decl(self, decl: str) -> None:
        self._add(f"declaration {decl}")

    def handle_pi(self, data: str) -> None:
        self._add(f"instruction {data}")

    def unknown_decl(self, data: str) -> None:
        self._add(f"declaration {data}")

    def _add(self, text: str, suffix: str = "") -> None:
        self.pieces.append(Piece(self._place + suffix, text))


def pieces_of_markdown(text: str) -> list[Piece]:
    """Every line of a Markdown report, of a table every cell."""
    return list(_lines(text))


def _lines(text: str) -> Iterator[Piece]:
    first = next((line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")), "")
    section, block, columns = "First page", "", []
    for line in text.splitlines():
        if line.startswith("#"):
            section, block, columns = line.lstrip("# ").strip(), "", []
        elif section != first and re.fullmatch(r"\*\*.*\*\*", line):
            block = f"“{line.strip('*')}”"
        if not line.startswith("|"):
            columns = []
            yield Piece(_JOINT.join(part for part in (section, block) if part), line)
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        row = cells[0] if cells and columns else ""
        for place, cell in enumerate(cells):
            column = columns[place] if place < len(columns) else ""
            yield Piece(_JOINT.join(part for part in (section, block, row, column) if part), cell)
        if not columns:
            columns = _named(cells)


def _named(cells: list[str]) -> list[str]:
    named: list[str] = []
    for cell in cells:
        of = next((name for name in reversed(named) if not name.endswith("95 %")), "")
        named.append(f"{of}, {cell}" if cell == "95 %" and of else cell)
    return named
