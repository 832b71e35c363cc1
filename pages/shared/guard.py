"""The first lines of every page, so that a page opened by its own URL gets the whole app around it.

Streamlit takes a folder named `pages` for its older way of building apps until `st.navigation` has run once in the
process. If the first visit after a start goes to /predict, that page would run alone, without app.py, and so would
every later page of every visitor (https://github.com/streamlit/streamlit/pull/10276). The flag is private API, so
requirements.txt holds Streamlit to one minor version, and a browser test opens every page on a fresh server.
"""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager


def require_app() -> None:
    """Run through app.py if this page was about to run without it."""
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
