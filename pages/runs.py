"""Runs: every run there is, and what can be done with one or with several."""

import streamlit as st

from core.presets import preset
from core.recipe import Recipe, diff
from core.runs.store import Run
from core.runs.summary import RunSummary
from core.seeding import fingerprint
from pages.shared import cache, hypothesis, labels, live, run_table, state
from pages.shared.cached.runs import asked_for, census
from pages.shared.guard import require_app
from pages.shared.pickers import nothing, or_stop
from pages.shared.run_table import MOST, PRESET_LABELS
from pages.shared.studies import studies
from pages.shared.words import count, field_words, plain

require_app()
SECONDS = 2  # between looks at the list while something in it is at work


def table() -> list[RunSummary]:
    """The runs that are asked for, a part of them at a time; gives those whose rows are ticked."""
    asked, at_work = run_table.choose(census()), census().at_work
    runs = asked_for(asked)
    if not runs:
        st.caption("No run is like that." if asked.narrows else "All runs are put away.")
        return []
    place = part_of(len(runs))
    ids = [run.id for run in runs[place]]
    key = f"runs_table_{fingerprint(*ids)}"  # ticks stand on places, not on runs: another list is another table

    @st.fragment(run_every=SECONDS if at_work else None)
    def tick() -> None:
        now = asked_for(asked)[place]
        if [run.id for run in now] != ids or (at_work and not census().at_work):
            live.changed()
        st.dataframe(
            run_table.rows(now, state.run_id()),
            column_config=run_table.COLUMNS,
            hide_index=True,
            key=key,
            on_select=lambda: choose(key, ids),
            selection_mode=["multi-row", "single-cell"],
            placeholder="–",
            alt="The runs",
        )

    tick()
    st.download_button(
        "These runs (CSV)" if asked.narrows else "All runs (CSV)",
        lambda: run_table.as_csv(runs),  # written only when somebody asks for it
        "runs.csv",
        "text/csv",
        key="runs_csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )
    return [runs[place][row] for row in st.session_state[key].selection.rows if 0 <= row < len(ids)]


def part_of(number: int) -> slice:
    """Which of so many runs the table shows, with the way to the others."""
    if number <= MOST:
        return slice(0, number)
    pages = -(-number // MOST)
    with st.container(horizontal=True, vertical_alignment="center"):
        first = (st.pagination(pages, key="runs_page", width="content") - 1) * MOST
        st.caption(f"{first + 1:,} to {min(first + MOST, number):,} of {number:,}", width="content")
    return slice(first, first + MOST)


def choose(key: str, ids: list[str]) -> None:
    """Take the run of the touched row in hand; `key` and `ids` are those of the table that was touched."""
    cells = st.session_state[key].selection.cells
    if cells and 0 <= cells[0][0] < len(ids) and ids[cells[0][0]] != state.run_id():
        state.watch_run(ids[cells[0][0]])
    st.rerun()  # the whole page, not only the table


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
st.caption("Every training run: find, open, label, compare, resume or delete it.")
with or_stop():
    if studies():
        st.stop()
if not cache.runs():
    ready = state.dataset_id() is not None
    nothing(
        "No run yet.", "Train a model: half a minute is enough.", *(("pages/train.py", "Go to Train") if ready else ())
    )
waiting = len(cache.store().queue())
queue = f" · {waiting} waiting in the queue" if waiting else ""
st.caption(f"{count(len(cache.runs()), 'run')}{queue}. Click one to see it below; tick several to compare them.")
if ticked := table():
    labels.ticked(ticked)

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
        labels.put_away([run.id], not run.labels.archived, "run_away")
        # A key of its own for each run, so that the menu closes when its run is gone and never offers the next one.
        locked = run.status.state.has_worker
        with st.popover("Delete", icon=":material/delete:", key=f"delete_menu_{run.id}", disabled=locked):
            st.markdown(f"Delete **{plain(run.name, 60)}** with its weights and results?")
            if st.button("Delete for good", type="primary", key="delete_run"):
                with or_stop():
                    cache.store().delete(run.id)
                live.changed()
    labels.labels(run)
    hypothesis.panel(run)
    differences(run)
    live.log(run)
