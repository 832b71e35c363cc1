"""How much each class counts, as widgets: all the same, the rarer the more, or a number for each."""

from typing import Any

import streamlit as st

from core.data.dataset import Dataset
from core.recipe import Recipe
from pages.shared import fields
from pages.shared.words import plain

PATH = "loss.class_weights"
OPTIONS = {"none": "all the same", "balanced": "the rarer, the more", "own": "numbers of my own"}
LOW, HIGH = 0.01, 1000.0


def chosen(base: Recipe) -> str:
    """Which of the options is chosen."""
    name, said = fields.key(PATH), fields.at(base, PATH)
    if name not in st.session_state:
        st.session_state[name] = "own" if isinstance(said, list) else said
    return fields.among(st.session_state[name], OPTIONS, PATH)


def class_weights(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Draw them."""
    chosen(base)
    st.selectbox(
        "Classes count",
        list(OPTIONS),
        format_func=OPTIONS.get,
        key=fields.key(PATH),
        help="A rare class weighed more is found more often, and more often where it is not.",
        persist_state="session",
    )
    if chosen(base) != "own":
        return {PATH: chosen(base)}
    said = fields.at(base, PATH)
    numbers = said if isinstance(said, list) and len(said) == len(dataset.classes) else [1.0] * len(dataset.classes)
    weights = []
    with st.grid(4, min_column_width=110):
        for place, name in enumerate(dataset.classes):
            key = fields.key(f"loss.own_weights.{dataset.id}.{place}")
            if key not in st.session_state:
                st.session_state[key] = numbers[place]
            fields.value(key, plain(name, 30), LOW, HIGH, 0.5)
            weights.append(st.session_state[key])
    return {PATH: weights}
