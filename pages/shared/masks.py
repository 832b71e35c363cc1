"""How masks are laid over pictures, and the classes in a picture."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from core.data.dataset import Dataset, Sample
from core.data.incoming import Proposal
from core.metrics.segmentation import background_of
from pages.shared.words import legend

OUTLINE, FILL, OFF = "contour", "fill", "off"
STYLES = {OUTLINE: "Outlines", FILL: "Filled", OFF: "No masks"}


def style_widget(key: str, *, off: bool = True, start: str = OUTLINE, titled: bool = False) -> str:
    """Whether masks are drawn as outlines or filled, or, where that is offered, not at all; `start` at first."""
    styles = [style for style in STYLES if off or style != OFF]
    chosen = st.segmented_control(
        "Masks",
        styles,
        format_func=STYLES.get,
        default=start,
        required=True,
        key=key,
        label_visibility="visible" if titled else "collapsed",
        persist_state="session",
        width="content",
    )
    return chosen if chosen in styles else start


def mask_legend(classes: Sequence[str]) -> None:
    """The colours of the classes; the background has none, as it is never drawn."""
    ground = background_of(classes)
    st.markdown(f":small[{legend(classes, [index for index in range(len(classes)) if index != ground])}]")


def held(data: Dataset | Proposal, sample: Sample) -> str:
    """The names of what is in a picture: its class, or the classes in its mask without the background."""
    ground = background_of(data.classes) if sample.label < 0 else None
    things = [data.classes[index] for index in sample.holds if 0 <= index != ground]
    return ", ".join(things) or ("background only" if ground in sample.holds else "no class")


def rarest(samples: Sequence[Sample]) -> list[int]:
    """For each sample the class in it that the fewest of them have: what it shows that others do not; -1 for none."""
    counted = Counter(index for sample in samples for index in sample.holds)
    return [min(sample.holds, key=lambda index: (counted[index], index), default=-1) for sample in samples]
