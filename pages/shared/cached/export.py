"""Exports at work on this server, so that whoever opens the page meanwhile waits for the same one."""

from pathlib import Path
from typing import Any

import streamlit as st

from pages.shared import cache


@st.cache_resource(max_entries=2, show_spinner=False)
def _at_work(root: Path) -> dict[tuple[str, str], Any]:
    return {}


def at_work() -> dict[tuple[str, str], Any]:
    """The work of each export by run and format; whoever sees that one is over takes it out."""
    return _at_work(cache.workspace().root)
