"""A run among its repeats, on Evaluate: what its recipe gave with other seeds and on other folds, or how to know."""

from collections.abc import Iterator

import streamlit as st

from core.data.dataset import Dataset
from core.errors import FoveaError
from core.figures.repeats import score_dots
from core.recipe import SCORES, Recipe, diff
from core.runs.store import Run
from core.studies.repeats import KINDS, RepeatTable, standing
from core.studies.study import Study
from pages.shared import cache, repeats, studies
from pages.shared.live import PLAIN_FIGURE
from pages.shared.pickers import or_stop
from pages.shared.words import bounds, count, plain, share, spread_words

VARIED = ("seed", "folds", "fold", "name", "preset", "dataset", "tracker")  # fields that make no other recipe
OFFERS = {"seeds": "Other seeds", "folds": "Folds"}


def panel(run: Run, dataset: Dataset | None) -> None:
    """The seed and fold tables that this run's recipe is in, and the buttons that have another one made."""
    mine = list(repeats_of(run))
    if not mine:
        st.caption(
            "One run is one draw: other seeds draw another head and another order of the images, other folds hold out "
            "other images. Repeats tell how far chance moves the figures."
        )
    for study in mine:
        _table(run, study)
    if dataset is not None:
        _offer(run, dataset)


def repeats_of(run: Run) -> Iterator[Study]:
    """The studies of seeds and folds that this run is one of, and those of its recipe and data, newest first."""
    for study in cache.studies():
        if study.kind not in KINDS:
            continue
        member = any(one.run == run.id for one in study.members)
        if member or (study.recipe.dataset == run.facts.dataset and same_recipe(study.recipe, run.recipe)):
            yield study


def same_recipe(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes differ in nothing but seed and fold."""
    return all(row.path in VARIED for row in diff(one, other))


def _table(run: Run, study: Study) -> None:
    states = {line.id: line.state for line in cache.runs()}
    with or_stop():
        table, pending = cache.study_table(study, states)
    now = standing(study, states)
    with st.container(border=True, key=f"repeat_{study.id}"):
        if not isinstance(table, RepeatTable) or not table.counted:
            told = "adding up what the runs say …" if pending else f"{now.finished} of {now.planned} runs finished."
            st.markdown(f"**{plain(study.name, 80)}** · {told}")
        else:
            st.markdown(_sentence(run, study, table))
            left, right = st.columns([3, 2])
            with left:
                st.dataframe(
                    [
                        {
                            "figure": one.label,
                            "mean ± std": spread_words(one.mean, one.std),
                            "95 % interval of the mean": bounds(one.interval) or "–",
                            "runs": one.n,
                        }
                        for one in table.figures
                    ],
                    hide_index=True,
                    key=f"repeat_figures_{study.id}",
                    alt="Mean and standard deviation over the runs",
                )
                st.caption(plain(table.caution))
            drawn = score_dots(table, identity=f"{study.id} evaluate")
            told = "The score of each run and their mean"
            right.plotly_chart(drawn, key=f"repeat_scores_{study.id}", config=PLAIN_FIGURE, alt=told)
        if st.button("Open the study", key=f"repeat_open_{study.id}", icon=":material/folder_open:"):
            studies.hold(study)
            st.switch_page("pages/runs.py")


def _sentence(run: Run, study: Study, table: RepeatTable) -> str:
    """How this run stands among its repeats, in words."""
    score = table.figures[0]
    what = "folds" if study.kind == "folds" else "seeds"
    told = f"**{plain(score.label)} {spread_words(score.mean, score.std)}** over {count(table.counted, 'run')}"
    told += f" with other {what} (validation; 95 % interval of the mean {plain(bounds(score.interval)) or '–'})."
    own = run.status.best.get(SCORES[run.recipe.task])
    if own is None or score.mean is None or not score.std:
        return told
    away = (own - score.mean) / score.std
    where = "like most of them" if abs(away) < 1 else f"{abs(away):.1f} standard deviations {_side(away)} their mean"
    lucky = " Report the mean, not this one." if away >= 1 else ""
    return f"{told} This run has {share(own)}, {where}.{lucky}"


def _side(away: float) -> str:
    return "above" if away > 0 else "below"


def _offer(run: Run, dataset: Dataset) -> None:
    """Another table for this recipe."""
    more = st.expander("Train this recipe again", key="repeat_offer", icon=":material/replay:", on_change="rerun")
    if not more.open:
        return
    with more:
        kind = st.segmented_control(
            "With", list(OFFERS), format_func=OFFERS.get, default="seeds", required=True, key="repeat_kind"
        )
        recipe = run.recipe.model_copy(update={"folds": 0, "fold": 0, "name": ""})
        try:
            data = cache.dataset(run.facts.dataset, run.facts.revision)
        except FoveaError:
            data = dataset
        repeats.repeats(recipe, data, kind)
