"""How probable the foreground is at each pixel of a picture, for networks of two classes: what a threshold cuts."""

from pathlib import Path

import numpy as np
import torch

from core.data.loading import fit_image, read_image
from core.data.mask_files import mask_png, restored
from core.errors import InputError
from core.evaluate.masks import levels_of
from core.predict.predictor import model_of


def foreground(run_folder: str, name: str, content: bytes) -> bytes:
    """An 8-bit grey PNG in the size of the picture: how probable class 1 is, in whole hundredths from 0 to 99.

    The bins are those that `core.evaluate.masks.Levels` counts, so a picture cut at a threshold shows the very mask
    whose figures `at_threshold` gives. Raises ImageError when the picture cannot be read, InputError when the network
    does not choose between two classes, RunError and WeightsError as `predict` does.
    """
    trained = model_of(Path(run_folder))
    if trained.recipe.task != "segmentation" or len(trained.classes) != 2:
        raise InputError(
            "A threshold needs a network that chooses between two classes at each pixel",
            found=f"{trained.recipe.task} with {len(trained.classes)} classes",
        )
    image = read_image(content, name=name)
    pixels = fit_image(image, trained.recipe.image_size, trained.recipe.fit)
    maps = trained.model.probabilities(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].numpy()
    levels = np.empty((image.height, image.width), np.uint8)
    for top, strip in restored(maps, image.width, image.height, trained.recipe.fit):
        levels[top : top + strip.shape[1]] = levels_of(strip)
    return mask_png(levels)
