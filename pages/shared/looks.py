"""The few validation images that a segmentation run shows after each epoch: the truth, and what it made of them."""

from typing import Any

import streamlit as st

from core.runs.store import Run
from pages.shared import cache
from pages.shared.masks import mask_legend, style_widget


def looks(run: Run) -> None:
    """The truth of each image above the prediction of the chosen epoch: the latest, until the slider is moved back."""
    entries = cache.journal(run.paths)
    ids = _ids(entries)
    epochs = [entry["epoch"] for entry in entries if entry.get("kind") == "look"]
    if not ids or not epochs:
        return
    with st.container(border=True, key="looks"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown("**The same few validation images after each epoch**", width="content")
            style = style_widget("looks_style", off=False)
        epoch = _epoch_widget(run, epochs)
        pictures = cache.looks(run.paths, ids, epoch, style, run.facts.classes)
        with st.grid(len(ids), min_column_width=72, gap="xsmall"):
            for place, (truth, _) in enumerate(pictures, start=1):
                st.image(truth, caption="truth", alt=f"Image {place}: true mask", width="stretch")
            for place, (_, predicted) in enumerate(pictures, start=1):
                alt = f"Image {place}: mask predicted after epoch {epoch}"
                st.image(predicted, caption=f"epoch {epoch}", alt=alt, width="stretch")
        mask_legend(run.facts.classes)


def _ids(entries: list[dict[str, Any]]) -> list[str]:
    return next((entry["ids"] for entry in reversed(entries) if entry.get("kind") == "looks"), [])


def _epoch_widget(run: Run, epochs: list[int]) -> int:
    """The epoch to look at. Left where it is, the slider follows the newest."""
    newest, key, seen = max(epochs), f"look_epoch_{run.id}", f"look_newest_{run.id}"
    chosen = st.session_state.get(key)
    follows = chosen is None or chosen >= st.session_state.get(seen, 0)
    st.session_state[seen] = newest
    if run.recipe.epochs == 1:
        return newest
    st.session_state[key] = newest if follows else chosen
    st.slider("Epoch", 1, run.recipe.epochs, key=key, help="Back through the epochs; at the right end it follows.")
    return min(epochs, key=lambda epoch: abs(epoch - st.session_state[key]))
