"""Where a network looks, asked of the lab once for each picture and class."""

from io import BytesIO
from pathlib import Path

import streamlit as st
from PIL import Image

from core.data.dataset import Dataset, Sample
from core.predict.answer import Explanation
from core.runs.run import RunPaths
from pages.shared import cache

OPACITY = 0.5


def explanations(paths: RunPaths, dataset: Dataset, asked: list[tuple[Sample, str]]) -> list[Explanation]:
    """Where the best weights of a run look for a class in each of these images of its dataset."""
    files = [(sample.name, str(dataset.path(sample)), label) for sample, label in asked]
    return _explanations(paths.folder, cache.stamp_of(paths.best), files)


@st.cache_data(max_entries=64, max_size="100MiB", show_spinner=False)
def _explanations(folder: Path, stamp: tuple[int, int], files: list[tuple[str, str, str]]) -> list[Explanation]:
    return cache.lab().call("core.predict.predictor:explain_files", str(folder), files)


def explained(paths: RunPaths, name: str, picture: bytes, label: str) -> Explanation:
    """Where the best weights of a classifier look for a class, "" for their answer, in one picture."""
    return cache.explanation(paths, name, picture, label, None)


def drawn(found: Explanation, opacity: float = OPACITY) -> bytes:
    """The picture with its heat over it, as a JPEG for the screen."""
    return _drawn(found.picture, found.heat, opacity)


@st.cache_data(max_entries=512, max_size="100MiB", show_spinner=False)
def _drawn(picture: bytes, heat: bytes, opacity: float) -> bytes:
    with Image.open(BytesIO(picture)) as image:
        size = image.size
    return cache.drawn_heat(picture, heat, size, opacity)
