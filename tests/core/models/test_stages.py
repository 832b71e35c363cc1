import pytest
import timm
import torch
from timm.optim import create_optimizer_v2
from torch import nn

from core.models.catalog import BACKBONES
from core.models.classifiers import build_classifier
from core.models.stages import blocks_of, depths, layers_of, stages
from core.models.unets import build_segmenter
from core.recipe import ModelChoice, SegmenterChoice


def bare(name: str) -> nn.Module:
    with torch.device("meta"):
        return timm.create_model(name, num_classes=0)


def encoder(architecture: str, name: str) -> nn.Module:
    try:
        with torch.device("meta"):
            return build_segmenter(
                SegmenterChoice(architecture=architecture, encoder=name), 2, 64, pretrained=False
            ).backbone
    except NotImplementedError:  # computes while it is built
        return build_segmenter(
            SegmenterChoice(architecture=architecture, encoder=name), 2, 64, pretrained=False
        ).backbone


NETWORKS = {
    "mobilenetv3_small_100": (6, True),
    "tf_efficientnet_lite0": (7, True),
    "convnext_tiny": (4, True),
    "vit_small_patch16_224": (12, True),
    "densenet169": (4, True),
    "resnet18": (4, True),
}
ENCODERS = {
    ("unet", "tu-tf_efficientnet_lite0"): (7, True),
    ("pspnet", "tu-tf_efficientnet_lite0"): (3, True),  # whose decoder reads nothing deeper
    ("unet", "tu-convnext_tiny"): (4, True),
    ("dpt", "tu-vit_small_patch16_224"): (12, True),
    ("unet", "resnet34"): (4, True),
    ("unet", "efficientnet-b0"): (16, True),
    ("unet", "mit_b0"): (8, False),
    ("unet", "vgg11"): (8, False),  # nothing in it is made of layers: each of them is a block
}


@pytest.mark.parametrize("name", NETWORKS)
def test_blocks_are_those_of_timms_coarse_grouping(name):
    blocks, has_stem = NETWORKS[name]
    found = stages(bare(name), nn.Linear(4, 2))
    assert [stage.name for stage in found] == ["stem"] * has_stem + [f"block {n + 1}" for n in range(blocks)] + ["head"]


@pytest.mark.parametrize("which", ENCODERS, ids=lambda which: "-".join(which))
def test_encoders_have_blocks_too(which):
    blocks, has_stem = ENCODERS[which]
    found = [stage.name for stage in stages(encoder(*which), nn.Linear(4, 2))]
    assert found == ["stem"] * has_stem + [f"block {n + 1}" for n in range(blocks)] + ["head"]


@pytest.mark.parametrize("name", [row.name for row in BACKBONES])
def test_every_layer_is_in_one_stage_and_the_parameters_add_up(name):
    backbone, head = bare(name), nn.Linear(8, 3)
    found = stages(backbone, head)
    layers = [layer for stage in found[:-1] for layer in stage.layers]
    assert sorted(map(id, layers)) == sorted(map(id, layers_of(backbone)))
    assert sum(stage.parameters for stage in found[:-1]) == sum(one.numel() for one in backbone.parameters())
    assert (found[-1].name, found[-1].parameters) == ("head", 8 * 3 + 3)


def test_what_comes_after_the_last_block_belongs_to_it():
    backbone = bare("tf_efficientnet_lite0")
    last = blocks_of(backbone)[-1]
    assert last[0] is backbone.blocks[6][0].conv_pw
    assert last[-2:] == (backbone.conv_head, backbone.bn2)
    assert blocks_of(bare("convnext_tiny"))[-1][-1].weight.shape == (768,), "the norm before the head"


def test_the_position_of_patches_belongs_to_the_stem():
    backbone = bare("vit_small_patch16_224")
    assert stages(backbone, nn.Linear(2, 2))[0].layers == (backbone, backbone.patch_embed.proj)


def test_a_network_by_another_hand_is_counted_as_it_is_built():
    def pair(width: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(4, width, 1), nn.BatchNorm2d(width))

    network = nn.Sequential(nn.Conv2d(3, 4, 1), pair(4), pair(8), nn.Sequential(nn.BatchNorm2d(8)))
    found = [(stage.name, len(stage.layers)) for stage in stages(network, nn.Linear(8, 2))]
    assert found == [("stem", 1), ("block 1", 2), ("block 2", 3), ("head", 1)]


def test_a_network_that_timm_cannot_group_is_counted_as_it_is_built_too():
    found = stages(bare("rdnet_tiny"), nn.Linear(2, 2))
    assert [stage.name for stage in found] == [*(f"block {n + 1}" for n in range(8)), "head"]
    assert [len(stage.layers) for stage in found][:3] == [2, 15, 17]


@pytest.mark.parametrize("coarse", [True, False])
@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "vit_small_patch16_224", "densenet169"])
def test_the_whole_model_tells_timm_how_deep_a_parameter_lies_the_head_deepest(name, coarse):
    with torch.device("meta"):
        model = build_classifier(ModelChoice(backbone=name, weights="random", head="dense"), 3)
    matcher = model.group_matcher(coarse=coarse)
    found = {key: matcher(key) for key, _ in model.named_parameters()}
    inside = {key: depth for key, depth in found.items() if key.startswith("backbone.")}
    assert set(inside.values()) == set(range(max(inside.values()) + 1)), "without a gap"
    assert {depth for key, depth in found.items() if key.startswith("head.")} == {max(inside.values()) + 1}
    assert (max(found.values()) > len(blocks_of(model.backbone)) + 1) is (not coarse and "vit" not in name)


def rates(model: nn.Module) -> dict[str, float]:
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1.0, weight_decay=0.01, layer_decay=0.5)
    scale = {id(one): group["lr_scale"] for group in optimizer.param_groups for one in group["params"]}
    return {name: scale[id(one)] for name, one in model.named_parameters() if id(one) in scale}


def test_timms_layer_decay_works_on_a_classifier_and_leaves_its_head_at_the_full_rate():
    found = rates(build_classifier(ModelChoice(backbone="test_efficientnet", weights="random"), 3))
    assert found["head.1.weight"] == found["head.1.bias"] == 1.0
    assert found["backbone.conv_head.weight"] == 0.5
    assert found["backbone.conv_stem.weight"] == min(found.values()) < found["backbone.blocks.2.0.bn1.weight"] < 0.5


def test_timms_layer_decay_works_on_a_segmenter_and_leaves_its_decoder_at_the_full_rate():
    choice = SegmenterChoice(encoder="tu-test_efficientnet", weights="random")
    found = rates(build_segmenter(choice, 3, 64))
    decoder = {rate for name, rate in found.items() if not name.startswith("network.encoder.")}
    assert decoder == {1.0}
    assert found["network.encoder.model.conv_stem.weight"] == min(found.values()) < 0.1


def test_layers_of_an_encoder_that_timm_does_not_know_are_as_deep_as_their_blocks():
    network = encoder("unet", "resnet34")
    found = depths(network, coarse=False)
    assert found == depths(network, coarse=True)
    assert (found["conv1.weight"], found["layer1.0.conv1.weight"], found["layer4.2.bn2.bias"]) == (0, 1, 4)
