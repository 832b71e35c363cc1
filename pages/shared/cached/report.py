"""Reports that were written, and reports that were checked, for as long as what they rest on is the same."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import streamlit as st

from core.integrity.run_report import rests_on
from core.report.verify import Verification
from core.runs.store import Run
from core.seeding import fingerprint
from pages.shared import cache

_MOST_KEPT = 12  # folders of written reports
_FILES = ("recipe", "facts", "best", "seal", "labels", "maps_check")


def key_of(runs: Sequence[Run], sections: Sequence[str], title: str) -> str:
    """16 digits that change with everything that a report on these runs rests on."""
    told: list[str] = [title, *sections]
    for run in runs:
        paths = [getattr(run.paths, name) for name in _FILES]
        paths += [run.paths.predictions(split) for split in ("validation", "test")]
        told += [run.id, *(str(cache.stamp_of(path)) for path in paths), *rests_on(run.paths).values()]
    return fingerprint(*told)


def written(key: str) -> Path | None:
    """The folder of a written report, by its key; None where it is still to be written."""
    folder = _folder(key)
    return folder if (folder / "report.zip").is_file() else None


def begin_folder(key: str) -> Path:
    """Where a report with this key is to be written; the oldest of the others go."""
    folder = _folder(key)
    with suppress(FileNotFoundError), os.scandir(folder.parent) as entries:
        ages = sorted((entry.stat().st_mtime, entry.path) for entry in entries)
        for _, path in ages[: -_MOST_KEPT + 1]:
            shutil.rmtree(path, ignore_errors=True)
    return folder


def _folder(key: str) -> Path:
    return cache.workspace().cache / "reports" / key


def preview(folder: Path) -> str:
    """The page of a written report without the evidence that it carries, which nobody looks at."""
    return _preview(folder, cache.stamp_of(folder / "report.html"))


@st.cache_data(max_entries=8, max_size="100MiB", show_spinner=False)
def _preview(folder: Path, stamp: tuple[int, int]) -> str:
    html = (folder / "report.html").read_text(encoding="utf-8")
    return html[: html.rindex("<script")] if "<script" in html else html


def verified(file: Any) -> Verification:
    """What came of checking an uploaded file. Raises what `core.report.verify` does."""
    return _verified(file.file_id, file.name, _file=file)


@st.cache_data(max_entries=16, show_spinner=False)
def _verified(id: str, name: str, _file: Any) -> Verification:
    uploads = cache.workspace().cache / "uploads"
    uploads.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=uploads) as temporary:
        path = Path(temporary) / "received"
        with path.open("wb") as target:
            shutil.copyfileobj(_file, target)
        return cache.desk().call("core.report.verify:verify", str(path), name)
