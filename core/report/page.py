"""A report as a web page that needs nothing beside it: no script, no network, and it prints as it is read."""

import base64
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.report.document import Document
from core.report.words import unturned

_TEMPLATES = Path(__file__).parent / "templates"

# What stands in a written report in place of a picture or of the evidence, wherever only the text is asked for.
_DATA = re.compile(r'src="data:image/jpeg;base64,([A-Za-z0-9+/=]*)"')
_CARRIED = re.compile(r'<script type="application/zip" id="evidence">([A-Za-z0-9+/=\s]*)</script>')


def write_html(document: Document, source: Callable[[str], str], carried: bytes = b"") -> str:
    """The report as one HTML file; `source` gives the address of a picture, `carried` is the evidence, packed."""
    written = _template("report.html.j2").render(
        document=document,
        picture=source,
        carried=base64.b64encode(carried).decode(),
        style=(_TEMPLATES / "report.css").read_text(encoding="utf-8"),
    )
    return unturned(written)


def inside(jpeg: bytes) -> str:
    """The address of a picture that is in the page itself."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def without_data(html: str, named: Callable[[bytes], str]) -> tuple[str, bytes | None]:
    """A written page with every picture replaced by its name and without its evidence, and that evidence as bytes.

    `named` gives the name of a JPEG. The evidence is None where none is carried or it is no base64.
    """
    found = _CARRIED.search(html)
    carried: bytes | None = None
    if found:
        try:
            carried = base64.b64decode("".join(found[1].split()), validate=True)
        except ValueError:
            carried = None
        html = html[: found.start()] + html[found.end() :]
    return _DATA.sub(lambda match: f'src="{named(_decoded(match[1]))}"', html), carried


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return text.encode()


@cache
def _template(name: str):
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
