"""Evaluate: what a model got right, what it took for what, and the pictures it got wrong."""

import streamlit as st

from core.errors import FoveaError
from pages.shared import cache, evaluate_labels, evaluate_masks, hypothesis
from pages.shared.evaluate_split import choose_split, result_or_stop
from pages.shared.guard import require_app
from pages.shared.pickers import run_or_stop

require_app()

st.title("Evaluate")
st.caption("What the model got right, what it takes for what, and the pictures it got wrong.")
with st.container(horizontal=True, vertical_alignment="center", key="evaluate_bar"):
    run = run_or_stop(trained=True)
    split = choose_split()
result = result_or_stop(run, split)
hypothesis.panel(run)
try:
    dataset = cache.dataset_of(run)
except FoveaError:
    dataset = None  # deleted since; the numbers stay

reports = {"classification": evaluate_labels.report, "segmentation": evaluate_masks.report}
reports[run.recipe.task](run, result, dataset)
st.download_button(
    "Prediction table (CSV)",
    run.paths.predictions(result.split).read_bytes,  # read only when somebody asks for it
    f"{run.id} {result.split}.csv",
    "text/csv",
    key="predictions_csv",
    icon=":material/download:",
    on_click="ignore",
)
