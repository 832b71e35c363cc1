import pytest

from core.models.architectures import architecture, find_encoder
from core.models.catalog import backbone
from core.recipe import Recipe, SegmentationRecipe
from core.train.estimate import (
    DECODER_GMACS_PER_CORE_SECOND,
    MASK_PASSES_PER_STEP,
    START_SECONDS,
    Rate,
    estimate,
)

SPLITS = {"train": 100, "validation": 20, "test": 20}
LITE0 = backbone("tf_efficientnet_lite0")


def test_parameters_are_the_backbones_and_a_head_for_the_classes():
    found = estimate(Recipe(), classes=6, splits=SPLITS, cores=2)
    assert found.trainable == 1280 * 6 + 6
    assert found.parameters == LITE0.parameters + found.trainable


def test_a_frozen_backbone_costs_one_pass_per_view_and_not_per_epoch():
    few = estimate(Recipe().set({"phases.0.epochs": 5}), 6, SPLITS, 2)
    many = estimate(Recipe().set({"phases.0.epochs": 500}), 6, SPLITS, 2)
    one_view = estimate(Recipe().set({"augment.policy": "none"}), 6, SPLITS, 2)
    assert few.seconds == many.seconds
    assert (few.seconds - START_SECONDS) / (one_view.seconds - START_SECONDS) == (2 * 100 + 20) / (100 + 20)


def test_half_the_side_is_a_quarter_of_the_time():
    whole, half = (estimate(Recipe().set({"image_size": size}), 6, SPLITS, 2).seconds for size in (224, 112))
    assert (half - START_SECONDS) * 4 == whole - START_SECONDS


def test_a_rate_seen_here_is_believed_before_the_rule_of_thumb():
    recipe = Recipe().set({"phases.0.trainable": "everything", "phases.0.epochs": 10})
    rates = [Rate("resnet18", 224, "everything", 9.0), Rate("tf_efficientnet_lite0", 224, "everything", 50.0)]
    guessed, measured = estimate(recipe, 6, SPLITS, 2), estimate(recipe, 6, SPLITS, 2, rates)
    assert not guessed.measured
    assert measured.measured
    assert 10 * 100 / 50 < measured.seconds - START_SECONDS < 10 * 100 / 50 + 10 * 20 / 50


def test_a_backbone_outside_the_catalog_is_not_guessed():
    found = estimate(Recipe().set({"model.backbone": "test_resnet"}), 6, SPLITS, 2)
    assert found.seconds is None
    assert found.parameters is None


def test_the_pace_of_a_frozen_backbone_seen_here_is_believed_as_well():
    rates = [Rate("tf_efficientnet_lite0", 224, "head", 50.0)]
    found = estimate(Recipe(), 6, SPLITS, 2, rates)
    assert found.measured
    assert found.seconds == START_SECONDS + (2 * 100 + 20) / 50


def test_the_pace_of_stored_features_says_nothing_about_looking_at_pictures():
    rates = [Rate("tf_efficientnet_lite0", 224, "head", rate) for rate in (20_000.0, 50.0)]
    assert estimate(Recipe(), 6, SPLITS, 2, rates) == estimate(Recipe(), 6, SPLITS, 2, rates[1:])
    assert estimate(Recipe(), 6, SPLITS, 2, rates[:1]) == estimate(Recipe(), 6, SPLITS, 2)


def test_where_there_is_a_gpu_only_the_time_of_its_cpu_is_guessed():
    rates = [Rate("tf_efficientnet_lite0", 224, "head", 50.0)]
    unknown = estimate(Recipe(), 6, SPLITS, 2, rates, gpu=True)
    assert unknown.seconds is None
    assert unknown.parameters == estimate(Recipe(), 6, SPLITS, 2).parameters
    on_cpu = Recipe().set({"device": "cpu"})
    assert estimate(on_cpu, 6, SPLITS, 2, rates, gpu=True) == estimate(on_cpu, 6, SPLITS, 2)


MASKS = SegmentationRecipe()
DESCRIBED = {"parameters": 5_000_000, "head": 2_000_000, "gmacs": 0.7}


def test_a_segmenter_costs_its_encoder_and_its_decoder_at_every_epoch():
    found = estimate(MASKS, 3, SPLITS, 2)
    passes = 12 * (100 * MASK_PASSES_PER_STEP + 20)
    gmacs = (find_encoder(MASKS.model.encoder).gmacs + architecture("unet").decoder_gmacs) * (128 / 224) ** 2
    assert found.seconds - START_SECONDS == pytest.approx(passes * gmacs / (2 * DECODER_GMACS_PER_CORE_SECOND))
    assert found.parameters is None, "which only the library knows"


def test_a_segmenter_that_was_described_is_known_better():
    found = estimate(MASKS, 3, SPLITS, 2, described=DESCRIBED)
    assert (found.parameters, found.trainable) == (5_000_000, 5_000_000)
    passes = 12 * (100 * MASK_PASSES_PER_STEP + 20)
    assert found.seconds - START_SECONDS == pytest.approx(passes * 0.7 / (2 * DECODER_GMACS_PER_CORE_SECOND))
    frozen = estimate(MASKS.set({"phases.0.trainable": "head"}), 3, SPLITS, 2, described=DESCRIBED)
    assert frozen.trainable == 2_000_000
    assert frozen.seconds < found.seconds


def test_a_frozen_encoder_looks_at_the_pictures_at_every_epoch():
    few, many = (
        estimate(MASKS.set({"phases.0.trainable": "head", "phases.0.epochs": epochs}), 3, SPLITS, 2).seconds
        for epochs in (5, 50)
    )
    assert (many - START_SECONDS) == pytest.approx(10 * (few - START_SECONDS))


def test_the_pace_of_the_same_segmenter_here_is_believed():
    rates = [Rate("unet, resnet34", 128, "everything", 9.0), Rate(MASKS.model.network, 128, "everything", 20.0)]
    found = estimate(MASKS, 3, SPLITS, 2, rates)
    assert found.measured
    assert 12 * 100 / 20 < found.seconds - START_SECONDS < 12 * 120 / 20


def test_a_segmenter_outside_the_lists_is_guessed_only_when_described():
    recipe = MASKS.set({"model.encoder": "tu-test_efficientnet"})
    assert estimate(recipe, 3, SPLITS, 2).seconds is None
    assert estimate(recipe, 3, SPLITS, 2, described=DESCRIBED).seconds is not None
    refused = {"parameters": None, "encoder_parameters": None, "gmacs": None, "error": "no"}
    assert estimate(recipe, 3, SPLITS, 2, described=refused).seconds is None


def test_a_backbone_outside_the_catalog_is_estimated_from_what_the_lab_says_of_it():
    recipe = Recipe().set({"model.backbone": "resnet26", "phases.0.trainable": "last 2 blocks"})
    said = {"parameters": 1000, "head": 100, "gmacs": 2.0, "phases": [{"trainable": 300}]}
    found = estimate(recipe, 6, SPLITS, 2, described=said)
    assert (found.parameters, found.trainable) == (1000, 300)
    slower = estimate(recipe, 6, SPLITS, 2, described=said | {"gmacs": 4.0})
    assert slower.seconds - START_SECONDS == 2 * (found.seconds - START_SECONDS)


def test_a_dense_head_is_counted_with_its_layer():
    found = estimate(Recipe().set({"model.head": "dense", "model.hidden": 256}), classes=6, splits=SPLITS, cores=2)
    assert found.trainable == 1280 * 256 + 256 + 256 * 6 + 6


def test_a_convex_phase_looks_once_at_every_stored_variant():
    steps = estimate(Recipe().set({"phases.0.epochs": 1, "augment.views": 3}), 6, SPLITS, 2)
    convex = estimate(
        Recipe().set({"phases.0.epochs": 1, "phases.0.solver": "convex", "augment.views": 3}), 6, SPLITS, 2
    )
    assert (convex.seconds - START_SECONDS) / (steps.seconds - START_SECONDS) == pytest.approx((3 * 100 + 20) / 120)


def test_mixed_pictures_go_through_a_frozen_backbone_at_every_epoch():
    stored = Recipe().set({"phases.0.epochs": 10, "augment.policy": "none"})
    once, mixed = (estimate(r, 6, SPLITS, 2).seconds - START_SECONDS for r in (stored, stored.set({"mix.mixup": 0.4})))
    assert mixed == pytest.approx(10 * once)


def test_collecting_several_batches_for_a_step_changes_neither_time_nor_parameters():
    plain = Recipe().set({"phases.0.trainable": "everything"})
    assert estimate(plain, 6, SPLITS, 2) == estimate(plain.set({"accumulate": 8}), 6, SPLITS, 2)
