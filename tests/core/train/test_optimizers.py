"""Every optimizer learns, decays what it should, and goes on from a saved state to the last bit."""

import io

import pytest
import torch
from torch import nn

from core.errors import RecipeError
from core.models.classifiers import build_classifier
from core.recipe import ModelChoice, OptimizerChoice
from core.train.freezing import freeze
from core.train.optimizers import OPTIMIZERS, build_optimizer, optimizer_row

ROWS = pytest.mark.parametrize("row", OPTIMIZERS, ids=lambda row: row.name)
DECAYS = pytest.mark.parametrize("layer_decay", [1.0, 0.5])


class Blocks(nn.Module):
    """Three blocks of a convolution, a norm and a bias, and a head, which timm is told to take for four layers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)) for _ in range(3)))
        self.head = nn.Linear(3, 2)

    def forward(self, images):
        return self.head(self.blocks(images).mean((2, 3)))

    def group_matcher(self, coarse=False):
        return {"blocks": r"^blocks\.(\d+)"}


def learn(model, optimizer, steps, first=0):
    """Steps on batches that depend on their number alone."""
    for number in range(first, first + steps):
        draws = torch.Generator().manual_seed(number)
        images, targets = torch.randn(8, 3, 4, 4, generator=draws), torch.randint(2, (8,), generator=draws)
        nn.functional.cross_entropy(model(images), targets).backward()
        optimizer.step()
        optimizer.zero_grad()


@ROWS
def test_every_optimizer_lowers_a_simple_loss(row):
    torch.manual_seed(0)
    model, target = nn.Linear(3, 1), torch.ones(8, 1)
    inputs = torch.randn(8, 3)
    optimizer = build_optimizer(model, OptimizerChoice(name=row.name), 0.01 * min(row.rate, 1))
    losses = []
    for _ in range(100):
        loss = (model(inputs) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] * 0.9


@ROWS
@DECAYS
def test_weight_decay_shrinks_weights_and_spares_biases_and_norms(row, layer_decay):
    model = Blocks()
    nn.init.ones_(model.head.bias)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizer = build_optimizer(model, OptimizerChoice(name=row.name, weight_decay=0.1, layer_decay=layer_decay), 0.01)
    for _ in range(7):  # with no gradient nothing but decay moves a weight; Ranger's slow copy moves at the sixth
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            assert parameter.norm() < before[name].norm(), name
        else:
            assert torch.equal(parameter, before[name]), name


@ROWS
def test_deeper_layers_have_larger_rates_and_the_head_the_whole(row):
    model = Blocks()
    optimizer = build_optimizer(model, OptimizerChoice(name=row.name, layer_decay=0.5), 0.8)
    rates = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    found = [rates[id(layer.weight)] for layer in (*(block[0] for block in model.blocks), model.head)]
    assert found == pytest.approx([0.1, 0.2, 0.4, 0.8])


@ROWS
@DECAYS
@pytest.mark.parametrize("steps", [1, 5, 6, 9])  # Ranger's slow weights move at every sixth
def test_a_saved_optimizer_goes_on_to_the_last_bit(row, layer_decay, steps):
    choice = OptimizerChoice(name=row.name, layer_decay=layer_decay)
    whole = Blocks()
    learn(whole, build_optimizer(whole, choice, 0.01), 20)

    before = Blocks()
    optimizer = build_optimizer(before, choice, 0.01)
    learn(before, optimizer, steps)
    file = io.BytesIO()
    torch.save({"model": before.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)  # nothing in a saved state is executed

    after = Blocks()
    resumed = build_optimizer(after, choice, 0.01)
    after.load_state_dict(saved["model"])
    resumed.load_state_dict(saved["optimizer"])
    learn(after, resumed, 20 - steps, first=steps)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(after.state_dict()[name], tensor), name


def test_ranger_without_its_slow_weights_would_go_on_differently():
    """So that the test above tells something of Ranger."""
    choice = OptimizerChoice(name="ranger")
    whole, forgetful = Blocks(), Blocks()
    learn(whole, build_optimizer(whole, choice, 0.01), 12)
    optimizer = build_optimizer(forgetful, choice, 0.01)
    learn(forgetful, optimizer, 8)
    for state in optimizer._base_optimizer.state.values():
        del state["lookahead_slow_buff"]
    learn(forgetful, optimizer, 4, first=8)
    assert not torch.equal(whole.head.weight, forgetful.head.weight)


def test_momentum_is_that_of_the_recipe_and_none_is_plain_descent():
    def first(choice):
        return build_optimizer(Blocks(), choice, 0.1).param_groups[0]

    assert first(OptimizerChoice(name="sgd", momentum=0.5))["momentum"] == 0.5
    assert first(OptimizerChoice(name="sgd"))["nesterov"]
    assert not first(OptimizerChoice(name="sgd", momentum=0))["nesterov"]
    assert first(OptimizerChoice(name="adamw", momentum=0.5))["betas"] == (0.9, 0.999)


@pytest.mark.parametrize("row", [row for row in OPTIMIZERS if row.fused], ids=lambda row: row.name)
def test_a_fused_step_is_the_plain_step_whatever_the_layout_of_a_gradient(row):
    """PyTorch's own kernel would move the wrong weights: their layout is channels last, and the gradient's is not."""
    ways = []
    for fused in (True, False):
        torch.manual_seed(0)
        model = nn.Conv2d(6, 8, 3).to(memory_format=torch.channels_last)
        optimizer = build_optimizer(model, OptimizerChoice(name=row.name), 0.1)
        assert all(group["fused"] for group in optimizer.param_groups)
        for group in optimizer.param_groups:
            group["fused"] = fused
        for _ in range(5):
            model.weight.grad = torch.randn(8, 6, 3, 3)
            model.bias.grad = torch.randn(8)
            optimizer.step()
        ways.append(model.weight.detach().clone())
    torch.testing.assert_close(*ways)


def test_only_what_may_change_is_given_to_the_optimizer():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)).requires_grad_(False)
    model[1].requires_grad_(True)
    optimizer = build_optimizer(model, OptimizerChoice(), 0.01)
    assert sum(p.numel() for group in optimizer.param_groups for p in group["params"]) == 3 * 2 + 2


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_vit", "test_convnext"])
def test_the_rates_of_a_real_classifier_rise_with_depth_in_every_phase(backbone):
    model = build_classifier(ModelChoice(backbone=backbone, weights="random"), 3)
    choice = OptimizerChoice(layer_decay=0.8)
    for trainable in ("everything", "last 40%"):
        freeze(model.backbone, model.head, trainable)
        optimizer = build_optimizer(model, choice, 1e-3)
        rates = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
        free = [parameter for parameter in model.parameters() if parameter.requires_grad]
        assert set(rates) == {id(parameter) for parameter in free}
        assert {rates[id(parameter)] for parameter in model.head.parameters()} == {1e-3}
        first, last = rates[id(free[0])], rates[id(model.head[-1].bias)]
        assert first < last
        assert len(set(rates.values())) > 2


@DECAYS
def test_positions_and_class_tokens_are_spared_of_weight_decay_as_their_makers_ask(layer_decay):
    model = build_classifier(ModelChoice(backbone="test_vit", weights="random"), 3)
    optimizer = build_optimizer(model, OptimizerChoice(weight_decay=0.1, layer_decay=layer_decay), 1e-3)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [group for group in optimizer.param_groups if group["weight_decay"] == 0]
    spared = {names[id(parameter)] for group in groups for parameter in group["params"]}
    assert {"backbone.pos_embed", "backbone.cls_token"} <= spared
    assert "backbone.blocks.0.mlp.fc1.weight" not in spared


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(RecipeError, match=r"optimizer\.name: found 'magic', expected one of adamw, adam, sgd, radam"):
        optimizer_row("magic")
