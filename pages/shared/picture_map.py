"""The map of a dataset: every picture a point, those that a network sees alike side by side; draw around some to see
them, and to tick them."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.data.dataset import Dataset
from pages.shared import cache, gallery, repair
from pages.shared.words import count

COLOURS = {
    "class": "class",
    "wrong": "doubtful labels",
    "cluster": "groups",
    "outlier": "strange ones",
    "split": "split",
}
MOST = 12  # pictures beside the map at a time
BUTTONS = {
    "displaylogo": False,
    "displayModeBar": True,
    "modeBarButtons": [["lasso2d", "select2d", "zoom2d", "resetScale2d", "toImage"]],
}


def panel(dataset: Dataset, suggested: Mapping[str, str]) -> None:
    """The map, and the pictures behind the points that somebody drew around; nothing before a network has looked."""
    found = cache.embedding(dataset)
    if found is None:
        return
    with st.container(border=True, key="map"):
        st.markdown("**Map of all pictures**")
        left, right = st.columns([3, 2], gap="medium")
        with left:
            ids = _map(dataset)
            st.caption(
                "Each point is a picture; those that a pretrained network sees alike lie side by side. The two "
                f"directions (PCA) hold {found.explained.sum():.0%} of all that differs, so what is near here may "
                "still be unlike."
            )
        with right:
            _chosen(dataset, ids, suggested)


def _map(dataset: Dataset) -> list[str]:
    """Draw it; gives the ids of the pictures that are drawn around."""
    options = [name for name in COLOURS if dataset.task == "classification" or name not in ("class", "wrong")]
    colour_by = st.segmented_control(
        "Coloured by",
        options,
        format_func=COLOURS.get,
        default=options[0],
        required=True,
        key="map_colour",
        persist_state="session",
        width="content",
    )
    colour_by = colour_by if colour_by in options else options[0]
    chosen = st.plotly_chart(
        cache.picture_map(dataset, colour_by),
        key=f"picture_map_{dataset.reference}_{colour_by}",
        on_select="rerun",
        selection_mode=("points", "box", "lasso"),
        config=BUTTONS,
        alt="Map of all pictures",
    )
    return list(dict.fromkeys(_id(point) for point in chosen.selection.points))


def _id(point: Mapping[str, Any]) -> str:
    held = point.get("customdata", "")
    return str(held[0] if isinstance(held, list) and held else held)


def _chosen(dataset: Dataset, ids: list[str], suggested: Mapping[str, str]) -> None:
    samples = repair.names_of(dataset, ids)
    if not samples:
        st.info("Draw around points, or touch one: its pictures come here, to be ticked.", icon=":material/gesture:")
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{count(len(samples), 'picture')}**", width="content")
        with st.container(horizontal=True, width="content", gap="small"):
            there = [sample.id for sample in samples]
            st.button(
                "Tick all", key="map_tick", icon=":material/check_box:", on_click=repair.tick, args=(dataset, there)
            )
    slot = st.container()
    window = gallery.paged(len(samples), "map_page", MOST)
    with slot:
        captions = {sample.id: repair.told_of(dataset, sample, suggested) for sample in samples[window]}
        repair.sheet(dataset, samples[window], "map", captions=captions)
