"""What a name may not do to a report, on the page and in Markdown."""

import pytest

from core.report.document import Document
from core.report.markdown import write_markdown
from core.report.page import write_html


@pytest.mark.parametrize("write", [lambda document: write_html(document, str), write_markdown], ids=["html", "md"])
def test_no_name_turns_the_figures_beside_it_round(write):
    """Right-to-left letters stay; marks that reverse all that follows do not."""
    named = "\u202eolga\u2066 \u05d0\u05d1"
    written = write(Document(named, named, f"{named}: 12 %", named, (), (), (named,)))
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(written)
    assert "olga \u05d0\u05d1: 12 %" in written
