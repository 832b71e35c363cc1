"""Check a report that was handed in: what matches, what does not and where, and what no check can know."""

import streamlit as st

from core.report.differences import Difference
from core.report.verify import Verification
from pages.shared.cached import report
from pages.shared.pickers import or_stop
from pages.shared.words import count, moment, plain

MOST_MEGABYTES = 512
MOST_TOLD = 3  # differences that are told as sentences; all of them stand in the table


def check() -> None:
    """The whole tab."""
    st.markdown("Drop in a bundle, or a report's HTML. Every number is computed again from its prediction tables.")
    file = st.file_uploader(
        "A bundle (.zip) or a report (.html)",
        type=["zip", "html", "htm"],
        key="verify_file",
        max_upload_size=MOST_MEGABYTES,
        label_visibility="collapsed",
    )
    if file is None:
        return
    with or_stop(), st.spinner("Computing everything again", show_time=True):
        found = report.verified(file)
    with st.container(key="verification"):
        _told(found)


def _told(found: Verification) -> None:
    if found.matches:
        st.success(plain(found.sentence), icon=":material/verified:")
    else:
        st.error(plain(found.sentence), icon=":material/report:")
    for note in found.notes:
        st.warning(plain(note), icon=":material/update:")
    own = [one for one in found.differences if not one.follows]
    for one in own[:MOST_TOLD]:
        st.markdown(_sentence(one))
    if found.headline:
        told = "As it should read" if own else "It says"
        st.caption(f"{told}: {plain(found.headline)} Made {moment(found.made)}.")
    if found.differences:
        st.dataframe(
            [_row(one) for one in found.differences],
            hide_index=True,
            key="verify_differences",
            alt="Every place that does not match",
        )
        follow = len(found.differences) - len(own)
        if follow:
            st.caption(
                f"{count(follow, 'row')} only follow from a table that was changed: what the change was good for."
            )
    st.subheader("What was done")
    st.markdown("\n".join(f"- {plain(one)}" for one in found.checked))
    st.subheader("What this cannot know")
    st.markdown("\n".join(f"- {plain(one)}" for one in found.cannot_know))


def _sentence(one: Difference) -> str:
    should = f", should be **{plain(one.recomputed, 80)}**" if one.recomputed else ""
    return (
        f":material/arrow_right: **{plain(one.file.split('/')[-1])}** · {plain(one.place, 160)}: found "
        f"**{plain(one.found, 80)}**{should}. {plain(one.sentence, 200)}"
    )


def _row(one: Difference) -> dict[str, str]:
    return {
        "file": one.file,
        "place": one.place,
        "found": one.found,
        "recomputed": one.recomputed,
        "how this is known": one.sentence,
        "follows from": one.follows,
    }
