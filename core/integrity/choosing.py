"""Validation images that chose and are reported: among how many was chosen, and how much that flatters the figure."""

from collections.abc import Sequence
from math import sqrt

import numpy as np

from core.data.health.finding import Finding
from core.errors import InputError
from core.evaluate.current import renewed
from core.evaluate.masks import MaskTable
from core.evaluate.predictions import PredictionTable
from core.integrity.run_report import Looked
from core.integrity.run_subject import Judged, Table, image_dice, rights
from core.integrity.subject import number_of
from core.runs.run import RunPaths, RunState
from core.runs.summary import RunSummary
from core.seeding import derive

DRAWS = 1000
FEWEST_EPOCHS = 3  # from fewer nobody can tell how figures waver
WINDOW = 5  # epochs that a smooth course is the mean of
MOST_RUNS = 60  # of a study whose answers are read
LITTLE = 0.0005  # of the score: what rounds to nothing is not told
TRIAL, STUDY = "trial:", "study:"  # beginnings of the tags of runs in a search


def chosen_by_validation(judged: Judged) -> Looked:
    """A validation figure that is reported although the same images chose the epoch, and perhaps the trial."""
    if judged.validation is None:
        return Looked(unknown="There are no answers of the kept weights to validation yet.")
    scores, phases = _course(judged)
    trials = _trials(judged)
    others = sum(line.best != {} for line in judged.alike) - 1
    if judged.test is not None:
        return Looked(told=f"The test images chose nothing, and there is a figure of them: {_test_words(judged)}.")
    if len(scores) < 2 and len(trials) < 2:
        return Looked(told="There was one epoch and no search, so the validation images chose nothing.")
    of_epochs = flattery(scores, phases, most=_of_chance(judged)) if len(scores) >= FEWEST_EPOCHS else 0.0
    of_trials = _of_trials(judged, trials)
    chosen = [f"the best of {len(scores):,} epochs"] if len(scores) > 1 else []
    if len(trials) > 1:
        chosen.append(f"one of {len(trials):,} trials of a search")
    lift = of_epochs + of_trials
    if lift < LITTLE:
        return Looked(
            told=f"The validation images chose {' and '.join(chosen)}, which comes to less than 0.1 points here."
        )
    half = _half(judged)
    grave = half is not None and lift > half
    parts = [f"about {100 * of_epochs:.1f} points for the epoch"] if of_epochs >= LITTLE else []
    parts += [f"about {100 * of_trials:.1f} for the trial"] if of_trials >= LITTLE else []
    against = "" if half is None else f"; its 95 % interval reaches {100 * half:.1f} points to either side"
    beside = (
        f" {number_of(others, 'other run was', 'other runs were')} judged by the same images: whoever reports the best "
        "of all chooses among these too."
        if others
        else ""
    )
    return Looked(
        (
            Finding(
                "chosen-by-validation",
                "warning" if grave else "note",
                f"The validation {judged.score_words} is of {' and '.join(chosen)}, chosen by the same "
                f"{number_of(len(judged.validation))} that measure it. Choosing flatters it by {' and '.join(parts)} "
                f"on average{against}.",
                "Say so beside the figure, or open the test split once, when nothing is chosen any more: those images "
                f"chose nothing.{beside}",
                figures={
                    "epochs": len(scores),
                    "trials": len(trials),
                    "other_runs": others,
                    "of_epochs": of_epochs,
                    "of_trials": of_trials,
                    "half_interval": half,
                },
            ),
        )
    )


def flattery(scores: Sequence[float], phases: Sequence[int], *, most: float = np.inf, seed: int = 0) -> float:
    """By how much the best of some epochs is expected to exceed what it is worth, by the scores alone.

    Scores waver about a smooth course. How much, second differences tell, in which a course cancels, taken of the
    better half of the epochs, where it is nearly straight; what the same images have in common at every epoch is not
    in them, and does not flatter the choice. Then epochs are drawn again
    about the course and the best is chosen: the mean of its wavering is the answer. Some of the wavering is a network
    that is truly better for a moment, so this is rather too much than too little. `most` is the largest standard
    deviation that chance in the images alone can have. Zero for fewer than three epochs.
    """
    values, phases = np.asarray(scores, float), np.asarray(phases)
    inside = (phases[2:] == phases[:-2]) if len(values) > 2 else np.array([], bool)
    if len(values) < FEWEST_EPOCHS or not inside.any():
        return 0.0
    course = _smooth(values, phases)
    bends = (values[1:-1] - (values[:-2] + values[2:]) / 2)[inside]
    high = course[1:-1][inside]
    waver = min(float(np.sqrt(np.mean(bends[high >= np.median(high)] ** 2) / 1.5)), most)
    drawn = waver * np.random.default_rng(derive(seed, "flattery")).standard_normal((DRAWS, len(course)))
    best = (course + drawn).argmax(axis=1)
    return max(0.0, float(drawn[np.arange(DRAWS), best].mean()))


def _smooth(values: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """The mean of each epoch and its neighbours of the same phase; straight lines through both ends."""
    reach, smooth = WINDOW // 2, np.empty(len(values))
    for place in range(len(values)):
        near = slice(max(0, place - reach), place + reach + 1)
        same = phases[near] == phases[place]
        at, there = np.arange(len(values))[near][same] - place, values[near][same]
        smooth[place] = np.polyfit(at, there, 1)[1] if len(there) > 2 else there.mean()
    return smooth


def flattery_of_runs(right: np.ndarray, *, seed: int = 0) -> float:
    """By how much the best of some runs is expected to exceed what it is worth, by their scores (R, N) on the same
    images.

    The images are drawn again and the best run is chosen anew; by how much its score rose by the drawing is what the
    choice flatters. The runs' own scores already hold such luck, so they are drawn together first by as much as luck
    explains of their differences (James & Stein 1961).
    """
    runs, images = right.shape
    if runs < 2 or images < 2:
        return 0.0
    means = right.mean(axis=1)
    generator = np.random.default_rng(derive(seed, "flattery of runs"))
    drawn = generator.multinomial(images, np.full(images, 1 / images), size=DRAWS) @ right.T / images  # (DRAWS, R)
    luck = drawn - means
    apart = luck - luck.mean(axis=1, keepdims=True)  # what all share flatters nobody
    noise, differ = float((apart**2).mean() * runs / (runs - 1)), float(means.var(ddof=1))
    kept = max(0.0, 1 - noise / differ) if differ else 0.0
    best = (means.mean() + kept * (means - means.mean()) + luck).argmax(axis=1)
    return max(0.0, float(apart[np.arange(DRAWS), best].mean()))


def _course(judged: Judged) -> tuple[list[float], list[int]]:
    """The validation scores of the epochs among which the kept one was chosen, and their phases."""
    told = [entry for entry in judged.epochs if (entry.get("validation") or {}).get(judged.score) is not None]
    return [entry["validation"][judged.score] for entry in told], [entry.get("phase", 0) for entry in told]


def _trials(judged: Judged) -> list[RunSummary]:
    """The finished runs of the search that this run is a trial of, itself among them; none where it is of no search."""
    tags = set(judged.run.facts.tags)
    study = next((tag for tag in tags if tag.startswith(STUDY)), None)
    if study is None or not any(tag.startswith(TRIAL) for tag in tags):
        return []
    return [line for line in judged.alike if study in line.tags and line.state is RunState.FINISHED]


def _of_trials(judged: Judged, trials: Sequence[RunSummary]) -> float:
    """What choosing this trial among the others flatters; nothing where another one came out better."""
    own = judged.run.status.best.get(judged.score)
    if len(trials) < 2 or own is None or any((line.score or 0) > own for line in trials):
        return 0.0
    rows, ids = [], judged.validation.ids if judged.validation else ()
    for line in trials[:MOST_RUNS]:
        table = _answers(RunPaths(judged.workspace.runs / line.id), judged.masks)
        if table is not None and table.ids == ids:
            rows.append(np.nan_to_num(image_dice(table)) if isinstance(table, MaskTable) else rights(table))
    return flattery_of_runs(np.array(rows, float)) if len(rows) > 1 else 0.0


def _answers(paths: RunPaths, masks: bool) -> Table | None:
    try:
        return (MaskTable if masks else PredictionTable).read(paths.predictions("validation"))
    except InputError:
        return None


def _of_chance(judged: Judged) -> float:
    """The standard deviation that chance in the images gives the score."""
    half = _half(judged)
    return np.inf if half is None else half / 1.96


def _half(judged: Judged) -> float | None:
    """Half the width of the interval of the validation score."""
    interval = judged.run.status.interval
    if interval is None and isinstance(judged.validation, PredictionTable):
        share, n = float(rights(judged.validation).mean()), len(judged.validation)
        return 1.96 * sqrt(max(share * (1 - share), 1 / n) / n)
    return None if interval is None else (interval[1] - interval[0]) / 2


def _test_words(judged: Judged) -> str:
    result = renewed(judged.run, "test")
    if result is None:
        return "evaluate the test split again to see it"
    value = getattr(result, "accuracy", None) if not judged.masks else result.mean_dice
    interval = result.interval if not judged.masks else result.mean_dice_interval
    told = "–" if value is None else f"{value:.3f}"
    return f"{judged.score_words} {told}" + (f" [{interval[0]:.3f}–{interval[1]:.3f}]" if interval else "")
