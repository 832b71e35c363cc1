"""Compare: which of several runs is better, what sets them apart, and whether it is more than chance."""

import streamlit as st

from core.compare.comparison import MODELS
from pages.shared import compare_choice, compare_results
from pages.shared.compare_details import details
from pages.shared.compare_work import comparison_or_stop
from pages.shared.evaluate_split import SPLITS
from pages.shared.guard import require_app

require_app()

st.title("Compare")
st.caption("Which of several runs is better, what sets them apart, and whether it is more than chance.")
ids = compare_choice.choose()
if len(ids) < 2:
    compare_choice.board()
    st.stop()
split = st.segmented_control(
    "Split",
    list(SPLITS),
    format_func=SPLITS.get,
    default="validation",
    required=True,
    key="compare_split",
    label_visibility="collapsed",
    help="On the test split only runs are compared whose seal was opened before; comparing opens none.",
)
file, found = comparison_or_stop(ids, split)

compare_results.verdict(found)
question, metric = compare_results.choose(found)
compare_results.figures(found, file, question, metric)
compare_results.curves(found)
details(found, file, question if found.of(question, metric) else MODELS, metric)
