"""Every row of the training registries builds and does what its name says."""

import pytest
import torch
from torch import nn

from core.recipe import OptimizerChoice
from core.train.optimizers import OPTIMIZERS, build_optimizer


@pytest.mark.parametrize("row", OPTIMIZERS, ids=lambda row: row.name)
def test_every_optimizer_lowers_a_simple_loss(row):
    torch.manual_seed(0)
    model, target = nn.Linear(3, 1), torch.ones(8, 1)
    inputs = torch.randn(8, 3)
    optimizer = build_optimizer(model, OptimizerChoice(name=row.name), 0.01)
    losses = []
    for _ in range(40):
        loss = (model(inputs) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] * 0.9


@pytest.mark.parametrize("row", OPTIMIZERS, ids=lambda row: row.name)
def test_weight_decay_spares_biases_and_norms(row):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    optimizer = build_optimizer(model, OptimizerChoice(name=row.name, weight_decay=0.1), 0.01)
    decayed = [p for group in optimizer.param_groups if group["weight_decay"] > 0 for p in group["params"]]
    assert [p.shape for p in decayed] == [model[0].weight.shape]


def test_only_what_may_change_is_given_to_the_optimizer():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)).requires_grad_(False)
    model[1].requires_grad_(True)
    optimizer = build_optimizer(model, OptimizerChoice(), 0.01)
    assert sum(p.numel() for group in optimizer.param_groups for p in group["params"]) == 3 * 2 + 2
