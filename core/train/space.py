"""Whether the disk can hold what a run keeps of its network."""

import shutil
from pathlib import Path

from core.errors import StorageError
from core.models.architectures import find_encoder
from core.models.catalog import find_row
from core.recipe import Recipe, SegmenterChoice

NUMBER = 4  # bytes
OF_A_WEIGHT = 3  # numbers that an optimizer keeps of each weight, at most (Ranger)


def space_needed(recipe: Recipe) -> int:
    """Bytes that a run keeps at most: its best weights, and its latest with the state of the optimizer.

    0 for a network that stands in no row, whose size only the network itself knows.
    """
    if isinstance(recipe.model, SegmenterChoice):
        row = find_encoder(recipe.model.encoder)
    else:
        row = find_row(recipe.model.backbone)
    if row is None:
        return 0
    moving = any(phase.trainable != "head" for phase in recipe.phases)
    return row.parameters * NUMBER * (2 + OF_A_WEIGHT * moving + bool(recipe.ema))


def insist_on_space(recipe: Recipe, folder: Path) -> None:
    """Raise StorageError when the disk that `folder` is on has less room than the run needs."""
    if not folder.exists():
        return
    needed, free = space_needed(recipe), shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"The disk has no room for the weights of {recipe.model.network}",
            found=f"{free / 1e9:.1f} GB free",
            expected=f"{needed / 1e9:.1f} GB",
            do="Free some space (old runs and the cache folder of the workspace can go) or choose a smaller network",
        )
