"""What a network knows at the start: ImageNet, nothing, what another run has learned, or a file of one's own."""

from typing import Any

import streamlit as st

from core.data.dataset import Dataset
from core.errors import FoveaError, InputError, WeightsError
from core.models.saved import saved_model, start_from
from core.models.weights import WEIGHT_SUFFIXES, keep_weights
from core.recipe import ModelChoice, Recipe, SegmenterChoice
from core.workspace import configured_roots, inside_roots
from pages.shared import cache, fields
from pages.shared.pickers import run_lines
from pages.shared.words import plain

PATH = "model.weights"
KINDS = {"pretrained": "ImageNet weights", "random": "random weights", "run": "another run", "file": "a file of mine"}
KIND, RUN, FILE, UPLOAD = (fields.key(f"{PATH}{part}") for part in ("", ".run", ".file", ".upload"))
KEPT = fields.key(f"{PATH}.kept")  # (the browser's id of an upload, where it was kept)
MOST_RUNS = 200


def weight_picker(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Draw the choice. Raises FoveaError for a file that may not be read from here, or cannot be kept."""
    said = fields.at(base, PATH)
    if KIND not in st.session_state:
        st.session_state[KIND] = said if said in ("pretrained", "random") else "file"
    if FILE not in st.session_state:
        st.session_state[FILE] = "" if said in KINDS else said
    st.selectbox(
        "Weights of the encoder at the start" if base.task == "segmentation" else "Weights at the start",
        list(KINDS),
        format_func=KINDS.get,
        key=KIND,
        on_change=_follow,
        args=(base.task,),
        persist_state="session",
    )
    kind = fields.among(st.session_state[KIND], KINDS, PATH)
    if kind == "run":
        return _run(base, dataset)
    if kind == "random" and base.task == "classification":
        st.caption("It has seen no picture yet: let everything learn, for more epochs. A head alone would only guess.")
    return {PATH: _file()} if kind == "file" else {PATH: kind}


def _run(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    runs = _runs()
    if not runs:
        st.caption("No run has kept weights yet, so this one starts from ImageNet weights.")
        return {PATH: "pretrained"}
    if st.session_state.get(RUN) not in runs:
        st.session_state[RUN] = next(iter(runs))
    st.selectbox(
        "Run", list(runs), format_func=runs.get, key=RUN, on_change=_follow, args=(base.task,), persist_state="session"
    )
    path = cache.store().paths(fields.among(st.session_state[RUN], runs, PATH)).best
    saved = saved_model(path)
    if saved is not None:
        reason = saved.same_whole(_choice(base), dataset.classes)
        part = "decoder" if base.task == "segmentation" else "head"
        told = f"The {part} starts anew, since {reason}." if reason else f"Its {part} is taken along: the same classes."
        st.caption(plain(told))
    return {PATH: str(path)}


def _runs() -> dict[str, str]:
    """Runs with weights, newest first: id -> line."""
    kept = [run for run in cache.runs() if run.best]
    return run_lines({run.id: run for run in kept[:MOST_RUNS]})


def _follow(task: str) -> None:
    """Weights of another run were chosen: its network is too."""
    runs = _runs()
    if st.session_state[KIND] != "run" or not runs:
        return
    chosen = st.session_state.get(RUN)
    try:
        best = cache.store().paths(chosen if chosen in runs else next(iter(runs))).best
        changes = start_from(best, task)
    except FoveaError:  # the run was deleted a moment ago; the page will say so
        return
    for path, value in changes.items():
        if path == "model.hidden":
            path = "model.dense.hidden"  # as the knob of the head that has one is held
        if path != PATH:
            st.session_state[fields.key(path)] = value


def _choice(base: Recipe) -> ModelChoice | SegmenterChoice:
    """The network as it is chosen now."""
    if isinstance(base.model, SegmenterChoice):
        parts = {part: str(fields.held(base, f"model.{part}")) for part in ("architecture", "encoder")}
    else:
        parts = {part: str(fields.held(base, f"model.{part}")) for part in ("backbone", "head")}
        parts["hidden"] = st.session_state.get(fields.key("model.dense.hidden"), base.model.hidden)
    return base.model.model_copy(update=parts)


def _file() -> str:
    """The path of the file; empty as long as there is none, which the recipe's check refuses."""
    upload = st.file_uploader(
        "A weight file of this network",
        type=[suffix.removeprefix(".") for suffix in WEIGHT_SUFFIXES],
        key=UPLOAD,
        help="safetensors, or a PyTorch file that holds nothing but tensors: nothing in a file is ever executed. Only "
        "the backbone is taken from it.",
    )
    if upload is not None and st.session_state.get(KEPT, ("", ""))[0] != upload.file_id:
        kept = keep_weights(cache.workspace().root / "weights", upload.name, upload)
        st.session_state[KEPT] = (upload.file_id, str(kept))
        st.session_state[FILE] = str(kept)
    st.text_input("Or its path on the server", key=FILE, max_chars=1000, persist_state="session")
    typed = str(st.session_state[FILE]).strip()
    if not typed:
        st.caption("Drop a file, or type where it is.")
        return ""
    roots = (*configured_roots(), cache.workspace().root.resolve())
    try:
        return str(inside_roots(typed, roots))
    except InputError as error:
        may = "a file under " + " or ".join(map(str, roots[:-1]))
        raise WeightsError("This file may not be read from here", found=error.found, expected=may) from error
