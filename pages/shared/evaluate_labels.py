"""The report on a classifier: what it got right, what it took for what, and the pictures it got wrong."""

from pathlib import Path

import streamlit as st

from core.data.dataset import Dataset
from core.evaluate.classification import ClassificationResult
from core.evaluate.mistakes import ConfusedPair, Mistake, confident_mistakes, confused_pairs, extremes, of_cell
from core.evaluate.predictions import PredictionTable
from core.figures.confusion import confusion_matrix
from core.runs.store import Run
from pages.shared import cache, evaluate_depth, evaluate_views, gallery, integrity, repeat_tables, state, where
from pages.shared.evaluate_split import caveat
from pages.shared.evaluate_tabs import tabs
from pages.shared.live import PLAIN_FIGURE
from pages.shared.pickers import or_stop
from pages.shared.words import bounds, measured, plain, share, shorten

MOST_PAIRS = 6
MOST_MISTAKES = 96
MOST_EXTREME = 8


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
            "Best and worst": lambda: best_and_worst(run, dataset, table),
            **evaluate_depth.tabs_of(run, result.split),
            "Test-time augmentation": lambda: evaluate_views.panel(run, result.split),
            "Where it looks": lambda: where.panel(run, dataset, table),
            "Repeats": lambda: repeat_tables.panel(run, dataset),
        },
        "label_tabs",
    )


def headline(run: Run, result: ClassificationResult) -> None:
    """The two numbers that stand for the rest, each with its interval."""
    told = {
        "accuracy": (result.accuracy, result.interval, "Share of images named rightly; 95 % interval (Wilson)."),
        "macro F1": (
            result.macro_f1,
            result.macro_f1_interval,
            "Mean F1 of the classes; 95 % interval: the wider of images drawn again and the classes' own intervals put "
            "together, with the bias of few images taken out above.",
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
    methods = {
        "recall 95 %": "Wilson's interval of the class's images.",
        "precision 95 %": "Wilson's interval of the answers that name the class.",
        "F1 95 %": "Wilson's interval of the hits among the images that are of it or named so, carried over to F1.",
    }
    text = st.column_config.TextColumn
    columns = bar | {"class": text("class", width="medium")} | {name: text(help=how) for name, how in methods.items()}
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
    if told := _extremes(result):
        st.markdown(told)
    st.dataframe(rows, hide_index=True, column_config=columns, key="per_class", alt="Scores of every class")
    st.caption(
        "Recall: share of a class's images that were found. Precision: share of its answers that are right. "
        "An empty cell is undefined. 95 % intervals by Wilson; of F1, by Wilson on the cases that concern the class."
    )


def _extremes(result: ClassificationResult) -> str:
    """Which class fares best and which worst, in a sentence that says whether that may be chance."""
    known = [row for row in result.per_class if row.f1 is not None]
    if len(known) < 2:
        return ""
    known.sort(key=lambda row: row.f1)
    worst, best = known[0], known[-1]
    apart = worst.f1_interval.high < best.f1_interval.low
    told = "" if apart else " Their intervals overlap, so the order may be chance."
    return (
        f"**Best: {plain(best.label, 40)}**, F1 {measured(best.f1, best.f1_interval)}. "
        f"**Worst: {plain(worst.label, 40)}**, F1 {measured(worst.f1, worst.f1_interval)}.{told}"
    )


def best_and_worst(run: Run, dataset: Dataset | None, table: PredictionTable) -> None:
    """Of one class, the images that the model is surest of, and those that it finds least likely to be of it."""
    there = [place for place in range(len(table.classes)) if (table.truth == place).any()]
    place = st.selectbox("Class", there, 0, lambda one: table.classes[one], key=f"extremes_{run.id}", width=260)
    best, worst = extremes(table, place if place in there else there[0], MOST_EXTREME)
    for column, title, shown, key in zip(
        st.columns(2, gap="medium"),
        ("Surest of being so", "Least likely, says the model"),
        (best, worst),
        ("best", "worst"),
        strict=True,
    ):
        with column:
            st.markdown(f"**{title}**")
            if dataset is None:
                st.dataframe([vars(one) for one in shown], hide_index=True, key=f"extremes_{key}")
            elif shown:
                gallery.sheet([_extreme(dataset, one) for one in shown], f"extremes_{key}", width=104)
            else:
                st.markdown("There is only one image of this class.")
    st.caption("Under each picture: how probable the model finds its true class, and what it answered where not that.")


def _extreme(dataset: Dataset, shown: Mistake) -> tuple[Path, str, str]:
    called = f"{shown.probability_of_truth:.2f}"
    if shown.predicted != shown.truth:
        called += f" · {shorten(shown.predicted, 14)}"
    told = f"{shown.file}: {shown.truth} with {shown.probability_of_truth:.2f}, called {shown.predicted}"
    return dataset.thumbnail(dataset.sample(shown.id)), called, told


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
