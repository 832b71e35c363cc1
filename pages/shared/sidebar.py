"""What is in hand, under the list of pages: the dataset and the run, each a link."""

import streamlit as st

from core.errors import FoveaError
from core.runs.pace import pace
from pages.shared import cache, state
from pages.shared.pickers import is_active
from pages.shared.words import count, duration, measured, plain, state_badge

SECONDS = 2  # between looks at a run at work


def in_hand() -> None:
    """Draw it. While the run in hand is at work, its line looks again by itself."""
    with st.sidebar, st.container(key="in_hand", gap="xsmall"):
        _dataset_line()
        st.fragment(_run_line, run_every=SECONDS if is_active(state.run_state()) else None)()


def _dataset_line() -> None:
    card = next((card for card in cache.library().cards() if card.id == state.dataset_id()), None)
    if card is None:
        st.caption("No dataset yet")
        return
    st.page_link("pages/data.py", label=plain(card.name, 30), icon=":material/photo_library:")
    st.caption(f"{count(card.samples, 'image')} · {count(len(card.classes), 'class', 'classes')}")


def _run_line() -> None:
    id = state.run_id()
    try:
        run = cache.store().get(id) if id else None
    except FoveaError:
        run = None
    if run is None:
        st.caption("No run yet")
        return
    status = run.status
    page = "pages/evaluate.py" if status.state.is_finished and status.best else "pages/train.py"
    st.page_link(page, label=plain(run.name, 30), icon=":material/model_training:")
    if status.state.has_worker:
        now = pace(run.recipe, cache.journal(run.paths))
        left = "" if now.seconds_left is None else f" · {duration(now.seconds_left)} left"
        st.progress(now.fraction, f"{status.state.value}{left}")
        return
    best = plain(measured(status.best.get(run.recipe.score), status.interval)) if status.best else ""
    st.markdown(f":small[{state_badge(status.state)} {best}]")
