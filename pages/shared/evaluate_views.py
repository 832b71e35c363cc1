"""Test-time augmentation on Evaluate: what seeing each image from several sides is worth on this split."""

import streamlit as st

from core.errors import Cancelled
from core.evaluate.views import KINDS, ViewsFigure, ViewsResult, current_views, table_of
from core.runs.store import Run
from pages.shared import atwork, cache
from pages.shared.atwork import AtWork
from pages.shared.cached.depth import views_at_work
from pages.shared.evaluate_depth import signed
from pages.shared.words import count, failure, measured, plain

WORK = "core.predict.split_views:evaluate_views"
LOOKS = {"mirrored": 2, "sides": 8}
METHODS = {
    "accuracy": "Wilson",
    "macro_f1": "resampling, or the classes' own where that is wider",
    "auroc": "Wilson, by the standard error of DeLong",
    "mean_dice": "images drawn again",
    "mean_iou": "images drawn again",
}


def panel(run: Run, split: str) -> None:
    """The choice of views, the button that lets the desk look at the split, and what came of it."""
    st.caption(
        "Test-time augmentation: the model sees every image from several sides, and its answers are averaged. It costs "
        "as many looks as there are sides, and it helps only where a turned or mirrored image still shows the same. "
        "The figures above stay those of one look."
    )
    kind = st.segmented_control(
        "Views", list(KINDS), format_func=KINDS.get, default="mirrored", required=True, key=f"views_kind_{run.id}"
    )
    kind = kind if kind in KINDS else "mirrored"
    key = (run.id, split, kind)
    work, problem = views_at_work().get(key), ""
    if work is not None and work.done:
        views_at_work().pop(key, None)
        problem = _problem(work)
        work = None
    found = current_views(run.paths, split, kind)
    if work is not None:
        _watch(key)
    elif found is None:
        if problem:
            st.error(problem)
        _offer(run, split, kind)
    else:
        _told(run, split, found)


def _problem(work: AtWork) -> str:
    try:
        work.result()
    except Cancelled:
        return ""
    except Exception as error:  # whatever it is, the figures above stand
        return failure(error)
    return ""


def _offer(run: Run, split: str, kind: str) -> None:
    images = run.facts.samples.get(split, 0)
    if split == "test":
        st.caption("This is one more look at the test images, and is written down as such. Choose on validation.")
    if st.button(f"Look at {count(images, 'image')} from {LOOKS[kind]} sides", key="views_start", type="primary"):
        title = f"Looking from {LOOKS[kind]} sides"
        work = atwork.begin(title, WORK, str(cache.workspace().root), run.id, split, kind, unit="image")
        views_at_work()[run.id, split, kind] = work
        st.rerun(scope="fragment")


@st.fragment(run_every=atwork.SECONDS)
def _watch(key: tuple[str, str, str]) -> None:
    work = views_at_work().get(key)
    if work is None or work.done:
        st.rerun()
    atwork.bar(work, "views")


def _told(run: Run, split: str, found: ViewsResult) -> None:
    st.markdown(f"**{plain(found.sentence)}**")
    looks = f"{found.views} looks"
    rows = [
        {
            "figure": one.label,
            "one look": measured(one.plain, one.plain_interval),
            looks: measured(one.views, one.views_interval),
            "difference": _difference(one),
            "p": one.difference and one.difference.p,
        }
        for one in found.figures
    ]
    methods = "; ".join(f"{one.label}: {METHODS[one.name]}" for one in found.figures)
    tests = "; ".join(f"{one.label}: {one.difference.method}" for one in found.figures if one.difference)
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    st.dataframe(
        rows,
        hide_index=True,
        key="views_figures",
        width="content",
        column_config={
            "one look": text(help=f"95 % intervals. {methods}."),
            looks: text(help=f"95 % intervals. {methods}."),
            "difference": text(help=f"More looks less one look, on the same images. {tests}."),
            "p": number(format="%.3f", help="How often chance in the images alone brings as large a difference."),
        },
        placeholder="–",
        alt="Figures with and without test-time augmentation",
    )
    told = "have another answer" if found.task == "classification" else "have another mask"
    st.caption(f"{found.changed:,} of {count(found.n, 'image')} {told}.")
    st.download_button(
        "Its own prediction table (CSV)",
        table_of(run.paths, split, found.kind).read_bytes,
        f"{run.id} {split} {found.kind}.csv",
        "text/csv",
        key="views_csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _difference(one: ViewsFigure) -> str:
    """In words, with a sign that cannot be taken for a dash: "+0.012 [−0.003 to +0.027]"."""
    if one.difference is None:
        return "–"
    low, high = one.difference.interval
    return f"{signed(one.difference.value)} [{signed(low)} to {signed(high)}]"
