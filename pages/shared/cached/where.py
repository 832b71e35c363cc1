"""Where a network looks, asked of the lab once for each picture and class."""

from io import BytesIO
from pathlib import Path
from typing import Any

import streamlit as st
from PIL import Image

from core.data.dataset import Dataset, Sample
from core.predict.answer import Explanation
from core.predict.meaning import MapsCheck, read_check
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
    """Where the best weights of a classifier look for a class, "" for the one they answer, in one picture."""
    return cache.explanation(paths, name, picture, label, None)


def checked(paths: RunPaths) -> MapsCheck | None:
    """What is stored of the check of a run's maps, if it was made with the weights that are the best now."""
    return _checked(paths, cache.stamp_of(paths.maps_check), cache.stamp_of(paths.best))


def checks() -> dict[str, Any]:
    """Checks at work on this server, by the id of their run."""
    return _checks(cache.workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _checks(root: Path) -> dict[str, Any]:
    return {}


@st.cache_data(max_entries=64, show_spinner=False)
def _checked(paths: RunPaths, *stamps: tuple[int, int]) -> MapsCheck | None:
    return read_check(paths)


def drawn_over(picture: bytes, heat: bytes, opacity: float = OPACITY) -> bytes:
    """A picture with heat over it, as a JPEG for the screen."""
    return cache.drawn_heat(picture, heat, size_of(picture), opacity)


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height of a picture in pixels."""
    with Image.open(BytesIO(picture)) as image:
        return image.size
