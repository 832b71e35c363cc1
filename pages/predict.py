"""Predict: let a trained model answer your own pictures."""

import streamlit as st

from pages.shared import cache, export, predict_labels, predict_masks, travel
from pages.shared.guard import require_app
from pages.shared.pickers import run_or_stop

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


st.title("Predict")
st.caption("Show the model pictures of your own, and it answers at once.")
run = run_or_stop(trained=True)
cache.warm_model(run.paths)
show = {"classification": predict_labels, "segmentation": predict_masks}[run.recipe.task]
taken = pictures()
show.answers(run, taken)
travel.panel(run, taken)
export.panel(run)
