"""Choose the runs and the sections of a report, see it as it will print, and take it along."""

from pathlib import Path

import streamlit as st

from core.report.collect import MOST_RUNS
from core.report.sections import SECTIONS
from core.runs.store import Run
from pages.shared import cache, state
from pages.shared.cached import report
from pages.shared.pickers import nothing, or_stop, run_lines
from pages.shared.words import plain, size

MAKE = "core.report.bundle:make_all"
MOST_LISTED = 300  # runs to choose from, the newest
TALL = 900  # pixels of the preview
DOWNLOADS = (  # ending, label, mime type, what it is for
    (".html", "HTML", "text/html", "One file that needs no network, prints well, and carries its prediction tables."),
    (".md", "Markdown", "text/markdown", "The text and the tables, for a repository or a notebook."),
    (
        ".zip",
        "Bundle",
        "application/zip",
        "Everything: report, prediction tables, results, recipe, journal, and a hash of each file. Whoever has it can "
        "verify every number.",
    ),
)


def write() -> None:
    """The whole tab."""
    listed = {run.id: run for run in cache.runs() if run.best and run.state.is_finished}
    if not listed:
        nothing(
            "No run has ended yet.", "Train a model first; then one click writes its report.", "pages/train.py", "Train"
        )
    held = [id for id in (state.run_id(),) if id in listed]
    names = list(dict.fromkeys([*held, *list(listed)[:MOST_LISTED]]))
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="top")
    with left:
        chosen = st.multiselect(
            "Runs",
            names,
            held or names[:1],
            format_func=run_lines(listed).get,
            key="report_runs",
            max_selections=MOST_RUNS,
            help="Several runs are held against each other on the same pictures.",
        )
        title = st.text_input("Title", "", max_chars=120, key="report_title", placeholder="Report on …")
    with right:
        sections = st.pills(
            "Sections",
            [row.name for row in SECTIONS if not row.always],
            selection_mode="multi",
            default=[row.name for row in SECTIONS if not row.always],
            format_func={row.name: row.title for row in SECTIONS}.get,
            key="report_sections",
            wrap=True,
            help="What is left out is named at the end of the report. Limits, versions and seeds always stay.",
        )
    if not chosen:
        st.markdown("Choose a run to write about.")
        return
    with or_stop():
        runs = [cache.store().get(id) for id in chosen]
        folder = _written(runs, sections, title)
    _downloads(folder, runs)
    with st.container(border=True, key="report_preview"):
        st.iframe(report.preview(folder), height=TALL)


def _written(runs: list[Run], sections: list[str], title: str) -> Path:
    """The folder with the report in every format; written now unless nothing has changed since the last time."""
    key = report.key_of(runs, sections, title)
    folder = report.written(key)
    if folder is None:
        folder = report.begin_folder(key)
        with st.spinner("Writing the report", show_time=True):
            root, ids = str(cache.workspace().root), [run.id for run in runs]
            cache.desk().call(MAKE, root, ids, str(folder), sections=sections, title=title)
    return folder


def _downloads(folder: Path, runs: list[Run]) -> None:
    name = runs[0].id if len(runs) == 1 else f"{len(runs)} runs"
    with st.container(horizontal=True, key="report_downloads", vertical_alignment="center"):
        for ending, label, kind, told in DOWNLOADS:
            file = folder / f"report{ending}"
            st.download_button(
                f"{label} · {size(file.stat().st_size)}",
                file.read_bytes,  # read only when somebody asks for it
                f"report {name}{ending}",
                kind,
                key=f"report_{ending[1:]}",
                icon=":material/download:",
                type="primary" if ending == ".zip" else "secondary",
                help=told,
                on_click="ignore",
            )
    closed = [run for run in runs if run.facts.samples.get("test") and not run.paths.seal.exists()]
    if closed:
        st.caption(
            f"The test split of {plain(closed[0].name, 60)} is sealed: the report says so, and tells of validation "
            "alone."
        )
