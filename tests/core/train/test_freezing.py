import pytest
import timm
import torch
from timm.layers import DropPath
from torch import nn

from core.errors import RecipeError
from core.models.classifiers import build_classifier
from core.models.stages import layers_of, stages
from core.models.unets import build_segmenter
from core.recipe import ModelChoice, SegmenterChoice
from core.train.freezing import freeze, set_training


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 8, 1)
    )


@pytest.mark.parametrize(
    ("trainable", "moving"),
    [
        ("head", []),
        ("everything", [0, 1, 3, 4, 5]),
        ("last 40%", [4, 5]),
        ("last 1%", [5]),
        ("last 3 layers", [3, 4, 5]),
    ],
)
def test_the_words_choose_the_layers_counted_from_the_end(trainable, moving):
    backbone, head = network(), nn.Linear(8, 2)
    found = freeze(backbone, head, trainable)
    assert [n for n, part in enumerate(backbone) if any(p.requires_grad for p in part.parameters())] == moving
    assert all(parameter.requires_grad for parameter in head.parameters())
    assert len(found.layers) == len(layers_of(backbone)) - len(moving)


def test_parameters_are_counted_by_what_may_change():
    found = freeze(network(), nn.Linear(8, 2), "last 1 layer")
    assert found.trainable == (4 * 8 + 8) + (8 * 2 + 2)
    assert found.frozen == (3 * 4 + 4) + (4 + 4) + (4 * 4 + 4) + (4 + 4)


def test_a_frozen_norm_keeps_its_statistics_while_the_others_learn_theirs():
    backbone, head = network(), nn.Linear(8, 2)
    frozen = freeze(backbone, head, "last 2 layers")  # the second norm moves, the first stays
    set_training(backbone, frozen)
    backbone(torch.randn(5, 3, 2, 2) + 3)
    assert torch.equal(backbone[1].running_mean, torch.zeros(4))
    assert not torch.equal(backbone[4].running_mean, torch.zeros(4))


def test_norms_told_to_stay_still_keep_their_statistics_and_learn_their_scale():
    backbone, head = network(), nn.Linear(8, 2)
    frozen = freeze(backbone, head, "everything", norms="still")
    set_training(backbone, frozen)
    backbone(torch.randn(5, 3, 2, 2) + 3)
    for norm in (backbone[1], backbone[4]):
        assert torch.equal(norm.running_mean, torch.zeros(4))
        assert norm.weight.requires_grad
    assert backbone[0].training
    assert frozen.frozen == 0


def test_norms_of_a_decoder_always_learn():
    segmenter = build_segmenter(SegmenterChoice(encoder="tu-test_efficientnet", weights="random"), 3, 32)
    set_training(segmenter, freeze(segmenter.backbone, segmenter.head, "everything", norms="still"))
    modes = [
        {norm.training for norm in part.modules() if isinstance(norm, nn.BatchNorm2d)}
        for part in (segmenter.backbone, segmenter.head)
    ]
    assert modes == [{False}, {True}]


def test_more_layers_than_there_are_is_refused():
    with pytest.raises(RecipeError, match="at most the backbone's 5 layers"):
        freeze(network(), nn.Linear(8, 2), "last 6 layers")


BACKBONES = {
    "mobilenetv3_small_100": 6,
    "tf_efficientnet_lite0": 7,
    "convnext_tiny": 4,
    "vit_small_patch16_224": 12,
    "densenet169": 4,
    "resnet18": 4,
}


def bare(name: str, **options: float) -> nn.Module:
    with torch.device("meta"):
        return timm.create_model(name, num_classes=0, **options)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_last_blocks_and_only_these_may_change(name):
    backbone = bare(name)
    found = stages(backbone, nn.Linear(2, 2))
    freeze(backbone, nn.Linear(2, 2), "last 2 blocks")
    for stage in found[:-1]:
        moves = stage.name in {f"block {BACKBONES[name]}", f"block {BACKBONES[name] - 1}"}
        assert {one.requires_grad for layer in stage.layers for one in layer.parameters(recurse=False)} == {moves}


@pytest.mark.parametrize("name", BACKBONES)
def test_all_blocks_are_everything_but_the_stem_and_one_more_is_refused(name):
    backbone, head = bare(name), nn.Linear(2, 2)
    frozen = freeze(backbone, head, f"last {BACKBONES[name]} blocks")
    assert frozen.frozen == stages(backbone, head)[0].parameters
    with pytest.raises(RecipeError, match=f"at most the backbone's {BACKBONES[name]} blocks"):
        freeze(backbone, head, f"last {BACKBONES[name] + 1} blocks")


def test_the_last_block_of_a_segmenters_encoder_moves_with_its_decoder():
    with torch.device("meta"):
        choice = SegmenterChoice(encoder="tu-tf_efficientnet_lite0")
        model = build_segmenter(choice, 3, 64, pretrained=False)
    freeze(model.backbone, model.head, "last 1 block")
    moving = {name for name, one in model.named_parameters() if one.requires_grad}
    assert {name for name in moving if name.startswith("network.encoder.")} == {
        name for name, _ in model.named_parameters() if name.startswith("network.encoder.model.blocks.6.")
    }
    assert all(name in moving for name, _ in model.named_parameters() if "decoder" in name or "head" in name)


def statistics(module: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in module.state_dict().items() if "running" in key or "batches" in key}


def trained(model: nn.Module, trainable: str, side: int = 32, steps: int = 3) -> tuple[dict, dict, set[str]]:
    """Statistics of the norms before and after some steps of learning, and the names of the layers that may change."""
    frozen = freeze(model.backbone, model.head, trainable)
    optimizer = torch.optim.SGD([one for one in model.parameters() if one.requires_grad], lr=0.1, weight_decay=0.1)
    before = statistics(model)
    for step in range(steps):
        set_training(model, frozen)
        torch.manual_seed(step)
        model(torch.randn(4, 3, side, side) * 3 + 2).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        model.eval()  # as a validation in between does
    still = set(map(id, frozen.layers))
    moving = {name for name, layer in model.named_modules() if layer in layers_of(model) and id(layer) not in still}
    return before, statistics(model), moving


WORDS = ("head", "last 1 layer", "last 7 layers", "last 8 layers", "last 35%", "last 1 block", "last 3 blocks")


@pytest.mark.parametrize("trainable", WORDS)
@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet"])
def test_the_statistics_of_frozen_norms_are_the_same_bits_after_steps_of_learning(name, trainable):
    """Also those of the norm at the border: after a frozen convolution that learns, or before one that does not."""
    torch.manual_seed(0)
    model = build_classifier(ModelChoice(backbone=name, weights="random"), 3)
    before, after, moving = trained(model, trainable)
    assert before
    for key, value in before.items():
        learns = key.rpartition(".")[0] in moving
        assert torch.equal(value, after[key]) is not learns, key


@pytest.mark.parametrize("trainable", ["head", "last 20%", "last 1 block"])
def test_so_are_those_of_a_segmenters_encoder_while_its_decoder_learns(trainable):
    torch.manual_seed(0)
    model = build_segmenter(SegmenterChoice(encoder="tu-test_efficientnet", weights="random"), 3, 32)
    before, after, moving = trained(model, trainable)
    for key, value in before.items():
        assert torch.equal(value, after[key]) is (key.rpartition(".")[0] not in moving), key
    assert any(key.startswith("network.decoder") for key in before)


def test_what_a_frozen_part_drops_is_off_and_what_a_moving_one_drops_is_on():
    with torch.device("meta"):
        model = build_classifier(ModelChoice(backbone="convnext_tiny", weights="random", drop_path=0.2, dropout=0.5), 3)
    set_training(model, freeze(model.backbone, model.head, "last 1 block"))
    on = {name: part.training for name, part in model.backbone.named_modules() if isinstance(part, DropPath)}
    assert {name for name, training in on.items() if training} == {n for n in on if n.startswith("stages.3.")}
    assert model.head[0].training
    set_training(model, freeze(model.backbone, model.head, "head"))
    assert not any(part.training for part in model.backbone.modules())
    assert model.head[0].training
    set_training(model, freeze(model.backbone, model.head, "everything"))
    assert all(part.training for part in model.modules())


def test_a_frozen_backbone_gives_the_same_features_at_every_step_whatever_it_would_drop():
    torch.manual_seed(0)
    model = build_classifier(ModelChoice(backbone="test_vit", weights="random", drop_path=0.5), 3)
    set_training(model, freeze(model.backbone, model.head, "head"))
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(model.features(images), model.features(images))
    set_training(model, freeze(model.backbone, model.head, "last 1 block"))
    assert not torch.equal(model.features(images), model.features(images))


def test_a_part_that_owns_parameters_beside_its_parts_does_not_silence_them():
    """A vision transformer owns its positions itself, so it is a layer that is frozen while its last blocks learn."""
    with torch.device("meta"):
        model = build_classifier(ModelChoice(backbone="vit_small_patch16_224", weights="random", drop_path=0.1), 3)
    frozen = freeze(model.backbone, model.head, "last 1 block")
    assert model.backbone in frozen.layers
    set_training(model, frozen)
    assert model.backbone.blocks[11].drop_path1.training
    assert not model.backbone.blocks[10].drop_path1.training
