"""Report: one click for what a student hands in, and a check of what was handed in."""

import streamlit as st

from pages.shared.guard import require_app
from pages.shared.report_check import check
from pages.shared.report_writing import write

require_app()

st.title("Report")
st.caption("A report to hand in, written from the run itself; and a check of one that was handed in, number by number.")
TABS = [":material/description: Write a report", ":material/fact_check: Verify a bundle"]
writing, checking = st.tabs(TABS, key="report_tabs", on_change="rerun")  # only the open one is drawn
if writing.open:
    with writing:
        write()
if checking.open:
    with checking:
        check()
