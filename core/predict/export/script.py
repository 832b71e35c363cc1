"""A run as one Python file that trains it again without Fovea, and what that file needs beside it.

What decides a number is taken over as it stands in Fovea (`core.predict.export.source`) or written out in
`train.py.jinja` for what the recipe chooses, and nothing else. The weights that do not start at random come with it:
those of Fovea's model at its start that the script's own network, drawn from the same seed, does not have already.
"""

import pprint
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.augment.catalog import TRANSFORMS, resolve, views
from core.augment.pipeline import Augmentation, sample_seed
from core.data.dataset import Dataset
from core.data.loading import fit_image, read_image
from core.errors import InputError
from core.machine import cores
from core.metrics.segmentation import background_of
from core.models.classifiers import CHUNK
from core.models.network import PixelNetwork
from core.models.stages import layers_of
from core.predict.export import choices
from core.predict.export.networks import network_facts
from core.predict.export.source import gather
from core.predict.export.transforms import expression, needed
from core.predict.export.writing import one_line, written
from core.recipe import FIGURES, Phase, Recipe
from core.runs.run import RunState
from core.runs.store import Run
from core.seeding import derive
from core.train.freezing import freeze
from core.train.optimizers import optimizer_row
from core.train.schedules import schedule_row, schedule_values
from core.train.task import TASKS

SCRIPT, TABLE, START = "train.py", "split.csv", "start.safetensors"  # the files, as the script calls them
IMAGES, MASKS = "images", "masks"  # its folders
_TRIED = 4  # pictures that script and Fovea have to see alike before it is given out


@dataclass(frozen=True)
class Script:
    """The file, and the tensors that it starts from where not all of them are drawn from the seed."""

    text: str
    start: dict[str, torch.Tensor]

    def module(self, folder: Path) -> types.ModuleType:
        """The script as a module, not run, as if it lay in this folder."""
        module = types.ModuleType("exported_script")
        module.__file__ = str(folder / SCRIPT)
        exec(compile(self.text, SCRIPT, "exec"), vars(module))  # Fovea's own text, made a moment ago
        return module


def script_of(run: Run, dataset: Dataset, cache: Path) -> Script:
    """The script of a finished run on its dataset, in the run's splits.

    Raises InputError, with the reason, for a run that a script cannot repeat; WeightsError when the weights that it
    started from are gone.
    """
    insist(run)
    recipe = run.recipe
    model = _at_start(recipe, dataset)
    phases = [_phase(recipe, phase, model) for phase in recipe.phases]
    facts = _facts(run, dataset, model, phases)
    bare = Script(_text(facts | {"start": False}), {})
    module = bare.module(cache)
    _insist_on_pictures(module, recipe, dataset)
    own = module.build_model().state_dict()
    theirs = model.state_dict()
    if list(own) != list(theirs):
        strange = sorted(set(own) ^ set(theirs))[:3]
        raise refusal("a network whose parts a script would call otherwise", ", ".join(strange))
    start = {name: one for name, one in theirs.items() if not torch.equal(own[name], one)}
    if not start:
        return bare
    return Script(_text(facts | {"start": True}), {name: one.clone().contiguous() for name, one in start.items()})


def insist(run: Run) -> None:
    """Raise InputError for a run that a script cannot repeat."""
    recipe, state = run.recipe, run.status.state
    if state is not RunState.FINISHED:
        raise refusal(
            f"a run that is {state.value}, after {run.status.epochs_done} of {recipe.epochs} epochs", "a finished run"
        )
    if recipe.processes > 1:
        raise refusal(f"batches that {recipe.processes} processes share", "a run in one process")
    convex = [phase.name for phase in recipe.phases if phase.solver == "convex"]
    if convex:
        raise refusal(
            f"the phase {convex[0]!r}, whose head is solved for by scikit-learn", "phases that learn by steps"
        )


def refusal(found: str, expected: str) -> InputError:
    """What a script cannot say, and what it could."""
    return InputError(
        "This run cannot be said as a file of Python",
        found=found,
        expected=expected,
        do="Export what it has learned as ONNX instead, or its folder as it is",
    )


def _insist_on_pictures(module: types.ModuleType, recipe: Recipe, dataset: Dataset) -> None:
    """Raise InputError when the script would see other pictures than Fovea did, as they are or varied."""
    rows = resolve(recipe.augment)
    for sample in dataset.of("train")[:_TRIED]:
        theirs = module.fit_image(module.read_image(dataset.path(sample)), recipe.image_size, recipe.fit)
        square = fit_image(read_image(dataset.path(sample)), recipe.image_size, recipe.fit)
        one = torch.from_numpy(square).permute(2, 0, 1)[None]
        seeds, same = [sample_seed(recipe.draw_seed, sample.digest, 0)], (square == theirs).all()
        if hasattr(module, "vary"):
            mask = torch.zeros(one.shape[:1] + one.shape[2:], dtype=torch.uint8)
            masks = [mask] if recipe.task == "segmentation" else []
            varied, own = module.vary(one, seeds, *masks), Augmentation(rows)(one, seeds, *masks)
            varied, own = (varied[0], own[0]) if masks else (varied, own)
            same = same and torch.equal(varied, own)
        if not same:
            raise refusal(f"the picture {sample.name!r}, which a script would see otherwise", "other transforms")


def _at_start(recipe: Recipe, dataset: Dataset) -> PixelNetwork:
    """Fovea's own model before its first step."""
    torch.manual_seed(derive(recipe.seed, "weights"))
    return TASKS[recipe.task].network(recipe, len(dataset.classes), names=dataset.classes)


def _phase(recipe: Recipe, phase: Phase, model: PixelNetwork) -> str:
    """The arguments of a Phase of the script."""
    freeze(model.backbone, model.head, phase.trainable, norms=phase.norms)
    layers = layers_of(model.backbone)
    learning = [any(one.requires_grad for one in layer.parameters(recurse=False)) for layer in layers]
    first = learning.index(True) if any(learning) else len(layers)
    if not all(learning[first:]):
        raise refusal(f"{phase.trainable!r} of a network whose blocks do not follow one another", "other phases")
    names = {id(part): name for name, part in model.backbone.named_modules()}
    learns = "head" if first == len(layers) else "everything" if first == 0 else names[id(layers[first])]
    choice = phase.schedule or recipe.schedule
    values = schedule_values(choice)
    warmup = choice.warmup if schedule_row(choice.name).warms_up else 0.0
    given = {
        "name": phase.name,
        "learns": learns,
        "epochs": phase.epochs,
        "rate": phase.learning_rate,
        "schedule": choice.name,
        "warmup": warmup,
        "values": values,
        "norms": phase.norms,
    }
    return ", ".join(f"{name}={value!r}" for name, value in given.items())


def _facts(run: Run, dataset: Dataset, model: PixelNetwork, phases: list[str]) -> dict[str, Any]:
    """All that the template asks for, but whether there is a file to start from."""
    recipe, masks = run.recipe, run.recipe.task == "segmentation"
    rows = choices.named(resolve(recipe.augment))
    draws = any(row.probability > 0 for _, row in rows)
    expressions = [expression(row) for _, row in rows] if draws else []
    features = not masks and not recipe.mix.on and any(phase.trainable == "head" for phase in recipe.phases)
    warps = gather(needed(expressions) + ([("core.augment.warp", "warp")] if choices.moves(expressions) else []))
    loading = gather(
        [("core.data.loading", name) for name in ("_TURNS", "_turn", "_rgb", "fit_image")]
        + ([("core.data.mask_files", "fit_mask")] if masks else [])
    )
    seeding = gather([("core.seeding", "derive")])
    counting = choices.counting() if masks else gather([])
    balanced = gather([("core.train.balance", "balanced_order")] if recipe.sampler == "balanced" else [])
    loss, losses = choices.loss(recipe, dataset, masks)
    schedules = [phase.schedule or recipe.schedule for phase in recipe.phases]
    best = run.status.best
    return {
        "title": f"{one_line(run.name)}: {'a mask for each picture' if masks else 'a class for each picture'}",
        "hash": recipe.hash,
        "packages": " ".join(packages(masks)),
        "told": _told(run, dataset),
        "gathered": [warps, loading, seeding, counting, balanced, losses],
        "classes": pprint.pformat(tuple(dataset.classes), width=110),
        "seed": recipe.seed,
        "draw_seed": recipe.draw_seed,
        "size": recipe.image_size,
        "fit": repr(recipe.fit),
        "batch": recipe.batch_size,
        "views": views(recipe.augment) if features and draws else 0,
        "draws": draws,
        "masks": masks,
        "features": features,
        "chunk": CHUNK,
        "validation_batch": recipe.batch_size if masks else CHUNK,
        "accumulate": recipe.accumulate,
        "clip": recipe.clip,
        "ema": recipe.ema,
        "patience": recipe.early_stopping.patience,
        "watched": repr(recipe.early_stopping.metric),
        "watched_is_loss": recipe.early_stopping.metric == "loss",
        "least": recipe.early_stopping.least,
        "threads": cores(),
        "fovea": {name: best[name] for name in FIGURES[recipe.task] if name in best},
        "phases": phases,
        "seeding": seeding.text,
        "loading": loading.text,
        "warps": warps.text,
        "joined": choices.moves(expressions),
        "augmentation": [
            (repr(name), row.probability, text) for (name, row), text in zip(rows, expressions, strict=draws)
        ],
        "moving": tuple(sorted(row.name for row in TRANSFORMS if row.moves and row.mask_safe)),
        "loss": loss,
        "spared": tuple(sorted(model.no_weight_decay())),
        "scales": choices.scales(recipe.optimizer, model),
        "decay": recipe.optimizer.weight_decay,
        "fused": optimizer_row(recipe.optimizer.name).fused,
        "optimizer": choices.optimizer(recipe.optimizer),
        "schedules": list(dict.fromkeys(choice.name for choice in schedules)),
        "balanced": balanced.text,
        "mixing": choices.mixing(recipe, len(dataset.classes)),
        "background": background_of(dataset.classes),
        "counting": counting.text,
        "best_by": recipe.best_by,
        "score": recipe.score,
        "restore_best": recipe.restore_best and len(recipe.phases) > 1,
        "names": ", ".join(repr(name) for name in FIGURES[recipe.task] if name != "loss"),
        **network_facts(recipe, model, len(dataset.classes)),
    }


def packages(masks: bool) -> list[str]:
    """What a script has to have installed."""
    return ["torch", "torchvision", "timm", *(["segmentation-models-pytorch"] if masks else []), "pillow"]


def _told(run: Run, dataset: Dataset) -> str:
    """Where the run came from, and on what it was trained if that was no CPU."""
    started = next((entry for entry in run.journal.everything() if entry.get("kind") == "phase"), {})
    device, precision = started.get("device", "cpu"), started.get("precision", "float32")
    told = [f"The pictures: {one_line(dataset.name)}, {one_line(run.facts.split_rule)}. The test split stays away."]
    if device != "cpu":
        told.append(f"Fovea trained it on {device} in {precision}, so its figures differ a little from those of a CPU.")
    return "\n".join(told)


def _text(facts: dict[str, Any]) -> str:
    beside = [TABLE, f"the folder {IMAGES}"] + ([f"the folder {MASKS}"] if facts["masks"] else [])
    beside += [START] if facts["start"] else []
    return written("train.py.jinja", facts | {"beside": ", ".join(beside)}, facts["gathered"])
