"""Hypotheses that are being scored on this server, and those that could not be."""

from concurrent.futures import Future
from pathlib import Path

import streamlit as st

from pages.shared import cache

Key = tuple[str, tuple[int, int], tuple[int, int]]  # a run, and when its weights and those of its baseline were written


def scorings() -> dict[Key, Future]:
    """Answers of the desk process, or those to come. Their number is bounded by whoever adds."""
    return _scorings(cache.workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _scorings(root: Path) -> dict[Key, Future]:
    return {}
