"""What is known of a run before it is made: facts for the page, and refusals in one sentence."""

import json
import time

import pytest
import torch
from safetensors.torch import save_file

from core.errors import RecipeError, WeightsError
from core.models.classifiers import build_classifier
from core.recipe import ModelChoice, Recipe, SegmentationRecipe
from core.train.freezing import freeze
from core.train.rehearsal import describe, rehearse

TINY = {"model.backbone": "test_efficientnet", "model.weights": "random", "image_size": 64}
TINY_MASKS = {"model.encoder": "tu-test_efficientnet", "model.weights": "random", "image_size": 64}
PHASES = {
    "phases.0.trainable": "head",
    "phases.1": {"name": "second", "trainable": "last 2 blocks"},
    "phases.2": {"name": "third", "trainable": "last 40%"},
    "phases.3": {"name": "all", "trainable": "everything"},
}


def told(recipe: Recipe, classes: int = 3) -> dict:
    facts = describe(recipe.to_json(), classes)
    assert json.loads(json.dumps(facts)) == facts, "plain data, for a page in another process"
    return facts


@pytest.mark.parametrize("recipe", [Recipe().set(TINY | PHASES), SegmentationRecipe().set(TINY_MASKS | PHASES)])
def test_what_learns_in_each_phase_is_what_freezing_says_and_adds_up_by_stage(recipe):
    facts = told(recipe)
    assert facts["error"] is None
    assert [phase["name"] for phase in facts["phases"]] == [phase.name for phase in recipe.phases]
    assert sum(stage["parameters"] for stage in facts["stages"]) == facts["parameters"]
    for phase in facts["phases"]:
        assert phase["trainable"] + phase["frozen"] == facts["parameters"]
        for kind in ("trainable", "frozen"):
            assert sum(stage[kind] for stage in phase["by_stage"]) == phase[kind]
    head, blocks, _, everything = facts["phases"]
    assert (head["trainable"], everything["frozen"]) == (facts["head"], 0)
    learning = [stage["name"] for stage in blocks["by_stage"] if stage["trainable"]]
    assert learning == [stage["name"] for stage in facts["stages"]][-3:]
    assert learning[-1] == ("decoder" if recipe.task == "segmentation" else "head")


def test_the_figures_are_those_of_the_real_network():
    recipe = Recipe().set(TINY | {"model.head": "dense", "phases.0.trainable": "last 1 block"})
    facts, real = told(recipe, 5), build_classifier(recipe.model, 5)
    frozen = freeze(real.backbone, real.head, "last 1 block")
    assert facts["parameters"] == sum(one.numel() for one in real.parameters())
    assert facts["phases"][0]["trainable"] == frozen.trainable
    assert (facts["blocks"], facts["layers"]) == (5, 30)


def test_norms_that_learn_without_measuring_are_counted():
    measuring = Recipe().set(TINY | PHASES)
    assert [phase["still_norms"] for phase in told(measuring)["phases"]] == [0, 0, 0, 0]
    still = measuring.set({f"phases.{number}.norms": "still" for number in range(4)})
    head, blocks, _, everything = told(still)["phases"]
    backbone = build_classifier(ModelChoice(backbone="test_efficientnet", weights="random"), 2).backbone
    norms = sum(isinstance(part, torch.nn.BatchNorm2d) for part in backbone.modules())
    assert head["still_norms"] == 0 < blocks["still_norms"] < everything["still_norms"] == norms
    without = still.set({"model.backbone": "test_vit"})  # whose norms measure nothing
    assert [phase["still_norms"] for phase in told(without)["phases"]] == [0, 0, 0, 0]


def test_it_is_said_whether_paths_can_be_dropped():
    assert told(Recipe().set({"model.backbone": "resnet18"}))["drop_path"]
    facts = told(Recipe().set({"model.backbone": "densenet121"}))
    assert facts["error"] is None
    assert not facts["drop_path"]


def test_the_largest_of_the_catalog_is_described_without_its_memory():
    recipe = Recipe().set({"model.backbone": "convnext_xlarge", "phases.0.trainable": "last 2 blocks"})
    began = time.monotonic()
    facts = told(recipe, 8)
    assert time.monotonic() - began < 20, "seconds; less than one on a machine that does nothing else"
    assert facts["parameters"] == 348_147_968 + 2049 * 8
    assert facts["gmacs"] == pytest.approx(60.919, abs=0.001)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model.backbone": "resnet19"}, "model.backbone: found 'resnet19', expected a model name of timm"),
        ({"model.backbone": "densenet121", "model.drop_path": 0.1}, "densenet121 has no residual branches"),
        ({"phases.0.trainable": "last 6 blocks"}, "at most the backbone's 5 blocks"),
        (
            {"phases.0.trainable": "last 99 layers"},
            "phases.0.trainable: found 'last 99 layers', expected at most the backbone's",
        ),
        ({"model.head": "deep"}, "model.head: found 'deep', expected one of linear, dense"),
        ({"model.weights": "nowhere.pth"}, "The weight file is not there: found no file 'nowhere.pth'"),
        (
            {"model.backbone": "swin_tiny_patch4_window7_224", "image_size": 128},
            "image_size: found 128, which swin_tiny_patch4_window7_224 cannot take",
        ),
    ],
)
def test_what_the_network_cannot_do_is_one_sentence(changes, sentence):
    recipe = Recipe().set(TINY | changes)
    assert sentence in told(recipe)["error"]
    with pytest.raises((RecipeError, WeightsError)) as refused:
        rehearse(recipe)
    assert sentence in str(refused.value)


def test_masks_are_refused_alike():
    assert (
        "which U-Net++ cannot stand on"
        in told(
            SegmentationRecipe().set(TINY_MASKS | {"model.architecture": "unetplusplus", "model.encoder": "mit_b0"})
        )["error"]
    )


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
@pytest.mark.parametrize("recipe", [Recipe().set(TINY), SegmentationRecipe().set(TINY_MASKS)])
def test_weights_of_another_architecture_are_refused_before_the_start_from_their_shapes_alone(tmp_path, ending, recipe):
    def saved(name: str) -> str:
        state = build_classifier(ModelChoice(backbone=name, weights="random"), 2).backbone.state_dict()
        file = tmp_path / f"{name}.{ending}"
        state = {key: value.contiguous() for key, value in state.items()}
        save_file(state, file) if ending == "safetensors" else torch.save(state, file)
        return str(file)

    wrong = recipe.set({"model.weights": saved("test_resnet")})
    assert f"test_resnet.{ending} does not fit" in told(wrong)["error"]
    with pytest.raises(WeightsError, match=rf"test_resnet\.{ending} does not fit"):
        rehearse(wrong)
    assert told(recipe.set({"model.weights": saved("test_efficientnet")}))["error"] is None
