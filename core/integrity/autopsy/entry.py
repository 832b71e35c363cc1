"""An autopsy from files, or of the stored answers of a run: what pages ask the desk process and the command calls."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.errors import RunError
from core.evaluate.predictions import PredictionTable
from core.integrity.autopsy.answers import Answers
from core.integrity.autopsy.autopsy import autopsy
from core.integrity.autopsy.grid import Source
from core.integrity.autopsy.reading import read_answers
from core.integrity.autopsy.verdict import Autopsy
from core.runs.seal import openings
from core.runs.store import RunStore
from core.workspace import Workspace


def autopsy_paths(
    root: str,
    truth: Source | None,
    predicted: Source | None = None,
    *,
    probabilities: Source | None = None,
    training: Source | None = None,
    evaluated: Source | None = None,
    classes: Sequence[str] | None = None,
    run: str = "",
    split: str = "validation",
) -> Autopsy:
    """The autopsy of files, each a path or (name, content), or of a run of the workspace at `root`.

    Raises InputError for files that cannot be used, RunError for a run without stored answers on this split.
    """
    if run:
        answers = answers_of_run(Workspace(Path(root)), run, split)
    else:
        answers = read_answers(
            truth, predicted, probabilities=probabilities, training=training, evaluated=evaluated, classes=classes
        )
    return autopsy(answers)


def answers_of_run(workspace: Workspace, run_id: str, split: str = "validation") -> Answers:
    """The stored answers of a run on a split. Nothing is evaluated, and no seal is opened.

    Raises RunError for a run that divides pixels, that has no stored answers on the split, or whose test split is
    sealed.
    """
    run = RunStore(workspace).get(run_id)
    if run.recipe.task != "classification":
        raise RunError("An autopsy is of answers that name whole pictures", found=f"the run {run_id}, which has masks")
    if split == "test" and not openings(run.paths):
        raise RunError("The test split of this run is sealed", do="Open it on the page Evaluate, or take validation")
    path = run.paths.predictions(split)
    if not path.exists():
        raise RunError(f"The run {run_id} has no stored answers on {split}", do=f"Evaluate it on {split} first")
    table = PredictionTable.read(path)
    return Answers(
        classes=table.classes,
        truth=table.truth.astype(np.int64),
        predicted=table.predicted.astype(np.int64),
        probabilities=table.probabilities,
        ids=table.ids,
        joined="table",
        names=(path.name, path.name),
        given_order=True,
    )
