"""How images are dealt to the splits: shares, a seed, and what stays together."""

import streamlit as st

from core.data.split import SplitRule


def split_widgets() -> SplitRule:
    """How to split images that come without a split. Raises DatasetError for shares that cannot be."""
    first, second, third = st.columns(3)
    train = first.slider("train", 0.3, 0.9, 0.7, 0.05, "percent", key="split_train", help="What a model learns from.")
    most = round(0.95 - train, 2)
    test = second.slider(
        "test", 0.0, most, min(0.15, most), 0.05, "percent", key="split_test", help="Sealed until the very end."
    )
    seed = third.number_input("seed", 0, 2**31 - 1, 0, key="split_seed", help="Another seed deals another split.")
    validation = round(1 - train - test, 2)
    st.caption(f"{validation:.0%} are for validation. Every class is dealt in these shares (stratified).")
    return SplitRule(train, validation, test, int(seed))
