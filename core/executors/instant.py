"""Instant heads: what a head would have become with another choice, in a second or two, while somebody waits.

The backbone's features are stored, so only the head learns, by the training loop itself into a folder that is thrown
away. A run made of the same recipe gives the same numbers, bit for bit on a CPU. This is the lab's side; the page's
side asks `can_retrain`, and neither needs torch before a head is trained.
"""

import gc
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import RunError
from core.metrics.intervals import wilson
from core.metrics.paired import Paired, paired
from core.recipe import Recipe
from core.runs.data import dataset_of
from core.runs.store import Run, RunStore
from core.workspace import Workspace

TAG = "from stored features"  # of runs that were kept from a panel
# Fields of a recipe that can be moved without another look at a picture.
MOVABLE = (
    "phases.0.learning_rate",
    "phases.0.epochs",
    "phases.0.solver",
    "model.head",
    "model.hidden",
    "model.dropout",
    "optimizer.weight_decay",
    "loss.name",
    "loss.values",
    "loss.label_smoothing",
    "loss.class_weights",
)
_MOST_HELD = 64  # heads that a lab remembers; each is a few kilobytes
_MOST_RUNS_HELD = 2  # runs whose validation features it remembers; 5 MB for 1,000 images


@dataclass(frozen=True)
class Head:
    """A head that was trained on stored features, and how good it is."""

    recipe: Recipe
    entries: tuple[dict[str, Any], ...]  # of each epoch, as a journal has them
    best: dict[str, float]  # epoch, loss and scores of the epoch whose weights count
    interval: tuple[float, float]  # 95 % interval of its accuracy
    confusion: tuple[tuple[int, ...], ...]  # (K, K) on the validation split, rows true
    predicted: np.ndarray  # (N,) class indices, for the validation images in their order
    truth: np.ndarray  # (N,)
    seconds: float  # that training took
    extracted: bool  # some picture had to go through the backbone first


@dataclass(frozen=True)
class Retrained:
    """A head as its run has it, another one, and how they differ image by image."""

    old: Head
    new: Head
    difference: Paired


def can_retrain(recipe: Recipe) -> bool:
    """Whether the first phase of a recipe learns a head on stored features in one process."""
    frozen = recipe.phases[0].trainable == "head"
    return recipe.task == "classification" and frozen and not recipe.mix.on and recipe.processes == 1


def head_of(recipe: Recipe) -> Recipe:
    """The recipe of the head alone: the first phase, where others follow.

    Raises RunError when it does not learn on stored features.
    """
    if not can_retrain(recipe):
        raise RunError(
            "The head cannot be trained again at once",
            found=f"a first phase that trains {recipe.phases[0].trainable!r}" + (", with mixing" * recipe.mix.on),
            expected="a classifier whose first phase trains the head on stored features",
        )
    return recipe.model_copy(update={"phases": recipe.phases[:1]})


def retrain(root: str, run_id: str, changes: dict[str, Any]) -> Retrained:
    """The head of a run with some fields of its recipe changed, beside the head as it is.

    `changes` name fields as `Recipe.set` does, of those in MOVABLE. Heads are remembered, so that the old one is
    trained once. Raises RunError or DatasetError for a run whose head cannot be trained again, RecipeError for a choice
    that cannot be, TrainingError when the loss is no number.
    """
    run = RunStore(Workspace(Path(root))).get(run_id)
    recipe = head_of(run.recipe)
    wrong = sorted(set(changes) - set(MOVABLE))
    if wrong:
        raise RunError("These choices need another look at the pictures", found=", ".join(wrong), do="Make a new run")
    old = _head(root, run_id, recipe.to_json())
    new = _head(root, run_id, recipe.set(changes).to_json())
    return Retrained(old, new, paired(new.truth, old.predicted, new.predicted))


@lru_cache(maxsize=_MOST_HELD)
def _head(root: str, run_id: str, recipe: str) -> Head:
    from core.train.events import EpochEnd, Outcome
    from core.train.loop import train

    workspace = Workspace(Path(root))
    run = RunStore(workspace).get(run_id)
    dataset, chosen = dataset_of(workspace, run), Recipe.from_json(recipe)
    entries, outcome, classes = [], None, len(dataset.classes)
    with _little_to_collect(), tempfile.TemporaryDirectory(prefix="fovea-head-") as name:
        folder = Path(name)
        best = folder / "best.safetensors"
        files = {"best": best, "best_facts": folder / "best.json", "last": folder / "last.pt"}
        for event in train(chosen, dataset, cache=workspace.cache, **files):
            if isinstance(event, EpochEnd):
                entries.append(event.entry())
            elif isinstance(event, Outcome):
                outcome = event
        features, truth = _validation(root, run_id, best)
        predicted = _answers(best, chosen, features, classes)
    confusion = np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)
    return Head(
        recipe=chosen,
        entries=tuple(entries),
        best=outcome.best,
        interval=tuple(wilson(int(np.trace(confusion)), len(truth))),
        confusion=tuple(tuple(map(int, row)) for row in confusion),
        predicted=predicted,
        truth=truth,
        seconds=outcome.seconds,
        extracted=not all(entry["stored"] for entry in entries),
    )


@contextmanager
def _little_to_collect() -> Iterator[None]:
    """Accelerate collects all garbage whenever it lets go of something. Among the objects of torch and scikit-learn one
    such search takes 0.3 s, longer than a head learns; while these are put aside it takes no time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _validation(root: str, run_id: str, best: Path) -> tuple[Any, np.ndarray]:
    """Stored features (N, F) of the validation images of a run, a tensor, and what they are, (N,).

    No choice of a head changes them: those of the last runs are remembered. `best` is a model with their backbone.
    """
    if (root, run_id) not in _held:
        while len(_held) >= _MOST_RUNS_HELD:
            del _held[next(iter(_held))]
        _held[root, run_id] = _read_validation(root, run_id, best)
    return _held[root, run_id]


_held: dict[tuple[str, str], tuple[Any, np.ndarray]] = {}


def _read_validation(root: str, run_id: str, best: Path) -> tuple[Any, np.ndarray]:
    from core.augment.catalog import resolve
    from core.data.loading import DecodedImages
    from core.train.checkpoint import load_trained
    from core.train.devices import accelerator_for
    from core.train.features import FrozenFeatures

    workspace = Workspace(Path(root))
    run = RunStore(workspace).get(run_id)
    dataset, recipe = dataset_of(workspace, run), run.recipe
    rows = [row for row, sample in enumerate(dataset.samples) if sample.split == "validation"]
    with (
        accelerator_for(recipe) as accelerator,
        DecodedImages(dataset, recipe.image_size, recipe.fit, workspace.cache) as images,
    ):
        model = load_trained(best).model.to(accelerator.device)
        stored = FrozenFeatures(model, images, dataset, recipe, resolve(recipe.augment), workspace.cache, accelerator)
        with closing(stored):
            return stored.get(rows, None), np.array([dataset.samples[row].label for row in rows], np.int64)


def _answers(best: Path, recipe: Recipe, features: Any, classes: int) -> np.ndarray:
    """What the head in a file of weights says of images with these features: class indices (N,)."""
    import torch
    from safetensors import safe_open

    from core.models.heads import build_head

    head = build_head(recipe.model, features.shape[1], classes).eval()
    with safe_open(best, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith("head.")]  # noqa: SIM118 (no mapping)
        head.load_state_dict({name.removeprefix("head."): file.get_tensor(name) for name in names})
    with torch.inference_mode():
        return head(features).argmax(1).numpy()


def keep(workspace: Workspace, run: Run, recipe: Recipe) -> str:
    """Make a run of a head's recipe, marked as one from stored features, and return its id; nothing is started yet.

    Raises what `dataset_of` and `RunStore.create` do.
    """
    named = recipe.model_copy(update={"name": f"{run.recipe.name}, head"[:120]}) if run.recipe.name else recipe
    return RunStore(workspace).create(named, dataset_of(workspace, run), (TAG,), dealt=True)
