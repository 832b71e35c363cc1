"""What a duel found: the verdict in words, the figures and differences behind it, and what became of each class."""

import streamlit as st

from core.figures.duel import class_differences, differences, paired_dots
from core.metrics.crossed import Crossed
from core.studies.duel import DuelTable, Gap
from core.studies.study import Study
from pages.shared.live import PLAIN_FIGURE
from pages.shared.words import count, plain, spread_words

ICONS = {"better": ":material/trending_up:", "worse": ":material/trending_down:", "no evidence": ":material/balance:"}
COLOURS = {"better": "green", "worse": "red", "no evidence": "gray"}
MISSING = "–"
FIGURE_WIDTH = 130  # pixels, for a mean and its deviation: a table keeps the widths of what it showed first


def results(study: Study, table: DuelTable) -> None:
    """The verdict, then what it rests on."""
    if not table.counted:
        st.caption("No run has finished yet.")
        return
    with st.container(key="duel_verdict", gap="xsmall"):
        st.markdown(f"##### {plain(table.verdict)}")
        for pair in table.pairs if len(table.pairs) > 1 else ():
            st.markdown(f"{_sign(pair)} {plain(pair.sentence)}".strip())
    left, right = st.columns(2)
    with left:
        dots = paired_dots(table, identity=study.id)
        told = "The score of each run, runs of one seed joined"
        st.plotly_chart(dots, key="duel_dots", config=PLAIN_FIGURE, alt=told)
    with right:
        drawn = differences(table, identity=study.id)
        st.plotly_chart(drawn, key="duel_differences", config=PLAIN_FIGURE, alt="Paired differences with intervals")
    figures = [one.label for one in table.policies[0].figures]
    st.dataframe(
        [
            {"policy": line.label, **{one.label: spread_words(one.mean, one.std) for one in line.figures}}
            for line in table.policies
        ],
        hide_index=True,
        column_config={label: st.column_config.TextColumn(width=FIGURE_WIDTH) for label in figures},
        key="duel_policies_table",
        width="content",
        alt="Mean and standard deviation of each policy over the seeds",
    )
    st.caption(
        f"Validation, each run by its best epoch: mean ± standard deviation over {count(len(table.seeds), 'seed')}. "
        f"{plain(table.caution)}"
    )
    _classes(study, table)


def columns(table: DuelTable) -> dict[str, tuple[float | None, ...]]:
    """The figures of the runs by what a table calls them, each with a value of every run in their order."""
    names = [one.label for one in table.policies[0].figures]
    return {
        name: tuple(value for line in table.policies for value in line.figures[place].values)
        for place, name in enumerate(names)
    }


def _sign(pair: Gap) -> str:
    """What the sentence of a pair says in words, as an icon before it."""
    return f":{COLOURS[pair.verdict]}[{ICONS[pair.verdict]}]" if pair.verdict else ""


def _classes(study: Study, table: DuelTable) -> None:
    """What became of each class, from one policy to another."""
    pairs = {f"{pair.first} → {pair.second}": pair for pair in table.pairs if pair.gap}
    if not pairs:
        return
    with st.expander(
        f"{table.class_figure.capitalize()} of each class", key="duel_classes", icon=":material/category:"
    ):
        name = next(iter(pairs))
        if len(pairs) > 1:
            name = st.selectbox("From one policy to another", list(pairs), key=f"duel_pair_{study.id}")
        pair = pairs[name] if name in pairs else next(iter(pairs.values()))
        left, right = st.columns(2)
        drawn = class_differences(table, pair, identity=f"{study.id} {name}")
        left.plotly_chart(drawn, key="duel_class_dots", config=PLAIN_FIGURE, alt="The change of each class")
        right.dataframe(
            [{"class": one.label, **_told(one.gap)} for one in pair.per_class],
            hide_index=True,
            key="duel_class_table",
            alt="The change of each class with its interval",
        )
        st.caption(
            "The mean over the seeds and its 95 % interval. Each interval stands for its class alone: among many "
            "classes one in twenty leaves zero by chance. A class with few images has a wide one."
        )


def _told(gap: Crossed | None) -> dict[str, str | int]:
    if gap is None:
        return {"change (points)": MISSING, "95 % interval": MISSING, "images": 0}
    return {
        "change (points)": f"{100 * gap.mean:+.1f}",
        "95 % interval": f"[{100 * gap.interval.low:+.1f}, {100 * gap.interval.high:+.1f}]",
        "images": gap.images,
    }
