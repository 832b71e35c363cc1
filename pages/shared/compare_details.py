"""What lies under a comparison: every pair, every class, the pictures runs disagree on, and what the recipes choose."""

from pathlib import Path

import streamlit as st

from core.compare.comparison import RECIPES, Comparison, Pair
from core.seeding import fingerprint
from pages.shared.cached import compare as cached
from pages.shared.compare_pictures import pictures
from pages.shared.compare_results import SCORES, method
from pages.shared.evaluate_tabs import tabs
from pages.shared.live import PLAIN_FIGURE
from pages.shared.words import bounds, field_words, plain, share, spread_words

MISSING = "–"


def details(found: Comparison, file: Path, question: str, metric: str) -> None:
    """A tab for each thing that a comparison tells besides its verdict."""
    drawn = {}
    if found.pairs:
        drawn["Every pair"] = lambda: every_pair(found, question, metric)
    if any(pair.per_class for pair in found.pairs):
        drawn["Every class"] = lambda: every_class(found, file, question)
    if found.disagreements:
        drawn["Pictures they disagree on"] = lambda: pictures(found)
    drawn["What differs"] = lambda: choices(found)
    drawn["Runs"] = lambda: runs(found)
    tabs(drawn, f"compare_tabs_{fingerprint(*drawn)}")  # other tabs, another key
    if found.pairs and not found.disagreements:
        st.caption("Pictures on which two runs disagree are looked for among 12 runs or fewer.")


def every_pair(found: Comparison, question: str, metric: str) -> None:
    """The table of differences."""
    label = dict(found.metrics)[metric]
    rows = [
        {
            "first": found.named(pair.first),
            "second": found.named(pair.second),
            "difference (points)": f"{100 * pair.value:+.1f}",
            "95 % interval": points(pair.interval),
            "p (Holm)": _p(pair.holm),
            "verdict": "beyond chance" if pair.different else "within noise",
            **({"could be missed": _missed(pair)} if question == RECIPES else {}),
        }
        for pair in found.of(question, metric)
    ]
    st.dataframe(rows, hide_index=True, key="compare_pairs", alt="Every pair with its difference")
    missed = " Could be missed: a true difference smaller than that could well have gone unnoticed."
    st.caption(
        f"The second less the first, in points of {label}. {method(question, metric)}"
        + (missed if question == RECIPES else "")
    )


def every_class(found: Comparison, file: Path, question: str) -> None:
    """What became of each class, from one run or recipe to another."""
    offered = [place for place, pair in enumerate(found.pairs) if pair.per_class and pair.question == question] or [
        place for place, pair in enumerate(found.pairs) if pair.per_class
    ]
    place = offered[0]
    if len(offered) > 1:
        place = st.selectbox(
            "From the first to the second",
            offered,
            format_func=lambda place: _told(found, found.pairs[place]),
            key=f"compare_classes_{file.stem}_{question}",
        )
    pair = found.pairs[place]
    left, right = st.columns([4, 5], gap="medium")
    drawn = cached.classes(found, file, place)
    left.plotly_chart(drawn, key="compare_class_dots", config=PLAIN_FIGURE, alt="The change of each class")
    right.dataframe(
        [
            {
                "class": change.label,
                "change (points)": MISSING if change.value is None else f"{100 * change.value:+.1f}",
                "95 % interval": points(change.interval),
                "p (Holm)": _p(change.p),
                "verdict": "beyond chance" if change.different else "within noise",
                "images": change.n,
            }
            for change in pair.per_class
        ],
        hide_index=True,
        key="compare_class_table",
        alt="The change of each class with its interval",
    )
    first, second = (plain(found.named(key), 60) for key in (pair.first, pair.second))
    st.caption(
        f"The change of {found.class_figure} from {first} to {second}. All intervals of this table hold together "
        "in 95 of 100 comparisons; a class with few images has a wide one."
    )


def choices(found: Comparison) -> None:
    """The fields in which the recipes differ."""
    if not found.choices:
        st.markdown("The recipes are the same in every choice; at most their seeds differ.")
        return
    names = [line.label for line in found.recipes]
    rows = [
        {"choice": field_words(row.path)} | {name: _value(value) for name, value in zip(names, row.values, strict=True)}
        for row in found.choices
    ]
    st.dataframe(rows, hide_index=True, key="compare_recipes", alt="The choices in which the recipes differ")
    st.caption(
        "Where several choices differ at once, no comparison says which of them made the difference: change one at a "
        "time."
        if len(found.choices) > 1
        else "One choice differs, so a difference beyond chance is due to it."
        if found.of(RECIPES, found.metrics[0][0])
        else "One choice differs. Whether it made the difference, or the seed did, takes several seeds to tell."
    )


def runs(found: Comparison) -> None:
    """Every run with its scores, and the recipes with theirs."""
    rows = []
    for line in found.runs:
        row = {"run": line.name, "recipe": found.named(line.recipe) if line.recipe else "stands apart"}
        row |= {"seed": line.seed, "epoch": line.epoch, "data": line.data}
        for score in line.scores:
            row[score.label], row[f"{score.label}, 95 %"] = share(score.value), bounds(score.interval)
        rows.append(row)
    st.dataframe(rows, hide_index=True, key="compare_run_table", placeholder=MISSING, alt="Every run with its scores")
    several = [line for line in found.recipes if len(line.runs) > 1]
    if several:
        st.dataframe(
            [
                {"recipe": line.label, "seeds": len(line.seeds)}
                | {score.label: spread_words(score.value, score.std) for score in line.scores}
                | {f"{score.label}, 95 %": bounds(score.interval) for score in line.scores}
                for line in several
            ],
            hide_index=True,
            key="compare_recipe_table",
            alt="Every recipe with several seeds",
        )
    st.caption(f"Of several seeds mean ± standard deviation. {SCORES}")


def points(interval: tuple[float, float] | None) -> str:
    """An interval of a difference in points."""
    return MISSING if interval is None else f"{100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}"


def _p(value: float | None) -> str:
    return MISSING if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _missed(pair: Pair) -> str:
    return MISSING if pair.unnoticed is None else f"{100 * pair.unnoticed:.1f}"


def _told(found: Comparison, pair: Pair) -> str:
    return f"{found.named(pair.first)} → {found.named(pair.second)}"


def _value(value: object) -> str:
    return "none" if value is None else str(value)
