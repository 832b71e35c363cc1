"""What is known to be wrong before a run starts."""

import subprocess
import sys
from dataclasses import replace

import pytest

from core.errors import DatasetError, RecipeError, WeightsError
from core.presets import PRESETS
from core.recipe import Recipe, SegmentationRecipe
from core.train.check import check
from core.train.rehearsal import rehearse
from tests.shapes import CLASSES, SMALL_MASKS, shapes_dataset


@pytest.fixture
def shapes(tmp_path):
    return shapes_dataset(tmp_path / "shapes")


@pytest.fixture
def masks():
    return SegmentationRecipe().set(SMALL_MASKS)


def with_masks(dataset, pixels):
    """The same dataset, its training masks holding these pixels of each class."""
    samples = (replace(row, pixels=pixels if row.split == "train" else row.pixels) for row in dataset.samples)
    return replace(dataset, samples=tuple(samples))


def test_a_sound_recipe_passes(masks, shapes, small_recipe, coloured):
    check(masks, shapes)
    check(small_recipe, coloured)


@pytest.mark.parametrize("row", [row for row in PRESETS if row.task == "segmentation"], ids=lambda row: row.name)
def test_every_preset_for_masks_passes(row, shapes):
    check(row.recipe(), shapes)


def test_a_recipe_of_another_task_is_refused(masks, shapes, small_recipe, coloured):
    with pytest.raises(
        RecipeError, match="task: found 'segmentation', expected 'classification', since 'Coloured' has"
    ):
        check(masks, coloured)
    with pytest.raises(RecipeError, match="expected 'segmentation', since 'Shapes' has a mask for each image"):
        check(small_recipe, shapes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.architecture": "vnet"}, r"model\.architecture: found 'vnet', expected one of unet"),
        (
            {"model.encoder": "tu-vit_small_patch16_224"},
            "which U-Net cannot stand on, expected one of tu-tf_efficientnet",
        ),
        ({"model.architecture": "dpt", "model.encoder": "resnet34"}, "resnet34, which DPT cannot stand on"),
        ({"loss.name": "dyce"}, r"loss\.name: found 'dyce'"),
        ({"loss.values.share": 2}, r"loss\.values\.share: found 2, expected a number from 0 to 1"),
        ({"loss.name": "lovasz", "loss.class_weights": "balanced"}, "Lovász takes no class weights"),
        ({"loss.class_weights": "[1, 2]"}, "found 2 numbers, expected one for each of the 3 classes"),
        ({"loss.class_weights": [1, 2]}, "found 2 numbers, expected one for each of the 3 classes"),
        ({"augment.policy": "wild"}, "augment.policy"),
        ({"optimizer.name": "adamax"}, "optimizer.name"),
        ({"schedule.name": "zigzag"}, "schedule.name"),
        ({"batch_size": 1}, r"batch_size: found 1, expected at least 2: batch normalisation cannot learn from one"),
        ({"batch_size": 1, "phases.0.trainable": "head"}, "at least 2"),
        ({"batch_size": 13}, "at most the 12 training images"),
    ],
)
def test_what_cannot_train_on_masks_is_refused(masks, shapes, changes, message):
    with pytest.raises(RecipeError, match=message):
        check(masks.set(changes), shapes)


def test_the_background_can_only_be_left_out_where_there_is_one(masks, shapes):
    without = masks.set({"loss.values.background": False})
    check(without, shapes)
    with pytest.raises(RecipeError, match=r"loss\.values\.background: found false, expected true, since no class"):
        check(without, replace(shapes, classes=("ground", *CLASSES[1:])))


def test_a_class_without_a_training_pixel_is_named(masks, shapes):
    with pytest.raises(DatasetError, match="1 of 3 classes of 'Shapes' have no training pixel.*found 'square'"):
        check(masks, with_masks(shapes, (900, 100, 0)))


def test_training_masks_of_nothing_but_background_are_refused(masks, shapes):
    with pytest.raises(DatasetError, match="2 of 3 classes of 'Shapes' have no training pixel.*'disc', 'square'"):
        check(masks, with_masks(shapes, (1000, 0, 0)))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_an_empty_split_is_refused(masks, shapes, split):
    left = replace(shapes, samples=tuple(row for row in shapes.samples if row.split != split))
    with pytest.raises(DatasetError, match=f"The {split} split of 'Shapes' is empty"):
        check(masks, left)


def test_a_split_whose_masks_are_all_ignored_is_refused_as_such(masks, shapes):
    rows = [replace(row, pixels=(0, 0, 0)) if row.split == "validation" else row for row in shapes.samples]
    with pytest.raises(DatasetError, match="validation split .* found 6 masks of nothing but ignored pixels"):
        check(masks, replace(shapes, samples=tuple(rows)))


def test_checking_needs_no_torch():
    code = (
        "import sys, core.train.check; assert not {'torch', 'timm', 'segmentation_models_pytorch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_sound_recipe_rehearses(masks, small_recipe):
    rehearse(masks)
    rehearse(small_recipe)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"model.encoder": "tu-resnet19"},
            RecipeError,
            r"model\.encoder: found 'tu-resnet19', expected an encoder of SMP",
        ),
        ({"model.encoder": "vgg11", "model.architecture": "pan"}, RecipeError, "which PAN cannot stand on"),
        ({"phases.0.trainable": "last 999 layers"}, RecipeError, "at most the backbone's"),
        ({"model.weights": "gone.pth"}, WeightsError, "The weight file is not there"),
    ],
)
def test_what_only_the_network_knows_is_refused_before_a_run_is_made(masks, changes, error, message):
    with pytest.raises(error, match=message):
        rehearse(masks.set(changes))


def test_an_encoder_nobody_knows_is_refused_for_a_classifier_too():
    with pytest.raises(RecipeError, match="model.backbone"):
        rehearse(Recipe().set({"model.backbone": "resnet19"}))
