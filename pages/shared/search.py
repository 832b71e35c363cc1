"""A search on a page: choose what varies and start it; see what it found, and train with the best of it."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.data.dataset import Dataset
from core.errors import FoveaError
from core.recipe import Recipe
from core.studies.search import (
    MOST_TRIALS,
    PRUNERS,
    SAMPLERS,
    SearchSpec,
    begin,
    check_search,
    drive,
    go_on,
    read_asked,
    spec_of,
    standing,
    stop,
    trial_recipe,
)
from core.studies.space import Options, Range, Span, default_span, label_of, searchable
from core.studies.study import Study, StudyStore
from pages.shared import cache, fields, live, recipe_form, state
from pages.shared.pickers import or_stop
from pages.shared.words import SCORE_WORDS, bounds, count, duration, plain, sentence, share

IN_HAND = "search_in_hand"  # id of the search that was started here last
SECONDS = 2  # between looks at a search at work
MORE = 10  # further trials, unless a person says otherwise
BADGES = {
    "waiting": "gray-badge[:material/hourglass_empty:",
    "running": "blue-badge[:material/play_circle:",
    "finished": "green-badge[:material/check_circle:",
    "stopped": "orange-badge[:material/stop_circle:",
    "failed": "red-badge[:material/error:",
}


def search(recipe: Recipe, dataset: Dataset) -> None:
    """Choose which fields of a recipe vary and how far, and start; the search started here last is shown below.

    Raises RecipeError for a value that a browser should not have sent.
    """
    rows = searchable(recipe)
    labels = {path: label_of(recipe, path) for path in rows}
    usual = [path for path in rows if path.endswith("learning_rate")]
    chosen = st.multiselect(
        "What varies",
        list(rows),
        default=usual[-1:],
        format_func=lambda path: labels.get(path, path),
        key=f"search_paths_{recipe.task}_{len(recipe.phases)}",
        help="Few fields are searched well in few trials: begin with two or three.",
    )
    images = len(dataset.of("train"))
    space = tuple(
        _span(default_span(recipe, path), labels[path], rows[path].sentence, images)
        for path in (fields.among(path, rows, "space") for path in chosen)
    )
    spec = _how(recipe, space)
    try:
        check_search(recipe, dataset, spec)
    except FoveaError as error:
        st.error(sentence(error))
    else:
        told = (
            f"Up to {count(spec.trials, 'run')} in the queue, one after the other. The test split is never looked at."
        )
        st.caption(told)
        if st.button("Start the search", type="primary", key="search_start", icon=":material/travel_explore:"):
            with or_stop():
                st.session_state[IN_HAND] = begin(cache.workspace(), recipe, dataset, spec).id
    held = _held()
    if held:
        with st.container(border=True, key="search_held"):
            results(held)


def results(study: Study) -> None:
    """Where a search stands and what it found; looked at again every other second while it is at work."""
    with or_stop():
        at_work = standing(study).is_active

    @st.fragment(run_every=SECONDS if at_work else None)
    def tick() -> None:
        with or_stop():
            drive(study)  # after a crash or a restart, whoever looks brings it back to work
            _headline(study)
            found = cache.search(study)
        if found is not None:
            _best(study, found)
            _figures(study, found)
            _table(study, found)
        if at_work and not standing(study).is_active:
            live.changed()

    tick()


# The form


def _span(span: Span, label: str, help: str, images: int) -> Span:
    """One field with what it may be, as widgets."""
    key = f"search_{span}"  # its usual range is part of the key, so that another recipe begins with its own
    if isinstance(span, Options):
        names = list(span.options)
        picked = st.multiselect(plain(label), names, default=names, format_func=str, key=key, help=plain(help))
        return Options(span.path, tuple(fields.among(option, names, span.path) for option in picked))
    if span.path == "batch_size":
        span = Range(span.path, min(span.low, images), min(span.high, images), span.log, span.whole)
    kind, step = (int, 1) if span.whole else (float, 10.0**-6)
    format = "%d" if span.whole else "%.5g"
    with st.grid(3, min_column_width=120):
        low = st.number_input(
            f"{plain(label)}, from", value=kind(span.low), step=step, format=format, key=f"{key}_low", help=plain(help)
        )
        high = st.number_input("to", value=kind(span.high), step=step, format=format, key=f"{key}_high")
        log = st.toggle(
            "by powers of ten",
            span.log,
            key=f"{key}_log",
            help="As many draws between 0.001 and 0.01 as between 0.01 and 0.1.",
        )
    return Range(span.path, low, high, log, span.whole)


def _how(recipe: Recipe, space: tuple[Span, ...]) -> SearchSpec:
    with st.grid(4, min_column_width=150):
        trials = st.number_input("Trials", 1, MOST_TRIALS, SearchSpec.trials, 1, key="search_trials")
        sampler = _way("How trials are chosen", SAMPLERS, "search_sampler")
        pruner = _way("When a bad trial stops", PRUNERS, "search_pruner")
        words = {"score": f"validation {SCORE_WORDS[recipe.task]}", "loss": "validation loss"}
        metric = st.selectbox(
            "What is to be best",
            list(words),
            index=list(words).index(recipe.best_by),
            format_func=words.get,
            key="search_metric",
        )
    return SearchSpec(
        space=space,
        trials=trials,
        sampler=sampler,
        pruner=pruner,
        metric=fields.among(metric, words, "metric"),
        seed=recipe.seed,
    )


def _way(label: str, rows: Sequence[Any], key: str) -> str:
    labels = {row.name: row.label for row in rows}
    told = " ".join(f"**{row.label}**: {row.sentence}" for row in rows)
    return fields.among(st.selectbox(label, list(labels), format_func=labels.get, key=key, help=told), labels, label)


def _held() -> Study | None:
    try:
        return StudyStore(cache.workspace()).get(st.session_state.get(IN_HAND) or "")
    except FoveaError:  # none yet, or it was deleted
        return None


# What was found


def _headline(study: Study) -> None:
    now, asked = standing(study), read_asked(study)
    st.markdown(f"#### {plain(study.name, 60)} &nbsp;:{BADGES[now.state]} {now.state}]")
    if now.is_active:
        st.progress(min(1.0, now.trials / max(1, asked.trials)), f"{now.trials} of {asked.trials} trials")
    (st.error if now.state == "failed" else st.caption)(plain(now.sentence))
    with st.container(horizontal=True, vertical_alignment="bottom", key="search_actions"):
        if now.is_active:
            if st.button("Stop", key="search_stop", icon=":material/stop_circle:", disabled=asked.stop):
                with or_stop():
                    stop(study)
                live.changed()
            if now.run and st.button("Watch the trial", key="search_watch", icon=":material/monitoring:"):
                _open(now.run)
        else:
            least = 0 if now.trials < asked.trials else 1
            room = max(least, MOST_TRIALS - asked.trials)
            more = st.number_input(
                "More trials", least, room, MORE if least else 0, 1, key=f"search_more_{least}", width=140
            )
            if st.button("Continue", key="search_continue", icon=":material/play_arrow:"):
                with or_stop():
                    go_on(study, more)
                live.changed()


def _best(study: Study, found: dict[str, Any]) -> None:
    best = found["best"]
    if best is None:
        return
    figure, changes = st.columns(2)
    figure.metric(
        f"best validation {found['metric']}",
        share(best["value"]),
        delta=" · ".join(part for part in (bounds(best["interval"]), f"trial {best['number']}") if part),
        delta_color="off",
        delta_arrow="off",
    )
    told = [f"{plain(row['label'])}: {_told(row['base'])} → **{_told(row['best'])}**" for row in best["changes"]]
    changes.markdown("  \n".join(told) or "The recipe as it stood is the best of them.")
    st.info(plain(found["caution"]), icon=":material/balance:")
    if st.button("Use the best recipe", key="search_use", icon=":material/check:", type="primary"):
        with or_stop():
            recipe = trial_recipe(study.recipe, spec_of(study), best["values"])
            if any(card.id == recipe.dataset for card in cache.library().cards()):
                state.hold_dataset(recipe.dataset)
            recipe_form.begin_with_recipe(recipe, "Best of a search")
        state.tell("The form holds the best recipe of the search.")
        st.switch_page("pages/train.py")


def _figures(study: Study, found: dict[str, Any]) -> None:
    history, importances, coordinates = cache.search_figures(study)
    left, right = st.columns(2)
    told = "The figure of each trial, and the best so far"
    left.plotly_chart(history, key=f"search_history_{study.id}", config=live.PLAIN_FIGURE, alt=told)
    with right:
        if found["importances"]["shares"]:
            told = "How much each field matters"
            st.plotly_chart(importances, key=f"search_shares_{study.id}", config=live.PLAIN_FIGURE, alt=told)
        st.caption(plain(found["importances"]["sentence"]))
    if len(found["history"]) > 1:
        told = "Each trial as a line through its values"
        st.plotly_chart(coordinates, key=f"search_lines_{study.id}", config=live.PLAIN_FIGURE, alt=told)


def _table(study: Study, found: dict[str, Any]) -> None:
    trials = found["trials"][::-1]
    if not trials:
        return
    labels = {field["path"]: field["label"] for field in found["fields"]}
    lines = [
        {
            "trial": trial["number"],
            "state": trial["state"],
            found["metric"]: trial["value"],
            "95 % interval": bounds(trial["interval"]),
            **{labels[path]: _shown(value) for path, value in trial["values"].items()},
            "epochs": trial["epochs"],
            "time": duration(trial["seconds"]),
            "why": trial.get("sentence") or "",
        }
        for trial in trials
    ]
    table = pd.DataFrame(lines)
    picked = st.dataframe(
        table,
        hide_index=True,
        key=f"search_table_{study.id}_{len(trials)}",  # a mark stands on a place: another list is another table
        on_select="rerun",
        selection_mode="single-row",
        column_config={found["metric"]: st.column_config.NumberColumn(format="%.4f")},
        alt="All trials, newest first; choose a row to open its run",
    ).selection.rows
    chosen = trials[picked[0]] if picked and 0 <= picked[0] < len(trials) else None
    with st.container(horizontal=True):
        if chosen and st.button(f"Open trial {chosen['number']}", key="search_open", icon=":material/monitoring:"):
            if not (cache.workspace().runs / (chosen["run"] or "none")).is_dir():
                st.error("The run of this trial was deleted.")
            else:
                _open(chosen["run"])
        st.download_button(
            "Table (CSV)",
            table.to_csv(index=False).encode(),
            f"{study.id}.csv",
            "text/csv",
            key="search_csv",
            icon=":material/download:",
            on_click="ignore",
        )


def _open(run: str) -> None:
    state.watch_run(run)
    st.switch_page("pages/train.py")


def _told(value: Any) -> str:
    return "nothing" if value is None else plain(_shown(value), 40)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
