"""What a search found, as plain data: trials, history, importances, the best recipe, and how far to trust it.

Everything here is computed from the rows of trials; nothing reads a run or imports Optuna.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from core.recipe import diff
from core.studies.search import SearchSpec, spec_of, trial_recipe
from core.studies.space import label_of
from core.studies.study import Study

FEWEST_TRIALS = 10  # with figures that can be compared; from fewer nobody can tell which field matters
_Z = NormalDist().inv_cdf(0.975)  # half the width of a 95 % interval, in standard errors


@dataclass(frozen=True)
class Importances:
    """How much of the differences between trials each field explains."""

    shares: Mapping[str, float]  # {path: share of the variance}; they add up to 1. Empty where nothing can be said
    trials: int  # that could be compared
    epochs: int | None = None  # by the best figure of so many first epochs; None: of all their epochs


def results_of(study: Study, trials: Sequence[Mapping[str, Any]], importances: Importances) -> dict[str, Any]:
    """The content of results.json.

    `trials` have `number` (from 1), `run`, `state`, `value`, `epoch`, `epochs`, `seconds`, `interval`, `sentence` and
    `values` {path: value}.
    """
    spec = spec_of(study)
    higher = spec.metric == "score"
    metric = study.recipe.score if higher else "loss"
    best = best_of(trials, higher=higher)
    return {
        "metric": metric,
        "higher_is_better": higher,
        "fields": [
            {"path": span.path, "label": label_of(study.recipe, span.path), "log": getattr(span, "log", False)}
            for span in spec.space
        ],
        "trials": [dict(trial) for trial in trials],
        "history": history(trials, higher=higher),
        "importances": {"shares": dict(importances.shares), "sentence": about_shares(importances)},
        "best": None if best is None else dict(best) | {"changes": _changes(study, spec, best)},
        "caution": caution(trials, spec.metric, metric),
    }


def best_of(trials: Sequence[Mapping[str, Any]], *, higher: bool) -> Mapping[str, Any] | None:
    """The best trial that trained to its end; the earliest of several. None before there is one."""
    finished = [trial for trial in trials if trial["state"] == "finished" and trial["value"] is not None]
    return min(finished, key=lambda trial: -trial["value"] if higher else trial["value"], default=None)


def history(trials: Sequence[Mapping[str, Any]], *, higher: bool) -> list[dict[str, Any]]:
    """For each trial that finished: its number, its value, and the best value so far."""
    lines: list[dict[str, Any]] = []
    for trial in trials:
        if trial["state"] == "finished" and trial["value"] is not None:
            before = lines[-1]["best"] if lines else trial["value"]
            best = max(before, trial["value"]) if higher else min(before, trial["value"])
            lines.append({"number": trial["number"], "value": trial["value"], "best": best})
    return lines


def luck(number: int) -> float:
    """By how many standard errors the best of so many equally good trials is expected to exceed what it is worth.

    The mean of the largest of `number` independent normal draws, by Blom's formula (within 2 %). Trials that share
    their validation images are not independent, so that the true figure is smaller.

    Blom 1958, Statistical Estimates and Transformed Beta-Variables
    """
    return max(0.0, NormalDist().inv_cdf((number - 0.375) / (number + 0.25)))


def caution(trials: Sequence[Mapping[str, Any]], which: str, metric: str) -> str:
    """One plain sentence, or a few, about how optimistic the best figure is; empty before there is one."""
    higher = which == "score"
    best = best_of(trials, higher=higher)
    if best is None:
        return ""
    number = sum(trial["value"] is not None for trial in trials)
    told = (
        f"The best of {number} trials was chosen by the same validation images that measure it, "
        "so its figure is optimistic"
    )
    advice = "Train the best recipe with several seeds before you believe it, and open the test split once, at the end."
    if number < 2:
        return f"This is one trial, so nothing was chosen yet. {advice}"
    interval = best.get("interval")
    if not higher or interval is None:
        return f"{told}; by how much cannot be told from a {metric} without a standard error. {advice}"
    error = (interval[1] - interval[0]) / (2 * _Z)
    lift = luck(number) * error
    told += (
        f": had all {number} been equally good, luck alone would lift the best by up to {lift:.3f} "
        f"({luck(number):.1f} standard errors of {error:.3f})."
    )
    first = next((trial for trial in trials if trial["number"] == 1 and trial["value"] is not None), None)
    if first is not None and first.get("own") and first["number"] != best["number"]:
        gain = best["value"] - first["value"]
        than = "within what luck alone may give" if gain <= lift else "more than luck alone may give"
        told += f" The gain over the recipe as it stood is {gain:.3f}, {than}."
    return f"{told} {advice}"


def about_shares(importances: Importances) -> str:
    """What the importances are of, or why there are none."""
    if importances.trials < FEWEST_TRIALS:
        return f"Too few trials to tell what matters: {importances.trials} so far, {FEWEST_TRIALS} are needed."
    if not importances.shares:
        return "All trials came out the same, so no field can be said to matter."
    by = "their best figure"
    if importances.epochs is not None:
        by += f" within the first {importances.epochs} epochs" if importances.epochs > 1 else " after the first epoch"
    return (
        f"How much of the differences between {importances.trials} trials each field explains, by {by} (fANOVA). "
        "With few trials it is a rough guess."
    )


def _changes(study: Study, spec: SearchSpec, best: Mapping[str, Any]) -> list[dict[str, Any]]:
    recipe = trial_recipe(study.recipe, spec, best["values"]).model_copy(update={"name": study.recipe.name})
    return [
        {"path": row.path, "label": label_of(study.recipe, row.path), "base": row.left, "best": row.right}
        for row in diff(study.recipe, recipe)
    ]
