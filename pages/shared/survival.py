"""What survives a policy: whether a trained model still recognises pictures once they were varied."""

from itertools import islice

import streamlit as st

from core.augment.catalog import resolve
from core.data.dataset import Dataset
from core.predict.survived import Kept, LostPicture, Survival
from core.recipe import AugmentChoice
from core.runs.summary import RunSummary
from pages.shared import cache, gallery
from pages.shared.pickers import MOST_RUNS, or_stop, run_lines
from pages.shared.words import count, plain, share

RUN, PICTURES, ASKED = "survival_run", "survival_pictures", "survival_asked"
VARIANTS = 4  # of each picture
MUCH, SOME = 0.9, 0.75  # shares that survive, below which a policy is watched, or warned of


def survival(dataset: Dataset, label: str, choice: AugmentChoice, seed: int) -> None:
    """Ask a model that was trained on these pictures; what it says of the policy, its rows and single pictures."""
    mine = (run for run in cache.runs() if run.best and run.dataset == dataset.id and not run.labels.archived)
    runs = {run.id: run for run in islice(mine, MOST_RUNS)}
    if not runs:
        st.caption(
            "A policy can change a picture so much that its label is no longer true. A model that was trained on these "
            "pictures can tell: train one first, half a minute is enough."
        )
        return
    st.caption(
        "Validation pictures that a trained model recognises are varied, and it looks again. What it loses is what to "
        "look at: either it never learned such pictures, or nothing is left to be recognised."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="survival_bar"):
        run = runs[_run_widget(runs)]
        number = st.select_slider("Pictures", (12, 24, 48, 96), 24, key=PICTURES, persist_state="session", width=180)
        rows = [row.model_dump(mode="json") for row in resolve(choice)]
        asked = [run.id, dataset.reference, rows, int(number), seed]
        go = st.button(
            "Look again" if st.session_state.get(ASKED) else "Look",
            type="primary",
            key="survival_go",
            icon=":material/visibility:",
        )
    if not rows:
        st.caption("This policy changes nothing, so everything survives it.")
        return
    if go:
        st.session_state[ASKED] = asked
    if st.session_state.get(ASKED) != asked:
        return
    with or_stop(), st.spinner("Looking at the variants", show_time=True):
        found = cache.survival(dataset, run.id, resolve(choice), int(number), VARIANTS, seed)
    _tell(found, label)


def _run_widget(runs: dict[str, RunSummary]) -> str:
    if st.session_state.get(RUN) not in runs:
        st.session_state[RUN] = next(iter(runs))
    chosen = st.selectbox("Asked", list(runs), format_func=run_lines(runs).get, key=RUN, persist_state="session")
    return chosen if chosen in runs else next(iter(runs))


def _tell(found: Survival, label: str) -> None:
    left = found.overall.share
    show = st.info if left is None else st.success if left >= MUCH else st.info if left >= SOME else st.warning
    show(f"**{plain(label)}**: {plain(found.sentence)}")
    if left is None:
        return
    rows, classes = st.columns(2, gap="medium")
    with rows:
        lines = [_line("transform", row.label, row.kept) for row in found.rows]
        st.caption("Each transform alone, done to every picture")
        st.dataframe(lines, hide_index=True, column_config=_SHARES, key="survival_rows")
    with classes:
        st.caption("The whole policy, by class")
        lines = [_line("class", name, kept) for name, kept in found.classes.items()]
        st.dataframe(lines, hide_index=True, column_config=_SHARES, key="survival_classes")
    if found.lost:
        st.caption("Lost under the whole policy, the most lost first: each picture, and what was made of it")
        _pairs(found.lost, "policy")
    for place, row in enumerate(found.rows):
        if row.lost and len(found.rows) > 1:
            told = f"Lost by {row.label} alone: {count(row.kept.of - row.kept.kept, 'variant')} of {row.kept.of}"
            with st.expander(plain(told), key=f"survival_row_{place}"):
                _pairs(row.lost, str(place))


_SHARES = {"survive": st.column_config.ProgressColumn("survive", format="%.0f%%", min_value=0, max_value=100)}


def _line(kind: str, name: str, kept: Kept) -> dict:
    low, high = kept.interval or (None, None)
    between = "–" if low is None else f"{low:.0%} to {high:.0%}"
    survive = None if kept.share is None else 100 * kept.share
    return {kind: name, "survive": survive, "95 %": between, "variants": kept.of}


def _pairs(lost: tuple[LostPicture, ...], key: str) -> None:
    pictures = []
    for one in lost:
        became = f"now {one.answer}" if one.answer else "now lost"
        pictures.append((one.original, f"{one.truth} {share(one.before)}", f"{one.truth}: {one.name}, as it is"))
        pictures.append((one.variant, f"{became} ({one.truth} {share(one.after)})", f"{one.name}, varied: {became}"))
    gallery.sheet(pictures, f"survival_{key}", width=104)
