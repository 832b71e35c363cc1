"""What a classifier says about a picture: its bars."""

import streamlit as st

from core.errors import FoveaError
from core.figures.probabilities import probability_bars
from core.runs.store import Run
from pages.shared import cache
from pages.shared.live import PLAIN_FIGURE
from pages.shared.words import plain, sentence


def answers(run: Run, pictures: list[tuple[str, bytes]]) -> None:
    """Every picture, given as (name, content), with its answer."""
    with st.spinner("Looking", show_time=True):
        for place, (name, content) in enumerate(pictures):
            with st.container(border=True, key=f"answer_{place}"):
                answer(run, place, name, content)
    if pictures:
        st.caption(
            "A model can only choose among the classes it learned. A picture of anything else gets one of these names "
            "too, sometimes with great confidence."
        )


def answer(run: Run, place: int, name: str, content: bytes) -> None:
    """One picture as the network sees it with its bars, or why it cannot be read."""
    try:
        found = cache.answer(run.paths, name, content)
    except FoveaError as error:
        st.error(sentence(error), icon=":material/error:")
        return
    if found.error:
        st.error(plain(found.error), icon=":material/broken_image:")
        return
    picture, words = st.columns([1, 3], vertical_alignment="center")
    picture.image(found.thumbnail, caption=plain(name, 40), alt=f"{name}, as the network sees it", width=180)
    with words:
        st.markdown(f"#### {plain(found.label, 60)} &nbsp;:gray[{found.probabilities[found.label]:.1%}]")
        bars = probability_bars(found.probabilities, run.facts.classes)
        st.plotly_chart(bars, key=f"bars_{place}", config=PLAIN_FIGURE, alt="Probability of each class")
        st.caption(f"answered in {found.milliseconds:.0f} ms")
