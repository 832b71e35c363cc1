"""What lies under the figures of a split: tabs, of which only the open one is drawn."""

from collections.abc import Callable, Mapping

import streamlit as st

Draw = Callable[[], None]


@st.fragment
def tabs(drawn: Mapping[str, Draw], key: str) -> None:
    """A tab for each name; another one opens without the rest of the page being drawn anew.

    Tabs of other names need another `key`: one that another run has not must not stay chosen.
    """
    shown = st.tabs(list(drawn), key=key, on_change="rerun")
    for place, draw in zip(shown, drawn.values(), strict=True):
        if place.open:
            with place:
                draw()
