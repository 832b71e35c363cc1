"""What lies under the figures of a split: tabs, of which only the open one is drawn."""

from collections.abc import Callable, Mapping

import streamlit as st

Draw = Callable[[], None]


@st.fragment
def tabs(drawn: Mapping[str, Draw]) -> None:
    """A tab for each name; another one opens without the rest of the page being drawn anew."""
    # The key holds what there is to choose from: a tab that another run has not must not stay chosen.
    shown = st.tabs(list(drawn), key="evaluate_tabs_" + "_".join(drawn), on_change="rerun")
    for place, draw in zip(shown, drawn.values(), strict=True):
        if place.open:
            with place:
                draw()
