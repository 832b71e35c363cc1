"""What can be known to be wrong before a run starts. Torch-free, so that a page can ask on every change."""

from core.augment.catalog import resolve
from core.data.dataset import Dataset
from core.data.split import insist_on_folds
from core.errors import DatasetError, RecipeError
from core.metrics.segmentation import background_of
from core.models.architectures import architecture, encoders_for, find_encoder
from core.recipe import Recipe, SegmentationRecipe
from core.train.losses import loss_row
from core.train.mask_losses import class_weights, knob_values, mask_loss_row
from core.train.optimizers import optimizer_row
from core.train.schedules import schedule_row

_HAS = {"classification": "one class for each image", "segmentation": "a mask for each image"}


def check(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse what cannot train, in one sentence.

    Raises RecipeError for a recipe of another task than the dataset's, an unknown policy, optimizer, schedule, loss or
    architecture, an encoder that the architecture does not take, a bad knob, class weights that are not one for each
    class, or a batch of one or larger than the training split; DatasetError for a split that is missing and for a class
    without a training image, or without a pixel in the training masks.
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
    resolve(recipe.augment)
    optimizer_row(recipe.optimizer.name)
    schedule_row(recipe.schedule.name)
    if isinstance(recipe, SegmentationRecipe):
        _check_model(recipe)
        _check_mask_loss(recipe, dataset)
    else:
        loss_row(recipe.loss.name)
    _check_splits(dataset)
    _check_batch(recipe, dataset)


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
    if recipe.batch_size == 1 and (masks or any(phase.trainable != "head" for phase in recipe.phases)):
        where = "" if masks else " where more than the head learns"
        raise RecipeError(
            "batch_size",
            found="1",
            expected=f"at least 2{where}: batch normalisation cannot learn from one image",
        )
    if recipe.batch_size > images:
        raise RecipeError(
            "batch_size",
            found=str(recipe.batch_size),
            expected=f"at most the {images} training images",
            do="Choose a smaller batch",
        )
