"""Fovea: fine-tune image models and see what happens. This file is the table of contents; `streamlit run app.py`."""

from pathlib import Path

import pandas  # noqa: F401  (whole, before plotly meets one that another thread is still loading)
import streamlit as st

from pages.shared import cache, sidebar, state

HERE = Path(__file__).parent

st.set_page_config("Fovea", page_icon=str(HERE / ".streamlit" / "icon.png"), layout="wide")
st.logo(str(HERE / ".streamlit" / "logo.png"), size="large", icon_image=str(HERE / ".streamlit" / "icon.png"))
st.html(HERE / "pages" / "shared" / "look.css")

page = st.navigation(
    [
        st.Page("pages/data.py", title="Data", icon=":material/photo_library:", default=True),
        st.Page("pages/augment.py", title="Augment", icon=":material/auto_fix_high:"),
        st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
        st.Page("pages/runs.py", title="Runs", icon=":material/list_alt:"),
        st.Page("pages/evaluate.py", title="Evaluate", icon=":material/query_stats:"),
        st.Page("pages/compare.py", title="Compare", icon=":material/balance:"),
        st.Page("pages/predict.py", title="Predict", icon=":material/photo_camera:"),
        st.Page("pages/report.py", title="Report", icon=":material/description:"),
        st.Page("pages/autopsy.py", title="Autopsy", icon=":material/troubleshoot:"),
    ]
)
cache.wake()
state.settle()
sidebar.in_hand()
state.show_news()
page.run()
