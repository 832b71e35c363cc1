"""A hypothesis: written on the Train page before a run begins, scored and shown wherever the run is looked at."""

from concurrent.futures import Future

import streamlit as st

from core.compare.hypothesis import current_score, is_due
from core.data.dataset import Dataset
from core.errors import FoveaError
from core.metrics.parts import metrics_of
from core.recipe import Recipe
from core.runs.hypothesis import LONGEST_TEXT, MOST_POINTS, NEAR, Hypothesis, HypothesisScore, Verdict
from core.runs.run import RunPaths
from core.runs.store import Run
from core.runs.summary import RunSummary
from pages.shared import cache
from pages.shared.cached.hypotheses import Key, scorings
from pages.shared.technique_form import part
from pages.shared.words import bounds, failure, measured, moment, plain, sentence

SCORE = "core.compare.hypothesis:score_hypothesis"
SECONDS = 0.5  # between looks at a scoring at work
MOST_KEPT = 64  # answers of the desk
MOST_RUNS = 200  # newest ones of the dataset, to measure against
NOTHING, VALUE = "", "value"  # instead of a direction: no hypothesis; instead of a run: a fixed value
DIRECTION, METRIC, LABEL, LEAST, AGAINST, THRESHOLD, TEXT = (
    f"guess_{name}" for name in ("direction", "metric", "label", "least", "against", "threshold", "text")
)
GONE = "guess_gone"  # whether the fields are to be empty when they are drawn next
DIRECTIONS = {
    NOTHING: "No hypothesis",
    "raises": "It will raise",
    "lowers": "It will lower",
    "keeps": "It will not change",
}
ICONS = {
    Verdict.CAME_TRUE: ":green[:material/check_circle:]",
    Verdict.DID_NOT: ":red[:material/cancel:]",
    Verdict.NOISE: ":orange[:material/waves:]",
    Verdict.UNJUDGED: ":gray[:material/help:]",
}
WHY = (
    "Write down what you expect before you know, and Fovea scores it afterwards. It cannot be changed once the run has "
    "begun."
)


def form(dataset: Dataset, recipe: Recipe) -> Hypothesis | None:
    """The fields of a hypothesis about the next run; None unless one is written, or where it says nothing yet."""
    _settle(dataset, recipe)
    direction = st.session_state.get(DIRECTION) or NOTHING
    with part("Hypothesis", [DIRECTIONS[direction].lower()], "train_guess_part", "lightbulb"):
        st.caption(WHY)
        with st.grid(3, min_column_width=170):
            direction = st.selectbox(
                "What will happen", list(DIRECTIONS), format_func=DIRECTIONS.get, key=DIRECTION, persist_state="session"
            )
            if direction == NOTHING:
                return None
            rows = {row.name: row.label for one in (False, True) for row in metrics_of(recipe.task, of_class=one)}
            of_class = {row.name for row in metrics_of(recipe.task, of_class=True)}
            labels = {name: f"{label} of a class" if name in of_class else label for name, label in rows.items()}
            metric = st.selectbox("The figure", list(rows), format_func=labels.get, key=METRIC, persist_state="session")
            label = ""
            if metric in of_class:
                label = st.selectbox("Of the class", list(dataset.classes), key=LABEL, persist_state="session")
            told = {
                "raises": "by at least (points)",
                "lowers": "by at least (points)",
                "keeps": "by more than (points)",
            }
            least = st.number_input(
                told[direction],
                0.1 if direction == "keeps" else 0.0,
                MOST_POINTS,
                step=0.5,
                format="%g",
                key=LEAST,
                help="A point is a hundredth: from 0.90 to 0.92 are two.",
                persist_state="session",
            )
            runs = _baselines(dataset, recipe)
            against = {run.id: _line(run) for run in runs} | {VALUE: "A fixed value"}
            chosen = st.selectbox(
                "Against", list(against), format_func=against.get, key=AGAINST, persist_state="session"
            )
            if chosen == VALUE:
                value = st.number_input(
                    "The value", 0.0, 1.0, step=0.01, format="%.3f", key=THRESHOLD, persist_state="session"
                )
        text = st.text_area(
            "In your own words",
            key=TEXT,
            max_chars=LONGEST_TEXT,
            height=72,
            placeholder="What is different this time, and why it should do that",
            persist_state="session",
        )
        name = next((run.name for run in runs if run.id == chosen), "")
        fixed = chosen == VALUE
        hypothesis = Hypothesis(
            metric=metric,
            direction=direction,
            label=label,
            least=least,
            baseline="" if fixed else chosen,
            baseline_name=name,
            threshold=value if fixed else None,
            text=text,
        )
        try:
            hypothesis = hypothesis.checked(recipe.task, dataset.classes)
        except FoveaError as error:
            st.error(sentence(error))
            return None
        st.markdown(f":material/lightbulb: **{plain(hypothesis.sentence)}** On the validation images.")
    return hypothesis


def forget() -> None:
    """The hypothesis went with its run; the next run begins without one."""
    st.session_state[GONE] = True  # the fields themselves can be emptied only before they are drawn


def _settle(dataset: Dataset, recipe: Recipe) -> None:
    """Let every field hold what there is to choose: data and task may have changed since."""
    held = st.session_state
    if held.pop(GONE, False):
        held[DIRECTION], held[TEXT] = NOTHING, ""
    held.setdefault(LEAST, NEAR if held.get(DIRECTION) == "keeps" else 0.0)
    if held.get(DIRECTION) == "keeps" and not held[LEAST]:
        held[LEAST] = NEAR
    held.setdefault(THRESHOLD, 0.9)
    metrics = [row.name for one in (False, True) for row in metrics_of(recipe.task, of_class=one)]
    for key, options in (
        (METRIC, metrics),
        (LABEL, list(dataset.classes)),
        (AGAINST, [run.id for run in _baselines(dataset, recipe)] + [VALUE]),
    ):
        if held.get(key) not in options:
            held[key] = options[0]


def _line(run: RunSummary) -> str:
    """A run of the same data in one line of plain text."""
    return " · ".join([run.name, measured(run.score, run.interval), moment(run.created)])


def _baselines(dataset: Dataset, recipe: Recipe) -> list[RunSummary]:
    """Runs of the same data and task to measure against, newest first."""
    there = (
        run
        for run in cache.runs()
        if run.dataset == dataset.id and run.task == recipe.task and run.best and not run.labels.archived
    )
    return [run for run, _ in zip(there, range(MOST_RUNS), strict=False)]


def panel(run: Run) -> None:
    """The hypothesis of a run and what became of it; nothing where it began without one."""
    hypothesis = run.facts.hypothesis
    if hypothesis is None:
        return
    with st.container(border=True, key="hypothesis"):
        written = f"written before the run began, {moment(run.facts.created)}"
        st.markdown(f":material/lightbulb: **{plain(hypothesis.sentence)}** :small[:gray[{plain(written)}]]")
        if hypothesis.text:
            st.caption(f"“{plain(hypothesis.text)}”")
        score = current_score(cache.store(), run)
        if score is None and not is_due(run):
            st.caption("It is scored when the run has ended.")
            return
        if score is None:
            score = _asked(run)
        if score is not None:
            verdict(score)


def verdict(score: HypothesisScore) -> None:
    """What became of a hypothesis, with what the figures cannot know."""
    told = f"Found by {score.method} on {score.n:,} validation images." if score.method else None
    st.markdown(f"{ICONS[score.verdict]} {plain(score.sentence)}", help=told)
    if score.interval is not None and score.against is not None and score.baseline_checkpoint:
        st.caption(f"Its own 95 % interval: {plain(bounds(score.interval))}.")
    if score.caution:
        st.caption(plain(score.caution))


def _asked(run: Run) -> HypothesisScore | None:
    """What the desk says; None while it is at it, and then the page looks again by itself."""
    work = _work(run)
    if not work.done():
        _watch(run)
        return None
    error = work.exception()
    if error is None:
        return work.result()
    scorings().pop(_key(run), None)  # the next look asks anew
    st.error(f"It could not be scored. {failure(error)}")
    return None


@st.fragment(run_every=SECONDS)
def _watch(run: Run) -> None:
    if _work(run).done():
        cache.forget_runs()
        st.rerun()
    st.caption("It is being scored …")


def _work(run: Run) -> Future:
    known = scorings()
    key = _key(run)
    if key not in known:
        for old in list(known)[: -MOST_KEPT or None]:
            known.pop(old, None)
        known[key] = cache.desk().submit(SCORE, str(cache.workspace().root), run.id)
    return known[key]


def _key(run: Run) -> Key:
    baseline = run.facts.hypothesis.baseline
    other = RunPaths(cache.workspace().runs / baseline).best if baseline else run.paths.best
    return run.id, cache.stamp_of(run.paths.best), cache.stamp_of(other)
