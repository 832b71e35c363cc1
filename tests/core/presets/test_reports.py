"""Each preset of a report is the row of the design's table, line by line, and says what it has otherwise."""

import pytest

from core.augment.catalog import resolve
from core.models.catalog import backbone
from core.presets import PRESETS, preset
from core.presets.reports import REPORTS
from core.recipe import Recipe

LADDER = {
    "blood-cells-ladder": "mobilenetv3_small_100",
    "blood-cells-ladder-efficientnetv2": "tf_efficientnetv2_b3",
    "blood-cells-ladder-convnext": "convnext_xlarge",
}
NUTS = {"tree-nuts-mobilenet": "mobilenetv2_100", "tree-nuts-densenet169": "densenet169"}
CLASSIFIERS = [row for row in REPORTS if row.task == "classification"]


def phases(recipe: Recipe) -> list[tuple[str, int, float]]:
    return [(phase.trainable, phase.epochs, phase.learning_rate) for phase in recipe.phases]


def test_every_report_of_the_table_has_its_presets():
    assert [row.name for row in REPORTS] == [
        "kvasir-efficientnet-b3",
        *LADDER,
        "fruit-efficientnetv2",
        "neopolyp-unet",
        *NUTS,
    ]


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: row.name)
def test_presets_of_reports_and_no_others_say_what_was_done_what_to_look_for_and_what_differs(row):
    assert bool(row.page) == bool(row.differs) == (row in REPORTS)
    if row.page:
        assert row.page.startswith("The report ")
        assert "Look at" in row.page or "look where" in row.page
        assert len(row.page) < 700
        assert all(sentence.endswith(".") for sentence in (row.page, *row.differs))


@pytest.mark.parametrize("row", CLASSIFIERS, ids=lambda row: row.name)
def test_the_scaling_of_pixels_is_told_as_the_weights_have_it(row):
    found = backbone(row.recipe().model.backbone)
    (told,) = [sentence for sentence in row.differs if "scaled by mean" in sentence]
    assert f"mean {found.mean[0]:g}, " in told
    assert f"deviation {found.std[0]:g}, " in told
    assert found.tag in told


def test_kvasir_is_the_table_of_the_design():
    recipe = preset("kvasir-efficientnet-b3").recipe()
    assert recipe.model.backbone == "tf_efficientnet_b3"
    assert recipe.model.weights == "pretrained"
    assert recipe.image_size == 300
    assert [row.name for row in resolve(recipe.augment)] == ["h-flip", "rotation", "zoom", "brightness", "contrast"]
    assert recipe.mix.mixup > 0
    assert recipe.mix.cutmix == 0
    assert phases(recipe) == [("head", 15, 1e-3), ("last 40%", 35, 1e-4)]
    assert recipe.schedule.name == "plateau"
    assert recipe.early_stopping.patience > 0
    assert recipe.restore_best
    assert recipe.precision == "auto"  # mixed wherever there is a GPU


@pytest.mark.parametrize(("name", "network"), LADDER.items())
def test_a_rung_of_blood_cells_is_the_table_of_the_design(name, network):
    recipe = preset(name).recipe()
    assert recipe.model.backbone == network
    assert recipe.image_size == 96
    assert [phase.trainable for phase in recipe.phases] == [
        "head",
        "last 1 block",
        "last 2 blocks",
        "last 4 blocks",
        "everything",
    ]
    rates = [phase.learning_rate for phase in recipe.phases]
    assert rates == sorted(rates, reverse=True)
    assert recipe.loss.class_weights == "balanced"
    assert recipe.optimizer.weight_decay > 0
    assert recipe.model.dropout > 0
    assert recipe.schedule.name == "plateau"


def test_the_rungs_of_blood_cells_together_have_every_augmentation_mixing_and_optimizer_of_the_table():
    recipes = [preset(name).recipe() for name in LADDER]
    assert [recipe.augment.policy for recipe in recipes] == ["light", "moderate", "heavy"]
    assert [recipe.optimizer.name for recipe in recipes] == ["adamw", "ranger", "lion"]
    assert [recipe.mix.mixup > 0 for recipe in recipes] == [False, True, True]
    assert [recipe.mix.cutmix > 0 for recipe in recipes] == [False, False, True]


def test_fruit_is_the_table_of_the_design():
    recipe = preset("fruit-efficientnetv2").recipe()
    assert recipe.model.backbone == "tf_efficientnetv2_s"
    assert len(recipe.phases) == 16
    assert {(phase.trainable, phase.epochs) for phase in recipe.phases[::2]} == {("head", 1)}
    assert {(phase.trainable, phase.epochs) for phase in recipe.phases[1::2]} == {("everything", 1)}
    assert "Find a learning rate" in preset("fruit-efficientnetv2").page
    # Every epoch draws a variant of its own, the frozen ones too.
    assert recipe.augment.views >= recipe.epochs


@pytest.mark.parametrize(("name", "network"), NUTS.items())
def test_tree_nuts_is_the_table_of_the_design(name, network):
    recipe = preset(name).recipe()
    assert recipe.model.backbone == network
    assert (recipe.model.head, recipe.model.hidden, recipe.model.dropout) == ("dense", 256, 0.5)
    assert [(trainable, epochs) for trainable, epochs, _ in phases(recipe)] == [("head", 3), ("last 4 layers", 9)]
    assert resolve(recipe.augment)  # of the training images; others never are
    assert recipe.augment.views >= 3
    assert recipe.schedule.name == "exponential"


def test_the_polyp_preset_is_the_table_of_the_design():
    recipe = preset("neopolyp-unet").recipe()
    assert recipe.image_size == 256
    assert recipe.model.network == "unet, resnet34"
    assert recipe.model.weights == "pretrained"
    assert [(row.name, row.probability, row.values) for row in resolve(recipe.augment)] == [
        ("h-flip", 0.5, {}),
        ("v-flip", 0.5, {}),
        ("quarter-turn", 0.5, {}),
        ("gamma", 0.2, {"lowest": 0.7, "highest": 1.2}),
        ("channel-shift", 0.3, {"steps": 10}),
    ]
    assert (recipe.loss.name, recipe.loss.values) == ("dice+cross-entropy", {"squared": True})
    assert (recipe.optimizer.name, recipe.optimizer.weight_decay) == ("adam", 0)
    assert [(phase.trainable, phase.learning_rate) for phase in recipe.phases] == [("everything", 1e-4)]
    assert (recipe.schedule.name, recipe.schedule.warmup) == ("constant", 0)
    assert recipe.best_by == "loss"
