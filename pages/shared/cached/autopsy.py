"""What the page Autopsy asks the desk process, kept for as long as the question is the same."""

from pathlib import Path

import streamlit as st

from core.integrity.autopsy.verdict import Autopsy
from core.integrity.lesson import Replay
from pages.shared import cache

WORK = "core.integrity.autopsy.entry:autopsy_paths"


@st.cache_data(max_entries=32, show_spinner=False)
def verdict_on_files(files: dict[str, tuple[str, bytes]], classes: tuple[str, ...]) -> Autopsy:
    """What is wrong with answers in files: {"truth", "predicted", "training", "evaluated": (name, content)}.

    `classes` is their order, () where nobody gave it. Raises InputError for files that cannot be used.
    """
    return cache.desk().call(WORK, "", files["truth"], **_but_truth(files), classes=classes or None)


def verdict_on_run(run: str, split: str) -> Autopsy:
    """What is wrong with the stored answers of a run. Raises RunError where it has none on this split."""
    return _verdict_on_run(cache.workspace().root, run, split, _answers(run, split))


def verdict_on_replay(run: str, split: str, seed: int) -> Autopsy:
    """What is wrong with the shuffled report that `replay` gives for this seed."""
    return _verdict_on_replay(cache.workspace().root, run, split, _answers(run, split), seed)


def replay(run: str, split: str, *, shuffled: bool, seed: int) -> Replay:
    """The report of the lesson, or of a run's stored answers, with or without the mistake. `run` is "" for the lesson.

    Raises RunError where the run has no stored answers.
    """
    return _replay(cache.workspace().root, run, split, _answers(run, split), shuffled, seed)


@st.cache_data(max_entries=64, show_spinner=False)
def _verdict_on_run(root: Path, run: str, split: str, stamp: tuple[int, int]) -> Autopsy:
    return cache.desk().call(WORK, str(root), None, run=run, split=split)


@st.cache_data(max_entries=64, show_spinner=False)
def _verdict_on_replay(root: Path, run: str, split: str, stamp: tuple[int, int], seed: int) -> Autopsy:
    return cache.desk().call("core.integrity.lesson:autopsy_of_replay", str(root), run, split, seed)


@st.cache_data(max_entries=64, show_spinner=False)
def _replay(root: Path, run: str, split: str, stamp: tuple[int, int], shuffled: bool, seed: int) -> Replay:
    if not run:
        return cache.desk().call("core.integrity.lesson:replay_lesson", shuffled=shuffled, seed=seed)
    work = "core.integrity.lesson:replay_run"
    return cache.desk().call(work, str(root), run, split, shuffled=shuffled, seed=seed)


def _answers(run: str, split: str) -> tuple[int, int]:
    return cache.stamp_of(cache.store().paths(run).predictions(split)) if run else (0, 0)


def _but_truth(files: dict[str, tuple[str, bytes]]) -> dict[str, tuple[str, bytes]]:
    return {name: file for name, file in files.items() if name != "truth"}
