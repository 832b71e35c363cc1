"""Which runs share a recipe, what the recipes are called, and in what they differ."""

import re
from collections.abc import Mapping, Sequence

from core.compare.comparison import Choice
from core.recipe import Recipe, diff
from core.runs.store import Run

# What does not make another recipe: chance, names, and where it is worked on and watched.
NOT_CHOICES = ("seed", "name", "preset", "tracker", "device", "dataset", "fold", "folds")
MOST_WORDS = 3  # choices that a name tells
_SEED = re.compile(r"[\s,;]*\bseed \d+$")  # as studies name their runs


def grouped(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs by the key of their recipe, in the order in which the recipes come up.

    Runs of one recipe differ in their seed at most; the same recipe on other data, or another revision, is another.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        blank = Recipe.parse({"task": run.recipe.task}).model_dump(include=set(NOT_CHOICES))
        key = (
            run.recipe.model_copy(update=blank).hash,
            run.facts.dataset,
            run.facts.revision,
            run.facts.dataset_fingerprint,
        )
        groups.setdefault(repr(key), []).append(run)
    return {f"recipe-{place}": group for place, group in enumerate(groups.values(), start=1)}


def each_seed_once(group: Sequence[Run]) -> list[Run]:
    """The runs of a recipe without those that repeat a seed: these are the same network, and no further evidence."""
    seen: dict[int, Run] = {}
    for run in group:
        seen.setdefault(run.recipe.seed, run)
    return list(seen.values())


def labels(groups: Mapping[str, Sequence[Run]], choices: Sequence[Choice]) -> dict[str, str]:
    """What each recipe is called: as its runs are, without their seeds; where two have one name, by what differs."""
    names = {key: _common(group) for key, group in groups.items()}
    told = dict(names)
    for place, key in enumerate(groups):
        if list(names.values()).count(names[key]) > 1:
            words = [f"{_last(row.path)} {row.values[place]}" for row in choices[:MOST_WORDS]]
            told[key] = ", ".join([names[key], *words])
    taken: dict[str, int] = {}
    for key, name in told.items():
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:
            told[key] = f"{name} ({taken[name]})"
    return told


def run_labels(runs: Sequence[Run]) -> dict[str, str]:
    """What each run is called; where two have one name, with the seed, and with the end of the id if that is shared."""
    told = {run.id: run.name for run in runs}
    for add in (lambda run: f"{run.name}, seed {run.recipe.seed}", lambda run: f"{run.name} ({run.id[-6:]})"):
        names = list(told.values())
        told = {run.id: add(run) if names.count(told[run.id]) > 1 else told[run.id] for run in runs}
    return told


def choices(groups: Mapping[str, Sequence[Run]]) -> tuple[Choice, ...]:
    """The fields in which the recipes differ, each with its value in every one; the data first."""
    firsts = [group[0] for group in groups.values()]
    if not firsts:
        return ()
    found = []
    data = tuple(f"{run.facts.dataset_name}, revision {run.facts.revision}" for run in firsts)
    if len({(run.facts.dataset, run.facts.revision, run.facts.dataset_fingerprint) for run in firsts}) > 1:
        found.append(Choice("data", data))
    rows = [diff(firsts[0].recipe, run.recipe) for run in firsts]
    base = {row.path: row.left for found_rows in rows for row in found_rows}
    values = [{row.path: row.right for row in found_rows} for found_rows in rows]
    for path, usual in base.items():
        if path.split(".")[0] not in NOT_CHOICES:
            found.append(Choice(path, tuple(one.get(path, usual) for one in values)))
    return tuple(found)


def _common(group: Sequence[Run]) -> str:
    """The name of the first run, without the seed that a study put at its end."""
    return _SEED.sub("", group[0].name) if len(group) > 1 else group[0].name


def _last(path: str) -> str:
    return path.rpartition(".")[2].replace("_", " ")
