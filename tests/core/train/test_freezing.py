import pytest
import torch
from torch import nn

from core.errors import RecipeError
from core.train.freezing import freeze, layers_of, set_training


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


def test_more_layers_than_there_are_is_refused():
    with pytest.raises(RecipeError, match="at most the backbone's 5 layers"):
        freeze(network(), nn.Linear(8, 2), "last 6 layers")
