"""A lesson: how a good model gets a report that reads like guessing, by one line, and how to see it."""

import streamlit as st

from core.figures.confusion import confusion_matrix
from core.integrity.lesson import SEED as FIRST_SHUFFLING
from core.integrity.lesson import Replay
from pages.shared import cache
from pages.shared.cached import autopsy as cached
from pages.shared.live import PLAIN_FIGURE
from pages.shared.pickers import or_stop, run_lines
from pages.shared.words import bounds, plain, shorten

SHUFFLED, SEED, SOURCE = "lesson_shuffled", "lesson_seed", "lesson_source"

KERAS = """
test = images.flow_from_directory("test", class_mode="categorical", {line})  {mark}
predicted = model.predict(test).argmax(axis=1)   # answers, in the order the pictures were drawn
print(classification_report(test.classes, predicted))   # labels, in the order of the folder
"""
TORCH = """
loader = DataLoader(test, batch_size=32, {line})  {mark}
predicted = torch.cat([model(images).argmax(1) for images, _ in loader])   # in the order of the loader
print(classification_report(test.targets, predicted))   # in the order of the folder
"""
MARK = "# <- this one word"


def lesson() -> None:
    """The switch, and what it does to the report."""
    st.markdown(
        "A student trained a model of endoscopy pictures to **0.92** on validation, printed a test report of **0.11**, "
        "and concluded that the model *did not generalise*. The model was fine. Move the switch."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="lesson_bar"):
        shuffled = st.toggle(
            "Shuffle the pictures while the model answers", key=SHUFFLED, persist_state="session", width="content"
        )
        if shuffled:
            st.button("Shuffle again", key="lesson_again", icon=":material/shuffle:", on_click=_again)
        run = _source()
    seed = FIRST_SHUFFLING + st.session_state.get(SEED, 0)
    with or_stop(), st.spinner("Counting"):
        right = cached.replay(run, "validation", shuffled=False, seed=0)
        shown = cached.replay(run, "validation", shuffled=True, seed=seed) if shuffled else right
    _report(shown, right, shuffled)
    _code(shuffled)
    _rows(shown)
    with st.expander("Why nothing complains, and what would have told", icon=":material/lightbulb:", expanded=shuffled):
        _why(run, seed, shuffled)


def _again() -> None:
    st.session_state[SEED] = st.session_state.get(SEED, 0) + 1


def _source() -> str:
    """The id of a run whose stored answers are replayed; "" for the report of the lesson."""
    runs = {
        run.id: run
        for run in cache.runs()
        if run.task == "classification" and run.best and cache.store().paths(run.id).predictions("validation").exists()
    }
    if not runs:
        return ""
    names = {"": "The report on Kvasir, drawn again"} | run_lines(runs)
    if st.session_state.get(SOURCE) not in names:
        st.session_state[SOURCE] = ""
    return st.selectbox("Replay", list(names), format_func=names.get, key=SOURCE, persist_state="session")


def _report(shown: Replay, right: Replay, shuffled: bool) -> None:
    result = shown.result
    left, middle = st.columns([2, 3], gap="medium")
    with left:
        with st.container(key="lesson_numbers"), st.grid(2, min_column_width=130):
            st.metric(
                "accuracy",
                f"{result.accuracy:.0%}",
                delta=bounds(result.interval),
                delta_color="off",
                delta_arrow="off",
                help="Share of pictures named rightly; 95 % interval (Wilson).",
            )
            st.metric(
                "by guessing",
                f"{1 / len(result.classes):.1%}",
                delta=f"{len(result.classes)} classes",
                delta_color="off",
                delta_arrow="off",
                help="The share that answers drawn by lot would get right, were all classes equally frequent.",
            )
        if shuffled:
            st.error(
                f"The same model, the same pictures, the same answers: {right.result.accuracy:.0%} became "
                f"{result.accuracy:.0%}. Only the order of the rows differs.",
                icon=":material/shuffle:",
            )
        else:
            st.success(
                f"Each answer stands beside the label of its own picture: {result.accuracy:.0%}.",
                icon=":material/check:",
            )
    with middle:
        figure = confusion_matrix(result.confusion, result.classes)
        figure.update_layout(uirevision="lesson")
        st.plotly_chart(figure, key="lesson_matrix", config=PLAIN_FIGURE, alt="Confusion matrix of the lesson")


def _code(shuffled: bool) -> None:
    st.markdown("**The line that does it**")
    keras, torch = st.tabs(["Keras", "PyTorch"], key="lesson_code")
    line, mark = f"shuffle={shuffled}", MARK if shuffled else MARK.replace("<-", "<- right:")
    keras.code(KERAS.format(line=line, mark=mark).strip(), "python", wrap_lines=True)
    torch.code(TORCH.format(line=line, mark=mark).strip(), "python", wrap_lines=True)


def _rows(shown: Replay) -> None:
    st.caption("What was compared, a few rows of it:")
    st.dataframe(
        [
            {
                "truth": shorten(row.truth, 40),  # a phone shows the first two
                "answer": shorten(row.answer, 40),
                "picture": shorten(row.file, 60),
                "the answer is about": shorten(row.answered, 60),
            }
            for row in shown.rows
        ],
        hide_index=True,
        key="lesson_rows",
        alt="A few rows of truth and answer, and the picture that each answer is about",
    )


def _why(run: str, seed: int, shuffled: bool) -> None:
    st.markdown(
        "- There are as many answers as labels, so no length is wrong. \n"
        "- Each class is answered as often as before, so no class looks strange. \n"
        "- Only the *pairs* are wrong: whatever a picture is, each answer is as likely as for any other picture. That "
        "is what *independent* means, and it can be tested: hardly any model that has learned something is that bad. \n"
        "- In Fovea label and answer are columns of one table, written row by row, so they cannot drift apart."
    )
    if shuffled:
        with or_stop():
            found = cached.verdict_on_replay(run, "validation", seed)
        st.markdown(f"**What the autopsy says of this report:** {plain(found.explanation)}")
