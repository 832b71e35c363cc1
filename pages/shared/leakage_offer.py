"""Have the price of leakage measured for a run, or show what was measured."""

import streamlit as st

from core.runs.run import RunState
from core.runs.store import Run
from core.studies.leakage import Price, expected_seconds, study_of
from core.studies.repeats import standing
from core.studies.study import Study
from pages.shared import cache, leakage, studies
from pages.shared.pickers import or_stop
from pages.shared.words import count, duration, plain

MAKE = "core.studies.leakage:make"
LEAST, USUAL, MOST = 3, 5, 20  # seeds
SECONDS = 2  # between looks at a study at work


def offer(run: Run) -> None:
    """The price of the copies in the data of a run, or the button that has it measured."""
    with st.container(border=True, key="leakage"):
        st.markdown("**The price of leakage**")
        study = study_of(cache.studies(), run.id)
        if study is None:
            _ask(run)
        else:
            _measured(study)


def _ask(run: Run) -> None:
    st.caption(
        "What were these pictures worth? The same recipe is trained on two splits that differ in them alone, with the "
        "same seeds and as many pictures, and both are judged by the same validation images."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="leakage_ask"):
        seeds = st.number_input("Seeds", LEAST, MOST, USUAL, 1, key="leakage_seeds", width=120)
        takes = expected_seconds(run, seeds)
        about = f", about {duration(takes)}" if takes else ""
        start = st.button(
            f"Measure it: {count(2 * seeds, 'run')}{about}",
            key="leakage_start",
            type="primary",
            icon=":material/balance:",
        )
    if start:
        with or_stop(), st.spinner("Making the runs"):
            studies.begin(MAKE, run.id, list(range(seeds)))


def _measured(study: Study) -> None:
    """What the newest study says, and the way to it; looked at again and again until it is over."""
    states = _states()
    waits = not standing(study, states).is_over or cache.study_table(study, states)[1]

    @st.fragment(run_every=SECONDS if waits else None)
    def tick() -> None:
        states = _states()
        now = standing(study, states)
        with or_stop():
            price, pending = cache.study_table(study, states)
        if isinstance(price, Price) and price.gap:
            st.markdown(plain(price.sentence))
            leakage.split(price)
        elif pending:
            st.caption("Adding up what the runs say …")
        else:
            planned = count(now.planned, "run")
            st.caption(f"{now.finished} of {planned} finished; three seeds of both splits make a price.")
        if st.button("Open the study", key="leakage_open", icon=":material/folder_open:"):
            studies.hold(study)
            st.switch_page("pages/runs.py")
        if waits and now.is_over and not pending:
            st.rerun()  # the whole page, so that the ticking stops

    tick()


def _states() -> dict[str, RunState]:
    return {one.id: one.state for one in cache.runs()}
