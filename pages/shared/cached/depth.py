"""Ranking and calibration of an evaluated split, read from the file that the evaluation left beside it."""

from pathlib import Path

import streamlit as st

from core.evaluate.depth import Depth, PixelDepth, current_depth
from core.runs.run import RunPaths
from core.runs.store import Run
from pages.shared import cache
from pages.shared.atwork import AtWork

DEPTH = "core.evaluate.depth:depth_of_run"


def depth(run: Run, split: str) -> Depth | PixelDepth:
    """The figures of a split by the run's present weights; the desk computes those of runs evaluated before there were
    any. Raises RunError where there are none."""
    paths = run.paths
    stamps = cache.stamp_of(paths.depth(split)), cache.stamp_of(paths.best), cache.stamp_of(paths.predictions(split))
    found = _depth(paths.folder, split, stamps)
    return found or cache.desk().call(DEPTH, str(cache.workspace().root), run.id, split)


@st.cache_resource(max_entries=32, show_spinner=False)
def _depth(folder: Path, split: str, stamps: tuple[tuple[int, int], ...]) -> Depth | PixelDepth | None:
    return current_depth(RunPaths(folder), split)


def views_at_work() -> dict[tuple[str, str, str], AtWork]:
    """Test-time augmentation in the desk process, by run, split and kind. Whoever sees one end takes it out."""
    return _views_at_work(cache.workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _views_at_work(root: Path) -> dict[tuple[str, str, str], AtWork]:
    return {}
