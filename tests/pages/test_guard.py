from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import cache

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.name for path in (ROOT / "pages").glob("[a-z]*.py"))


def test_every_page_is_in_the_table_of_contents():
    contents = (ROOT / "app.py").read_text()

    assert PAGES
    assert all(f'"pages/{name}"' in contents for name in PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_opened_first_gets_the_whole_app_around_it(name, workspace, monkeypatch):
    monkeypatch.setenv("FOVEA_WORKSPACE", str(workspace.root))
    monkeypatch.setattr(cache, "wake", lambda: None)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    app.switch_page(f"pages/{name}").run()  # AppTest starts every run as a fresh server does

    assert not app.exception
    assert app.title[0].value == name.removesuffix(".py").capitalize()
    assert "No dataset yet" in [caption.value for caption in app.sidebar.caption], "app.py ran as well"
