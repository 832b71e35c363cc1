"""Bring images in: where they may come from, how far an import has come, and what it found before it is kept."""

import shutil
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.data.dataset import Dataset
from core.data.demo import Demo
from core.data.folders import subfolders
from core.data.incoming import Proposal, SplitRule, discard, keep
from core.errors import FoveaError, StorageError, storage_errors
from core.executors.progress import ProgressFile
from core.workspace import configured_roots, inside_roots, new_id
from pages.shared import cache, state
from pages.shared.forms import knob_widgets
from pages.shared.pickers import or_stop
from pages.shared.words import count, plain, sentence

SECONDS = 0.5  # between looks at an import at work
MOST_FORGOTTEN = 20  # imports that ended and that no session came back for


@dataclass
class Import:
    """An import at work in the desk process."""

    title: str
    future: Future
    progress: ProgressFile
    then: Callable[[Any], None]  # in the session that started it, with what the work gave
    again: str | None = None  # id of the proposal to show again where the work fails


def start(
    title: str,
    work: str,
    *arguments: object,
    then: Callable[[Any], None],
    clear: Path | None = None,
    again: str | None = None,
    **named: object,
) -> None:
    """Start `work` ("module:function") in the desk process and let this session wait for it.

    `clear` is a folder that is removed when it is over: an upload that was unpacked.
    """
    id = uuid.uuid4().hex[:12]
    progress = ProgressFile(cache.workspace().cache / "progress" / f"{id}.json")
    future = cache.desk().submit(work, *arguments, report=progress, **named)
    future.add_done_callback(lambda _: _tidy(progress, clear))
    works = cache.imports()
    for old in [old for old, at_work in works.items() if at_work.future.done()][:-MOST_FORGOTTEN]:
        works.pop(old, None)
    works[id] = Import(title, future, progress, then, again)
    st.session_state[state.IMPORT] = id
    st.rerun()


def _tidy(progress: ProgressFile, clear: Path | None) -> None:
    progress.forget()
    if clear is not None:
        shutil.rmtree(clear, ignore_errors=True)


def wait() -> None:
    """While an import of this session is at work: its progress, and nothing else on the page."""
    id = st.session_state.get(state.IMPORT)
    work = cache.imports().get(id)
    if work is None:
        return
    if not work.future.done():
        _watch(id)
        st.stop()
    cache.imports().pop(id, None)
    st.session_state[state.IMPORT] = None
    try:
        work.then(work.future.result())
    except FoveaError as error:
        if work.again:
            st.session_state[state.PROPOSAL] = work.again
        st.error(sentence(error))


@st.fragment(run_every=SECONDS)
def _watch(id: str) -> None:
    work = cache.imports().get(id)
    if work is None or work.future.done():
        st.rerun()
    done, total = work.progress.read() or (0, 0)
    told = f"{done:,} of {count(total, 'file')}" if total else "getting ready"
    st.progress(done / total if total else 0.0, f"{plain(work.title)}: {told}")


# Where images come from


def demo_button(demo: Demo, label: str, *, key: str, primary: bool = False, values: dict | None = None) -> None:
    """One click draws a demo set and keeps it: there is nothing in it that anybody would have to look at first."""
    icon = ":material/auto_awesome:" if primary else None
    if st.button(label, key=key, type="primary" if primary else "secondary", icon=icon, width="stretch"):
        start(demo.label, "core.data.demo:make_demo", cache.workspace(), demo.name, values or {}, then=_keep_at_once)


def demo_dials(demo: Demo, key: str) -> dict:
    """The dials of a demo set."""
    with or_stop():
        return knob_widgets(demo.knobs, key)


def own_images(key: str) -> None:
    """A zip, a folder of this computer, or a folder of the server."""
    zipped, folder = st.tabs(["A zip file", "A folder on the server"], key=f"{key}_tabs")
    with zipped:
        upload = st.file_uploader(
            "A zip with one folder per class, or with images and their masks",
            type="zip",
            key=f"{key}_zip",
        )
        if upload is not None and st.button("Look inside", key=f"{key}_zip_go", type="primary"):
            _start_upload(upload)
    with folder:
        path = _folder_widget(key)
        if st.button("Look inside", key=f"{key}_folder_go", type="primary"):
            start(path.name, "core.data.incoming:inspect", cache.workspace(), path, name=path.name, then=_propose)


def _start_upload(upload: UploadedFile) -> None:
    folder = cache.workspace().cache / "uploads" / uuid.uuid4().hex[:12]
    name = Path(upload.name).stem
    plain_letters = new_id(name).rpartition("-")[0]  # the browser's name for it is never a path; errors tell this one
    file = folder / f"{plain_letters}.zip"
    try:
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as target:
                shutil.copyfileobj(upload, target)
    except StorageError as error:
        shutil.rmtree(folder, ignore_errors=True)
        st.error(sentence(error))
        return
    start(name, "core.data.incoming:inspect", cache.workspace(), file, name=name, then=_propose, clear=folder)


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


# What was found


def _propose(proposal: Proposal) -> None:
    st.session_state[state.PROPOSAL] = proposal.id
    st.rerun()


def _keep_at_once(proposal: Proposal) -> None:
    keep_proposal(proposal, proposal.name, SplitRule())


def keep_proposal(proposal: Proposal, name: str, rule: SplitRule) -> None:
    """Make a dataset of what was found and take it in hand. Masks are written one by one, and the desk does that."""
    what = (cache.workspace(), proposal.id)
    if proposal.task == "segmentation":
        work = "core.data.incoming:keep"
        start(f"Keeping {name}", work, *what, name=name, rule=rule, then=_take_in_hand, again=proposal.id)
    _take_in_hand(keep(*what, name=name, rule=rule))


def _take_in_hand(dataset: Dataset) -> None:
    st.session_state[state.PROPOSAL] = None
    state.hold_dataset(dataset.id)
    state.tell(f"Kept {count(len(dataset.samples), 'image')}.")
    st.rerun()


def discard_proposal(proposal: Proposal) -> None:
    """Let go of what was found."""
    discard(cache.workspace(), proposal.id)
    st.session_state[state.PROPOSAL] = None
    st.rerun()
