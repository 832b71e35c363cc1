"""The price of leakage: what copies of judged pictures among the training pictures were worth, in words and figures."""

import streamlit as st

from core.metrics.crossed import Crossed
from core.studies.leakage import Price
from core.studies.study import Study
from pages.shared import duel_results
from pages.shared.words import count, plain

HELP = (
    "The mean over the seeds of the paired difference, image by image. The 95 % interval counts what other seeds and "
    "other validation images would change (two random factors, crossed)."
)


def results(study: Study, price: Price) -> None:
    """The price in a sentence, who pays it, and what it rests on."""
    if not price.duel.counted:
        st.caption("No run has finished yet.")
        return
    st.markdown(f"##### {plain(price.sentence)}")
    if price.gap:
        split(price)
    with st.expander("Both sides, seed by seed", key=f"leakage_sides_{study.id}", icon=":material/balance:"):
        duel_results.results(study, price.duel)


def split(price: Price) -> None:
    """The price over all validation images, over the known ones, which pay it, and over the others."""
    parts = {
        "all validation images": (price.gap, price.judged),
        "known from training": (price.of_known, price.known),
        "new": (price.of_new, price.judged - price.known),
    }
    with st.container(key="leakage_price"), st.grid(3, min_column_width=190):
        for label, (gap, images) in parts.items():
            value, between = _points(gap)
            told = f"{count(images, 'image')}. {HELP}"
            st.metric(label, value, delta=between, delta_color="off", delta_arrow="off", help=told)
    st.caption(
        f"Points of {plain(price.duel.score)}, with the copies less without, at {count(price.gap.seeds, 'seed')}. "
        "What the known images gain is memory; the new ones say whether the copies taught anything."
    )


def _points(gap: Crossed | None) -> tuple[str, str | None]:
    if gap is None:
        return "–", None
    low, high = gap.interval
    return f"{100 * gap.mean:+.1f}", f"[{100 * low:+.1f}, {100 * high:+.1f}]"
