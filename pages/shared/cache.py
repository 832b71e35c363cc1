"""Everything kept between runs of a page. This is the only file with `st.cache_*`; each cache has a bound.

Keys are identities: a folder or file and when it last changed. What `cache_resource` returns is shared by all sessions
and only ever read.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from core.data.dataset import DESCRIPTION, Dataset, Sample, load_dataset
from core.data.library import Library
from core.data.smear import CELLS, draw_cell
from core.evaluate.predictions import PredictionTable
from core.executors.lab import Lab
from core.executors.local import LocalExecutor
from core.figures.curves import accuracy_curves, loss_curves
from core.models.weights import WeightsState, weights_state
from core.predict.answer import Answer
from core.recipe import TransformChoice
from core.runs.index import RunSummary
from core.runs.journal import Entry, JournalReader
from core.runs.run import RunPaths
from core.runs.store import RunStore
from core.workspace import Workspace

# What is there


def workspace() -> Workspace:
    """The workspace of this server."""
    return Workspace.default()


def library() -> Library:
    """The datasets."""
    return Library(workspace())


def store() -> RunStore:
    """The runs."""
    return RunStore(workspace())


def dataset(id: str) -> Dataset:
    """A dataset with its table. Raises DatasetError when there is none."""
    folder = workspace().datasets / id
    return _dataset(folder, _stamp(folder / DESCRIPTION)) if (folder / DESCRIPTION).is_file() else library().get(id)


@st.cache_resource(max_entries=8, show_spinner=False)
def _dataset(folder: Path, stamp: tuple[int, int]) -> Dataset:
    return load_dataset(folder)


def runs() -> list[RunSummary]:
    """All runs, newest first; at most a second old."""
    return _runs(workspace().root)


@st.cache_data(ttl=1, max_entries=2, show_spinner=False)
def _runs(root: Path) -> list[RunSummary]:
    return RunStore(Workspace(root)).list()


def forget_runs() -> None:
    """After something was done to a run: look again at once."""
    _runs.clear()


@st.cache_data(ttl=20, max_entries=64, show_spinner=False)
def weights(backbone: str) -> WeightsState:
    """Whether the pretrained weights of a backbone are on this machine."""
    return weights_state(backbone)


@st.cache_data(max_entries=1, show_spinner=False)
def sample_cells(size: int = 96) -> list[bytes]:
    """One drawn cell of each kind, as JPEGs of `size` pixels: what the demo cells look like."""
    pictures = []
    for kind in CELLS:
        draw_cell(kind, size, 0.1, seed=5).save(file := BytesIO(), "JPEG", quality=90)
        pictures.append(file.getvalue())
    return pictures


# Processes that do what a page must not


def lab() -> Lab:
    """The process that answers at once: previews, predictions, evaluations."""
    return _lab(workspace().root, "lab")


def desk() -> Lab:
    """The process for what takes a while: imports. Apart from the lab, so that neither waits for the other."""
    return _lab(workspace().root, "desk")


@st.cache_resource(max_entries=4, show_spinner=False, on_release=lambda lab: lab.close())
def _lab(root: Path, name: str) -> Lab:
    return Lab(name)


@st.cache_resource(max_entries=2, show_spinner=False)
def _imports(root: Path) -> dict[str, Any]:
    return {}


def imports() -> dict[str, Any]:
    """Imports at work on this server, by id. Whoever started one takes it out; a session that went away leaves one
    entry behind until the server ends."""
    return _imports(workspace().root)


def executor() -> LocalExecutor:
    """The one that starts, queues and stops runs."""
    return _executor(workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _executor(root: Path) -> LocalExecutor:
    return LocalExecutor(Workspace(root))


def wake() -> None:
    """Have the helper processes get ready while somebody still looks at the first page; once for each server."""
    _wake(workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _wake(root: Path) -> None:
    # One after the other: both import torch, and on a small machine they would take each other's time.
    _lab(root, "desk").warm("core.data.demo")
    runner = _executor(root)
    warmed = _lab(root, "lab").warm("core.augment.preview", "core.predict.predictor")
    warmed.add_done_callback(lambda _: runner.advance())


# What is costly to read or to draw


def journal(paths: RunPaths) -> list[Entry]:
    """The entries of a run's journal that count."""
    return _journal(paths.epochs).read()


@st.cache_resource(max_entries=32, show_spinner=False)
def _journal(path: Path) -> JournalReader:
    return JournalReader(path)  # the one key that says nothing of time: what it holds reads on by itself


def curves(paths: RunPaths) -> tuple[go.Figure, go.Figure]:
    """Loss and accuracy of a run; drawn once for all who watch it."""
    return _curves(paths, _stamp(paths.epochs))


@st.cache_resource(max_entries=32, show_spinner=False)
def _curves(paths: RunPaths, stamp: tuple[int, int]) -> tuple[go.Figure, go.Figure]:
    entries, identity = journal(paths), paths.folder.name
    return loss_curves(entries, identity=identity), accuracy_curves(entries, identity=identity)


def predictions(path: Path) -> PredictionTable:
    """A stored prediction table."""
    return _predictions(path, _stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _predictions(path: Path, stamp: tuple[int, int]) -> PredictionTable:
    return PredictionTable.read(path)


def variants(
    dataset: Dataset,
    samples: list[Sample],
    rows: tuple[TransformChoice, ...],
    seed: int,
    size: int,
    fit: str,
    count: int,
) -> list[list[bytes]]:
    """JPEGs: for each sample the original as the network sees it, and `count` variants of it."""
    ids, plain_rows = [sample.id for sample in samples], [row.model_dump(mode="json") for row in rows]
    return _variants(dataset.folder, dataset.fingerprint, ids, plain_rows, seed, size, fit, count)


@st.cache_data(max_entries=64, show_spinner=False)
def _variants(
    folder: Path, fingerprint: str, ids: list[str], rows: list[dict], seed: int, size: int, fit: str, count: int
) -> list[list[bytes]]:
    work = "core.augment.preview:preview"
    return lab().call(work, str(folder), ids, rows, seed=seed, size=size, fit=fit, variants=count)


def answer(paths: RunPaths, name: str, picture: bytes) -> Answer:
    """What the best weights of a run say about one picture."""
    return _answer(paths.folder, _stamp(paths.best), name, picture)


@st.cache_data(max_entries=256, show_spinner=False)
def _answer(folder: Path, stamp: tuple[int, int], name: str, picture: bytes) -> Answer:
    return lab().call("core.predict.predictor:predict", str(folder), [(name, picture)])[0]


def warm_model(paths: RunPaths) -> None:
    """Have the lab load the best weights of a run while somebody still looks for a picture."""
    _warm_model(paths.folder, _stamp(paths.best))


@st.cache_data(max_entries=64, show_spinner=False)
def _warm_model(folder: Path, stamp: tuple[int, int]) -> None:
    lab().submit("core.predict.predictor:warm", str(folder))


def _stamp(path: Path) -> tuple[int, int]:
    """When a file changed last, and its size; zeros while it is not there."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return 0, 0
    return about.st_mtime_ns, about.st_size
