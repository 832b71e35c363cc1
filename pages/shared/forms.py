"""Widgets drawn from data: one for each kind of knob, and a row of an augmentation policy."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.augment.catalog import TransformRow, transform
from core.knobs import BoolKnob, ChoiceKnob, FloatKnob, IntKnob, Knob
from core.recipe import TransformChoice
from pages.shared.words import plain

MOST_STOPS = 300  # a slider with more positions is a number field instead


def knob_widget(knob: Knob, value: Any, key: str) -> Any:
    """Draw a knob that starts from `value`, and give what it was turned to, checked, as a browser can send anything.

    Raises RecipeError for a bad value.
    """
    if key not in st.session_state:
        st.session_state[key] = value
    name = plain(knob.label)
    keep = {"key": key, "help": knob.help or None, "persist_state": "session"}
    match knob:
        case FloatKnob() | IntKnob():
            label = f"{name} ({plain(knob.unit)})" if knob.unit else name
            fits = (knob.high - knob.low) / knob.step <= MOST_STOPS
            draw = st.slider if fits else st.number_input
            return knob.check(draw(label, knob.low, knob.high, step=knob.step, format=_format(knob), **keep))
        case ChoiceKnob():
            return knob.check(st.selectbox(name, knob.options, **keep))
        case BoolKnob():
            return knob.check(st.toggle(name, **keep))


def knob_widgets(knobs: tuple[Knob, ...], key: str) -> dict[str, Any]:
    """All knobs of a row, starting from their defaults."""
    return {knob.name: knob_widget(knob, knob.default, f"{key}_{knob.name}") for knob in knobs}


def transform_row(
    choice: TransformChoice, key: str, menu: Callable[[str, TransformRow], None]
) -> TransformChoice | None:
    """Draw a row of a policy with a switch, its probability and its knobs; None while it is switched off.

    `menu` draws what else can be done with the row, under a key that it is given.
    """
    row = transform(choice.name)
    with st.container(key=f"{key}_row"):
        grid = st.grid(3, min_column_width=130, gap=("xsmall", "small"))
        with grid.cell(row_span=1 + len(row.knobs)), st.container(gap=None):
            on = st.toggle(
                plain(row.label), True, key=f"{key}_on", help=_about(row), wrap=True, persist_state="session"
            )
            menu(f"{key}_menu", row)
        if not on:
            return None
        with grid:
            chance = st.slider(
                "how often", 0.0, 1.0, choice.probability, 0.05, "percent", key=f"{key}_often", persist_state="session"
            )
            values = {
                knob.name: knob_widget(knob, choice.values.get(knob.name, knob.default), f"{key}_{knob.name}")
                for knob in row.knobs
            }
    return TransformChoice(name=row.name, probability=min(1.0, max(0.0, chance)), values=values)


def _about(row: TransformRow) -> str:
    return plain(f"{row.sentence} {row.caution}".strip())


def _format(knob: FloatKnob | IntKnob) -> str:
    if isinstance(knob, IntKnob):
        return "%d"
    decimals = max(0, len(f"{knob.step:g}".partition(".")[2]))
    return f"%.{decimals}f"
