"""How much of a network learns in each phase, said before the start: a strip for each kind of phase, and a table."""

from typing import Any

import pandas as pd
import streamlit as st

from core.data.dataset import Dataset
from core.figures.stages import PhaseCounts, StageCount, stage_bars
from core.recipe import Recipe
from pages.shared import cache
from pages.shared.live import PLAIN_FIGURE
from pages.shared.words import plain

SECONDS = 1  # between looks for the lab's answer
MOST = 6  # kinds of phases that get a strip; the others stand in the table


def stages(recipe: Recipe, dataset: Dataset) -> None:
    """What learns, by stage. The page goes on without it until the lab has answered; where the network cannot be built
    or cannot learn so, it ends here."""
    choice = recipe, len(dataset.classes)
    told = cache.described(*choice)
    if told is None:
        _wait(*choice)
        return
    if told["error"]:
        st.error(plain(told["error"]))
        st.stop()
    kinds = _kinds(recipe, told)
    with st.container(key="stages"):
        st.plotly_chart(
            stage_bars(kinds[:MOST], identity=recipe.model.network),
            key="stage_bars",
            config=PLAIN_FIGURE,
            alt="Which stages of the network learn, from the input to the head",
        )
        with st.popover("Parameters by stage", type="tertiary", icon=":material/table_rows:", key="stage_numbers"):
            table = _table(kinds)
            grouped = {name: st.column_config.NumberColumn(format="localized") for name in table.columns[1:]}
            st.dataframe(table, hide_index=True, width="content", height="content", column_config=grouped)


@st.fragment(run_every=SECONDS)
def _wait(recipe: Recipe, classes: int) -> None:
    """Look again until the lab has answered, then draw the page anew."""
    if cache.described(recipe, classes) is not None:
        st.rerun()
    st.caption("Counting what learns …")


def _kinds(recipe: Recipe, told: dict[str, Any]) -> list[PhaseCounts]:
    """The kinds of phases, each once, in the order in which they come first."""
    places: dict[str, list[int]] = {}
    for place, phase in enumerate(recipe.phases):
        still = ", norms still" if told["phases"][place]["still_norms"] else ""
        places.setdefault(f"{phase.trainable}{still}", []).append(place)
    return [
        PhaseCounts(
            kind + (f", {len(found)} times" if len(found) > 1 else ""),
            tuple(
                StageCount(stage["name"], stage["trainable"], stage["frozen"])
                for stage in told["phases"][found[0]]["by_stage"]
            ),
        )
        for kind, found in places.items()
    ]


def _table(kinds: list[PhaseCounts]) -> pd.DataFrame:
    stages = kinds[0].stages
    table = {"stage": [stage.name for stage in stages], "parameters": [stage.parameters for stage in stages]}
    for kind in kinds:
        table[f"learn: {kind.name}"] = [stage.trainable for stage in kind.stages]
    frame = pd.DataFrame(table)
    total = {"stage": "together"} | {name: frame[name].sum() for name in frame.columns[1:]}
    return pd.concat([frame, pd.DataFrame([total])], ignore_index=True)
