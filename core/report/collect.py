"""Gather the evidence of a report from a workspace: the run's own files, what the data was, and the pictures to show.

Nothing that is sealed is opened: a test split is in the report when somebody has opened it for these very weights.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.compare.hypothesis import score_hypothesis
from core.data.dataset import Dataset, count_by_class
from core.data.health.store import read_report
from core.data.loading import read_picture
from core.data.mask_files import read_mask
from core.errors import DatasetError, FoveaError, InputError, RunError
from core.evaluate.current import renewed
from core.evaluate.masks import MaskTable
from core.figures.overlay import draw_errors, draw_overlay
from core.integrity.run_checks import check_run
from core.machine import versions
from core.metrics.segmentation import background_of
from core.predict.meaning import read_check
from core.report.about_mistakes import MASK_VIEWS, mistakes, worst
from core.report.evidence import ASKED, DATA, HEALTH, LEAKAGE, PICTURE_FOLDER, PICTURES, RUNS, RunEvidence
from core.report.sections import insist_on_sections
from core.runs.data import dataset_of
from core.runs.labels import Labels, read_labels, write_labels
from core.runs.run import RunPaths
from core.runs.store import Run, RunStore
from core.seeding import fingerprint
from core.studies.leakage import Price, price_of
from core.workspace import Workspace, write_json

MOST_RUNS = 12  # of one report; more are a matter of the Compare page
_CODE = (".py", ".j2", ".css")
_SIDE = 320  # pixels, long side of a picture with its mask
_MOST_FILES = 20  # of a finding that are named

Report = Callable[[int, int, str], None]


def collect(
    workspace: Workspace,
    run_ids: Sequence[str],
    folder: Path,
    *,
    sections: Sequence[str],
    title: str = "",
    report: Report = lambda done, of, what: None,
) -> None:
    """Put the evidence of a report on these runs into an empty folder, the validation split judged where it was not.

    Raises RunError for a run that is not there, still trains or has no weights, InputError for none or too many runs or
    an unknown section, StorageError when the disk is full.
    """
    ids = list(dict.fromkeys(run_ids))
    if not 1 <= len(ids) <= MOST_RUNS:
        raise InputError("A report is on some runs", found=str(len(ids)), expected=f"1 to {MOST_RUNS}")
    wanted = insist_on_sections(sections)
    store = RunStore(workspace)
    runs = [_insist_on_ended(store.get(id)) for id in ids]
    rows: list[dict[str, str]] = []
    for place, run in enumerate(runs):
        report(place, len(runs), "gathering")
        rows += _run(workspace, run, folder, wanted)
    write_json(folder / PICTURES, rows)
    asked = {"version": 1, "made": time.time(), "title": " ".join(title.split())[:200], "runs": ids}
    write_json(folder / ASKED, asked | {"sections": list(wanted), "maker": maker()})
    report(len(runs), len(runs), "gathering")


def maker() -> dict[str, Any]:
    """By which code and with which libraries a report is written here."""
    return {"code": code(), "versions": versions()}


@cache
def code() -> str:
    """16 digits that change with the code that computes and writes a report."""
    core = Path(__file__).parents[1]
    named = {path.relative_to(core).as_posix(): path for path in core.rglob("*") if path.suffix in _CODE}
    return fingerprint(*(f"{name} {hashlib.sha256(_text(path)).hexdigest()}" for name, path in sorted(named.items())))


def _text(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")  # as it is checked out on Windows


def _insist_on_ended(run: Run) -> Run:
    if not run.status.state.is_finished:
        raise RunError(f"The run {run.id} still trains", found=run.status.state, do="Wait for it, or stop it first")
    if not run.paths.best.exists():
        raise RunError(f"The run {run.id} has no weights", found=run.status.state, do="Choose one that has learned")
    return run


def _run(workspace: Workspace, run: Run, folder: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    """Put the evidence of one run there; the rows of its pictures."""
    if renewed(run, "validation") is None:
        from core.evaluate.evaluation import evaluate_run

        evaluate_run(str(workspace.root), run.id, "validation")
    if "hypothesis" in wanted and run.facts.hypothesis is not None:
        with suppress(FoveaError):  # one that is not due yet is told of as it stands
            score_hypothesis(str(workspace.root), run.id)
    here, there = run.paths, RunPaths(folder / RUNS / run.id)
    there.folder.mkdir(parents=True)
    splits = ["validation"]
    if renewed(run, "test") is not None:
        splits.append("test")
    names = ("recipe", "facts", "split", "state", "epochs", "clock", "seal", "best_facts", "score")
    for name in names:
        _copy(getattr(here, name), getattr(there, name))
    for split in splits:
        _copy(here.predictions(split), there.predictions(split))
    if read_check(here) is not None:  # one that is about these weights
        _copy(here.maps_check, there.maps_check)
    if name := read_labels(here.labels).name:
        write_labels(there.labels, Labels(name=name))  # notes and tags are between a person and the run
    if "integrity" in wanted:
        found = check_run(str(workspace.root), run.id, anew=True)  # what was kept knows of no picture changed since
        kept = replace(found, findings=tuple(_brief(asdict(one), type(one)) for one in found.findings), rests_on={})
        write_json(there.integrity, kept.to_json())
        price = price_of(str(workspace.root), run.id)
        if price is not None:
            write_json(there.folder / LEAKAGE, _price(price))
    try:
        dataset = dataset_of(workspace, run)
    except FoveaError:
        return []  # deleted since, or another one by now
    write_json(there.folder / DATA, _data(dataset))
    health = read_report(workspace, dataset)
    if health is not None:
        brief = replace(health, findings=tuple(_brief(asdict(one), type(one)) for one in health.findings))
        write_json(there.folder / HEALTH, brief.to_json())
    return _pictures(run, dataset, RunEvidence(run.id, there), folder)


def _copy(here: Path, there: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.copyfile(here, there)


def _brief(finding: dict[str, Any], kind: type) -> Any:
    """A finding without the repairs and the ids that a page needs, and with a few of its files."""
    brief = finding | {"evidence": (), "repairs": (), "files": finding["files"][:_MOST_FILES]}
    return kind.from_json(json.loads(json.dumps(brief)))


def _price(price: Price) -> dict[str, Any]:
    """What leakage was worth, without the runs that say so one by one."""
    parts = {"all": (price.gap, price.judged), "known": (price.of_known, price.known)}
    parts["new"] = price.of_new, price.judged - price.known
    rows = [
        {"pictures": name, "n": n, "mean": gap.mean, "interval": list(gap.interval), "seeds": gap.seeds}
        for name, (gap, n) in parts.items()
        if gap is not None
    ]
    return {"sentence": price.sentence, "score": price.duel.score, "rows": rows}


def _data(dataset: Dataset) -> dict[str, Any]:
    return {
        "id": dataset.id,
        "name": dataset.name,
        "task": dataset.task,
        "classes": list(dataset.classes),
        "revision": dataset.revision,
        "fingerprint": dataset.fingerprint,
        "layout": dataset.layout,
        "split_rule": dataset.split_rule,
        "splits": dataset.split_counts(),
        "counts": count_by_class(dataset.samples, dataset.classes),
        "skipped": len(dataset.skipped),
        "bytes": dataset.bytes,
        "changes": [change.sentence for change in dataset.changes],
    }


# Pictures


def _pictures(run: Run, dataset: Dataset, evidence: RunEvidence, folder: Path) -> list[dict[str, str]]:
    rows = []
    for split, table in evidence.tables.items():
        shown = _masks(run, dataset, split, table) if isinstance(table, MaskTable) else _thumbnails(dataset, table)
        for sample, view, jpeg in shown:
            name = keep_picture(folder, jpeg)
            rows.append({"run": run.id, "split": split, "sample": sample, "shows": view, "file": name})
    return rows


def keep_picture(folder: Path, jpeg: bytes) -> str:
    """Write a picture under the digest of its bytes, which is its name."""
    name = picture_name(jpeg)
    path = folder / PICTURE_FOLDER / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(jpeg)
    return name


def picture_name(jpeg: bytes) -> str:
    """What a picture is called: the first digits of its SHA-256."""
    return f"{hashlib.sha256(jpeg).hexdigest()[:20]}.jpg"


def _thumbnails(dataset: Dataset, table) -> list[tuple[str, str, bytes]]:
    found = []
    for one in mistakes(table):
        with suppress(DatasetError, OSError):  # of a picture that is gone there is only the row
            found.append((one.id, "picture", dataset.thumbnail(dataset.sample(one.id)).read_bytes()))
    return found


def _masks(run: Run, dataset: Dataset, split: str, table: MaskTable) -> list[tuple[str, str, bytes]]:
    found = []
    background = background_of(table.classes)
    for row in worst(table):
        try:
            sample = dataset.sample(row.id)
            picture = read_picture(dataset.path(sample).read_bytes(), name=sample.name).image
            truth, answer = read_mask(dataset.mask(sample)), read_mask(run.paths.mask(split, row.id))
            views = _views(picture, truth, answer, background)
        except (FoveaError, OSError, ValueError):
            continue
        found += [(row.id, view, jpeg) for view, jpeg in zip(MASK_VIEWS, views, strict=True)]
    return found


def _views(picture: Image.Image, truth: np.ndarray, answer: np.ndarray, background: int | None) -> list[bytes]:
    """A picture with its true mask, with the answer and with the errors, as small JPEGs."""
    scale = min(1.0, _SIDE / max(picture.size))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    image = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BICUBIC))
    small = [np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)) for mask in (truth, answer)]
    drawn = [draw_overlay(image, mask, background=background) for mask in small]
    return [_jpeg(one) for one in (*drawn, draw_errors(image, *small, background=background))]


def _jpeg(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=88)
    return file.getvalue()
