"""A comparison is made once by the desk, while the page says how far it is, and then only read."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.compare.comparison import Comparison
from core.errors import Cancelled
from pages.shared import atwork, cache
from pages.shared.cached import compare as cached
from pages.shared.pickers import or_stop
from pages.shared.words import failure

WORK = "core.compare.stored:summarise"
_MOST_KEPT = 32  # answers of the desk, for comparisons that change while somebody looks


@dataclass
class Asked:
    """What the desk was asked for, and the state of the runs that it was asked about."""

    file: Path
    work: atwork.AtWork


def comparison_or_stop(ids: list[str], split: str) -> tuple[Path, Comparison]:
    """The comparison of these runs and where it is kept; until it is there, the page shows how far it is and ends."""
    with or_stop():
        file, found = cached.comparison(ids, split)
    key, works = (*sorted(ids), split), cached.at_work()
    asked = works.get(key)
    if found is not None:
        if asked is not None and asked.work.done:
            works.pop(key, None)
        return file, found
    if asked is None:
        asked = _ask(key, ids, split, file)
    if not asked.work.done:
        _wait(asked)
        st.stop()
    try:
        found = Comparison.from_json(asked.work.result())
    except Cancelled:
        st.info("The comparison was cancelled.")
    except Exception as error:  # whatever it is, another choice of runs may do
        st.error(failure(error), icon=":material/error:")
    if found is None:
        works.pop(key, None)  # the next visit asks anew
        st.button("Compare again", key="compare_again")
        st.stop()
    # A run at work has other weights every few seconds: what was found is shown, and is made anew when asked for.
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("One of the runs has changed since this was found.", width="content")
        st.button("Compare again", key="compare_again", on_click=works.pop, args=(key, None))
    return asked.file, found


def _ask(key: tuple, ids: list[str], split: str, file: Path) -> Asked:
    works = cached.at_work()
    for old in [one for one, asked in works.items() if asked.work.done][:-_MOST_KEPT]:
        works.pop(old, None)
    work = atwork.begin("Comparing", WORK, str(cache.workspace().root), ids, split, unit="step")
    works[key] = Asked(file, work)
    return works[key]


def _wait(asked: Asked) -> None:
    @st.fragment(run_every=atwork.SECONDS)
    def tick() -> None:
        if asked.work.done:
            st.rerun()
        atwork.bar(asked.work, "compare")

    tick()
