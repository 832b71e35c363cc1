"""What the checks of a run are given: the run, what it answered, how it learned, and what is known of its data."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from core.data.dataset import Dataset
from core.data.health.finding import HealthReport
from core.data.health.store import read_report
from core.errors import FoveaError, InputError
from core.evaluate.current import digest_of
from core.evaluate.masks import MaskTable
from core.evaluate.predictions import PredictionTable
from core.integrity.run_report import Looked, judged_alike
from core.metrics.segmentation import background_of, class_counts, class_mean, dice
from core.recipe import SCORES
from core.runs.data import dataset_of
from core.runs.seal import Opening, openings
from core.runs.store import Run
from core.runs.summary import RunSummary
from core.workspace import Workspace

Table = PredictionTable | MaskTable
Entry = dict[str, Any]

SCORE_WORDS = {"classification": "accuracy", "segmentation": "mean Dice"}


@dataclass(frozen=True)
class RunCheck:
    """One thing that may be wrong with the figures of a run."""

    name: str  # of its findings
    label: str  # of a list
    sentence: str  # what is looked for
    look: "Callable[[Judged], Looked]"


@dataclass(frozen=True)
class Judged:
    """A run with everything that is known of it. What is asked for is read once."""

    workspace: Workspace
    run: Run

    @cached_property
    def masks(self) -> bool:
        """Whether the run divides pixels and names no whole pictures."""
        return self.run.recipe.task == "segmentation"

    @property
    def score(self) -> str:
        """The field of a validation that stands for the run: "accuracy" or "dice"."""
        return SCORES[self.run.recipe.task]

    @property
    def score_words(self) -> str:
        return SCORE_WORDS[self.run.recipe.task]

    @cached_property
    def _data(self) -> tuple[Dataset | None, str]:
        try:
            return dataset_of(self.workspace, self.run), ""
        except FoveaError as error:
            return None, str(error)

    @property
    def dataset(self) -> Dataset | None:
        """The data in the splits of the run; None where it is gone, or another one by now."""
        return self._data[0]

    @property
    def no_dataset(self) -> str:
        """Why there is none, as a sentence."""
        return self._data[1]

    @cached_property
    def epochs(self) -> list[Entry]:
        """What each epoch measured, the first one first."""
        return [entry for entry in self.run.journal.read() if entry.get("kind") == "epoch"]

    @cached_property
    def phases(self) -> dict[int, str]:
        """The names of the phases that began, by their numbers from 0."""
        return {entry["phase"]: entry["name"] for entry in self.run.journal.read() if entry.get("kind") == "phase"}

    @cached_property
    def openings(self) -> list[Opening]:
        """Who looked at the test images of this run."""
        return openings(self.run.paths)

    @cached_property
    def alike(self) -> list[RunSummary]:
        """All runs on the same revision of the same data, this one among them, the earliest first."""
        return judged_alike(self.workspace, self.run.facts.dataset, self.run.facts.revision)

    @cached_property
    def health(self) -> HealthReport | None:
        """What a health check of the data found; None where nobody made one or the data are gone."""
        return read_report(self.workspace, self.dataset) if self.dataset else None

    @cached_property
    def validation(self) -> Table | None:
        """The answers of the weights that are kept to the validation images; None where there are none."""
        return self._table("validation")

    @cached_property
    def test(self) -> Table | None:
        """The same for the test images, once somebody has opened them. Reading a stored table opens nothing."""
        return self._table("test") if self.openings else None

    @property
    def tables(self) -> dict[str, Table]:
        """Both, by their splits, those that there are."""
        both = {"validation": self.validation, "test": self.test}
        return {split: table for split, table in both.items() if table is not None}

    def _table(self, split: str) -> Table | None:
        try:
            table = (MaskTable if self.masks else PredictionTable).read(self.run.paths.predictions(split))
            return table if table.checkpoint.endswith(digest_of(self.run.paths.best)) else None
        except (InputError, FileNotFoundError):
            return None


def rights(table: PredictionTable) -> np.ndarray:
    """Which pictures were named rightly, (N,) bool."""
    return table.predicted == table.truth


def image_dice(table: MaskTable) -> np.ndarray:
    """The Dice of each image, the mean of its classes without background, (N,); NaN where there was nothing to find
    and nothing found."""
    return class_mean(dice(class_counts(table.confusion)), background_of(table.classes))
