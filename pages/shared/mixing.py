"""MixUp and CutMix on the Augment page: pictures mixed two by two, each with the share of every class in its label."""

import streamlit as st

from core.data.dataset import Dataset
from core.recipe import MixChoice
from pages.shared import cache, fields, gallery, recipe_form
from pages.shared.pickers import or_stop

KINDS = {"mixup": "MixUp: blended", "cutmix": "CutMix: a piece put in", "both": "Either of them"}
ON, KIND, ALPHA = "mix_on", "mix_kind", "mix_alpha"
PICTURES = 8
USUAL = 0.4  # alpha of the Beta law of shares


def mixing(dataset: Dataset, seed: int) -> None:
    """Pictures of different classes mixed as training would, and the choice to train with it."""
    st.caption(
        "Two training pictures become one, and so do their labels: a picture of 70 % cat and 30 % dog is learned as "
        "just that. It keeps a network from being too sure, mostly with few pictures and long training. All pictures "
        "of a batch are mixed in one proportion; the next seed draws another."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="mix_bar"):
        kind = st.segmented_control(
            "How pictures are mixed",
            list(KINDS),
            format_func=KINDS.get,
            default="mixup",
            required=True,
            key=KIND,
            persist_state="session",
            wrap=True,
        )
        alpha = st.slider(
            "alpha",
            0.1,
            2.0,
            USUAL,
            0.1,
            key=ALPHA,
            help="Low: one picture of the two mostly wins. 1: every share is as likely. High: mostly half and half.",
            persist_state="session",
            width=220,
        )
        st.toggle("Train with it", key=ON, persist_state="session", help="Train with this mixes batches like these.")
    samples = gallery.mixed(dataset.of("train"))
    turn = st.session_state.get("augment_turn", 0)
    chosen = [samples[(turn * PICTURES + place) % len(samples)] for place in range(min(PICTURES, len(samples)))]
    with or_stop():
        drawn = cache.mixed(dataset, chosen, _choice(kind, alpha), seed, *recipe_form.shape(dataset.task))
    gallery.sheet([(picture, _told(shares), _told(shares)) for picture, shares in drawn], "mixed", width=96)


def take_along() -> None:
    """Let the next recipe mix as it was chosen here, if it was."""
    if st.session_state.get(ON):
        choice = _choice(st.session_state.get(KIND, "mixup"), st.session_state.get(ALPHA, USUAL))
        for field in ("mixup", "cutmix"):
            st.session_state[fields.key(f"mix.{field}")] = getattr(choice, field)


def _choice(kind: str, alpha: float) -> MixChoice:
    return MixChoice(mixup=alpha if kind != "cutmix" else 0.0, cutmix=alpha if kind in ("cutmix", "both") else 0.0)


def _told(shares: dict[str, float]) -> str:
    """A soft label in words: "cat 70 %, dog 30 %"."""
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
