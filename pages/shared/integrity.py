"""What speaks against the figures of a run: looked at by the desk while the page goes on, then told, gravest first."""

from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import streamlit as st

from core.data.dataset import Dataset, Sample
from core.data.health.finding import Finding
from core.errors import FoveaError
from core.evaluate.results import Result
from core.figures.stopping import stopping
from core.integrity.run_report import IntegrityReport, Outcome, read_integrity
from core.integrity.subject import MOST_EVIDENCE
from core.runs.store import Run
from pages.shared import cache, gallery, leakage_offer
from pages.shared.cached.integrity import run_checks
from pages.shared.health import ICONS
from pages.shared.live import PLAIN_FIGURE
from pages.shared.words import bounds, failure, plain, share

OVERFITTED, LEAKED = "overfitted", "leaked"  # names of checks that have more to show
CHECK = "core.integrity.run_checks:check_run"
SECONDS = 0.5  # between looks at a check at work
FLAGS = {"holds": ":green[:material/check:]", "unknown": ":gray[:material/help:]", "found": ":orange[:material/flag:]"}


def panel(run: Run, result: Result | None = None) -> None:
    """Whether anything speaks against the figures of a run, in one line, with its evidence below.

    `result` is the report that the page shows; nothing but the files of the run decides what is found.
    """
    with st.container(border=True, key="integrity"):
        if run.status.state.has_worker:
            st.markdown("**Integrity** · looked at when the run has ended")
            return
        report = read_integrity(run.paths)
        work = run_checks().get(run.id)
        if work is not None and work.done():
            run_checks().pop(run.id, None)
            if work.exception():
                _failed(run, work)
                return
            report = report or work.result()
            work = None
        if report is None and work is None:
            work = start(run)
        if report is None:
            _watch(run)
        else:
            _told(run, report)


def start(run: Run, *, anew: bool = False) -> Future:
    """Let the desk look at a run; whoever opens its page meanwhile waits for the same check."""
    work = cache.desk().submit(CHECK, str(cache.workspace().root), run.id, anew=anew)
    run_checks()[run.id] = work
    return work


@st.fragment(run_every=SECONDS)
def _watch(run: Run) -> None:
    work = run_checks().get(run.id)
    if work is None or work.done():
        st.rerun()
    st.markdown("**Integrity** · being looked at …")


def _failed(run: Run, work: Future) -> None:
    error = work.exception()
    # Whatever it is: that a check cannot be made is no reason not to show the figures.
    told = failure(error)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f":orange[:material/warning:] **Integrity** · {told}", width="stretch")
        _again(run)


def headline(report: IntegrityReport) -> str:
    """The report in one line with its sign."""
    numbers = report.gravity
    if numbers["error"] + numbers["warning"]:
        colour, icon = ("red", "error") if numbers["error"] else ("orange", "warning")
        return f":{colour}[:material/{icon}: **Integrity**] · {plain(report.verdict)}"
    return f":green[:material/verified_user: **Integrity**] · {plain(report.verdict)}"


def _told(run: Run, report: IntegrityReport) -> None:
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="integrity_head"
    ):
        st.markdown(headline(report), width="stretch")
        with st.popover("What was checked", key=f"integrity_checks_{run.id}", icon=":material/fact_check:"):
            for one in report.checks:
                st.markdown(_line(one))
            _again(run)
    dataset = _dataset(run) if any(one.evidence for one in report.findings) else None
    for place, finding in enumerate(report.findings):
        first = finding.message.partition(". ")[0].rstrip(".")
        told = f"{ICONS[finding.severity]} **{plain(report.label(finding.check))}** · {plain(first)}"
        folded = st.expander(told, key=f"integrity_{run.id}_{finding.check}_{place}", on_change="rerun")
        if folded.open:
            with folded:
                _finding(run, finding, dataset, f"integrity_{place}")


def _line(one: Outcome) -> str:
    """A check with what it came to, as a line of Markdown."""
    flag = FLAGS["found" if one.found else "unknown" if one.unknown else "holds"]
    told = one.told or one.unknown or "see below"
    return f"{flag} **{plain(one.label)}** · {plain(one.sentence)}.  \n:small[:gray[{plain(told)}]]"


def _again(run: Run) -> None:
    if st.button("Check again", key="integrity_again", icon=":material/refresh:"):
        start(run, anew=True)
        run.paths.integrity.unlink(missing_ok=True)
        st.rerun()


def _dataset(run: Run) -> Dataset | None:
    try:
        return cache.dataset_of(run)
    except FoveaError:
        return None  # gone since; then the evidence has no pictures


def _finding(run: Run, finding: Finding, dataset: Dataset | None, key: str) -> None:
    """One finding in full: what it means, what to do, its figure, its table and its pictures."""
    rest = finding.message.partition(". ")[2]
    st.markdown("  \n".join(plain(text) for text in (rest, finding.advice) if text))
    if finding.check == OVERFITTED:
        drawn = stopping(cache.journal(run.paths), finding.figures, identity=run.id)
        st.plotly_chart(drawn, key=f"{key}_course", config=PLAIN_FIGURE, alt="Loss over the epochs, and where to stop")
    if rows := finding.figures.get("rows"):
        shown = [_row(row) for row in rows]
        st.dataframe(shown, hide_index=True, key=f"{key}_rows", width="content", alt="The figures behind it")
    if finding.check == LEAKED and finding.figures.get("validation_known"):
        leakage_offer.offer(run)
    if dataset is None or not finding.evidence:
        return
    there = {sample.id: sample for sample in dataset.samples}
    ids = [id for group in finding.evidence for id in group if id in there]
    slot = st.container()
    window = gallery.paged(len(ids), f"{key}_page")
    with slot:
        gallery.sheet([_cell(dataset, there[id]) for id in ids[window]], key, width=96)
    if len(finding.evidence) >= MOST_EVIDENCE:
        st.caption(f"No more than {MOST_EVIDENCE} are shown.")


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of figures as a table shows it: shares to three places, both ends of an interval in one cell."""
    shown: dict[str, Any] = {}
    for name, value in row.items():
        if name == "from":
            shown["95 % interval"] = "–" if value is None else bounds((value, row["to"]))
        elif name != "to":
            shown[name] = share(value) if isinstance(value, float) or value is None else value
    return shown


def _cell(dataset: Dataset, sample: Sample) -> tuple[Path | bytes, str, str]:
    picture, name, told = gallery.cell(dataset, sample, gallery.OFF)
    return picture, " · ".join(part for part in (name, sample.split) if part), told
