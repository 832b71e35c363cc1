"""Comparisons of runs: those that were made, those at work, and what is drawn of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from core.compare.comparison import Comparison
from core.compare.stored import comparison_file, read_stored
from core.figures.compare import class_changes, overlaid_curves, pair_differences
from core.runs.run import RunPaths
from pages.shared import cache


def comparison(ids: Sequence[str], split: str) -> tuple[Path, Comparison | None]:
    """Where the comparison of these runs is kept, and what is there, if anything. Raises what `core.compare` does."""
    file = comparison_file(str(cache.workspace().root), ids, split)
    return file, _comparison(file, stamp) if any(stamp := cache.stamp_of(file)) else None


@st.cache_resource(max_entries=16, show_spinner=False)
def _comparison(file: Path, stamp: tuple[int, int]) -> Comparison | None:
    return read_stored(file)


def at_work() -> dict[tuple, Any]:
    """Comparisons in the desk process, by their runs and split; those that have ended keep their answer for a while."""
    return _at_work(cache.workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _at_work(root: Path) -> dict[tuple, Any]:
    return {}


def curves(groups: Mapping[str, Sequence[RunPaths]], task: str) -> tuple[go.Figure, go.Figure]:
    """Score and loss of recipes, over one another: the name of each -> the files of its runs."""
    told = [(name, [paths.folder for paths in runs]) for name, runs in groups.items()]
    stamps = [(cache.stamp_of(paths.epochs), cache.stamp_of(paths.clock)) for runs in groups.values() for paths in runs]
    return _curves(told, stamps, task)


@st.cache_resource(max_entries=16, show_spinner=False)
def _curves(groups: list[tuple[str, list[Path]]], stamps: list, task: str) -> tuple[go.Figure, go.Figure]:
    journals = {name: [cache.journal(RunPaths(folder)) for folder in folders] for name, folders in groups}
    identity = " ".join(folder.name for _, folders in groups for folder in folders)
    return tuple(overlaid_curves(journals, task, figure, identity=identity) for figure in ("score", "loss"))


def differences(found: Comparison, file: Path, question: str, metric: str) -> go.Figure:
    """The differences of all pairs that answer a question by a figure."""
    return _differences(file, cache.stamp_of(file), question, metric, _found=found)


@st.cache_resource(max_entries=32, show_spinner=False)
def _differences(file: Path, stamp: tuple[int, int], question: str, metric: str, _found: Comparison) -> go.Figure:
    pairs = _found.of(question, metric)
    names = {key: _found.named(key) for pair in pairs for key in (pair.first, pair.second)}
    return pair_differences(pairs, names, dict(_found.metrics)[metric], identity=f"{file.stem} {question} {metric}")


def classes(found: Comparison, file: Path, place: int) -> go.Figure:
    """What became of each class between the sides of a pair, named by its place among all pairs."""
    return _classes(file, cache.stamp_of(file), place, _found=found)


@st.cache_resource(max_entries=32, show_spinner=False)
def _classes(file: Path, stamp: tuple[int, int], place: int, _found: Comparison) -> go.Figure:
    changes = _found.pairs[place].per_class
    return class_changes(changes, _found.classes, _found.class_figure, identity=f"{file.stem} {place}")
