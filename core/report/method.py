"""The method of a run in sentences, from its recipe and its journal: what was done, not what is usually done."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from core.augment.catalog import resolve, transform
from core.data.dataset import IGNORE
from core.errors import RecipeError
from core.knobs import BoolKnob, Knob
from core.models.architectures import architecture, find_encoder
from core.models.catalog import find_row
from core.models.heads import head_row
from core.recipe import AugmentChoice, Phase, Recipe, ScheduleChoice, SegmentationRecipe
from core.report.evidence import RunEvidence
from core.report.words import count, duration, listed, number
from core.train.losses import loss_row
from core.train.mask_losses import mask_loss_row
from core.train.optimizers import optimizer_row
from core.train.schedules import schedule_row, schedule_values

_FITS = {
    "crop": "its long side was cut off on both ends",
    "pad": "its short side was padded",
    "squash": "both sides were scaled alone, which distorts it",
}
_FIGURES = {"loss": "loss", "accuracy": "accuracy", "macro_f1": "macro F1", "dice": "mean Dice", "iou": "mean IoU"}
_DEVICES = {"cpu": "a CPU", "cuda": "a GPU", "mps": "an Apple GPU"}
_SOLVED = "its linear head was solved for to the end by a convex solver"


def paragraphs(run: RunEvidence) -> list[str]:
    """The method of a run, a paragraph for each thing that was chosen. Raises RecipeError for a name nobody knows."""
    recipe = run.recipe
    found = [
        _pictures(recipe),
        _network(run),
        _augmentation(recipe.augment) + _mixing(recipe),
        _phases(run),
        _optimisation(recipe),
        _loss(run),
        _regularisation(recipe),
        _selection(run),
        _machine(run),
    ]
    return [one for one in found if one]


def _pictures(recipe: Recipe) -> str:
    side = recipe.image_size
    told = f"Every picture was brought to {side} × {side} pixels; {_FITS[recipe.fit]}."
    if isinstance(recipe, SegmentationRecipe):
        told += (
            " Masks were resized by the nearest neighbour, so that no class appeared that was not there; pixels of the "
            f"value {IGNORE} were ignored. Answers were brought back to the size of each picture and judged there."
        )
    if recipe.folds:
        told += f" Training and validation are fold {recipe.fold + 1} of {recipe.folds}."
    return told


def _network(run: RunEvidence) -> str:
    recipe = run.recipe
    if isinstance(recipe, SegmentationRecipe):
        row = find_encoder(recipe.model.encoder)
        encoder = f"{row.label} ({recipe.model.encoder})" if row else recipe.model.encoder
        what = f"The network is a {architecture(recipe.model.architecture).label} on the encoder {encoder}"
        part = "encoder"
    else:
        row = find_row(recipe.model.backbone)
        backbone = f"{row.label} ({recipe.model.backbone})" if row else recipe.model.backbone
        head = head_row(recipe.model.head)
        made = f"a dense layer of {recipe.model.hidden} units with ReLU and a linear layer" if head.dense else ""
        what = f"The network is {backbone} with {made or 'one linear layer'} as its head"
        part = "backbone"
    start = {
        "pretrained": f"the {part} began with weights trained on ImageNet" if row else f"the {part} began pretrained",
        "random": f"the {part} began at random",
    }.get(recipe.model.weights, f"the {part} began with weights of another training")
    told = f"{what}; {start}, the rest at random."
    if run.facts.origin:
        origin = run.facts.origin
        went = "It continues" if origin.how == "continued" else "It began with the best weights of"
        told += f" {went} the run {origin.run}, from epoch {origin.epoch} on."
    sizes = [entry for entry in run.entries if entry.get("kind") == "phase" and "trainable" in entry]
    if sizes:
        whole = sizes[0]["trainable"] + sizes[0].get("frozen", 0)
        told += f" It has {whole:,} weights."
    return told


def _augmentation(choice: AugmentChoice) -> str:
    rows = [row for row in resolve(choice) if row.probability > 0]
    if not rows:
        return "Training pictures were not varied."
    told = []
    for row in rows:
        about = transform(row.name)
        values = _values(about.knobs, row.values)
        with_values = f" ({values})" if values else ""
        told.append(f"{about.label.lower()}{with_values} with probability {number(row.probability)}")
    return (
        f"Training pictures were varied by the policy “{choice.policy}”: {'; '.join(told)}. Validation and test "
        "pictures never were."
    )


def _mixing(recipe: Recipe) -> str:
    mix = recipe.mix
    if not mix.on:
        return ""
    kinds = [("MixUp", mix.mixup), ("CutMix", mix.cutmix)]
    named = listed(f"{name} (alpha {number(alpha)})" for name, alpha in kinds if alpha)
    return f" Pictures of a batch, and their labels, were mixed by {named} in a share of {number(mix.probability)}."


def _phases(run: RunEvidence) -> str:
    recipe = run.recipe
    had = Counter(entry.get("phase") for entry in run.epochs())
    told = [f"Training had {count(len(recipe.phases), 'phase')}."]
    for place, phase in enumerate(recipe.phases):
        told.append(_phase(recipe, phase, place, had[place], several=len(recipe.phases) > 1))
    restored = " Each phase went on from the best weights so far." if recipe.restore_best else ""
    return " ".join(told) + restored


def _phase(recipe: Recipe, phase: Phase, place: int, had: int, *, several: bool) -> str:
    name = f"Phase {place + 1} (“{phase.name}”)" if several else "In it"
    joint = ":" if several else ""
    learned = {"head": "only the head", "everything": "every layer"}.get(phase.trainable, f"the {phase.trainable}")
    if isinstance(recipe, SegmentationRecipe) and phase.trainable == "head":
        learned = "only the decoder"
    if phase.solver == "convex":
        return f"{name}{joint} {learned} learned; {_SOLVED}."
    epochs = count(phase.epochs, "epoch")
    ended = "" if had == phase.epochs else f" (planned; {had} were run)"
    still = "; batch norms of the backbone kept what they had measured" if phase.norms == "still" else ""
    return (
        f"{name}{joint} {learned} learned for {epochs}{ended} at a peak learning rate of "
        f"{number(phase.learning_rate)}, {_schedule(phase.schedule or recipe.schedule)}{still}."
    )


def _schedule(choice: ScheduleChoice) -> str:
    row = schedule_row(choice.name)
    values = _values(row.knobs, schedule_values(choice))
    told = f"schedule “{row.label}”" + (f" ({values})" if values else "")
    if row.warms_up and choice.warmup:
        told += f" after a warm-up over {100 * choice.warmup:g} % of the steps"
    return told


def _optimisation(recipe: Recipe) -> str:
    if all(phase.solver == "convex" for phase in recipe.phases):
        return ""
    chosen = recipe.optimizer
    row = optimizer_row(chosen.name)
    parts = [f"weight decay {number(chosen.weight_decay)} (not on biases and norms)"]
    if row.momentum:
        parts.append(f"momentum {number(chosen.momentum)}")
    if chosen.layer_decay < 1:
        parts.append(f"each layer's rate {number(chosen.layer_decay)} of that of the layer after it")
    told = f"The optimizer was {row.label} with {listed(parts)}; {count(recipe.batch_size, 'picture')} made a batch"
    if recipe.accumulate > 1:
        told += f", {recipe.accumulate} batches a step"
    return told + "."


def _loss(run: RunEvidence) -> str:
    recipe = run.recipe
    loss = recipe.loss
    row = (mask_loss_row if isinstance(recipe, SegmentationRecipe) else loss_row)(loss.name)
    values = _values(row.knobs, {**{knob.name: knob.default for knob in row.knobs}, **loss.values})
    told = f"The loss was “{row.label}”" + (f" ({values})" if values else "")
    smoothing = getattr(loss, "label_smoothing", 0)
    if smoothing:
        told += f" with label smoothing {number(smoothing)}"
    if loss.class_weights == "balanced":
        told += "; rarer classes counted more, in proportion to N / N_j"
    elif loss.class_weights != "none":
        named = zip(run.facts.classes, loss.class_weights, strict=False)
        told += "; classes counted " + ", ".join(f"{name} {number(weight)}" for name, weight in named)
    if recipe.sampler == "balanced":
        told += "; every class was drawn equally often"
    return told + "."


def _regularisation(recipe: Recipe) -> str:
    model = recipe.model
    parts = []
    if getattr(model, "dropout", 0):
        parts.append(f"dropout {number(model.dropout)} before the last layer")
    if getattr(model, "drop_path", 0):
        parts.append(f"drop-path {number(model.drop_path)}")
    if recipe.ema:
        parts.append(f"a running mean of the weights (decay {recipe.ema:g} a step), which is what was judged")
    if recipe.clip:
        parts.append(f"gradients clipped to the norm {number(recipe.clip)}")
    stopping = recipe.early_stopping
    if stopping.patience:
        figure = _FIGURES.get(stopping.metric, stopping.metric)
        patience = count(stopping.patience, "epoch")
        parts.append(f"early stopping after {patience} without a better validation {figure}")
    return f"Against over-fitting: {'; '.join(parts)}." if parts else ""


def _selection(run: RunEvidence) -> str:
    by = _FIGURES["loss" if run.recipe.best_by == "loss" else run.recipe.score]
    better = "lowest" if run.recipe.best_by == "loss" else "highest"
    kept = run.best.get("epoch")
    which = f"epoch {kept} of {len(run.epochs())}" if kept else "one epoch"
    return f"The weights of {which} were kept, by the {better} validation {by}; all results are theirs."


def _machine(run: RunEvidence) -> str:
    began = next((entry for entry in run.entries if entry.get("kind") == "phase" and entry.get("device")), None)
    told = f"All draws follow from the seed {run.recipe.seed}"
    if run.recipe.augment.seed is not None:
        told += f", those of augmentation from the seed {run.recipe.augment.seed}"
    if began:
        device = _DEVICES.get(began["device"], began["device"])
        told += f"; it was trained on {device} in {began.get('precision', 'float32')}"
    if run.recipe.processes > 1:
        told += f" by {run.recipe.processes} processes that shared each batch"
    if run.status.seconds:
        told += f", in {duration(run.status.seconds)}"
    attempts = run.status.attempt
    again = f" It was interrupted and resumed {count(attempts - 1, 'time')}." if attempts > 1 else ""
    return f"{told}.{again}"


def _values(knobs: Sequence[Knob], values: dict[str, Any]) -> str:
    """Values of knobs in words: "degrees 15°, smallest 0.85"."""
    told = []
    for knob in knobs:
        value = values.get(knob.name, knob.default)
        if isinstance(knob, BoolKnob):
            told += [knob.label.lower()] if value is True else []
            continue
        unit = getattr(knob, "unit", "")
        told.append(
            f"{knob.label.lower()} {value if isinstance(value, str) else number(value)}{' ' * bool(unit)}{unit}"
        )
    return ", ".join(told)


def sources(run: RunEvidence) -> list[tuple[str, str]]:
    """(what, where it is described) of what was used and has a source to cite."""
    recipe = run.recipe
    found: list[tuple[str, str]] = []
    if isinstance(recipe, SegmentationRecipe):
        row = architecture(recipe.model.architecture)
        found.append((row.label, row.source))
        loss = mask_loss_row(recipe.loss.name)
    else:
        loss = loss_row(recipe.loss.name)
    found.append((loss.label, loss.source))
    if any(phase.solver == "steps" for phase in recipe.phases):
        optimizer = optimizer_row(recipe.optimizer.name)
        found.append((optimizer.label, optimizer.source))
    try:
        schedules = {(phase.schedule or recipe.schedule).name for phase in recipe.phases}
        found += [(schedule_row(name).label, schedule_row(name).source) for name in sorted(schedules)]
    except RecipeError:
        return found
    return [(what, where) for what, where in dict.fromkeys(found) if where.startswith("https://")]
