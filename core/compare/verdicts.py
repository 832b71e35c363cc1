"""The whole comparison in a sentence or two, and what to keep in mind with it."""

from collections.abc import Mapping, Sequence

import numpy as np

from core.compare.answers import Common
from core.compare.comparison import MODELS, RECIPES, Pair, RecipeLine, RunLine
from core.metrics.crossed import FEWEST_SEEDS
from core.metrics.parts import labels_of
from core.metrics.segmentation import PREDICTED, TRUTH
from core.runs.store import Run


def verdict(
    runs: Sequence[RunLine], recipes: Sequence[RecipeLine], pairs: Sequence[Pair], names: Mapping[str, str]
) -> tuple[str, str]:
    """The verdict by the figure that decides, and the question that it answers."""
    compared = [run for run in runs if not run.apart]
    if len(compared) < 2:
        why = next((run.apart for run in runs if run.apart), "")
        return f"These runs cannot be held against one another. {why}".strip(), MODELS
    score = compared[0].scores[0]
    if any(run.scores[0].value is None for run in compared):
        return f"These images do not say what the {score.label} of every run is, so nothing can be compared.", MODELS
    of_recipes = _deciding(pairs, RECIPES, score.name)
    of_models = _deciding(pairs, MODELS, score.name)
    if len(recipes) == 1:
        return _one_recipe(recipes[0], compared, of_models), MODELS
    if of_recipes:
        keys = [line.key for line in recipes if len(line.seeds) >= FEWEST_SEEDS]
        told = _told(keys, of_recipes, names, ", with other seeds and other images, too")
        left = len(recipes) - len(keys)
        if left:
            few = "One recipe was" if left == 1 else f"{left} recipes were"
            told += f" {few} trained with fewer than {FEWEST_SEEDS} seeds, about which this says nothing."
        return told, RECIPES
    told = _told([run.id for run in compared], of_models, names, "")
    return (
        f"{told} That is about these trained networks. Whether the recipes differ nobody can tell yet: another seed "
        f"may turn it round. Train each with {FEWEST_SEEDS} seeds or more.",
        MODELS,
    )


def cautions(split: str, common: Common | None, kept: Sequence[Run], recipes: Sequence[RecipeLine]) -> tuple[str, ...]:
    """What to keep in mind, as sentences."""
    if common is None or len(kept) < 2:
        return ()
    told = []
    if split == "validation":
        more = ", and those with more epochs a little more" if len({run.recipe.epochs for run in kept}) > 1 else ""
        told.append(f"Each run is judged at its best epoch on these very images, which flatters all of them{more}.")
    else:
        told.append("The more runs are compared on the test split, the less it is one.")
    if common.left_out:
        told.append(
            f"Not all runs were judged by the same images: only the {common.n} that they share count, "
            f"{common.left_out} are left out."
        )
    if common.relabelled:
        told.append(f"{common.relabelled} images were left out because the runs were told different labels for them.")
    if unseen := _unseen(common):
        told.append(
            f"No image that they share truly shows {unseen}, and a run answers it all the same: that counts as 0 in "
            "the means of the runs, as it does on Evaluate; the differences leave it out."
        )
    revisions = sorted({run.facts.revision for run in kept})
    if len(revisions) > 1:
        named = " and ".join(map(str, revisions))
        told.append(f"The runs were trained on different revisions of the data ({named}).")
    if any(not run.status.state.is_finished for run in kept):
        told.append("A run that still trains is judged by its best weights so far.")
    repeated = len(kept) - sum(len(line.runs) for line in recipes)
    if repeated:
        told.append(
            f"{repeated} of the runs repeat a recipe with the same seed: they are no further evidence about recipes."
        )
    return tuple(told)


def _unseen(common: Common) -> str:
    """The classes that some run answers although no image shows them, as text; "" where there are none."""
    answers = common.answers.values()
    if common.truth is None:
        counts = np.stack([one.sum(axis=0) for one in answers])  # (runs, K, 3)
        said, there = counts[..., PREDICTED].any(axis=0), counts[0, :, TRUTH] > 0
    else:
        labels = np.concatenate([labels_of(one) for one in answers])
        number = len(common.classes)
        said, there = (np.bincount(side, minlength=number) > 0 for side in (labels, common.truth))
    places = [place for place in np.flatnonzero(said & ~there) if place != common.background]
    return " and ".join(f"“{common.classes[place]}”" for place in places)


def _deciding(pairs: Sequence[Pair], question: str, metric: str) -> list[Pair]:
    return [pair for pair in pairs if (pair.question, pair.metric) == (question, metric)]


def _one_recipe(line: RecipeLine, runs: Sequence[RunLine], pairs: Sequence[Pair]) -> str:
    score = line.scores[0]
    if len(line.runs) < 2:
        return "These runs have one recipe and one seed: they are the same experiment, done again."
    values = [run.scores[0].value for run in runs if run.scores[0].value is not None]
    told = (
        f"All of these have one recipe and differ in their seed alone: {score.label} {min(values):.3f} to "
        f"{max(values):.3f}, {score.value:.3f} ± {score.std:.3f}. What sets them apart is chance, not a choice."
    )
    if any(pair.different for pair in pairs):
        told += " Some of the trained networks are beyond chance better on such images than others; take care not to "
        told += "credit a recipe with what a seed did."
    return told


def _told(keys: Sequence[str], pairs: Sequence[Pair], names: Mapping[str, str], also: str) -> str:
    if len(pairs) == 1:
        return pairs[0].sentence
    beaten: dict[str, list[str]] = {key: [] for key in keys}
    for pair in pairs:
        if pair.different:
            winner, loser = (pair.second, pair.first) if pair.value > 0 else (pair.first, pair.second)
            beaten[winner].append(loser)
    found = sum(map(len, beaten.values()))
    if not found:
        return f"Within noise: of the {len(pairs)} pairs none differs by more than chance explains."
    best = max(keys, key=lambda key: len(beaten[key]))
    if len(beaten[best]) == len(keys) - 1:
        return f"{names[best]} is better than all others{also}: more than chance explains."
    most = f"{names[best]} is better than {len(beaten[best])} of {len(keys) - 1} others{also}"
    rest = len(pairs) - found
    return (
        f"{most}; {found} of {len(pairs)} pairs differ by more than chance explains, the other {rest} are within noise."
    )
