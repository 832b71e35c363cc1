"""Which runs are compared: the ones chosen, and all that there are on the data in hand, best first."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from math import sqrt

import streamlit as st

from core.runs.summary import RunSummary
from core.studies.findings import luck
from pages.shared import cache, state
from pages.shared.pickers import nothing
from pages.shared.words import SCORE_HELP, SCORE_WORDS, bounds, count, data_name, moment, plain, share

OFFERED = 100  # newest runs that the list offers, besides those that are chosen
LINES = 25  # of the leaderboard
_Z95 = 1.96


def choose() -> list[str]:
    """The ids of the runs that are compared, in the order chosen; a list to change them."""
    asked = set(state.compared())
    known = {run.id: run for run in cache.runs() if run.id in asked}
    chosen = [id for id in state.compared() if id in known]
    newest = islice((run for run in cache.runs() if run.best and not run.labels.archived), OFFERED)
    known |= {run.id: run for run in newest}
    runs = [id for id, run in known.items() if run.best and not run.labels.archived]
    if not runs and not chosen:
        nothing(
            "No model has learned anything yet.", "Train two or more, then compare them.", "pages/train.py", "Train"
        )
    offered = list(dict.fromkeys([*chosen, *runs]))
    st.session_state["compare_runs"] = chosen
    st.multiselect(
        "Runs to compare",
        offered,
        format_func=_chips([known[id] for id in offered]).get,
        key="compare_runs",
        max_selections=state.MOST_COMPARED,
        placeholder="Choose two or more runs",
        label_visibility="collapsed",
        on_change=lambda: state.hold_compared(st.session_state["compare_runs"]),
    )
    return state.compared()


def _chips(runs: Sequence[RunSummary]) -> dict[str, str]:
    """Each run as the list names it: in few words, since several stand side by side, and no two alike, since Streamlit
    tells options apart by what they are called."""
    told = {run.id: f"{run.name} · {share(run.score)} · {moment(run.created)}" for run in runs}
    number = Counter(told.values())
    return {id: f"{name} · {id[-6:]}" if number[name] > 1 else name for id, name in told.items()}


def board() -> None:
    """All runs on the data in hand, best first, as far as their intervals alone can tell; chosen rows are compared."""
    mine = [run for run in cache.runs() if run.dataset == state.dataset_id() and not run.labels.archived]
    ranked = sorted((run for run in mine if run.score is not None), key=lambda run: -run.score)
    if len(ranked) < 2:
        st.info("Choose two runs or more. The Runs page lists them all; several rows chosen there open here.")
        return
    tasks = {run.task for run in ranked}
    ranked = [run for run in ranked if run.task == ranked[0].task]
    st.subheader("Leaderboard")
    st.caption(
        f"The runs on {plain(ranked[0].dataset_name, 40)} by their best validation {SCORE_WORDS[ranked[0].task]}. "
        "Choose rows to compare them on the same pictures, which tells far more than two intervals can."
        + (" Runs that answer another kind of question are left out." if len(tasks) > 1 else "")
    )
    shown = ranked[:LINES]
    key = f"compare_board_{len(ranked)}_{shown[0].id}"
    st.dataframe(
        [_line(run, ranked[0], len(ranked)) for run in shown],
        hide_index=True,
        key=key,
        column_config={
            "95 % interval": st.column_config.TextColumn(help=SCORE_HELP[shown[0].task]),
            "against the first": st.column_config.TextColumn(
                help="By the two intervals alone, as if each run was judged by other images, with all runs of the list "
                "in mind (Bonferroni): careful, since on the same images much of the chance is common to both."
            ),
        },
        on_select=lambda: None,
        selection_mode="multi-row",
        placeholder="–",
        alt="Runs on the data in hand, best first",
    )
    rows = st.session_state[key].selection.rows
    st.button(
        f"Compare {count(len(rows), 'run')}" if rows else "Compare the chosen runs",
        type="primary",
        key="compare_chosen",
        disabled=len(rows) < 2,
        on_click=lambda: state.hold_compared([shown[row].id for row in rows if row < len(shown)]),
    )
    _flattered(ranked)


def _line(run: RunSummary, best: RunSummary, number: int) -> dict[str, object]:
    told = "best so far" if run is best else "clearly behind" if behind(run, best, number) else "may be as good"
    return {
        "run": run.name,
        "data": data_name(run.dataset_name, run.revision),
        "score": f"{run.score:.3f}",
        "95 % interval": bounds(run.interval),
        "against the first": told,
        "network": run.network,
        "made": moment(run.created),
    }


def behind(run: RunSummary, best: RunSummary, number: int) -> bool:
    """Whether a run is worse than the best of so many, by their intervals alone, as if judged by other images each.

    That is a careful judgement: on the same images most of the chance is common to both.
    """
    from statistics import NormalDist

    errors = [_error(one) for one in (run, best)]
    if None in errors:
        return False
    z = NormalDist().inv_cdf(1 - 0.025 / max(1, number - 1))
    return best.score - run.score > z * sqrt(sum(error**2 for error in errors))


def _error(run: RunSummary) -> float | None:
    return None if run.interval is None else (run.interval[1] - run.interval[0]) / (2 * _Z95)


def _flattered(ranked: Sequence[RunSummary]) -> None:
    """What being the best of many is worth."""
    error = _error(ranked[0])
    if error is None:
        return
    lift = luck(len(ranked)) * error
    st.caption(
        f"The best of {len(ranked):,} was chosen by the same images that measure it: had all been equally good, luck "
        f"alone would lift it by up to {lift:.3f}. Runs judged by the same images share much of that luck, so the true "
        "figure is smaller."
    )
