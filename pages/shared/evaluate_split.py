"""The report on a split: the stored one or a new one, and for the test split the seal that stands before it."""

import streamlit as st

from core.evaluate.current import current_result
from core.evaluate.results import Result
from core.runs.seal import openings
from core.runs.store import Run
from pages.shared import cache
from pages.shared.pickers import or_stop
from pages.shared.words import count, moment, plain

EVALUATE = "core.evaluate.evaluation:evaluate_run"
RENEW = "core.evaluate.current:renew"  # what another version of Fovea computed; nothing is opened for it
SPLITS = {"validation": "Validation", "test": ":material/lock: Test"}


def choose_split() -> str:
    """Which split the page is about."""
    return st.segmented_control(
        "Split",
        list(SPLITS),
        format_func=SPLITS.get,
        default="validation",
        required=True,
        key="evaluate_split",
        label_visibility="collapsed",
    )


def result_or_stop(run: Run, split: str) -> Result:
    """The report on a split by the run's best weights, of the kind that its task has."""
    return _test(run) if split == "test" else _validation(run)


def _validation(run: Run) -> Result:
    with or_stop(), st.spinner("Evaluating", show_time=True):
        stored = current_result(run.paths, "validation")  # a run that trains on has other weights every now and then
        return stored or cache.lab().call(EVALUATE, str(cache.workspace().root), run.id, "validation")


def _test(run: Run) -> Result:
    """Once somebody has broken the seal; every opening is counted and shown."""
    opened = openings(run.paths)
    result = None
    if opened and (result := current_result(run.paths, "test")) is None and run.paths.results("test").exists():
        with or_stop():
            result = cache.desk().call(RENEW, str(cache.workspace().root), run.id, "test")
    with st.container(border=True, key="seal"):
        if not run.facts.samples.get("test"):
            st.markdown("This data has no test split.")
            st.stop()
        if not opened:
            st.markdown(
                "**The test split is sealed.** Open it once, at the end, when no choice depends on it any more."
            )
            st.caption(
                "Opening is written down in the run, and every report says how often it was done. Opened 0 times."
            )
        else:
            times = "; ".join(f"{moment(look['time'])} from the {plain(look['by'])}" for look in opened[-3:])
            st.markdown(f":material/lock_open: **Opened {count(len(opened), 'time')}**, last: {times}.")
        if result is None and st.button(
            "Open the test split", key="open_test", type="primary", icon=":material/lock_open:"
        ):
            with or_stop(), st.spinner("Evaluating", show_time=True):
                cache.lab().call(EVALUATE, str(cache.workspace().root), run.id, "test", opened_by="page")
            st.rerun()
    if result is None:
        st.stop()
    return result


def caveat(run: Run, split: str) -> str:
    """What to keep in mind about figures of a split, as sentences."""
    cautions = " ".join(f":orange[:material/warning: {plain(sentence, 300)}]" for sentence in run.facts.cautions)
    if split != "validation":
        return cautions
    return (
        "These images also chose the best epoch, which flatters a little; the test images did not. "
        f"The test split was opened {count(len(openings(run.paths)), 'time')}. {cautions}"
    ).strip()
