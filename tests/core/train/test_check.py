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
        (
            {"augment.rows": [{"name": "h-flip"}, {"name": "rand-augment"}]},
            r"augment\.rows\.1\.name: found 'rand-augment', which moves the pixels of an image and not its mask",
        ),
        ({"mix.mixup": 0.2}, r"mix: found mixup 0\.2, cutmix 0, expected 0 of both, since only labels can be mixed"),
        ({"sampler": "balanced"}, r"sampler: found 'balanced', expected 'shuffle'.* Set loss\.class_weights"),
        ({"early_stopping.metric": "accuracy"}, r"metric: found 'accuracy', expected one of loss, dice, iou"),
        ({"phases.0.solver": "convex"}, r"phases\.0\.solver: found 'convex', expected 'steps', since a decoder"),
    ],
)
def test_what_cannot_train_on_masks_is_refused(masks, shapes, changes, message):
    with pytest.raises(RecipeError, match=message):
        check(masks.set(changes), shapes)


SOLVED = {"phases.0.solver": "convex", "phases.0.epochs": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer.name": "adamax"}, r"optimizer\.name: found 'adamax', expected one of adamw, "),
        ({"schedule.name": "zigzag"}, r"schedule\.name: found 'zigzag', expected one of cosine, "),
        ({"schedule.name": "step", "schedule.values.every": 0}, r"schedule\.values\.every: found 0, expected a whole"),
        ({"phases.0.schedule": {"name": "zigzag"}}, r"phases\.0\.schedule\.name: found 'zigzag', expected one of"),
        (
            {"phases.0.schedule": {"name": "step", "values": {"factor": 2}}},
            r"phases\.0\.schedule\.values\.factor: found 2, expected a number from 0\.01 to 0\.95",
        ),
        ({"loss.name": "hinge"}, r"loss\.name: found 'hinge', expected one of cross-entropy, focal"),
        (
            {"loss.name": "focal", "loss.values.gamma": -1},
            r"loss\.values\.gamma: found -1, expected a number from 0 to",
        ),
        ({"loss.class_weights": [1, 2]}, r"class_weights: found 2 numbers, expected one for each of the 3 classes"),
        ({"model.head": "forest"}, r"model\.head: found 'forest', expected one of linear, dense"),
        ({"augment.policy": "wild"}, r"augment\.policy: found 'wild'"),
        ({"early_stopping.metric": "dice"}, r"metric: found 'dice', expected one of loss, accuracy, macro_f1"),
        ({"batch_size": 25}, r"batch_size: found 25, expected at most the 24 training images\. Choose a smaller"),
        ({"batch_size": 1, "phases.0.trainable": "everything"}, r"at least 2 where more than the head learns: batch"),
        ({"batch_size": 1, "mix.cutmix": 1}, "found 1, expected at least 2, since images are mixed within a batch"),
        ({"batch_size": 3, "processes": 4}, "found 3 with 4 processes, expected at least 4, one for each"),
        ({"accumulate": 5}, "accumulate: found 5, expected at most 4, the batches of 6 that the 24 training images"),
        ({"folds": 13}, "'Coloured' has too few images for 13 folds: found 12 of 'red'.* Choose at most 12 folds"),
        ({"folds": 3, "fold": 3}, "fold: found 3, expected 0 to 2, since there are 3 folds"),
        (
            SOLVED | {"phases.0.trainable": "last 40%"},
            r"phases\.0\.trainable: found 'last 40%', expected 'head', as the",
        ),
        (SOLVED | {"phases.0.epochs": 20}, r"phases\.0\.epochs: found 20, expected 1, as the convex solver needs"),
        (
            SOLVED | {"model.head": "dense"},
            r'model\.head: found .dense., expected .linear.*Or set phases\.0\.solver to "st',
        ),
        (SOLVED | {"mix.mixup": 0.2}, r"mix\.mixup: found 0\.2, expected 0"),
        (SOLVED | {"mix.cutmix": 1}, r"mix\.cutmix: found 1\.0, expected 0"),
        (SOLVED | {"loss.name": "focal"}, r"loss\.name: found 'focal', expected 'cross-entropy'"),
        (SOLVED | {"loss.label_smoothing": 0.1}, r"loss\.label_smoothing: found 0\.1, expected 0"),
    ],
)
def test_what_cannot_train_on_labels_is_refused_in_one_sentence(small_recipe, coloured, changes, message):
    with pytest.raises((RecipeError, DatasetError), match=message) as refused:
        check(small_recipe.set(changes), coloured)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"phases.0.trainable": "nothing"},
            r"""phases\.0\.trainable: found 'nothing', expected "head", "everything", """,
        ),
        ({"phases.0.trainable": "last 0%"}, r"phases\.0\.trainable: found 'last 0%', expected \"head\""),
        ({"phases.0.trainable": "last 140%"}, r"phases\.0\.trainable: found 'last 140%', expected \"head\""),
        ({"phases.0.trainable": "last 0 blocks"}, r"phases\.0\.trainable: found 'last 0 blocks', expected \"head\""),
        ({"phases.0.epochs": 0}, r"phases\.0\.epochs: found 0, expected greater than or equal to 1"),
        ({"phases.0.learning_rate": 0}, r"phases\.0\.learning_rate: found 0, expected greater than 0"),
        ({"schedule.warmup": 1.5}, r"schedule\.warmup: found 1\.5, expected less than or equal to 0\.5"),
        ({"model.dropout": 1.2}, r"model\.dropout: found 1\.2, expected less than or equal to 0\.9"),
        ({"mix.probability": 2}, r"mix\.probability: found 2, expected less than or equal to 1"),
        ({"optimizer.layer_decay": 1.1}, r"optimizer\.layer_decay: found 1\.1, expected less than or equal to 1"),
    ],
)
def test_a_recipe_cannot_even_be_made_with_nothing_to_train_or_a_share_above_one(small_recipe, changes, message):
    with pytest.raises(RecipeError, match=message) as refused:
        small_recipe.set(changes)
    assert "\n" not in str(refused.value)


def test_what_the_techniques_allow_passes(small_recipe, coloured):
    for changes in (
        SOLVED | {"loss.class_weights": "balanced", "sampler": "balanced"},
        {"mix.mixup": 0.2, "mix.cutmix": 1, "loss.name": "focal", "loss.label_smoothing": 0.1, "model.head": "dense"},
        SOLVED | {"mix.mixup": 0.2, "mix.probability": 0},
        {"folds": 12, "fold": 11, "accumulate": 4, "processes": 3, "batch_size": 6},
        {"early_stopping": {"patience": 2, "metric": "macro_f1"}, "loss.class_weights": [1, 2, 0.5]},
    ):
        check(small_recipe.set(changes), coloured)


def test_a_class_without_a_training_image_is_named(small_recipe, coloured):
    left = [row for row in coloured.samples if row.label != 1 or row.split != "train"]
    with pytest.raises(DatasetError, match="1 of 3 classes of 'Coloured' have no training image: found 'green'"):
        check(small_recipe, replace(coloured, samples=tuple(left)))


def test_more_folds_than_masks_of_a_class_are_refused(masks, shapes):
    check(masks.set({"folds": 12}), shapes)
    with pytest.raises(DatasetError, match="too few images for 13 folds: found 12 of 'disc', 12 of 'square'"):
        check(masks.set({"folds": 13}), shapes)


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
