"""A lesson in what can go wrong between a good model and its report: one switch, 92 % or 11 %.

A student trained a classifier of endoscopy pictures to a validation accuracy of 0.92 and printed a test report of 0.11,
which is chance for eight classes. The images had gone through the model in a shuffled order, and the labels came from
the folder in its own order. Nothing complains of that: there are as many answers as labels, and as many of each class.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import RunError
from core.evaluate.classification import ClassificationResult, evaluate_table
from core.evaluate.predictions import PredictionTable
from core.integrity.autopsy.answers import Answers
from core.integrity.autopsy.autopsy import autopsy
from core.integrity.autopsy.verdict import Autopsy
from core.runs.seal import openings
from core.runs.store import RunStore
from core.workspace import Workspace

SEED = 51  # of the shuffling shown first: it leaves 11 %, as in the report; most leave 10 to 14
FEW = 8  # rows that are shown
PER_CLASS = 150

# Kvasir-v2 has 1,000 pictures of each of these; 150 of each is a test split of 15 %.
CLASSES = (
    "dyed-lifted-polyps",
    "dyed-resection-margins",
    "esophagitis",
    "normal-cecum",
    "normal-pylorus",
    "normal-z-line",
    "polyps",
    "ulcerative-colitis",
)

# How many of a class (first) are taken for another, for 1,104 of 1,200 to be named rightly. The report printed no such
# table of its good model; these are the pairs that are known to look alike.
TAKEN_FOR = {
    ("esophagitis", "normal-z-line"): 20,
    ("normal-z-line", "esophagitis"): 14,
    ("dyed-lifted-polyps", "dyed-resection-margins"): 14,
    ("dyed-resection-margins", "dyed-lifted-polyps"): 12,
    ("polyps", "ulcerative-colitis"): 7,
    ("polyps", "normal-cecum"): 6,
    ("polyps", "dyed-lifted-polyps"): 2,
    ("ulcerative-colitis", "polyps"): 6,
    ("ulcerative-colitis", "normal-cecum"): 5,
    ("ulcerative-colitis", "normal-pylorus"): 2,
    ("normal-cecum", "polyps"): 3,
    ("normal-cecum", "ulcerative-colitis"): 3,
    ("normal-pylorus", "normal-z-line"): 2,
}


@dataclass(frozen=True)
class Row:
    """One line of what was compared: an image, what it is, and the answer that was held against it."""

    file: str
    truth: str
    answer: str
    answered: str  # the file that this answer was about


@dataclass(frozen=True)
class Replay:
    """A report with, or without, the mistake."""

    result: ClassificationResult
    rows: tuple[Row, ...]  # a few of those compared, from all over the table


def kvasir() -> PredictionTable:
    """1,200 answers of a model that names 92 % rightly, class after class as a folder lists them.

    Drawn, not measured: no picture and no model is behind them. The same every time.
    """
    generator = np.random.default_rng(0)
    truth = np.repeat(np.arange(len(CLASSES)), PER_CLASS)
    predicted = truth.copy()
    for name in CLASSES:
        wrong = [(CLASSES.index(other), count) for (one, other), count in TAKEN_FOR.items() if one == name]
        answers = np.repeat([place for place, _ in wrong], [count for _, count in wrong])
        members = np.flatnonzero(truth == CLASSES.index(name))
        predicted[generator.choice(members, len(answers), replace=False)] = answers
    probabilities = np.full((len(truth), len(CLASSES)), 0.1 / (len(CLASSES) - 1), np.float32)
    probabilities[np.arange(len(truth)), predicted] = 0.9
    numbers = [row % PER_CLASS + 1 for row in range(len(truth))]
    return PredictionTable(
        classes=CLASSES,
        ids=tuple(f"{row:06d}" for row in range(len(truth))),
        files=tuple(f"{CLASSES[label]}/{number:03d}.jpg" for label, number in zip(truth, numbers, strict=True)),
        truth=truth,
        probabilities=probabilities,
        split="test",
        checkpoint="drawn for the lesson",
    )


def replay(table: PredictionTable, *, shuffled: bool, seed: int = SEED) -> Replay:
    """The report on a table as it is, or as it comes out when the answers are about the images in another order.

    `seed` is that of the shuffling.
    """
    order = _order(table, seed) if shuffled else np.arange(len(table))
    compared = _reordered(table, order)
    named = [[table.classes[label] for label in labels] for labels in (compared.truth, compared.predicted)]
    few = np.linspace(0, len(table) - 1, min(FEW, len(table))).round().astype(int)  # a folder begins with one class
    rows = tuple(Row(table.files[row], named[0][row], named[1][row], table.files[order[row]]) for row in few)
    return Replay(evaluate_table(compared), rows)


def _order(table: PredictionTable, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(len(table))


def _reordered(table: PredictionTable, order: np.ndarray) -> PredictionTable:
    return dataclasses.replace(table, probabilities=table.probabilities[order])


def replay_lesson(*, shuffled: bool, seed: int = SEED) -> Replay:
    """The report of the lesson, with or without the mistake."""
    return replay(kvasir(), shuffled=shuffled, seed=seed)


def replay_run(workspace_root: str, run_id: str, split: str, *, shuffled: bool, seed: int = SEED) -> Replay:
    """The same with the answers of a run, from its stored prediction table: nothing is evaluated and no seal opened.

    Raises RunError where there is none, or the test split is sealed.
    """
    return replay(_answers_of(workspace_root, run_id, split), shuffled=shuffled, seed=seed)


def autopsy_of_replay(workspace_root: str, run_id: str, split: str, seed: int) -> Autopsy:
    """What an autopsy says of the shuffled report: of the lesson's, or where `run_id` is not "", of a run's.

    It sees truth and answers, and not what brought them together. Raises what `replay_run` does.
    """
    table = _answers_of(workspace_root, run_id, split) if run_id else kvasir()
    mixed_up = _reordered(table, _order(table, seed))
    return autopsy(Answers(classes=table.classes, truth=mixed_up.truth, predicted=mixed_up.predicted, given_order=True))


def _answers_of(workspace_root: str, run_id: str, split: str) -> PredictionTable:
    run = RunStore(Workspace(Path(workspace_root))).get(run_id)
    if run.recipe.task != "classification" or not run.paths.predictions(split).exists():
        raise RunError("This run has no stored answers to replay", do="Evaluate it first, on the page Evaluate")
    if split == "test" and not openings(run.paths):
        raise RunError("The test split of this run is sealed", do="Replay its validation split")
    return PredictionTable.read(run.paths.predictions(split))
