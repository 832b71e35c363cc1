"""Runs: every run there is, and what can be done with one."""

from datetime import UTC, datetime

import streamlit as st

from core.augment.catalog import POLICIES
from core.presets import PRESETS, preset
from core.recipe import Recipe, diff
from core.runs.store import Run
from core.runs.summary import RunSummary
from pages.shared import cache, live, state
from pages.shared.guard import require_app
from pages.shared.pickers import nothing, or_stop
from pages.shared.studies import studies
from pages.shared.words import SCORE_WORDS, bounds, count, data_name, field_words, plain

require_app()
SECONDS = 2  # between looks at the list while something in it is at work
POLICY_LABELS = {row.name: row.label for row in POLICIES}
PRESET_LABELS = {row.name: row.label for row in PRESETS}
MOST = 1000  # newest runs in the table
COLUMNS = {
    "score": st.column_config.ProgressColumn(
        "score",
        format="%.3f",
        min_value=0,
        max_value=1,
        width="small",
        help="On the validation split: accuracy of a classifier, mean Dice of a segmentation model.",
    ),
    "time": st.column_config.NumberColumn("time (s)", format="%.0f", width=62),
    "made": st.column_config.DatetimeColumn("made", format="D MMM HH:mm", width=96),
    "name": st.column_config.TextColumn("name", width=236),
    "preset": st.column_config.TextColumn("preset", width="small"),
}


def line(run: RunSummary) -> dict[str, object]:
    """A run as a row of the table."""
    return {
        "state": run.state.value,
        "name": run.name,
        "data": data_name(run.dataset_name, run.revision),
        "metric": SCORE_WORDS[run.task],
        "score": run.score,
        "95 % interval": bounds(run.interval),
        "policy": POLICY_LABELS.get(run.policy, run.policy),
        "learns from": run.learns_from,
        "epochs": f"{run.epochs_done} of {run.epochs}",
        "time": run.seconds or None,
        "made": datetime.fromtimestamp(run.created, UTC),
        "preset": PRESET_LABELS.get(run.preset, run.preset),
    }


def table(at_work: bool) -> None:
    """All runs, the one in hand marked; choosing a row takes its run in hand."""

    @st.fragment(run_every=SECONDS if at_work else None)
    def tick() -> None:
        runs = cache.runs()
        ids = [run.id for run in runs[:MOST]]
        # A mark stands on a place, not on a run: another list is another table.
        key = f"runs_table_{len(runs)}_{ids[0] if ids else ''}"
        marked = [ids.index(state.run_id())] if state.run_id() in ids else []
        st.dataframe(
            [line(run) for run in runs[:MOST]],
            column_config=COLUMNS,
            hide_index=True,
            key=key,
            on_select=lambda: choose(key, ids),
            selection_mode="single-row",
            selection_default={"selection": {"rows": marked}},
            placeholder="–",
            alt="All runs, newest first",
        )
        if at_work and not any_at_work():
            live.changed()

    tick()


def choose(key: str, ids: list[str]) -> None:
    """Take the run of the chosen row in hand; `key` and `ids` are those of the table that was clicked."""
    rows = st.session_state[key].selection.rows
    if rows and 0 <= rows[0] < len(ids):
        state.watch_run(ids[rows[0]])
        st.rerun()  # the whole page, not only the table


def any_at_work() -> bool:
    return any(not run.state.is_finished for run in cache.runs()[:MOST])


def differences(run: Run) -> None:
    """What this run's recipe changed about its preset."""
    known = run.recipe.preset in PRESET_LABELS  # a run may be older than a preset's name
    base = preset(run.recipe.preset).recipe() if known else Recipe.parse({"task": run.recipe.task})
    own = [row for row in diff(base, run.recipe) if row.path not in ("dataset", "preset", "name", "task")]
    rows = [{"choice": field_words(row.path), "usually": str(row.left), "here": str(row.right)} for row in own]
    label = f"{count(len(rows), 'choice')} unlike the preset" if rows else "Exactly its preset"
    with st.expander(label, icon=":material/difference:", key="run_differences"):
        if rows:
            st.dataframe(rows, hide_index=True)
        st.download_button(
            "Recipe as JSON", run.recipe.to_json(), f"{run.id}.json", "application/json", key="recipe_json"
        )


st.title("Runs")
st.caption("Every training run: open, resume or delete it.")
with or_stop():
    if studies():
        st.stop()
runs = cache.runs()
if not runs:
    ready = state.dataset_id() is not None
    nothing(
        "No run yet.", "Train a model: half a minute is enough.", *(("pages/train.py", "Go to Train") if ready else ())
    )
waiting = len(cache.store().queue())
queue = f" · {waiting} waiting in the queue" if waiting else ""
st.caption(f"{count(len(runs), 'run')}, newest first{queue}. Choose a row to see it below.")
table(any_at_work())

with or_stop():
    run = cache.store().get(state.run_id())
with st.container(border=True, key="run_panel"):
    live.headline(run)
    live.numbers(run)
    with st.container(horizontal=True):
        live.actions(run)
        if st.button("Open", key="open_run", icon=":material/monitoring:"):
            state.watch_run(run.id)
            st.switch_page("pages/train.py")
        # A key of its own for each run, so that the menu closes when its run is gone and never offers the next one.
        locked = run.status.state.has_worker
        with st.popover("Delete", icon=":material/delete:", key=f"delete_menu_{run.id}", disabled=locked):
            st.markdown(f"Delete **{plain(run.name, 60)}** with its weights and results?")
            if st.button("Delete for good", type="primary", key="delete_run"):
                with or_stop():
                    cache.store().delete(run.id)
                live.changed()
    differences(run)
    live.log(run)
