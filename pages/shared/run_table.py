"""The table of runs: which of them, in which order, and what stands in a row."""

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from io import StringIO
from typing import Any

import pandas as pd
import streamlit as st

from core.augment.catalog import POLICIES
from core.presets import PRESETS, preset
from core.runs.listing import ORDERS, Listing
from core.runs.summary import RunSummary, choices
from pages.shared.cached.runs import Census
from pages.shared.words import SCORE_WORDS, bounds, count, data_name, field_words

SEARCH, ORDER, STATES, DATA, TAGS, GUESSED, ARCHIVED = (
    f"runs_{name}" for name in ("search", "order", "states", "data", "tags", "guessed", "archived")
)
MOST = 200  # rows at a time: what a table holds is sent to the browser whole
TOLD = 3  # choices unlike the preset that a row names
LONGEST = 24  # letters of a choice's value in a row
POLICY_LABELS = {row.name: row.label for row in POLICIES}
PRESET_LABELS = {row.name: row.label for row in PRESETS}
SENTENCES = {
    "score": "On the validation split: accuracy of a classifier, mean Dice of a segmentation model.",
    "95 % interval": "Where the true score on such images plausibly lies: of an accuracy by Wilson's formula, of Dice "
    "from drawing images again.",
    "over the epochs": "The validation score after each epoch.",
    "unlike its preset": "What was chosen otherwise than the preset says.",
    "hypothesis": "What became of what somebody expected before the run began.",
}
COLUMNS = {
    "": st.column_config.TextColumn(width=26, help="The run in hand, which stands below."),
    "name": st.column_config.TextColumn(width=224),
    "tags": st.column_config.ListColumn(width=110),
    "score": st.column_config.ProgressColumn(
        format="%.3f", min_value=0, max_value=1, width=104, help=SENTENCES["score"]
    ),
    "95 % interval": st.column_config.TextColumn(width=104, help=SENTENCES["95 % interval"]),
    "over the epochs": st.column_config.LineChartColumn(y_min=0, y_max=1, width=104, help=SENTENCES["over the epochs"]),
    "unlike its preset": st.column_config.TextColumn(width=260, help=SENTENCES["unlike its preset"]),
    "hypothesis": st.column_config.TextColumn(width=150, help=SENTENCES["hypothesis"]),
    "time": st.column_config.NumberColumn("time (s)", format="%.0f", width=62),
    "made": st.column_config.DatetimeColumn(format="D MMM HH:mm", width=96),
}


def choose(there: Census) -> Listing:
    """Draw the search, the order and the filters, and give what is asked for."""
    with st.container(horizontal=True, vertical_alignment="center", key="runs_bar"):
        words = st.text_input(
            "Search",
            key=SEARCH,
            max_chars=200,
            placeholder="Search names, tags, notes, data …",
            icon=":material/search:",
            label_visibility="collapsed",
            persist_state="session",
        )
        order = st.selectbox(
            "Order",
            [row.name for row in ORDERS],
            format_func={row.name: row.label for row in ORDERS}.get,
            key=ORDER,
            label_visibility="collapsed",
            width=170,
            persist_state="session",
        )
        held = [key for key in (STATES, DATA, TAGS, GUESSED) if st.session_state.get(key)]
        with st.popover(
            f"Filter ({len(held)})" if held else "Filter", icon=":material/filter_list:", key="runs_filter"
        ):
            states = _several("State", there.states, STATES, {state: state.value for state in there.states})
            data = _several("Data", list(there.data), DATA, there.data)
            tags = _several("Tags, all of them", there.tags, TAGS, {tag: tag for tag in there.tags})
            guessed = there.guessed and st.toggle("Begun with a hypothesis", key=GUESSED, persist_state="session")
        away = there.archived and st.toggle(f"Put away ({there.archived:,})", key=ARCHIVED, persist_state="session")
    return Listing(words, states, data, tags, bool(guessed), bool(away), order)


def _several(label: str, options: Sequence[Any], key: str, names: Mapping[Any, str]) -> tuple[Any, ...]:
    """A choice of several; nothing to choose where there is nothing."""
    if not options:
        return ()
    if held := st.session_state.get(key):
        st.session_state[key] = [one for one in held if one in options]  # the last run of that kind may be gone
    return tuple(
        st.multiselect(
            label, options, format_func=names.get, key=key, persist_state="session", placeholder="any of them"
        )
    )


def rows(runs: Sequence[RunSummary], held: str | None) -> pd.DataFrame:
    """The table of some runs, in their order; the one that is held is marked."""
    guessed = any(run.hypothesis for run in runs)
    tagged = any(run.labels.tags for run in runs)
    data = {
        "": ["▸" if run.id == held else "" for run in runs],
        "state": [_state(run) for run in runs],
        "name": [run.name for run in runs],
        "tags": [list(run.labels.tags) for run in runs],
        "data": [data_name(run.dataset_name, run.revision) for run in runs],
        "score": [run.score for run in runs],
        "95 % interval": [bounds(run.interval) for run in runs],
        "over the epochs": [list(run.curve) or None for run in runs],
        "unlike its preset": [unlike(run) for run in runs],
        "hypothesis": [(run.verdict or "not scored yet") if run.hypothesis else "" for run in runs],
        "epochs": [f"{run.epochs_done} of {run.epochs}" for run in runs],
        "time": [run.seconds or None for run in runs],
        "made": [datetime.fromtimestamp(run.created, UTC) for run in runs],
        "metric": [SCORE_WORDS[run.task] for run in runs],
        "policy": [POLICY_LABELS.get(run.policy, run.policy) for run in runs],
        "learns from": [run.learns_from for run in runs],
        "preset": [PRESET_LABELS.get(run.preset, run.preset) for run in runs],
    }
    left_out = {"tags": not tagged, "hypothesis": not guessed}
    return pd.DataFrame({name: values for name, values in data.items() if not left_out.get(name)})


def _state(run: RunSummary) -> str:
    return f"{run.state.value}, put away" if run.labels.archived else run.state.value


def unlike(run: RunSummary) -> str:
    """What the recipe of a run has otherwise than its preset, in a few words."""
    usual = _usual(run.preset)
    # Of a choice that only one of them names, the other has what the plainest recipe has.
    paths = [path for path, value in run.choices.items() if path not in usual or usual[path] != value]
    paths += [path for path in usual if path not in run.choices]
    told = []
    if _phases(run.choices) != _phases(usual):  # then each choice within them would be another one
        told = [count(_phases(run.choices), "phase")]
        paths = [path for path in paths if not path.startswith("phases.")]
    told += [_told(path, run.choices.get(path)) for path in paths]
    more = len(told) - TOLD
    return ", ".join(told[:TOLD]) + (f" and {more} more" if more > 0 else "")


def _phases(choices: Mapping[str, Any]) -> int:
    """How many phases a recipe has, by what it has otherwise than the plainest one, which has one."""
    return 1 + max((int(path.split(".")[1]) for path in choices if path.startswith("phases.")), default=0)


def _told(path: str, value: Any) -> str:
    if value is None or path in ("augment.rows", "loss.class_weights"):
        return field_words(path)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{field_words(path)} {text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}"


@lru_cache(maxsize=64)
def _usual(name: str) -> dict[str, Any]:
    if name in PRESET_LABELS:
        return choices(preset(name).recipe())
    return {}  # a run may be older than a preset's name: then it is held against the plainest recipe


def as_csv(runs: Sequence[RunSummary]) -> bytes:
    """All of these runs as a table for a spreadsheet."""
    file = StringIO()
    table = csv.writer(file)
    heads = ("run", "name", "state", "data", "metric", "score", "low", "high", "epochs", "seconds", "made", "preset")
    table.writerow([*heads, "unlike its preset", "tags", "note", "hypothesis", "what became of it"])
    for run in runs:
        low, high = run.interval or (None, None)
        made = datetime.fromtimestamp(run.created, UTC).isoformat(timespec="seconds")
        data = data_name(run.dataset_name, run.revision)
        facts = (run.id, run.name, run.state.value, data, SCORE_WORDS[run.task], run.score, low, high)
        labels = (", ".join(run.labels.tags), run.labels.note)
        told = (run.epochs_done, run.seconds, made, run.preset, unlike(run), *labels, run.hypothesis, run.verdict)
        table.writerow([*facts, *told])
    return file.getvalue().encode()
