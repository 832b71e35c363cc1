import subprocess
import sys

import pytest
import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.errors import RecipeError
from core.models.catalog import BACKBONES, backbone, find_row
from core.recipe import Recipe


@pytest.mark.parametrize("row", BACKBONES, ids=lambda row: row.name)
def test_every_figure_of_a_row_is_timms(row):
    with torch.device("meta"):  # shapes without numbers: quick, and no memory for 348 million weights
        model = timm.create_model(row.name, num_classes=0).eval()
        image = torch.empty(1, 3, row.image_size, row.image_size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        features = model(image)
    config = model.pretrained_cfg

    assert row.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert row.features == features.shape[1]
    assert row.gmacs == pytest.approx(counter.get_total_flops() / 2e9, abs=5e-4)
    assert row.image_size == config["input_size"][-1]
    assert (row.mean, row.std) == (config["mean"], config["std"])
    assert row.source == config["hf_hub_id"]
    assert row.tag == config["tag"]
    assert row.licence == config["license"]


def test_rows_have_names_of_their_own_and_say_something():
    assert len({row.name for row in BACKBONES}) == len({row.label for row in BACKBONES}) == len(BACKBONES)
    assert all(row.sentence.endswith(".") for row in BACKBONES)


def test_the_size_is_that_of_32_bit_weights():
    assert backbone("resnet18").megabytes == 44.7


def test_the_default_of_a_recipe_is_a_row():
    assert find_row(Recipe().model.backbone) is BACKBONES[0]


def test_an_unknown_backbone_is_refused_with_the_names_there_are():
    with pytest.raises(RecipeError, match="'resnet19', expected one of tf_efficientnet_lite0, mobilenetv3_small_100"):
        backbone("resnet19")
    assert find_row("resnet19") is None


def test_the_rows_and_where_weights_are_can_be_read_without_torch():
    code = """
import sys
from core.models.catalog import BACKBONES
from core.models.weights import weights_here, weights_state
states = [weights_state(row.name) for row in BACKBONES]
assert weights_here()
assert not {"torch", "torchvision", "timm"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
