"""What a classifier says about a picture: its bars."""

import streamlit as st

from core.errors import FoveaError
from core.figures.probabilities import probability_bars
from core.predict.meaning import LEARNED
from core.runs.store import Run
from pages.shared import cache
from pages.shared.cached import where
from pages.shared.live import PLAIN_FIGURE
from pages.shared.words import plain, sentence

ANSWER = ""  # the class that the network answers itself


def answers(run: Run, pictures: list[tuple[str, bytes]]) -> None:
    """Every picture, given as (name, content), with its answer, and where the network found it if somebody asks."""
    asked = reasons(run) if pictures else None
    with st.spinner("Looking", show_time=True):
        for place, (name, content) in enumerate(pictures):
            with st.container(border=True, key=f"answer_{place}"):
                answer(run, place, name, content, asked)
    if pictures:
        st.caption(
            "A model can only choose among the classes it learned. A picture of anything else gets one of these names "
            "too, sometimes with great confidence."
        )


def reasons(run: Run) -> str | None:
    """The class whose reasons are shown over the pictures, ANSWER for what each is called; None for no class."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="center", key="label_look"):
        wanted = st.toggle(
            "Where it looks",
            key="predict_heat",
            persist_state="session",
            help="Grad-CAM over the picture: the brighter a place, the more it speaks for the class.",
        )
        if not wanted:
            return None
        label = st.selectbox(
            "For the class",
            [ANSWER, *run.facts.classes],
            0,
            lambda name: name or "that it answers",
            key=f"predict_heat_class_{run.id}",
            label_visibility="collapsed",
            width=220,
        )
    found = where.checked(run.paths)
    if found is not None:
        st.caption(f":{'green' if found.verdict == LEARNED else 'orange'}[{plain(found.sentence)}]")
    else:
        st.caption("Whether such maps mean anything for this network can be checked on the page Evaluate.")
    return label if label in run.facts.classes else ANSWER


def answer(run: Run, place: int, name: str, content: bytes, asked: str | None) -> None:
    """One picture as the network sees it with its bars and the reasons asked for, or why it cannot be read."""
    try:
        found = cache.answer(run.paths, name, content)
    except FoveaError as error:
        st.error(sentence(error), icon=":material/error:")
        return
    if found.error:
        st.error(plain(found.error), icon=":material/broken_image:")
        return
    picture, words = st.columns([1, 3], vertical_alignment="center")
    shown, told = found.thumbnail, ""
    if asked is not None:
        try:
            reason = where.explained(run.paths, name, content, asked)
        except FoveaError as error:
            st.error(sentence(error), icon=":material/error:")
        else:
            shown = where.drawn_over(reason.picture, reason.heat)
            told = (
                f"Bright: what speaks for **{plain(reason.label, 40)}**."
                if reason.warm
                else f"Nothing in this picture speaks for **{plain(reason.label, 40)}**."
            )
    picture.image(shown, caption=plain(name, 40), alt=f"{name}, as the network sees it", width=180)
    with words:
        st.markdown(f"#### {plain(found.label, 60)} &nbsp;:gray[{found.probabilities[found.label]:.1%}]")
        bars = probability_bars(found.probabilities, run.facts.classes)
        st.plotly_chart(bars, key=f"bars_{place}", config=PLAIN_FIGURE, alt="Probability of each class")
        st.caption(" ".join(filter(None, [told, f"Answered in {found.milliseconds:.0f} ms."])))
