"""Choose what a page is about, or stop with a sentence that says what to do first."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import streamlit as st

from core.data.dataset import Dataset
from core.errors import FoveaError
from core.runs.run import RunState
from core.runs.store import Run
from core.runs.summary import RunSummary
from pages.shared import cache, state
from pages.shared.words import data_name, measured, moment, sentence

MOST_RUNS = 500  # to choose from: each of them is sent to the browser; the Runs page finds the others


def dataset_or_stop() -> Dataset:
    """The dataset in hand, chosen among all. Without any, the page ends with the way to the Data page."""
    cards = {card.id: card for card in cache.library().cards()}
    if not cards:
        nothing("There are no images yet.", "Bring some in first, or draw the demo cells: it takes a few seconds.")
    id = _select("Dataset", list(cards), state.DATASET, "pick_dataset", lambda id: cards[id].name)
    with or_stop():
        return cache.dataset(id)


def run_or_stop(*, trained: bool = False) -> Run:
    """The run in hand, chosen among the newest, or those of them that kept weights, and were not put away. Without any,
    the page ends with what to do."""
    held = state.run_id()
    there = [run for run in cache.runs() if not trained or run.best]
    listed = [run for run in there if not run.labels.archived]
    runs = {run.id: run for run in (listed or there)[:MOST_RUNS]}
    runs |= {run.id: run for run in there if run.id == held}  # chosen on the Runs page or by its address
    if not runs:
        page, label = (
            ("pages/train.py", "Train a model") if state.dataset_id() else ("pages/data.py", "Bring images in")
        )
        nothing("No model has learned anything yet.", "Train one first; half a minute is enough.", page, label)
    id = _select("Run", list(runs), state.RUN, "pick_run", run_lines(runs).get)
    with or_stop():
        return cache.store().get(id)


def run_lines(runs: Mapping[str, RunSummary]) -> dict[str, str]:
    """Each run in one line of plain text, for a list, with what sets runs apart first: a phone cuts the rest.

    No two lines are alike, since Streamlit tells options apart by what they are called.
    """
    told = {}
    for id, run in runs.items():
        standing = measured(run.score, run.interval) if run.best else run.state.value
        data = data_name(run.dataset_name, run.revision)
        told[id] = " · ".join([run.name, moment(run.created), standing, data])
    number = Counter(told.values())
    return {id: f"{line} · {id[-6:]}" if number[line] > 1 else line for id, line in told.items()}


def _select(label: str, ids: list[str], held: str, key: str, name: Callable[[str], str]) -> str:
    if st.session_state.get(held) not in ids:
        st.session_state[held] = ids[0]
    st.session_state[key] = st.session_state[held]
    st.selectbox(label, ids, key=key, format_func=name, label_visibility="collapsed", on_change=_take, args=(held, key))
    return st.session_state[held]


def _take(held: str, key: str) -> None:
    st.session_state[held] = st.session_state[key]


def nothing(what: str, do: str, page: str = "pages/data.py", label: str = "Go to Data") -> None:
    """An empty state: what is missing, what to do, the way there. The page ends here."""
    with st.container(border=True, key="empty", horizontal_alignment="center"):
        st.subheader(what, text_alignment="center")
        st.markdown(do, text_alignment="center")
        if st.button(label, type="primary", key="empty_go", icon=":material/arrow_forward:", icon_position="right"):
            st.switch_page(page)
    st.stop()


@contextmanager
def or_stop() -> Iterator[None]:
    """Show an error from core as one sentence and end the page there."""
    try:
        yield
    except FoveaError as error:
        st.error(sentence(error))
        st.stop()


def is_active(run_state: RunState | None) -> bool:
    """Whether something may still change by itself."""
    return run_state is not None and not run_state.is_finished
