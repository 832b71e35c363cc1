"""What can be known to be wrong before a run starts. Torch-free, so that a page can ask on every change."""

from core.augment.catalog import resolve
from core.data.dataset import Dataset
from core.errors import DatasetError, RecipeError
from core.recipe import Recipe
from core.train.losses import loss_row
from core.train.optimizers import optimizer_row
from core.train.schedules import schedule_row


def check(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse what cannot train, in one sentence.

    Raises RecipeError for an unknown policy, optimizer, schedule or loss, a bad knob, or a batch larger than the
    training split; DatasetError for a split that is missing or a class without a training image.
    """
    resolve(recipe.augment)
    optimizer_row(recipe.optimizer.name)
    schedule_row(recipe.schedule.name)
    loss_row(recipe.loss.name)
    counts = dataset.counts()
    for split in ("train", "validation"):
        if not any(counts.get(split, {}).values()):
            raise DatasetError(
                f"The {split} split of {dataset.name!r} is empty", do="Import the images again with another split"
            )
    empty = [name for name in dataset.classes if not counts["train"].get(name)]
    if empty:
        raise DatasetError(
            f"{len(empty)} of {len(dataset.classes)} classes of {dataset.name!r} have no training image",
            found=", ".join(repr(name) for name in empty[:5]),
            do="Import the images again with another split, or without these classes",
        )
    images = sum(counts["train"].values())
    if recipe.batch_size == 1 and any(phase.trainable != "head" for phase in recipe.phases):
        raise RecipeError(
            "batch_size",
            found="1",
            expected="at least 2 where more than the head learns: batch normalisation cannot learn from one image",
        )
    if recipe.batch_size > images:
        raise RecipeError(
            "batch_size",
            found=str(recipe.batch_size),
            expected=f"at most the {images} training images",
            do="Choose a smaller batch",
        )
