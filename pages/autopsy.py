"""Autopsy: a report that looks wrong, and why it does; and a lesson in how that happens."""

import streamlit as st

from pages.shared.autopsy import autopsy
from pages.shared.guard import require_app
from pages.shared.lesson import lesson

require_app()

st.title("Autopsy")
st.caption("A report looks wrong, or too good? Drop in what was true and what was predicted, and see why.")
TABS = [":material/troubleshoot: Find the cause", ":material/school: A lesson"]
cause, taught = st.tabs(TABS, key="autopsy_tabs", on_change="rerun")  # only the open one is drawn
if cause.open:
    with cause:
        autopsy()
if taught.open:
    with taught:
        lesson()
