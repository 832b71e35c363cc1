"""What can be known to be wrong before a run starts. Torch-free, so that a page can ask on every change."""

from core.augment.catalog import insist_on_masks, resolve
from core.data.dataset import Dataset
from core.data.split import insist_on_folds
from core.errors import DatasetError, RecipeError, shown
from core.metrics.segmentation import background_of
from core.models.architectures import architecture, encoders_for, find_encoder
from core.models.heads import head_row
from core.recipe import FIGURES, Phase, Recipe, SegmentationRecipe
from core.train.losses import loss_values, weights_of
from core.train.mask_losses import class_weights, knob_values, mask_loss_row
from core.train.optimizers import optimizer_row
from core.train.schedules import schedule_values
from core.train.space import insist_on_space
from core.train.trackers import tracker_row

_HAS = {"classification": "one class for each image", "segmentation": "a mask for each image"}


def check(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse what cannot train, in one sentence.

    Raises RecipeError for a recipe of another task than the dataset's, an unknown policy, optimizer, schedule, loss,
    head, architecture or figure to stop by, an encoder that the architecture does not take, a bad knob, class weights
    that are not one for each class, what only labels or only a linear head can have, folds that cannot be dealt, or a
    batch of one or larger than the training split; DatasetError for a split that is missing and for a class without a
    training image, or without a pixel in the training masks, or with fewer images than folds; StorageError for a disk
    that cannot hold the weights.
    """
    if recipe.task != dataset.task:
        raise RecipeError(
            "task",
            found=repr(recipe.task),
            expected=f"{dataset.task!r}, since {dataset.name!r} has {_HAS[dataset.task]}",
            do=f"Start from a preset for {dataset.task}",
        )
    if recipe.folds:
        insist_on_folds(dataset, recipe.folds, recipe.fold)
    _check_splits(dataset)
    resolve(recipe.augment)
    tracker_row(recipe.tracker)
    optimizer_row(recipe.optimizer.name)
    schedule_values(recipe.schedule)
    _check_stopping(recipe)
    if isinstance(recipe, SegmentationRecipe):
        _check_model(recipe)
        _check_mask_loss(recipe, dataset)
        _check_what_masks_cannot(recipe)
    else:
        head_row(recipe.model.head)
        loss_values(recipe.loss)
        weights_of(recipe.loss, dataset)
    for number, phase in enumerate(recipe.phases):
        _check_phase(recipe, phase, f"phases.{number}")
    _check_batch(recipe, dataset)
    insist_on_space(recipe, dataset.folder)  # a workspace is on one disk


def _check_stopping(recipe: Recipe) -> None:
    figures = FIGURES[recipe.task]
    if recipe.early_stopping.metric not in figures:
        raise RecipeError(
            "early_stopping.metric", found=shown(recipe.early_stopping.metric), expected="one of " + ", ".join(figures)
        )


def _check_what_masks_cannot(recipe: SegmentationRecipe) -> None:
    insist_on_masks(resolve(recipe.augment))
    if recipe.mix.on:
        raise RecipeError(
            "mix",
            found=f"mixup {recipe.mix.mixup:g}, cutmix {recipe.mix.cutmix:g}",
            expected="0 of both, since only labels can be mixed, not masks",
        )
    if recipe.sampler == "balanced":
        raise RecipeError(
            "sampler",
            found="'balanced'",
            expected="'shuffle', since an image with a mask holds several classes",
            do='Set loss.class_weights to "balanced" instead',
        )


def _check_phase(recipe: Recipe, phase: Phase, field: str) -> None:
    if phase.schedule is not None:
        schedule_values(phase.schedule, f"{field}.schedule")
    if phase.solver == "convex":
        _check_convex(recipe, phase, field)


def _check_convex(recipe: Recipe, phase: Phase, field: str) -> None:
    """A head is solved for where there is one best one: linear, on stored features, with a loss that is convex."""
    if isinstance(recipe, SegmentationRecipe):
        raise RecipeError(f"{field}.solver", found="'convex'", expected="'steps', since a decoder is no linear head")
    mixed = recipe.mix.on
    for path, found, needed in (
        (f"{field}.trainable", phase.trainable, "head"),
        (f"{field}.epochs", phase.epochs, 1),
        ("model.head", recipe.model.head, "linear"),
        ("mix.mixup", recipe.mix.mixup * mixed, 0),
        ("mix.cutmix", recipe.mix.cutmix * mixed, 0),
        ("loss.name", recipe.loss.name, "cross-entropy"),
        ("loss.label_smoothing", recipe.loss.label_smoothing, 0),
    ):
        if found != needed:
            raise RecipeError(
                path,
                found=shown(found),
                expected=f"{needed!r}, as the convex solver needs",
                do=f'Or set {field}.solver to "steps"',
            )


def _check_model(recipe: SegmentationRecipe) -> None:
    row, encoder = architecture(recipe.model.architecture), find_encoder(recipe.model.encoder)
    if encoder is not None and not row.takes(encoder):
        raise RecipeError(
            "model.encoder",
            found=f"{encoder.name}, which {row.label} cannot stand on",
            expected="one of " + ", ".join(one.name for one in encoders_for(row.name)) + ", or another of their kind",
        )


def _check_mask_loss(recipe: SegmentationRecipe, dataset: Dataset) -> None:
    row, values = mask_loss_row(recipe.loss.name), knob_values(recipe.loss)
    if class_weights(recipe.loss, dataset) is not None and not row.weighted:
        raise RecipeError(
            "loss.class_weights",
            found=repr(recipe.loss.class_weights),
            expected=f"'none', since {row.label} takes no class weights",
        )
    if not values.get("background", True) and background_of(dataset.classes) is None:
        raise RecipeError(
            "loss.values.background",
            found="false",
            expected=f"true, since no class of {dataset.name!r} is called background",
        )


def _check_splits(dataset: Dataset) -> None:
    counts = dataset.counts()
    for split in ("train", "validation"):
        if not any(counts.get(split, {}).values()):
            ignored = split in counts  # only of masks: their images hold no class
            raise DatasetError(
                f"The {split} split of {dataset.name!r} is empty",
                found=f"{dataset.split_counts()[split]} masks of nothing but ignored pixels" if ignored else "",
                do="Import the images again with another split",
            )
    empty = [name for name in dataset.classes if not counts["train"].get(name)]
    if empty:
        raise DatasetError(
            f"{len(empty)} of {len(dataset.classes)} classes of {dataset.name!r} have no training "
            + ("pixel: no mask in the training split holds them" if dataset.task == "segmentation" else "image"),
            found=", ".join(repr(name) for name in empty[:5]),
            do="Import the images again with another split, or without these classes",
        )


def _check_batch(recipe: Recipe, dataset: Dataset) -> None:
    images = dataset.split_counts()["train"]
    masks = recipe.task == "segmentation"  # whose decoders always learn, and have batch normalisation
    learns = masks or any(phase.trainable != "head" for phase in recipe.phases)
    if recipe.batch_size < recipe.processes * (1 + learns):
        where = "" if masks or not learns else " where more than the head learns"
        reason = f"{where}: batch normalisation cannot learn from one image" if learns else ", one for each"
        shared = f" with {recipe.processes} processes" if recipe.processes > 1 else ""
        raise RecipeError(
            "batch_size",
            found=f"{recipe.batch_size}{shared}",
            expected=f"at least {recipe.processes * (1 + learns)}{reason}",
        )
    if recipe.mix.on and recipe.batch_size == 1:
        raise RecipeError("batch_size", found="1", expected="at least 2, since images are mixed within a batch")
    if recipe.batch_size > images:
        raise RecipeError(
            "batch_size",
            found=str(recipe.batch_size),
            expected=f"at most the {images} training images",
            do="Choose a smaller batch",
        )
    batches = -(-images // recipe.batch_size)
    if recipe.accumulate > batches:
        raise RecipeError(
            "accumulate",
            found=str(recipe.accumulate),
            expected=f"at most {batches}, the batches of {recipe.batch_size} that the {images} training images make",
        )
