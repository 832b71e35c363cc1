from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from core.augment.catalog import policy, resolve
from core.augment.pipeline import Augmentation, sample_seed
from core.augment.preview import preview
from core.data.loading import fit_image, read_image
from core.errors import DatasetError, RecipeError
from core.recipe import AugmentChoice

ROWS = [row.model_dump(mode="json") for row in policy("heavy").rows]
SETTINGS = {"seed": 3, "size": 48, "fit": "crop", "variants": 2}


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(jpeg)), dtype=int)


def test_a_preview_shows_the_very_variants_that_training_draws(tiny_dataset):
    ids = [tiny_dataset.samples[number].id for number in (0, 5)]
    lines = preview(str(tiny_dataset.folder), ids, ROWS, **SETTINGS)
    assert [len(line) for line in lines] == [3, 3]

    augmentation = Augmentation(resolve(AugmentChoice(policy="heavy")))
    for id, line in zip(ids, lines, strict=True):
        original = fit_image(read_image(tiny_dataset.path(tiny_dataset.sample(id))), 48, "crop")
        assert np.abs(pixels(line[0]) - original).mean() < 5, "a JPEG of the original"
        for draw in (0, 1):
            image = torch.from_numpy(original).permute(2, 0, 1)[None]
            drawn = augmentation(image, [sample_seed(3, id, draw)])[0].permute(1, 2, 0).numpy()
            assert np.abs(pixels(line[1 + draw]) - drawn).mean() < 5
        assert np.abs(pixels(line[1]) - pixels(line[2])).mean() > 5, "two draws differ more than two JPEGs do"


def test_the_same_settings_give_the_same_files(tiny_dataset):
    ids = [tiny_dataset.samples[0].id]
    first, again = (preview(str(tiny_dataset.folder), ids, ROWS, **SETTINGS) for _ in range(2))
    assert first == again


def test_without_rows_every_variant_is_the_original(tiny_dataset):
    ((original, one, two),) = preview(str(tiny_dataset.folder), [tiny_dataset.samples[0].id], [], **SETTINGS)
    assert original == one == two


def test_what_cannot_be_previewed_is_said(tiny_dataset, tmp_path):
    ids = [tiny_dataset.samples[0].id]
    with pytest.raises(RecipeError, match="one of h-flip"):
        preview(str(tiny_dataset.folder), ids, [{"name": "spin"}], **SETTINGS)
    with pytest.raises(RecipeError, match="probability"):
        preview(str(tiny_dataset.folder), ids, [{"name": "h-flip", "probability": 2}], **SETTINGS)
    with pytest.raises(DatasetError, match="no such sample"):
        preview(str(tiny_dataset.folder), ["999999"], ROWS, **SETTINGS)
    with pytest.raises(DatasetError, match="no dataset"):
        preview(str(tmp_path), ids, ROWS, **SETTINGS)
