"""Names, tags, notes and putting away, in place: of the run in hand, or of several ticked ones."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.errors import FoveaError
from core.runs.labels import LONGEST_NAME, LONGEST_NOTE, Change
from core.runs.listing import tags_in
from core.runs.store import Run
from core.runs.summary import RunSummary, run_name
from pages.shared import cache, live, state
from pages.shared.cached.runs import census
from pages.shared.pickers import or_stop
from pages.shared.words import count, plain, sentence, shorten

NAMED = 5  # runs that are named before they are deleted
FAILED = "labels_failed"  # why the last change of labels was not made, if it was not


def labels(run: Run) -> None:
    """What is written on a run, to be changed where it stands. Every change is kept at once."""
    with st.container(key="labels"), st.grid(3, min_column_width=220):
        name = _held(f"label_name_{run.id}", run.labels.name)
        st.text_input(
            "Name",
            key=name,
            max_chars=LONGEST_NAME,
            placeholder=shorten(run_name(run.recipe), 60),
            help="Without one the run is called by its choices.",
            on_change=lambda: _change([run.id], Change(name=st.session_state[name])),
        )
        tags = _held(f"label_tags_{run.id}", list(run.labels.tags))
        st.multiselect(
            "Tags",
            _tags(run.labels.tags),
            key=tags,
            accept_new_options=True,
            placeholder="Choose one or type a new one",
            help="Words of your own to find runs by. Enter keeps a new one.",
            on_change=lambda: _change([run.id], Change(tags=tuple(st.session_state[tags]))),
        )
        note = _held(f"label_note_{run.id}", run.labels.note)
        st.text_area(
            "Note",
            key=note,
            max_chars=LONGEST_NOTE,
            height=72,
            placeholder="What you tried, and what you saw",
            on_change=lambda: _change([run.id], Change(note=st.session_state[note])),
        )
    if failed := st.session_state.pop(FAILED, ""):
        st.error(failed, icon=":material/error:")


def put_away(ids: Sequence[str], away: bool, key: str) -> None:
    """A button that takes runs out of the list, or brings them back."""
    told = "It leaves the list, and comes back whenever you like. Nothing of it is deleted."
    if away:
        st.button(
            "Put away",
            key=key,
            icon=":material/archive:",
            help=told,
            on_click=_change,
            args=(ids, Change(archived=True)),
        )
    else:
        st.button(
            "Bring back", key=key, icon=":material/unarchive:", on_click=_change, args=(ids, Change(archived=False))
        )


def ticked(runs: Sequence[RunSummary]) -> None:
    """What can be done with the ticked rows together."""
    ids = [run.id for run in runs]
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="ticked_runs"):
        st.markdown(f"**{count(len(runs), 'run')} ticked**", width="content")
        _compare(ids)
        # Keys of their own for each choice of runs, so that no menu stays open over other runs.
        mark = f"{len(ids)}_{ids[0]}_{ids[-1]}"
        with st.popover("Tags", icon=":material/label:", key=f"ticked_tags_{mark}"):
            _tag(runs, mark)
        put_away(ids, any(not run.labels.archived for run in runs), "ticked_away")
        locked = any(run.state.has_worker for run in runs)
        told = "One of them is at work: stop it first." if locked else None
        menu = st.popover("Delete", icon=":material/delete:", key=f"ticked_delete_{mark}", disabled=locked, help=told)
        with menu:
            _delete(runs)


def _compare(ids: Sequence[str]) -> None:
    if len(ids) < 2:
        told = "Tick another one to compare them."
    elif len(ids) > state.MOST_COMPARED:
        told = f"At most {state.MOST_COMPARED} at a time."
    else:
        told = None
    if st.button(
        "Compare",
        type="primary",
        key="compare_ticked",
        icon=":material/compare_arrows:",
        disabled=bool(told),
        help=told,
    ):
        state.hold_compared(ids)
        st.switch_page("pages/compare.py")


def _tag(runs: Sequence[RunSummary], mark: str) -> None:
    """Tags for several runs: added to all of them, or taken off all of them."""
    ids = [run.id for run in runs]
    add, remove = f"tags_add_{mark}", f"tags_remove_{mark}"
    st.multiselect("Add to all of them", _tags(()), key=add, accept_new_options=True, placeholder="Choose or type")
    if there := tags_in(runs):
        st.multiselect("Take off", there, key=remove)

    def save() -> None:
        change = Change(add=tuple(st.session_state[add]), remove=tuple(st.session_state.get(remove, ())))
        if _change(ids, change):
            st.session_state[add] = []

    st.button("Save", type="primary", key=f"tags_save_{mark}", on_click=save)


def _delete(runs: Sequence[RunSummary]) -> None:
    names = [f"**{plain(run.name, 40)}**" for run in runs[:NAMED]]
    more = [f"{count(len(runs) - NAMED, 'other')}"] if len(runs) > NAMED else []
    st.markdown(f"Delete {', '.join([*names, *more])} with weights and results? Putting away keeps them.")
    if st.button(f"Delete {count(len(runs), 'run')} for good", type="primary", key="delete_ticked"):
        with or_stop():
            for run in runs:
                cache.store().delete(run.id)
        live.changed()


def _tags(own: Sequence[str]) -> list[str]:
    """Every tag that there is, for a choice that may hold some of one's own already."""
    return sorted({*census().tags, *own}, key=str.casefold)


def _held(key: str, value: Any) -> str:
    """The key of a field, which holds what is kept; set only where that is another, so that typing is not disturbed."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return key


def _change(ids: Sequence[str], change: Change) -> bool:
    """Keep a change, or leave word why it could not be kept; says which."""
    try:
        cache.store().label(ids, change)
    except FoveaError as error:
        st.session_state[FAILED] = sentence(error)
        return False
    finally:
        cache.forget_runs()
    return True
