"""A report as Markdown: the same sentences and tables, for a repository or a notebook. Pictures stay in the HTML."""

import re
from functools import singledispatch

from core.report.document import Document, Drawing, Found, Heading, Pictures, Points, Table, Text
from core.report.words import unturned

_ALWAYS = re.compile(r"([\\`*~$|<>\[\]])")
_AT_START = re.compile(r"^()([#+=-])|^(\d+)([.)])(?=\s|$)")  # a heading, a list, a rule
_LINK = re.compile(r"(:(?=//)|(?<=www)\.|@)", re.IGNORECASE)
_LOOSE_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_BRACKETS = re.compile(r"\\\[(\d[\d., –-]*)\\\]")  # an interval reads better without backslashes, and is no link


def write_markdown(document: Document) -> str:
    """The report as Markdown that shows every name letter for letter."""
    lines = [f"# {plain(document.title)}", plain(document.subtitle), f"**{plain(document.headline)}**"]
    lines.append(plain(document.below))
    lines.append("\n".join(f"- {plain(f'{fact.label}: {fact.value} {fact.interval}')}" for fact in document.facts))
    for section in document.sections:
        lines.append(f"## {plain(section.title)}")
        lines += [written for block in section.blocks if (written := _written(block))]
    lines.append("---")
    lines += [plain(sentence) for sentence in document.closing]
    return unturned("\n\n".join(line for line in lines if line) + "\n")


def plain(text: str) -> str:
    """A text that Markdown shows letter for letter: no emphasis, link, image, heading, formula or HTML comes of it."""
    text = " ".join(str(text).split())
    text = _ALWAYS.sub(r"\\\1", text.replace("&", "&amp;"))
    text = _LOOSE_UNDERSCORE.sub(r"\\_", text)
    text = _BRACKETS.sub(r"[\1]", text)
    text = _LINK.sub(r"\\\1", text)
    return _AT_START.sub(lambda found: f"{found[1] or found[3] or ''}\\{found[2] or found[4]}", text)


@singledispatch
def _written(block: object) -> str:
    raise TypeError(f"no way to write a {type(block).__name__}")


@_written.register
def _(block: Text) -> str:
    return f"*{plain(block.text)}*" if block.kind == "quiet" else plain(block.text)


@_written.register
def _(block: Heading) -> str:
    return f"### {plain(block.text)}"


@_written.register
def _(block: Points) -> str:
    return "\n".join(f"- {plain(item)}" for item in block.items)


@_written.register
def _(block: Found) -> str:
    advice = f" {plain(block.advice)}" if block.advice else ""
    return f"> **{block.severity.capitalize()}.** {plain(block.message)}{advice}"


@_written.register
def _(block: Table) -> str:
    heads = [plain(column.name) for column in block.columns]
    rules = [":---" if column.left or not place else "---:" for place, column in enumerate(block.columns)]
    rows = [[plain(f"{cell.text} {cell.interval}") for cell in row] for row in block.rows]
    lines = [f"**{plain(block.title)}**", "", *("| " + " | ".join(row) + " |" for row in (heads, rules, *rows))]
    return "\n".join([*lines, *(["", f"*{plain(block.note)}*"] if block.note else [])])


@_written.register
def _(block: Drawing) -> str:
    return f"*Figure in the HTML: {plain(block.title)}. {plain(block.alt)}*"


@_written.register
def _(block: Pictures) -> str:
    return f"*Pictures in the HTML: {plain(block.title)}.*"
