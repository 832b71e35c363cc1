"""The report on a classifier: what it got right, what it took for what, and the pictures it got wrong."""

from pathlib import Path

import streamlit as st

from core.data.dataset import Dataset
from core.evaluate.classification import ClassificationResult
from core.evaluate.mistakes import ConfusedPair, Mistake, confident_mistakes, confused_pairs, of_cell
from core.evaluate.predictions import PredictionTable
from core.figures.confusion import confusion_matrix
from core.runs.store import Run
from pages.shared import cache, evaluate_depth, evaluate_views, gallery, integrity, repeat_tables, state, where
from pages.shared.evaluate_split import caveat
from pages.shared.evaluate_tabs import tabs
from pages.shared.live import PLAIN_FIGURE
from pages.shared.pickers import or_stop
from pages.shared.words import bounds, plain, share, shorten

MOST_PAIRS = 6
MOST_MISTAKES = 96


def report(run: Run, result: ClassificationResult, dataset: Dataset | None) -> None:
    """The whole report on one split. Without its dataset, which may be gone, it shows no pictures."""
    with or_stop():
        table = cache.predictions(run.paths.predictions(result.split))
    headline(run, result)
    integrity.panel(run, result)
    left, right = st.columns([4, 5], gap="medium")
    with left:
        st.subheader("What is taken for what")
        st.caption(
            "The confusion matrix: how many images of each class got which name. Click a cell to see its images."
        )
        cell = matrix(run, result)
        choose_pair(confused_pairs(table), run, result)
    with right:
        pictures(dataset, table, cell)
    tabs(
        {
            "Every class": lambda: per_class(result),
            **evaluate_depth.tabs_of(run, result.split),
            "Test-time augmentation": lambda: evaluate_views.panel(run, result.split),
            "Where it looks": lambda: where.panel(run, dataset, table),
            "Repeats": lambda: repeat_tables.panel(run, dataset),
        }
    )


def headline(run: Run, result: ClassificationResult) -> None:
    """The two numbers that stand for the rest, each with its interval."""
    told = {
        "accuracy": (result.accuracy, result.interval, "Share of images named rightly; 95 % interval (Wilson)."),
        "macro F1": (
            result.macro_f1,
            result.macro_f1_interval,
            "Mean F1 of the classes; 95 % interval (the wider of resampling and the classes' own).",
        ),
    }
    with st.container(key="headline"), st.grid(3, min_column_width=170):
        for label, (value, interval, help) in told.items():
            st.metric(label, share(value), delta=bounds(interval), delta_color="off", delta_arrow="off", help=help)
        st.metric("images", f"{result.n:,}", help=f"Answered by the weights {plain(result.checkpoint)}.")
    told = "In brackets: the 95 % interval, where the true value plausibly lies."
    st.caption(f"{told} {caveat(run, result.split)}")


def per_class(result: ClassificationResult) -> None:
    """Precision, recall and F1 of every class, with their intervals."""
    bar = {
        name: st.column_config.ProgressColumn(name, format="%.3f", min_value=0, max_value=1, width="small")
        for name in ("precision", "recall", "F1")
    }
    columns = bar | {"class": st.column_config.TextColumn("class", width="medium")}
    rows = [
        {
            "class": row.label,
            "recall": row.recall,
            "recall 95 %": bounds(row.recall_interval),
            "precision": row.precision,
            "precision 95 %": bounds(row.precision_interval),
            "F1": row.f1,
            "F1 95 %": bounds(row.f1_interval),
            "images": row.support,
        }
        for row in result.per_class
    ]
    st.dataframe(rows, hide_index=True, column_config=columns, key="per_class", alt="Scores of every class")
    st.caption(
        "Recall: share of a class's images that were found. Precision: share of its answers that are right. "
        "An empty cell is undefined."
    )


def matrix(run: Run, result: ClassificationResult) -> tuple[int, int] | None:
    """The confusion matrix; a click on a cell chooses it."""
    held = st.session_state.get(state.CELL)
    cell = tuple(held[2:]) if held and tuple(held[:2]) == (run.id, result.split) else None

    def click() -> None:
        points = st.session_state["matrix"].selection.points
        pair = points[0].get("customdata") if points else None
        if pair and all(isinstance(place, int) and 0 <= place < len(result.classes) for place in pair):
            st.session_state[state.CELL] = (run.id, result.split, *pair)

    figure = confusion_matrix(result.confusion, result.classes, cell)
    st.plotly_chart(
        figure, key="matrix", on_select=click, selection_mode="points", config=PLAIN_FIGURE, alt="Confusion matrix"
    )
    return cell


def clear_cell() -> None:
    st.session_state[state.CELL] = None


def pictures(dataset: Dataset | None, table: PredictionTable, cell: tuple[int, int] | None) -> None:
    """The pictures of the chosen cell, or else the mistakes that the model was surest of."""
    if cell:
        truth, predicted = (plain(table.classes[place], 30) for place in cell)
        right = f"{truth}, named rightly" if truth == predicted else f"{truth} taken for {predicted}"
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(right, width="content")
            st.button("All mistakes", key="clear_cell", icon=":material/close:", on_click=clear_cell)
        shown = of_cell(table, *cell)
    else:
        st.subheader("Most confident mistakes")
        shown = confident_mistakes(table, MOST_MISTAKES)
        if shown:
            st.caption("Look here first: where a model is sure and wrong, it is often the label that is wrong.")
    if not shown:
        st.markdown(
            "Every picture was named rightly. More pictures may tell more: see how wide the intervals are."
            if not cell
            else "No picture in this cell."
        )
    elif dataset is None:
        st.dataframe([vars(mistake) for mistake in shown], hide_index=True)
    else:
        window = gallery.paged(len(shown), "mistakes")
        gallery.sheet([_cell(dataset, mistake) for mistake in shown[window]], "mistakes", width=104)


def _cell(dataset: Dataset, shown: Mistake) -> tuple[Path, str, str]:
    names = [shorten(name, 14) for name in dict.fromkeys((shown.truth, shown.predicted))]
    called = f"{' → '.join(names)} · {shown.confidence:.2f}"
    told = f"{shown.file}: is {shown.truth}, called {shown.predicted} with {shown.confidence:.2f}"
    return dataset.thumbnail(dataset.sample(shown.id)), called, told


def choose_pair(pairs: list[ConfusedPair], run: Run, result: ClassificationResult) -> None:
    """The pairs that are mixed up most, as buttons that choose their cell."""
    if not pairs:
        return
    st.markdown("**Mixed up most**")
    with st.container(horizontal=True, gap="xsmall", key="pairs"):
        for number, pair in enumerate(pairs[:MOST_PAIRS]):
            label = f"{plain(pair.truth, 24)} → {plain(pair.predicted, 24)}: {pair.count} ({pair.share:.0%})"
            if st.button(label, key=f"pair_{number}"):
                places = (result.classes.index(pair.truth), result.classes.index(pair.predicted))
                st.session_state[state.CELL] = (run.id, result.split, *places)
                st.rerun()
