"""The files that a report is written from, and nothing else: one folder, laid out as the bundle is.

    report.json                 what was asked for, when, and by which versions
    runs/<id>/                  a run's own files under their own names, as `RunPaths` has them, and beside them
        data.json health.json leakage.json   what the dataset was, what its health check found, what copies were worth
    pictures.json pictures/     the pictures that the report shows, by run, split and sample

A report is a function of this folder: whoever has the folder can write it again, letter for letter.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core.compare.comparison import Comparison
from core.compare.stored import compare_tables
from core.data.health.finding import HealthReport
from core.errors import FoveaError, InputError, shown
from core.evaluate.classification import evaluate_table
from core.evaluate.depth import Depth, depth_of
from core.evaluate.masks import MaskTable
from core.evaluate.predictions import PredictionTable
from core.evaluate.results import Result
from core.evaluate.segmentation import evaluate_masks
from core.recipe import Recipe
from core.runs.journal import Entry, RunJournal
from core.runs.labels import read_labels
from core.runs.run import RunFacts, RunPaths, RunStatus, read_status
from core.runs.seal import Opening, openings
from core.runs.store import RunStore
from core.runs.summary import read_facts, run_name
from core.workspace import Workspace, read_json, safe_id

ASKED, PICTURES = "report.json", "pictures.json"
DATA, HEALTH, LEAKAGE = "data.json", "health.json", "leakage.json"
RUNS, PICTURE_FOLDER = "runs", "pictures"
REPORTED = ("test", "validation")  # splits, the one that counts more first

IN_DETAIL = 3  # runs of one report that are told of one by one, with their curves, matrices and mistakes
MOST_CLASSES = 1000  # of a table that nobody vouches for: its matrix is drawn again 2,000 times
MOST_COUNTS = 60_000_000  # of the matrices of all its images together, 64-bit each


@dataclass(frozen=True)
class RunEvidence:
    """What there is to know about one run."""

    id: str
    paths: RunPaths

    @cached_property
    def recipe(self) -> Recipe:
        return Recipe.from_json(self.paths.recipe.read_text(encoding="utf-8"))

    @cached_property
    def facts(self) -> RunFacts:
        return read_facts(self.paths)

    @cached_property
    def status(self) -> RunStatus:
        return read_status(self.paths)

    @cached_property
    def entries(self) -> list[Entry]:
        """The journal."""
        return RunJournal(self.paths.epochs, self.paths.clock).read()

    @cached_property
    def name(self) -> str:
        """What a person calls the run."""
        return read_labels(self.paths.labels).name or run_name(self.recipe)

    @cached_property
    def best(self) -> Mapping[str, Any]:
        """What stands beside the weights: their epoch, and what was measured then."""
        return read_json(self.paths.best_facts) or {}

    @cached_property
    def openings(self) -> list[Opening]:
        """Every look at the test split."""
        return openings(self.paths)

    @cached_property
    def data(self) -> Mapping[str, Any] | None:
        """What the dataset was; None where it was gone when the report was made."""
        return self.stored(DATA)

    @cached_property
    def health(self) -> HealthReport | None:
        """What the health check of the data found; None where nobody had looked."""
        found = self.stored(HEALTH)
        return None if found is None else HealthReport.from_json(found)

    def stored(self, name: str) -> Any | None:
        """The content of a JSON file of the run; None where there is none."""
        return read_json(self.paths.folder / name)

    @cached_property
    def tables(self) -> dict[str, PredictionTable | MaskTable]:
        """The prediction tables by split, the test split first. Raises InputError for one that cannot be read."""
        kind = MaskTable if self.recipe.task == "segmentation" else PredictionTable
        found = {}
        for split in REPORTED:
            path = self.paths.predictions(split)
            if path.exists():
                _insist_on_size(path, masks=kind is MaskTable)
                found[split] = kind.read(path)
        return found

    @cached_property
    def results(self) -> dict[str, Result]:
        """What the tables say, computed anew."""
        return {
            split: evaluate_masks(table) if isinstance(table, MaskTable) else evaluate_table(table)
            for split, table in self.tables.items()
        }

    @cached_property
    def depths(self) -> dict[str, Depth]:
        """Ranking and calibration by split, computed anew; of classifiers, whose tables hold all probabilities."""
        return {split: depth_of(table) for split, table in self.tables.items() if isinstance(table, PredictionTable)}

    def epochs(self) -> list[Entry]:
        """The entries of the journal that end an epoch."""
        return [entry for entry in self.entries if entry.get("kind") == "epoch"]


@dataclass(frozen=True)
class Evidence:
    """A folder of evidence."""

    folder: Path

    @cached_property
    def asked(self) -> Mapping[str, Any]:
        """What the report was to be about. Raises InputError when that cannot be read."""
        found = read_json(self.folder / ASKED)
        texts = isinstance(found, dict) and all(
            isinstance(found.get(name), list) and all(isinstance(one, str) for one in found[name])
            for name in ("runs", "sections")
        )
        if not texts or not found["runs"] or not all(map(safe_id, found["runs"])):
            raise InputError("This says nothing about which runs it is a report on", found=shown(found))
        return found

    @cached_property
    def runs(self) -> tuple[RunEvidence, ...]:
        """The runs in the order they were asked for. Raises InputError for one that cannot be read."""
        found = []
        for id in self.asked["runs"]:
            run = RunEvidence(id, RunPaths(self.folder / RUNS / id))
            try:
                insist_on_whole(run)
            except InputError:
                raise
            except (OSError, FoveaError, AttributeError, LookupError, TypeError, ValueError) as error:
                raise InputError(f"The files of the run {shown(id)} cannot be read", found=str(error)) from error
            found.append(run)
        return tuple(found)

    @cached_property
    def pictures(self) -> dict[tuple[str, str, str, str], str]:
        """The file of each picture, by run, split, sample and what it shows: "picture", "truth", "answer", "errors"."""
        rows = read_json(self.folder / PICTURES) or []
        return {(row["run"], row["split"], row["sample"], row["shows"]): row["file"] for row in rows}

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """What the runs say together on each split that at least two of them were judged by, computed anew."""
        store = RunStore(Workspace(self.folder))
        runs = sorted((store.get(run.id) for run in self.runs), key=lambda run: (run.facts.created, run.id))
        found = {}
        for split in REPORTED:
            tables = {run.id: run.tables[split] for run in self.runs if split in run.tables}
            apart = {run.id: f"It was not judged on the {split} split." for run in runs if run.id not in tables}
            if len(tables) > 1:
                found[split] = compare_tables(runs, tables, apart, split)
        return found


def insist_on_whole(run: RunEvidence) -> None:
    """Read what no report can be without. Raises what reading it raises, and InputError where no split was judged."""
    _ = run.recipe, run.facts, run.status
    if not run.tables:
        raise InputError(f"The run {run.id} has no prediction table", expected="predictions_validation.csv")


def _insist_on_size(path: Path, *, masks: bool) -> None:
    """Refuse a table whose matrices would not fit into memory, before it is read."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        columns = len(next(csv.reader(file), ()))
    with path.open("rb") as file:
        rows = sum(block.count(b"\n") for block in iter(lambda: file.read(2**20), b""))
    classes = columns // 2 if masks else columns
    if classes > MOST_CLASSES or (masks and rows * classes**2 > MOST_COUNTS):
        raise InputError(f"The table {path.name} is too large", found=f"{rows:,} rows and {columns:,} columns")
