"""A model card: what a model is, what it learned from, how good it was found to be and what it is not for."""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import PIL
import timm
import torch

from core.data.dataset import SPLITS
from core.evaluate.classification import ClassificationResult
from core.evaluate.current import renewed
from core.evaluate.results import Result
from core.evaluate.segmentation import SegmentationResult
from core.models.architectures import find_encoder, network_label
from core.models.catalog import find_row
from core.recipe import Phase, Recipe, SegmentationRecipe
from core.runs.seal import openings
from core.runs.store import Run

_BOOTSTRAP = "95 % percentile interval from drawing images again"
_WILSON = "95 % interval by Wilson's score"


@dataclass(frozen=True)
class Figure:
    """A number with what it is worth."""

    label: str
    value: float
    interval: tuple[float, float] | None
    method: str

    @property
    def cell(self) -> str:
        """As a table shows it: never without its interval, or without saying that there is none."""
        if self.interval is None:
            return f"{self.value:.3f} (too few pictures for an interval)"
        return f"{self.value:.3f} [{self.interval[0]:.3f}, {self.interval[1]:.3f}]"


def model_card(run: Run, epoch: int) -> str:
    """The card of a run's best model, whose epoch this is, as Markdown with a head for machines."""
    recipe, facts = run.recipe, run.facts
    lines = [
        *_head(run),
        f"# {escaped(run.name)}",
        "",
        f"{_what(recipe)} It tells {len(facts.classes)} classes apart: {', '.join(map(escaped, facts.classes))}.",
        "",
        "## What it learned from",
        "",
        f"{escaped(facts.dataset_name)}, revision {facts.revision} (fingerprint `{facts.dataset_fingerprint}`): "
        + ", ".join(f"{facts.samples[split]:,} {split}" for split in SPLITS if split in facts.samples)
        + f" pictures. Splits: {escaped(facts.split_rule)}",
        *(f"\n> {escaped(caution)}" for caution in facts.cautions),
        "",
        "## How it was trained",
        "",
        *_training(recipe),
        "",
        f"The weights are those of epoch {epoch} of {run.status.epochs_done}, the best on validation by "
        f"{'loss' if recipe.best_by == 'loss' else recipe.score}. Recipe `{recipe.hash}`, seed {recipe.seed}.",
        "",
        "## How good it is",
        "",
        *_results(run),
        "## What it is not for",
        "",
        "- It chooses among the classes above. A picture of anything else gets one of these names too, sometimes with "
        "great confidence.",
        "- Its figures hold for pictures like those it was judged by: another camera, another place or another way of "
        "choosing pictures can make them worse.",
        "- It was made to learn with. Nothing here says that it may decide about people or their health.",
        "",
        "## Where its weights come from",
        "",
        _weights(recipe),
        "",
        f"Made with Fovea on PyTorch {torch.__version__}, timm {timm.__version__}, Pillow {PIL.__version__}.",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Anybody's text as Markdown that shows it letter for letter, on one line."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]()#+!|~$-])", r"\\\1", html.escape(line, quote=False))


def without_places(recipe: Recipe) -> Recipe:
    """The recipe without the folders of this machine: of a weight file only its name is left."""
    name = recipe.model.weights.replace("\\", "/").rsplit("/", 1)[-1]
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"weights": name})})


def _head(run: Run) -> Iterator[str]:
    """The part between dashes that model hubs read; JSON is YAML too, and nothing in it can end it."""
    masks = run.recipe.task == "segmentation"
    yield "---"
    yield f"library_name: {'segmentation-models-pytorch' if masks else 'timm'}"
    yield f"pipeline_tag: {'image-segmentation' if masks else 'image-classification'}"
    yield f"model_name: {json.dumps(run.name)}"
    yield "---"
    yield ""


def _what(recipe: Recipe) -> str:
    seen = f"pictures of {recipe.image_size} × {recipe.image_size} pixels"
    if isinstance(recipe, SegmentationRecipe):
        return f"{escaped(network_label(recipe.model))}, which gives each pixel of {seen} a class."
    row = find_row(recipe.model.backbone)
    return f"{escaped(row.label if row else recipe.model.backbone)}, which gives {seen} a class each."


def _training(recipe: Recipe) -> Iterator[str]:
    optimizer = recipe.optimizer
    yield (
        f"Batches of {recipe.batch_size}, {escaped(recipe.loss.name)} loss, {escaped(optimizer.name)} with weight "
        f"decay {optimizer.weight_decay:g}, augmentation {escaped(recipe.augment.policy)}, pictures made square by "
        f"{escaped(recipe.fit)}."
    )
    yield ""
    yield "| phase | what learns | epochs | peak learning rate | schedule |"
    yield "|---|---|---|---|---|"
    for phase in recipe.phases:
        yield f"| {' | '.join(_cells(recipe, phase))} |"


def _cells(recipe: Recipe, phase: Phase) -> list[str]:
    schedule = (phase.schedule or recipe.schedule).name
    return [escaped(phase.name), phase.trainable, str(phase.epochs), f"{phase.learning_rate:g}", escaped(schedule)]


def _results(run: Run) -> Iterator[str]:
    """A table for each split that was evaluated with these very weights; nothing sealed is opened for it."""
    opened = len(openings(run.paths))
    found = 0
    for split in ("validation", "test"):
        result = renewed(run, split)
        if result is None:
            continue
        found += 1
        yield f"On {result.n:,} {split} pictures:"
        yield ""
        yield "| figure | value | how its interval was made |"
        yield "|---|---|---|"
        for one in figures(result):
            yield f"| {escaped(one.label)} | {one.cell} | {one.method if one.interval else ''} |"
        yield ""
    if not found:
        yield "It has not been evaluated since its last epoch: open Evaluate, and export it again."
        yield ""
    yield (
        "The weights were chosen on the validation split, so its figures are a little too good. "
        + (f"The test split was opened {opened} time{'s' * (opened != 1)}." if opened else "The test split is sealed.")
    )
    yield ""


def figures(result: Result) -> list[Figure]:
    """The figures of a result that have a value, the headline first, then each class."""
    if isinstance(result, ClassificationResult):
        rows = [Figure("accuracy", result.accuracy, result.interval, _WILSON)]
        rows += [Figure("macro F1", result.macro_f1, result.macro_f1_interval, _BOOTSTRAP)]
        named = [(f"recall of {one.label}", one.recall, one.recall_interval, _WILSON) for one in result.per_class]
    else:
        rows = _means(result)
        named = [(f"Dice of {one.label}", one.dice, one.dice_interval, _BOOTSTRAP) for one in result.per_class]
    return rows + [Figure(*row) for row in named if row[1] is not None]


def _means(result: SegmentationResult) -> list[Figure]:
    rows: list[tuple[str, Any, Any]] = [
        ("mean Dice, pooled over pixels", result.mean_dice, result.mean_dice_interval),
        ("mean IoU, pooled over pixels", result.mean_iou, result.mean_iou_interval),
    ]
    return [Figure(label, value, interval, _BOOTSTRAP) for label, value, interval in rows if value is not None]


def _weights(recipe: Recipe) -> str:
    choice = recipe.model
    if choice.weights == "random":
        return "They started at random."
    if choice.weights != "pretrained":
        return f"They started from the file {escaped(without_places(recipe).model.weights)}; ask who made it."
    row = find_encoder(choice.encoder) if isinstance(recipe, SegmentationRecipe) else find_row(choice.backbone)
    if row is None:
        return f"The pretrained weights of {escaped(choice.network)}; see timm or SMP for their licence."
    return f"Before training: {row.source} (licence of those weights: {row.licence})."
