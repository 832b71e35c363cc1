"""What a run's network said about a picture after each epoch: one question to the lab, whatever epoch is looked at."""

from pathlib import Path

import streamlit as st

from core.predict.answer import Travel
from core.runs.run import RunPaths
from core.runs.snapshots import epochs_to_visit
from pages.shared import cache


def epochs(paths: RunPaths) -> list[int]:
    """The epochs of a run that can be gone back to; [] where there is none."""
    return _epochs(paths, cache.stamp_of(paths.snapshots), cache.stamp_of(paths.best_facts))


@st.cache_data(max_entries=256, show_spinner=False)
def _epochs(paths: RunPaths, *stamps: tuple[int, int]) -> list[int]:
    return epochs_to_visit(paths)


def travel(paths: RunPaths, name: str, picture: bytes, label: str) -> Travel:
    """What the network of a run said about a picture after each of its epochs; "" is the class that it answers."""
    return _travel(paths.folder, cache.stamp_of(paths.best), cache.stamp_of(paths.snapshots), name, picture, label)


@st.cache_data(max_entries=32, max_size="100MiB", show_spinner=False)
def _travel(
    folder: Path, best: tuple[int, int], kept: tuple[int, int], name: str, picture: bytes, label: str
) -> Travel:
    return cache.lab().call("core.predict.travel:travel", str(folder), name, picture, label)
