"""Predict: let a trained model name your own pictures."""

import streamlit as st

from core.errors import FoveaError
from core.figures.probabilities import probability_bars
from core.runs.store import Run
from pages.shared import cache
from pages.shared.guard import require_app
from pages.shared.live import PLAIN_FIGURE
from pages.shared.pickers import run_or_stop
from pages.shared.words import plain, sentence

require_app()
MOST_MEGABYTES = 50  # per picture


def pictures() -> list[tuple[str, bytes]]:
    """Dropped files and the camera, side by side, as (name, content)."""
    left, right = st.columns(2, gap="medium")
    with left:
        files = st.file_uploader(
            "Drop one or several pictures",
            accept_multiple_files=True,
            key="predict_files",
            max_upload_size=MOST_MEGABYTES,
        )
    with right:
        # A camera widget asks for the camera as soon as it is drawn, so it is drawn only for those who want it.
        wanted = st.toggle("Use the camera", key="camera_on", help="A picture is sent only when you take one.")
        camera = st.camera_input("Camera", key="predict_camera", label_visibility="collapsed") if wanted else None
        if not wanted:
            st.caption("Or hold something to the camera and take a picture of it.")
    taken = [("picture from the camera", camera.getvalue())] if camera is not None else []
    return [*taken, *((file.name, file.getvalue()) for file in files or [])]


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


st.title("Predict")
st.caption("Show the model pictures of your own, and it answers at once.")
run = run_or_stop(trained=True)
cache.warm_model(run.paths)
shown = pictures()
with st.spinner("Looking", show_time=True):
    for place, (name, content) in enumerate(shown):
        with st.container(border=True, key=f"answer_{place}"):
            answer(run, place, name, content)
if shown:
    st.caption(
        "A model can only choose among the classes it learned. A picture of anything else gets one of these names too, "
        "sometimes with great confidence."
    )
