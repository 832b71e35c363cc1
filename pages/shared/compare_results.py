"""What a comparison found: the verdict, the differences with their intervals, the leaderboard and the curves."""

from pathlib import Path

import streamlit as st

from core.compare.comparison import MODELS, RECIPES, Comparison, Place
from core.errors import FoveaError
from core.runs.run import RunPaths
from pages.shared import cache
from pages.shared.cached import compare as cached
from pages.shared.live import PLAIN_FIGURE
from pages.shared.words import bounds, count, plain, share, spread_words

QUESTIONS = {RECIPES: "Recipes", MODELS: "Trained networks"}
ABOUT = {
    RECIPES: "Would the recipe, trained again with other seeds, give better networks? Each has three seeds or more; "
    "the luck of seeds and of images both count.",
    MODELS: "Would this very network do better on further images like these? What another seed would have trained "
    "is no part of it.",
}
METHODS = {
    RECIPES: "Difference of the means over the seeds, on the same images. Its variance is taken apart into what other "
    "seeds and what other images would change (crossed analysis of variance); p values by Holm, intervals hold for "
    "all pairs together.",
    "accuracy": "McNemar's exact test: of the images that only one of the two has right, does one have more than "
    "chance would give it? p values by Holm, intervals hold for all pairs together.",
    "else": "Paired bootstrap: the same images are drawn again for both, and the difference is looked at in each draw. "
    "p values by Holm, intervals hold for all pairs together.",
}
SCORES = (
    "95 % interval. Accuracy: Wilson. Macro F1: the wider of resampling and the classes' own. AUROC: DeLong's variance "
    "on the scale of its logit. Dice and IoU: resampling images. Of several seeds: for other seeds and other images."
)
MOST_SENTENCES = 3


def verdict(found: Comparison) -> None:
    """The answer in a sentence, and what to keep in mind."""
    beyond = any(pair.different for pair in found.of(found.question, found.metrics[0][0]))
    icon = ":green[:material/trending_up:]" if beyond else ":gray[:material/balance:]"
    with st.container(key="compare_verdict", gap="xsmall"):
        st.markdown(f"##### {icon} {plain(found.verdict)}")
        runs = sum(not line.apart for line in found.runs)
        told = f"{count(runs, 'run')} of {count(len(found.recipes), 'recipe')}" if found.recipes else count(runs, "run")
        st.caption(f"{told} on the same {found.images:,} {found.split} images. " + " ".join(map(plain, found.cautions)))
        for line in found.runs:
            if line.apart:
                st.markdown(
                    f":orange[:material/link_off:] **{plain(line.name, 60)}** stands apart: {plain(line.apart)}"
                )


def choose(found: Comparison) -> tuple[str, str]:
    """Which question is looked at, and by which figure."""
    asked = [question for question in QUESTIONS if found.of(question, found.metrics[0][0])]
    question, metric = (found.question if found.question in asked else next(iter(asked), MODELS)), found.metrics[0][0]
    with st.container(horizontal=True, vertical_alignment="center", key="compare_choices"):
        if len(asked) > 1:
            question = st.segmented_control(
                "Question",
                asked,
                format_func=QUESTIONS.get,
                default=question,
                required=True,
                key=f"compare_question_{question}",
                label_visibility="collapsed",
            )
        offered = {name: label for name, label in found.metrics if found.of(question, name)}
        if len(offered) > 1:
            metric = st.segmented_control(
                "Figure",
                list(offered),
                format_func=offered.get,
                default=metric,
                required=True,
                key=f"compare_metric_{found.task}_{question}",
                label_visibility="collapsed",
            )
    if asked:
        st.caption(ABOUT[question])
    return question, metric


def method(question: str, metric: str) -> str:
    """How differences are judged, for a tooltip."""
    return METHODS.get(question) or METHODS.get(metric) or METHODS["else"]


def figures(found: Comparison, file: Path, question: str, metric: str) -> None:
    """The differences, and the leaderboard beside them."""
    pairs = found.of(question, metric)
    if not pairs:
        _scores(found)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Differences**", help=method(question, metric))
        drawn = cached.differences(found, file, question, metric)
        st.plotly_chart(drawn, key="compare_differences", config=PLAIN_FIGURE, alt="Differences with their intervals")
        for pair in pairs[:MOST_SENTENCES] if 1 < len(pairs) <= MOST_SENTENCES else ():
            st.caption(plain(pair.sentence))
    with right:
        places = found.ranking(question, metric)
        st.markdown(
            "**Leaderboard**",
            help="The places that each may truly have: it is beyond chance behind all that stand before them, and "
            "beyond chance ahead of all that stand after them. Lines that share places cannot be told apart.",
        )
        st.dataframe(
            [_place(found, place, metric) for place in places],
            hide_index=True,
            key="compare_board_table",
            column_config={
                "place": st.column_config.TextColumn(width=60),
                "95 % interval": st.column_config.TextColumn(help=SCORES),
            },
            alt="Leaderboard with the places that each may truly have",
        )
        st.caption(told_apart(found, places))


def told_apart(found: Comparison, places: tuple[Place, ...]) -> str:
    """Which lines of a leaderboard may be the best."""
    first = [plain(found.named(place.key), 40) for place in places if place.best == 1]
    if len(first) == len(places):
        return "None of them can be told apart from the best."
    if len(first) == 1:
        return f"{first[0]} is beyond chance better than every other one."
    return f"{', '.join(first)} cannot be told apart from the best; the others can."


def _place(found: Comparison, place: Place, metric: str) -> dict[str, str]:
    span = str(place.best) if place.best == place.worst else f"{place.best}–{place.worst}"
    score = found.score(place.key, metric)
    return {
        "place": span,
        "name": found.named(place.key),
        score.label: spread_words(score.value, score.std),
        "95 % interval": bounds(score.interval),
    }


def _scores(found: Comparison) -> None:
    """Runs side by side where none can be held against another: each with its own interval, and nothing between."""
    rows = []
    for line in found.runs:
        row = {"run": line.name, "data": line.data}
        for score in line.scores:
            row[score.label], row[f"{score.label}, 95 %"] = share(score.value), bounds(score.interval)
        rows.append(row)
    st.dataframe(rows, hide_index=True, key="compare_scores", placeholder="–", alt="Every run with its own scores")


def curves(found: Comparison) -> None:
    """How the recipes learned, over one another."""
    groups: dict[str, list[RunPaths]] = {}
    for line in found.runs:
        if not line.scores:
            continue
        name = found.named(line.recipe) if line.recipe else line.name
        try:
            groups.setdefault(name, []).append(cache.store().paths(line.id))
        except FoveaError:
            continue  # deleted since
    if not groups:
        return
    st.subheader("How they learned")
    score, loss = cached.curves(groups, found.task)
    left, right = st.columns(2, gap="medium")
    left.plotly_chart(score, key="compare_curve_score", config=PLAIN_FIGURE, alt="Validation score of every recipe")
    right.plotly_chart(loss, key="compare_curve_loss", config=PLAIN_FIGURE, alt="Validation loss of every recipe")
    if len(groups) < sum(map(len, groups.values())):
        st.caption(
            "Of a recipe with several seeds the line is their mean; the band goes from the lowest to the highest."
        )
