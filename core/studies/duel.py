"""The duel: two or more ways to vary training images, trained with the same seeds on the same images, and compared.

Each seed trains one run of every policy, with the same split, the same weights at the start and the same order of
images, so that whatever is common to both cancels in their difference. Which of them is better is said only where the
difference is more than chance in seeds and in validation images can bring (`core.metrics.crossed`).
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.augment.catalog import resolve, views
from core.data.library import Library
from core.errors import InputError, RecipeError
from core.evaluate.masks import MaskTable
from core.evaluate.predictions import PredictionTable
from core.executors.instant import can_retrain
from core.metrics.crossed import FEWEST_SEEDS, LEVEL, Crossed, crossed, parts_of_ratio
from core.metrics.intervals import Interval
from core.metrics.segmentation import HITS, PREDICTED, TRUTH, background_of, class_counts
from core.recipe import AugmentChoice, Recipe
from core.runs.store import Run
from core.runs.summary import RunSummary, run_name
from core.studies.repeats import (
    FIGURES,
    MOST_RUNS,
    RunLine,
    Spread,
    figures_of,
    make_runs,
    run_line,
    spread,
    spread_from,
    with_runs,
)
from core.studies.study import Study
from core.train.estimate import Rate, estimate
from core.workspace import Workspace

KIND = "duel"
SEEN = "the validation images"
SCORES = {"classification": "accuracy", "segmentation": "mean_dice"}  # the figure that decides, of FIGURES
CLASS_FIGURES = {"classification": "recall", "segmentation": "Dice"}
MOST_POLICIES = 6
MOST_VIEWS = 16
MOST_EPOCHS = 1000
USUAL_SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class PolicyLine:
    """How one policy fared over the seeds."""

    label: str
    figures: tuple[Spread, ...]  # each with a value of every seed of the duel, None where its run does not count


@dataclass(frozen=True)
class ClassGap:
    """How one class fared under the second policy less under the first."""

    label: str
    gap: Crossed | None  # None where the validation split has fewer than two images of it


@dataclass(frozen=True)
class Gap:
    """The second of two policies less the first."""

    first: str
    second: str
    seeds: tuple[int, ...]  # with which both finished
    differences: tuple[float, ...]  # of the score, one of each of these seeds
    gap: Crossed | None  # None below three seeds
    verdict: str  # of the second: "better", "worse", "no evidence"; "" while there is none
    sentence: str
    per_class: tuple[ClassGap, ...]


@dataclass(frozen=True)
class DuelTable:
    """What the runs of a duel say together. Only runs that finished count."""

    study: str
    name: str
    task: str
    score: str  # what decides, as a table calls it
    class_figure: str  # what is told of each class
    seeds: tuple[int, ...]
    planned: int
    counted: int
    runs: tuple[RunLine, ...]
    policies: tuple[PolicyLine, ...]
    pairs: tuple[Gap, ...]
    verdict: str  # the whole duel in a sentence
    caution: str  # what the intervals count and what not

    def to_json(self) -> dict[str, Any]:
        """Plain data, as the command line gives it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The table from plain data."""
        lines = tuple(RunLine(**line) for line in data["runs"])
        policies = tuple(
            PolicyLine(row["label"], tuple(spread_from(one) for one in row["figures"])) for row in data["policies"]
        )
        pairs = tuple(_gap_from(row) for row in data["pairs"])
        return cls(**{**data, "seeds": tuple(data["seeds"]), "runs": lines, "policies": policies, "pairs": pairs})


# Making


def make(
    workspace_root: str,
    recipe_json: str,
    dataset: str,
    policies: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    name: str = "",
) -> str:
    """Make a duel and all its runs, which wait until `core.studies.repeats.submit`, and return its id.

    `policies` are {label: AugmentChoice as plain data}. Raises what `entries` and `core.studies.repeats.make_runs` do.
    """
    workspace, recipe = Workspace(Path(workspace_root)), Recipe.from_json(recipe_json)
    data = Library(workspace).get(dataset)
    choices = {label: recipe.set({"augment": dict(choice)}).augment for label, choice in policies.items()}
    runs = []
    for label, one in entries(recipe, choices, seeds):
        varies = varied(label, one.seed)
        runs.append((one.model_copy(update={"name": f"{run_name(recipe)}, {told(varies)}"}), varies))
    spec = {
        "policies": {label: choice.model_dump(mode="json") for label, choice in choices.items()},
        "seeds": list(seeds),
    }
    return make_runs(workspace, data, KIND, name or " against ".join(choices), recipe, spec, runs)


def entries(recipe: Recipe, policies: Mapping[str, AugmentChoice], seeds: Sequence[int]) -> list[tuple[str, Recipe]]:
    """The runs of a duel in the order of the queue, each with the label of its policy: seed by seed, so that whatever
    has finished can be compared.

    Raises RecipeError for a single policy or too many, for fewer than three seeds, for one that is named twice, and
    for too many runs.
    """
    if not 2 <= len(policies) <= MOST_POLICIES:
        raise RecipeError("policies", found=f"{len(policies)} of them", expected=f"2 to {MOST_POLICIES} to compare")
    if len(set(seeds)) < len(seeds):
        raise RecipeError("seeds", found=", ".join(map(str, seeds)), expected="each seed once")
    if len(seeds) < FEWEST_SEEDS:
        raise RecipeError(
            "seeds", found=f"{len(seeds)} of them", expected=f"{FEWEST_SEEDS} or more: fewer cannot tell chance"
        )
    if len(seeds) * len(policies) > MOST_RUNS:
        raise RecipeError("A duel", found=f"{len(seeds) * len(policies)} runs", expected=f"at most {MOST_RUNS} runs")
    return [
        (label, recipe.set({"augment": choice.model_dump(mode="json"), "seed": seed}))
        for seed in seeds
        for label, choice in policies.items()
    ]


def told(varies: Mapping[str, Any]) -> str:
    """One run of a duel in words, by what it varies."""
    return f"{varies['policy']}, seed {varies['seed']}"


def varied(label: str, seed: int) -> dict[str, Any]:
    """What one run of a duel varies."""
    return {"policy": label, "seed": seed}


# What it costs


def pace(
    runs: Iterable[RunSummary], classes: int, cores: int, *, gpu: bool = False
) -> Callable[[Recipe, Mapping[str, int]], float | None]:
    """How long a run with so many images {split: n} to look at will take, by `core.train.estimate`; None: unknown."""
    rates = [
        Rate(run.network, run.image_size, run.trainable, run.images_per_second) for run in runs if run.images_per_second
    ]
    return lambda recipe, splits: estimate(recipe, classes, dict(splits), cores, rates, gpu=gpu).seconds


def is_stored(recipe: Recipe) -> bool:
    """Whether runs of a recipe learn on stored features of a frozen backbone from the start to the end."""
    return can_retrain(recipe) and all(phase.trainable == "head" for phase in recipe.phases)


def expected_seconds(
    runs: Iterable[tuple[str, Recipe]],
    splits: Mapping[str, int],
    seconds: Callable[[Recipe, Mapping[str, int]], float | None],
) -> float | None:
    """How long the runs of a duel take one after the other; None where it is not known ahead.

    A frozen backbone looks once at each variant and once at the validation images, whichever run comes first.
    """
    seen: set[object] = set()
    total = 0.0
    for _, recipe in runs:
        to_see = {"train": splits.get("train", 0), "validation": splits.get("validation", 0)}
        if is_stored(recipe):
            rows = resolve(recipe.augment)
            drawn = any(row.probability > 0 for row in rows)
            key = (repr(rows), recipe.draw_seed, views(recipe.augment)) if drawn else "as they are"
            to_see = {name: 0 if look in seen else to_see[name] for name, look in zip(to_see, (key, SEEN), strict=True)}
            seen |= {key, SEEN}
        found = seconds(recipe, to_see)
        if found is None:
            return None
        total += found
    return total


def with_effort(
    recipe: Recipe, policies: Mapping[str, AugmentChoice], effort: int
) -> tuple[Recipe, dict[str, AugmentChoice]]:
    """The same duel with more or less work: with so many stored variants of each image where the backbone is frozen,
    else with so many epochs, dealt to the phases as they were."""
    if is_stored(recipe):
        return recipe, {label: choice.model_copy(update={"views": effort}) for label, choice in policies.items()}
    return with_epochs(recipe, effort), dict(policies)


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with so many epochs in all, dealt to its phases as they were, at least one to each.

    Raises RecipeError when there are fewer than phases.
    """
    if epochs < len(recipe.phases):
        raise RecipeError("epochs", found=str(epochs), expected=f"at least {len(recipe.phases)}, one for each phase")
    shares = [max(1, round(epochs * phase.epochs / recipe.epochs)) for phase in recipe.phases]
    return recipe.set({f"phases.{place}.epochs": share for place, share in enumerate(shares)})


def within(
    minutes: float,
    recipe: Recipe,
    policies: Mapping[str, AugmentChoice],
    seeds: Sequence[int],
    splits: Mapping[str, int],
    seconds: Callable[[Recipe, Mapping[str, int]], float | None],
) -> tuple[Recipe, dict[str, AugmentChoice]]:
    """The most work (`with_effort`) that is expected to take no longer than this.

    Raises RecipeError when even the least takes longer, and when nobody knows how long a run takes.
    """

    def cost(effort: int) -> float:
        one, choices = with_effort(recipe, policies, effort)
        found = expected_seconds(entries(one, choices, seeds), splits, seconds)
        if found is None:
            raise RecipeError(
                "A budget in minutes", found="runs whose time is not known ahead", do="Give the epochs instead"
            )
        return found

    if cost(1) > 60 * minutes:
        raise RecipeError(
            "A budget in minutes",
            found=f"{minutes:g}",
            expected=f"at least {cost(1) / 60:.1f}, for {len(seeds) * len(policies)} runs",
            do="Take fewer seeds, or fewer policies",
        )
    efforts = range(1, (MOST_VIEWS if is_stored(recipe) else MOST_EPOCHS) + 1)
    return with_effort(recipe, policies, bisect_right(efforts, 60 * minutes, key=cost))


# The table


def summarise(workspace_root: str, study_id: str) -> dict[str, Any]:
    """`duel_table` as plain data, for the lab and the command line. Raises RunError when there is no such study."""
    return duel_table(*with_runs(workspace_root, study_id)).to_json()


def duel_table(study: Study, runs: Mapping[str, Run]) -> DuelTable:
    """How the policies of a duel fared on the validation images, and whether that can be chance."""
    labels = list(study.spec["policies"])
    caution = _caution(study.recipe, study.spec["policies"], len(labels) * (len(labels) - 1) // 2)
    return table_of(study, labels, {told(member.varies): member.run for member in study.members}, runs, caution)[0]


def table_of(
    study: Study, labels: Sequence[str], made: Mapping[str, str], runs: Mapping[str, Run], caution: str
) -> tuple[DuelTable, dict[str, dict[int, "Answers"]]]:
    """How several ways of training fared with the same seeds on the same images, and what each answered, {label: {seed:
    answers}}. `made` are the ids of the runs by what each varies in words."""
    task, seeds = study.recipe.task, tuple(study.spec["seeds"])
    lines: list[RunLine] = []
    policies: list[PolicyLine] = []
    answers: dict[str, dict[int, Answers]] = {label: {} for label in labels}
    ids: tuple[str, ...] = ()  # of the images that the first run was judged by
    for label in labels:
        figures: list[dict[str, float | None]] = []
        for seed in seeds:
            name = told(varied(label, seed))
            line, report = run_line(name, made.get(name, ""), runs)
            if report is not None:
                try:
                    found = answers_of(task, runs[line.run])
                    if found.ids != (ids := ids or found.ids):
                        raise InputError("It was judged by other images than the runs before it")
                    answers[label][seed] = found
                except InputError as error:
                    line, report = replace(line, sentence=str(error)), None
            lines.append(line)
            figures.append(figures_of(task, report, runs.get(line.run)))
        spreads = (spread(name, word, [one.get(name) for one in figures]) for name, word in FIGURES[task].items())
        policies.append(PolicyLine(label, tuple(spreads)))
    couples = list(combinations(answers, 2))
    level = 1 - (1 - LEVEL) / len(couples)
    counted, planned = sum(map(len, answers.values())), len(answers) * len(seeds)
    score = FIGURES[task][SCORES[task]]
    pairs = tuple(_gap(first, second, answers, score, level) for first, second in couples)
    table = DuelTable(
        study=study.id,
        name=study.name,
        task=task,
        score=score,
        class_figure=CLASS_FIGURES[task],
        seeds=seeds,
        planned=planned,
        counted=counted,
        runs=tuple(lines),
        policies=tuple(policies),
        pairs=pairs,
        verdict=overall(list(answers), pairs),
        caution=caution + _preliminary(counted, planned),
    )
    return table, answers


@dataclass(frozen=True, eq=False)
class Answers:
    """What one run makes of the validation images."""

    classes: tuple[str, ...]
    ids: tuple[str, ...]
    parts: np.ndarray  # (N,): their mean is the score
    per_class: tuple[np.ndarray, ...]  # of each class the same for its figure, of the images that have it in the truth


def answers_of(task: str, run: Run) -> Answers:
    """Raises InputError when the run's table of validation images cannot be read."""
    path = run.paths.predictions("validation")
    if task == "segmentation":
        masks = MaskTable.read(path)
        counts = class_counts(masks.confusion)
        parts = parts_of_ratio(2 * counts[..., HITS], counts[..., PREDICTED] + counts[..., TRUTH])
        there = counts[..., TRUTH].sum(axis=0) > 0
        ground = background_of(masks.classes)
        scored = [place for place, has in enumerate(there) if has and place != ground]
        per_class = tuple(column if has else column[:0] for column, has in zip(parts.T, there, strict=True))
        return Answers(masks.classes, masks.ids, parts[:, scored].mean(axis=1), per_class)
    table = PredictionTable.read(path)
    right = (table.predicted == table.truth).astype(np.float64)
    per_class = tuple(right[table.truth == place] for place in range(len(table.classes)))
    return Answers(table.classes, table.ids, right, per_class)


def _gap(first: str, second: str, answers: Mapping[str, Mapping[int, Answers]], score: str, level: float) -> Gap:
    seeds = tuple(seed for seed in answers[first] if seed in answers[second])
    ours, theirs = ([answers[label][seed] for seed in seeds] for label in (second, first))
    gap = crossed_gap([one.parts for one in ours], [one.parts for one in theirs], level)
    classes = ours[0].classes if seeds else ()
    per_class = tuple(
        ClassGap(label, crossed_gap([one.per_class[place] for one in ours], [one.per_class[place] for one in theirs]))
        for place, label in enumerate(classes)
    )
    differences = tuple(float(one.parts.mean() - other.parts.mean()) for one, other in zip(ours, theirs, strict=True))
    verdict = gap.verdict if gap else ""
    return Gap(first, second, seeds, differences, gap, verdict, in_words(first, second, gap, score), per_class)


def crossed_gap(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], level: float = LEVEL) -> Crossed | None:
    """What our answers have more than theirs, each with the same seeds; None for too few seeds or images."""
    if len(ours) < FEWEST_SEEDS or ours[0].size < 2:
        return None
    return crossed(np.stack(ours) - np.stack(theirs), level)


def in_words(first: str, second: str, gap: Crossed | None, score: str) -> str:
    """What a difference comes to, in a sentence or two."""
    if gap is None:
        return f"No verdict yet: {FEWEST_SEEDS} seeds have to finish with both {first} and {second}."
    size = f"{abs(100 * gap.mean):.1f} points of {score}"
    between = f"95 % interval {100 * gap.interval.low:+.1f} to {100 * gap.interval.high:+.1f}"
    if gap.verdict != "no evidence":
        return f"{second} is {gap.verdict} than {first}, by {size} ({between}): more than chance can explain."
    more = "more" if gap.mean > 0 else "less"
    found = f"{second} has {size} {more} on average" if round(1000 * gap.mean) else "they are equal on average"
    return (
        f"No evidence of a difference between {second} and {first}: {found} ({between}). A true difference of less "
        f"than about {100 * gap.unnoticed:.1f} points could well have gone unnoticed."
    )


def overall(labels: Sequence[str], pairs: Sequence[Gap]) -> str:
    """The whole duel in a sentence: which policy is better than which."""
    if len(pairs) == 1 or not all(pair.gap for pair in pairs):
        return pairs[0].sentence if len(pairs) == 1 else "No verdict on all policies yet."
    beaten: dict[str, set[str]] = {label: set() for label in labels}
    for pair in pairs:
        winner, loser = (pair.second, pair.first) if pair.verdict == "better" else (pair.first, pair.second)
        if pair.verdict != "no evidence":
            beaten[winner].add(loser)
    if not any(beaten.values()):
        return "No evidence of a difference between any two of them."
    best = max(labels, key=lambda label: len(beaten[label]))
    if len(beaten[best]) == len(labels) - 1:
        return f"{best} is better than all others."
    told = [f"{label} is better than {' and '.join(sorted(others))}" for label, others in beaten.items() if others]
    return "; ".join(told) + "; for the other pairs there is no evidence of a difference."


def _caution(recipe: Recipe, policies: Mapping[str, Mapping[str, Any]], pairs: int) -> str:
    parts = ["The intervals count what other seeds and other validation images would change, not other training images"]
    if is_stored(recipe) and any(choice["seed"] is not None for choice in policies.values()):
        parts.append("; nor another draw of the variants, which all seeds share here")
    parts.append(". Each run is judged at its best epoch on these very images, which flatters all policies alike.")
    if pairs > 1:
        parts.append(f" They are widened so that all {pairs} hold together in 95 of 100 duels.")
    return "".join(parts)


def _preliminary(counted: int, planned: int) -> str:
    """Whoever looks after each seed, and believes the first difference, is fooled in up to 14 of 100 duels of 10 seeds,
    and in 5 who waits."""
    if counted == planned:
        return ""
    return (
        f" Only {counted} of {planned} runs count so far: wait for the last, since early looks are fooled more often."
    )


def _gap_from(data: Mapping[str, Any]) -> Gap:
    per_class = tuple(ClassGap(row["label"], crossed_from(row["gap"])) for row in data["per_class"])
    lists = {name: tuple(data[name]) for name in ("seeds", "differences")}
    return Gap(**{**data, **lists, "gap": crossed_from(data["gap"]), "per_class": per_class})


def crossed_from(data: Mapping[str, Any] | None) -> Crossed | None:
    """A difference from plain data; None from nothing."""
    return None if data is None else Crossed(**{**data, "interval": Interval(*data["interval"])})
