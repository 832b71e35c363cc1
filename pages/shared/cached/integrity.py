"""Checks of runs at work on this server."""

from concurrent.futures import Future
from pathlib import Path

import streamlit as st

from pages.shared import cache


def run_checks() -> dict[str, Future]:
    """Checks of runs in the desk process, by the id of the run. Whoever sees one end takes it out."""
    return _run_checks(cache.workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _run_checks(root: Path) -> dict[str, Future]:
    return {}
