import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.errors import RecipeError
from core.models.classifiers import build_classifier, has_drop_path
from core.models.heads import HEADS, build_head, head_row
from core.recipe import ModelChoice

TINY = "test_efficientnet"


def weights_in(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("row", HEADS, ids=lambda row: row.name)
def test_every_head_gives_one_number_for_each_class_and_counts_its_weights_ahead(row):
    head = build_head(ModelChoice(head=row.name, hidden=16), 12, 5)
    assert head(torch.randn(3, 12)).shape == (3, 5)
    assert weights_in(head) == row.parameters(12, 5, hidden=16)


def test_the_dense_head_is_a_dense_layer_relu_dropout_and_the_classes():
    head = build_head(ModelChoice(head="dense", hidden=256, dropout=0.5), 1280, 10)
    assert [type(part) for part in head] == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert (head[0].out_features, head[2].p, head[3].in_features) == (256, 0.5, 256)


def test_the_knobs_of_a_head_are_what_it_has_with_the_defaults_of_the_report():
    assert {knob.name: knob.default for knob in head_row("dense").knobs} == {"hidden": 256, "dropout": 0.5}
    assert {knob.name: knob.default for knob in head_row("linear").knobs} == {"dropout": 0.0}


def test_an_unknown_head_is_refused_with_the_names_there_are():
    with pytest.raises(RecipeError, match=r"model\.head: found 'deep', expected one of linear, dense"):
        build_classifier(ModelChoice(backbone=TINY, weights="random", head="deep"), 2)


def test_a_classifier_that_was_saved_before_heads_could_be_chosen_still_loads(tmp_path):
    before = nn.Sequential(nn.Dropout(0.1), nn.Linear(256, 3))
    model = build_classifier(ModelChoice(backbone=TINY, weights="random"), 3)
    state = {k: v for k, v in model.state_dict().items() if not k.startswith("head")}
    state |= {f"head.{key}": value for key, value in before.state_dict().items()}
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "old.safetensors")
    model.load_state_dict(load_file(tmp_path / "old.safetensors"))
    assert torch.equal(model.head[1].weight, before[1].weight)


def test_drop_path_drops_residual_branches_while_learning_and_changes_no_weight():
    torch.manual_seed(0)
    plain = build_classifier(ModelChoice(backbone="test_vit", weights="random"), 2)
    torch.manual_seed(0)
    dropping = build_classifier(ModelChoice(backbone="test_vit", weights="random", drop_path=0.5), 2)
    assert {k: v.shape for k, v in plain.state_dict().items()} == {k: v.shape for k, v in dropping.state_dict().items()}
    images = torch.randn(4, 3, 32, 32)
    assert torch.equal(plain.eval()(images), dropping.eval()(images))
    dropping.train()
    assert not torch.equal(dropping(images), dropping(images))
    plain.train()
    assert torch.equal(plain(images), plain(images))


DROPS = {
    "tf_efficientnet_lite0": True,
    "mobilenetv3_small_100": True,
    "resnet18": True,
    "densenet169": False,
    "convnext_tiny": True,
    "vit_small_patch16_224": True,
    "vgg11": False,
}


@pytest.mark.parametrize(("name", "has"), DROPS.items())
def test_it_is_known_which_backbones_can_drop_paths(name, has):
    assert has_drop_path(name) is has


def test_drop_path_is_refused_where_the_backbone_has_none():
    choice = ModelChoice(backbone="densenet121", weights="random", drop_path=0.2)
    with pytest.raises(
        RecipeError, match=r"model\.drop_path: found 0\.2, expected 0, since densenet121 has no residual"
    ):
        build_classifier(choice, 2)
    with pytest.raises(RecipeError, match=r"model\.backbone"):
        has_drop_path("resnet19")
