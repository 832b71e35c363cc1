"""One line of the run list: what the files of a run say, in a few words and figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from core.errors import FoveaError
from core.models.architectures import network_label
from core.recipe import SCORES, Recipe, SegmentationRecipe, diff
from core.runs.hypothesis import read_score
from core.runs.journal import Journal
from core.runs.labels import Labels, read_labels
from core.runs.run import RunFacts, RunPaths, RunState, RunStatus, read_status
from core.seeding import fingerprint
from core.workspace import read_json

MOST_POINTS = 24  # of the small curve of a run
_NO_CHOICES = ("dataset", "preset", "name", "task")  # fields of a recipe that say what it is for, not how it trains
_WHOLE = ("augment.rows", "loss.class_weights")  # long lists, of which a line says only that they are others


@dataclass(frozen=True)
class RunSummary:
    """One line of the run list."""

    id: str
    name: str
    state: RunState
    sentence: str
    dataset: str  # id
    dataset_name: str
    created: float  # seconds since 1970
    network: str  # the backbone of a classifier; architecture and encoder of a segmentation model
    trainable: str  # of each phase in turn: "head → everything"
    policy: str  # augmentation
    image_size: int  # pixels
    epochs: int
    epochs_done: int
    best: dict[str, float] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    seconds: float = 0.0
    images_per_second: float | None = None
    preset: str = ""
    tags: tuple[str, ...] = ()  # of the study that made it; those that people give stand in its labels
    task: str = "classification"
    learns_from: str = "images"  # or "stored features" of a frozen backbone, or both
    revision: int = 1  # of the dataset
    labels: Labels = field(default_factory=Labels)
    hypothesis: str = ""  # with which the run began, as a sentence
    verdict: str = ""  # what became of it, a `Verdict`; "" until it is scored
    curve: tuple[float, ...] = ()  # the validation score over the epochs, of long runs some of them
    choices: Mapping[str, Any] = field(default_factory=dict)  # {recipe path: value} unlike the plainest recipe's

    @property
    def score(self) -> float | None:
        """The best validation score: accuracy of a classifier, mean Dice of a segmentation model. None before it."""
        return self.best.get(SCORES[self.task])

    @classmethod
    def of(
        cls,
        run_id: str,
        recipe: Recipe,
        facts: RunFacts,
        status: RunStatus,
        labels: Labels,
        verdict: str = "",
        curve: tuple[float, ...] = (),
    ) -> Self:
        """The line of a run."""
        return cls(
            id=run_id,
            name=labels.name or run_name(recipe),
            state=status.state,
            sentence=status.sentence,
            dataset=facts.dataset,
            dataset_name=facts.dataset_name,
            created=facts.created,
            network=recipe.model.network,
            task=recipe.task,
            trainable=trainable(recipe),
            policy=recipe.augment.policy,
            image_size=recipe.image_size,
            epochs=status.epochs,
            epochs_done=status.epochs_done,
            best=status.best,
            interval=status.interval,
            seconds=status.seconds,
            images_per_second=status.images_per_second,
            preset=recipe.preset,
            tags=facts.tags,
            learns_from=learns_from(recipe),
            revision=facts.revision,
            labels=labels,
            hypothesis=facts.hypothesis.sentence if facts.hypothesis else "",
            verdict=verdict,
            curve=curve,
            choices=choices(recipe),
        )

    @classmethod
    def unreadable(cls, run_id: str, status: RunStatus, reason: str) -> Self:
        """The line of a run folder that lost its recipe or its facts: listed with the reason, so it can be deleted."""
        return cls(
            id=run_id,
            name=run_id,
            state=RunState.FAILED,
            sentence=reason,
            dataset="",
            dataset_name="",
            created=status.since,
            network="",
            trainable="",
            policy="",
            image_size=0,
            epochs=status.epochs,
            epochs_done=status.epochs_done,
        )


def trainable(recipe: Recipe) -> str:
    """What the phases train, in their order, as in "head → everything"."""
    return " → ".join(phase.trainable for phase in recipe.phases)


def learns_from(recipe: Recipe) -> str:
    """What the phases learn from: "images", "stored features" of the frozen backbone, or "features and images"."""
    if recipe.task != "classification" or recipe.mix.on:
        return "images"
    stored = {phase.trainable == "head" for phase in recipe.phases}
    return "features and images" if len(stored) > 1 else "stored features" if stored == {True} else "images"


def run_name(recipe: Recipe) -> str:
    """What a person calls the run, or a name made from its main choices."""
    if recipe.name:
        return recipe.name
    if isinstance(recipe, SegmentationRecipe):
        return f"{network_label(recipe.model)}, {trainable(recipe)}"
    return f"{recipe.model.network}, {trainable(recipe)}"


def choices(recipe: Recipe) -> dict[str, Any]:
    """What a recipe has otherwise than the plainest one of its task: {path: value}, None where it lacks a field."""
    found = {}
    for one in diff(_plainest(recipe.task), recipe):
        whole = next((path for path in _WHOLE if one.path.startswith(path)), None)
        if whole:
            first, last = whole.split(".")
            value = getattr(getattr(recipe, first), last)
            found[whole] = value if isinstance(value, str | None) else fingerprint(repr(value))
        elif one.path.split(".")[0] not in _NO_CHOICES:
            found[one.path] = one.right
    return found


@lru_cache(maxsize=8)
def _plainest(task: str) -> Recipe:
    return Recipe.parse({"task": task})


def curve(paths: RunPaths, score: str) -> tuple[float, ...]:
    """The validation score after each epoch that is done, at most so many of them, the last one among them."""
    values = {}
    for entry in Journal(paths.epochs).read_since(0)[0]:
        value = (entry.get("validation") or {}).get(score) if entry.get("kind") == "epoch" else None
        if isinstance(value, int | float):
            values[entry.get("epoch")] = round(float(value), 4)  # one that was done again counts as it was last
    all_of_them = tuple(values.values())
    step = -(-len(all_of_them) // MOST_POINTS) or 1
    return all_of_them[::-1][::step][::-1]


def read_facts(paths: RunPaths) -> RunFacts:
    """run.json of a run. Raises KeyError, TypeError or ValueError when it is missing or is no such thing."""
    return RunFacts.from_json(read_json(paths.facts) or {})


def read_summary(folder: Path) -> RunSummary:
    """The line of the run in `folder`, from its files."""
    paths = RunPaths(folder)
    status = read_status(paths)
    try:
        recipe = Recipe.from_json(paths.recipe.read_text(encoding="utf-8"))
        facts, labels = read_facts(paths), read_labels(paths.labels)
        score = read_score(paths.score) if facts.hypothesis else None
        verdict = str(score.verdict) if score else ""
        return RunSummary.of(folder.name, recipe, facts, status, labels, verdict, curve(paths, recipe.score))
    except (OSError, FoveaError, KeyError, TypeError, ValueError) as error:
        return RunSummary.unreadable(folder.name, status, f"This run cannot be read: {error}")
