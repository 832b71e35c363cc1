"""What is wrong with a report: the files it was made of, or a run, and the cause with its evidence."""

import json

import streamlit as st

from core.errors import FoveaError
from core.evaluate.classification import ClassificationResult
from core.figures.confusion import confusion_matrix
from core.integrity.autopsy.verdict import Autopsy, Cause
from core.runs.seal import openings
from pages.shared import cache
from pages.shared.cached import autopsy as cached
from pages.shared.live import PLAIN_FIGURE
from pages.shared.pickers import or_stop, run_lines
from pages.shared.words import bounds, plain, sentence, share

MOST_MEGABYTES = 50
KINDS = ["csv", "tsv", "txt", "npy"]
FILES, RUN = "files", "run"
WAYS = {FILES: ":material/upload_file: Files", RUN: ":material/list_alt: A run"}
HEADLINES: dict[Cause, str] = {
    "sound": "Nothing wrong found",
    "shuffled": "Truth and answers are in different orders",
    "shifted": "The answers are shifted against the truth",
    "permuted-classes": "A class number means one class in the truth and another in the answers",
    "truncated": "Some rows are missing at the end",
    "repeated": "The truth is repeated",
    "constant": "Every answer is the same class",
    "chance": "No better than guessing, and not by mixed-up rows",
    "leaked": "The model learned from pictures that it is judged on",
}
ICONS: dict[Cause, str] = {"sound": ":material/verified:", "leaked": ":material/warning:"}


def autopsy() -> None:
    """Ask for the files or a run, and tell what is found."""
    way = st.segmented_control(
        "What to look at",
        list(WAYS),
        format_func=WAYS.get,
        default=FILES,
        required=True,
        key="autopsy_way",
        label_visibility="collapsed",
    )
    found = _of_a_run() if way == RUN else _of_files()
    if found is not None:
        _tell(found)


def _of_files() -> Autopsy | None:
    left, right = st.columns(2, gap="medium")
    truth = left.file_uploader(
        "What was true (y_true)",
        KINDS,
        key="autopsy_truth",
        max_upload_size=MOST_MEGABYTES,
        help="One label a row, as CSV or npy: class names or numbers, with a header or without, with ids or without. "
        "A table that holds truth and answers may be dropped here alone.",
    )
    predicted = right.file_uploader(
        "What was predicted (y_pred), or the probabilities",
        KINDS,
        key="autopsy_predicted",
        max_upload_size=MOST_MEGABYTES,
        help="One answer a row, or one column of probabilities a class.",
    )
    with st.expander("If you have them: the order of the classes, the lists of files", key="autopsy_more"):
        named = st.text_input(
            "Classes in the order of their numbers, separated by commas",
            key="autopsy_classes",
            placeholder="cat, dog, horse",
            help="Where answers are numbers and classes have names, this says which number is which.",
        )
        left, right = st.columns(2, gap="medium")
        lists = {
            name: place.file_uploader(title, ["csv", "tsv", "txt"], key=f"autopsy_{name}", max_upload_size=20)
            for place, name, title in (
                (left, "training", "Files the model learned from, one a line"),
                (right, "evaluated", "Files it was evaluated on, one a line"),
            )
        }
    if truth is None:
        st.caption(
            "Nothing is kept of what you drop here. No files at hand? See *A lesson*, or look at a run of your own."
        )
        return None
    sent = {"truth": truth, "predicted": predicted, **lists}
    files = {name: (file.name, file.getvalue()) for name, file in sent.items() if file is not None}
    classes = tuple(name.strip() for name in named.split(",") if name.strip())
    try:
        with st.spinner("Looking", show_time=True):
            return cached.verdict_on_files(files, classes)
    except FoveaError as error:
        if predicted is None:  # it was worth a try: some tables hold both
            st.info(f"{sentence(error)} Or drop what was predicted on the right.", icon=":material/upload_file:")
        else:
            st.error(sentence(error))
        return None


def _of_a_run() -> Autopsy | None:
    runs = {run.id: run for run in cache.runs() if run.task == "classification" and run.best}
    if not runs:
        st.caption("There is no trained classifier here yet.")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", key="autopsy_run_bar"):
        id = st.selectbox(
            "Run",
            list(runs),
            format_func=run_lines(runs).get,
            key="autopsy_run",
            persist_state="session",
            label_visibility="collapsed",
        )
        id = id if id in runs else next(iter(runs))
        opened = bool(openings(cache.store().paths(id)))
        split = st.segmented_control(
            "Split",
            ["validation", "test"] if opened else ["validation"],
            default="validation",
            required=True,
            key="autopsy_split",
            label_visibility="collapsed",
            help=None if opened else "The test split of this run is sealed.",
        )
    with or_stop(), st.spinner("Looking", show_time=True):
        return cached.verdict_on_run(id, split)


def _tell(found: Autopsy) -> None:
    """The verdict, what it rests on, and the two reports."""
    with st.container(border=True, key="autopsy_verdict"):
        icon = ICONS.get(found.verdict, ":material/troubleshoot:")
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(f"{icon} {HEADLINES[found.verdict]}", anchor=False, width="content")
            st.badge(
                "confidence " + ("over 99%" if found.confidence > 0.99 else f"{found.confidence:.0%}"),
                color="green" if found.confidence >= 0.95 else "orange" if found.confidence >= 0.7 else "gray",
                help="How probable this cause is among all those considered, given these rows.",
            )
        st.markdown(plain(found.explanation))
        if not found.enough:
            st.warning("There are too few rows for a firm verdict: take it as a hint.", icon=":material/info:")
        if found.also:
            others = "; ".join(f"{HEADLINES[other.verdict].lower()} ({other.weight:.0%})" for other in found.also)
            st.caption(f"What fits as well: {plain(others)}.")
    _reports(found)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.markdown("**What speaks for it**")
        with st.container(key="autopsy_evidence", gap="xsmall"):
            for row in found.evidence:
                st.markdown(f"{plain(row.label)}: **{plain(row.value)}**  \n:small[:gray[{plain(row.meaning)}]]")
    with right:
        if found.code:
            st.markdown("**The line that mends it**")
            st.code(found.code, "python", wrap_lines=True)
        st.markdown("**What this cannot know**")
        st.markdown("".join(f"- {plain(told)}\n" for told in found.cannot_know) or "–")
    for note in found.notes:
        st.caption(plain(note))
    st.download_button(
        "This autopsy (JSON)",
        json.dumps(found.to_json(), indent=1),
        "autopsy.json",
        "application/json",
        key="autopsy_json",
        icon=":material/download:",
        on_click="ignore",
    )


def _reports(found: Autopsy) -> None:
    """The report as it was given, and beside it the one after the repair, where there is one."""
    if found.corrected is None:
        left, right = st.columns([2, 3], gap="medium")
        with left:
            _numbers(found.as_given, None, "given")
        with right:
            _matrix(found.as_given, "given")
        return
    for place, title, result, before in zip(
        st.columns(2, gap="medium"),
        ("As given", "After the repair"),
        (found.as_given, found.corrected),
        (None, found.as_given),
        strict=True,
    ):
        with place:
            st.markdown(f"**{title}**")
            _numbers(result, before, title)
            _matrix(result, title)


def _numbers(result: ClassificationResult, before: ClassificationResult | None, key: str) -> None:
    told = {
        "accuracy": (result.accuracy, result.interval, "Share of rows named rightly; 95 % interval (Wilson)."),
        "macro F1": (
            result.macro_f1,
            result.macro_f1_interval,
            "Mean F1 of the classes; 95 % interval (the wider of resampling and the classes' own).",
        ),
    }
    with st.container(key=f"autopsy_numbers_{key.split()[0].lower()}"), st.grid(3, min_column_width=120):
        for label, (value, interval, help) in told.items():
            st.metric(
                label,
                share(value),
                delta=bounds(interval),
                delta_color="off" if before is None else "green",
                delta_arrow="off",
                help=help,
            )
        st.metric("rows", f"{result.n:,}")


def _matrix(result: ClassificationResult, key: str) -> None:
    st.plotly_chart(
        confusion_matrix(result.confusion, result.classes),
        key=f"autopsy_matrix_{key.split()[0].lower()}",
        config=PLAIN_FIGURE,
        alt=f"Confusion matrix, {key.lower()}",
    )
