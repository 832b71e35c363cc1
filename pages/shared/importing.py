"""Bring images in: where they may come from, how far an import has come, and what becomes of what it found."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.data.dataset import Dataset
from core.data.demo import Demo
from core.data.folders import subfolders
from core.data.incoming import Proposal, SplitRule, Survey, discard, keep, recover
from core.data.tree import PICTURE_SUFFIXES, TABLE_SUFFIXES
from core.errors import Cancelled, FoveaError, LabError, StorageError
from core.workspace import Workspace, configured_roots, inside_roots, new_id
from pages.shared import atwork, cache, sources, state
from pages.shared.atwork import AtWork
from pages.shared.forms import knob_widgets
from pages.shared.pickers import or_stop
from pages.shared.words import count, plain, sentence

MOST_FORGOTTEN = 20  # imports that ended and that no session came back for


@dataclass
class Import:
    """An import at work in the desk process, and what the session that started it does when it is over."""

    work: AtWork
    then: Callable[[Any], None]  # with what the work gave
    otherwise: Callable[[], None]  # where it failed or was called off


def start(
    title: str,
    work: str,
    *arguments: object,
    then: Callable[[Any], None],
    otherwise: Callable[[], None] = lambda: None,
    clear: str = "",
    **named: Any,
) -> None:
    """Start `work` ("module:function") in the desk process and let this session wait for it.

    `clear` is the id of a proposal of which nothing half done is to be left if the process ends in the middle of it.
    """
    at_work = atwork.begin(title, work, *arguments, **named)
    if clear:
        at_work.future.add_done_callback(partial(_recover, cache.workspace(), clear))
    works = cache.imports()
    for old in [old for old, one in works.items() if one.work.done][:-MOST_FORGOTTEN]:
        works.pop(old, None)
    id = at_work.progress.path.stem
    works[id] = Import(at_work, then, otherwise)
    st.session_state[state.IMPORT] = id
    st.rerun()


def _recover(workspace: Workspace, id: str, future: Future) -> None:
    if not future.cancelled() and isinstance(future.exception(), LabError):
        recover(workspace, id)


def wait() -> None:
    """While an import of this session is at work: its progress, and nothing else on the page."""
    id = st.session_state.get(state.IMPORT)
    waited_for = cache.imports().get(id)
    if waited_for is None:
        return
    if not waited_for.work.done:
        _watch(id)
        st.stop()
    cache.imports().pop(id, None)
    st.session_state[state.IMPORT] = None
    try:
        found = _wanted(waited_for.work)
    except Cancelled:
        waited_for.otherwise()
        st.toast("Cancelled. Nothing of it was kept.", icon=":material/close:")
    except FoveaError as error:
        waited_for.otherwise()
        st.error(sentence(error))
    else:
        waited_for.then(found)


def _wanted(work: AtWork) -> Any:
    """What the work gave. Raises Cancelled also where it was over before it heard that it was called off; what it
    found then goes, and only a dataset that is kept already stays."""
    found = work.result()
    if work.called_off and not isinstance(found, Dataset):
        if isinstance(found, Proposal):
            discard(cache.workspace(), found.id)
        raise Cancelled(f"{work.title}: cancelled")
    return found


@st.fragment(run_every=atwork.SECONDS)
def _watch(id: str) -> None:
    waited_for = cache.imports().get(id)
    if waited_for is None or waited_for.work.done:
        st.rerun()
    atwork.bar(waited_for.work, "import")


# Where images come from


def demo_button(demo: Demo, label: str, *, key: str, primary: bool = False, values: dict | None = None) -> None:
    """One click draws a demo set and keeps it: there is nothing in it that anybody would have to look at first."""
    icon = ":material/auto_awesome:" if primary else None
    if st.button(label, key=key, type="primary" if primary else "secondary", icon=icon, width="stretch"):
        _start_import(demo.label, "core.data.demo:make_demo", demo.name, values or {}, then=_keep_at_once)


def demo_dials(demo: Demo, key: str) -> dict:
    """The dials of a demo set."""
    with or_stop():
        return knob_widgets(demo.knobs, key)


def own_images(key: str) -> None:
    """Files or a folder of this computer, or a folder of the server."""
    sent, chosen, folder = st.tabs(["Files", "A folder", "On the server"], key=f"{key}_tabs")
    with sent:
        files = st.file_uploader(
            "A zip, an .npz, or a table (CSV) with its images",
            type=[suffix[1:] for suffix in (*sources.ALONE, *TABLE_SUFFIXES, *PICTURE_SUFFIXES)],
            accept_multiple_files=True,
            key=f"{key}_zip",
        )
        _look_button(files, f"{key}_zip_go")
    with chosen:
        files = st.file_uploader(
            "A folder with one folder per class, with images and their masks, or with a table (CSV) and its images",
            accept_multiple_files="directory",
            key=f"{key}_directory",
        )
        _look_button(files, f"{key}_directory_go")
    with folder:
        path = _folder_widget(key)
        if st.button("Look inside", key=f"{key}_folder_go", type="primary"):
            look_inside(path, path.name)


def _look_button(files: Sequence[UploadedFile], key: str) -> None:
    if files and st.button("Look inside", key=key, type="primary"):
        try:
            path, name, folder = sources.received(files)
        except StorageError as error:
            st.error(sentence(error))
            return
        look_inside(path, name, folder)


def _folder_widget(key: str) -> Path:
    roots, typed, into = configured_roots(), f"{key}_folder", f"{key}_into"
    st.session_state.setdefault(typed, str(roots[0]))
    may = " or ".join(plain(str(root)) for root in roots)
    st.text_input("Folder", key=typed, help=f"Folders under {may} may be read.", persist_state="session")
    with or_stop():
        here = inside_roots(st.session_state[typed], roots)
        inner = subfolders(here)
    above = [] if here in roots else [".."]
    told = f"Open one of {count(len(inner), 'folder')} in it" if inner else "No folder in it"
    st.selectbox(
        "Go to",
        [*above, *inner],
        index=None,
        key=into,
        placeholder=told,
        label_visibility="collapsed",
        on_change=_go,
        args=(here, typed, into),
    )
    return here


def _go(here: Path, typed: str, into: str) -> None:
    step = st.session_state[into]
    if step:
        st.session_state[typed] = str(here.parent if step == ".." else here / step)
        st.session_state[into] = None


# From the first look to a dataset


def look_inside(path: Path, name: str, upload: Path | None = None) -> None:
    """See what a source seems to be; where nothing has to be asked, go on and read it."""

    def looked(survey: Survey) -> None:
        if not sources.hold(path, name, upload, survey).asks:
            read_source()
        st.rerun()

    def failed() -> None:
        if upload is not None:
            shutil.rmtree(upload, ignore_errors=True)

    _start_import(f"Looking into {name}", "core.data.incoming:survey", path, then=looked, otherwise=failed)


def read_source() -> None:
    """Read the source in hand as was decided, and show what was found. Where that fails and something was asked, it is
    asked again."""
    source = sources.held()
    what = {"layout": source.layout or source.survey.layout, "name": source.name, "picks": source.answers}

    def failed() -> None:
        if not source.asks:
            sources.let_go()

    told = f"Reading {source.name}"
    _start_import(told, "core.data.incoming:inspect", source.path, then=_propose, otherwise=failed, **what)


def _start_import(title: str, work: str, *arguments: object, **named: Any) -> None:
    """Start work in a folder of its own, of which nothing is left behind when it is ended in its middle."""
    id = new_id(title)
    start(title, work, cache.workspace(), *arguments, id=id, clear=id, unit="image", **named)


def _propose(proposal: Proposal) -> None:
    source = sources.held()
    if source is not None and len(source.survey.fits) == 1 and source.survey.picks is None:
        sources.let_go()  # it can be read in one way only
    st.session_state[state.PROPOSAL] = proposal.id
    st.rerun()


def _keep_at_once(proposal: Proposal) -> None:
    keep_proposal(proposal, proposal.name, SplitRule())


def keep_proposal(proposal: Proposal, name: str, rule: SplitRule) -> None:
    """Make a dataset of what was found and take it in hand. Masks are written one by one, and the desk does that."""
    what = (cache.workspace(), proposal.id)
    if proposal.task == "segmentation":

        def failed() -> None:
            st.session_state[state.PROPOSAL] = proposal.id

        named = {"name": name, "rule": rule, "unit": "mask", "clear": proposal.id}
        start(f"Keeping {name}", "core.data.incoming:keep", *what, then=_take_in_hand, otherwise=failed, **named)
    _take_in_hand(keep(*what, name=name, rule=rule))


def _take_in_hand(dataset: Dataset) -> None:
    st.session_state[state.PROPOSAL] = None
    sources.let_go()
    state.hold_dataset(dataset.id)
    state.tell(f"Kept {count(len(dataset.samples), 'image')}.")
    st.rerun()


def discard_proposal(proposal: Proposal) -> None:
    """Let go of what was found, and of where it came from."""
    sources.let_go()
    read_again(proposal)


def read_again(proposal: Proposal) -> None:
    """Let go of what was found; where it came from may be read in another way."""
    discard(cache.workspace(), proposal.id)
    st.session_state[state.PROPOSAL] = None
    st.rerun()
