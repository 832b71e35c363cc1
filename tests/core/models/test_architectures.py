import subprocess
import sys

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from segmentation_models_pytorch.encoders import encoders
from torch.utils.flop_counter import FlopCounterMode

from core.errors import RecipeError
from core.models.architectures import ARCHITECTURES, ENCODERS, architecture, encoders_for, find_encoder
from core.models.unets import build_segmenter
from core.recipe import SegmentationRecipe, SegmenterChoice
from core.train.rehearsal import describe


def segmenter(architecture: str, encoder: str):
    """Without weights, and on the device of shapes without numbers."""
    return build_segmenter(SegmenterChoice(architecture=architecture, encoder=encoder), 3, 224, pretrained=False).to(
        "meta"
    )


def gmacs(module: torch.nn.Module) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(torch.empty(1, 3, 224, 224, device="meta"))
    return counter.get_total_flops() / 2e9


def test_every_architecture_of_the_library_has_a_row_and_the_unet_is_first():
    assert {row.name for row in ARCHITECTURES} == set(smp.MODEL_ARCHITECTURES_MAPPING)
    assert ARCHITECTURES[0].name == SegmentationRecipe().model.architecture == "unet"


@pytest.mark.parametrize("row", ARCHITECTURES, ids=lambda row: row.name)
def test_the_cost_of_an_architecture_is_the_librarys(row):
    model = segmenter(row.name, ENCODERS[0].name)
    encoder = gmacs(model.backbone)
    assert row.encoder_factor == pytest.approx(encoder / ENCODERS[0].gmacs, abs=0.01)
    assert row.decoder_gmacs == pytest.approx(gmacs(model) - encoder, abs=5e-4)


@pytest.mark.parametrize("row", ENCODERS, ids=lambda row: row.name)
def test_every_figure_of_an_encoder_is_the_librarys(row):
    first = next(architecture for architecture in ARCHITECTURES if architecture.takes(row))
    model = segmenter(first.name, row.name)
    assert row.parameters == sum(parameter.numel() for parameter in model.backbone.parameters())
    assert row.gmacs == pytest.approx(gmacs(model.backbone), abs=5e-4)
    if row.name.startswith("tu-"):
        config = timm.get_pretrained_cfg(row.name.removeprefix("tu-"))
        assert (row.source, row.licence) == (config.hf_hub_id, config.license)
    else:
        assert row.source == encoders[row.name]["pretrained_settings"]["imagenet"]["repo_id"]


@pytest.mark.parametrize("row", ARCHITECTURES, ids=lambda row: row.name)
def test_an_architecture_takes_exactly_the_encoders_that_the_list_says(row):
    for name in ("resnet18", "mit_b0", "tu-vit_small_patch16_224"):  # one of each kind; the first of all is tried above
        choice = {"model.architecture": row.name, "model.encoder": name, "image_size": 64}
        error = describe(SegmentationRecipe().set(choice).to_json(), 3)["error"]
        assert (error is None) == row.takes(find_encoder(name)), error


def test_rows_have_names_of_their_own_and_say_something():
    for rows in (ARCHITECTURES, ENCODERS):
        assert len({row.name for row in rows}) == len({row.label for row in rows}) == len(rows)
        assert all(row.sentence.endswith(".") for row in rows)


def test_the_default_encoder_is_the_first_and_the_reports_the_second():
    assert [row.name for row in encoders_for("unet")][:2] == [SegmentationRecipe().model.encoder, "resnet34"]
    assert find_encoder("resnet19") is None


def test_an_unknown_architecture_is_refused_with_the_names_there_are():
    with pytest.raises(RecipeError, match=r"model\.architecture: found 'vnet', expected one of unet, unetplusplus"):
        architecture("vnet")


def test_the_rows_and_where_weights_are_can_be_read_without_torch():
    code = """
import sys
from core.models.architectures import ENCODERS, encoders_for
from core.models.weights import encoder_weights_here, encoder_weights_state
states = [encoder_weights_state(row.name) for row in ENCODERS]
assert encoder_weights_here() and encoders_for("unet")
assert not {"torch", "torchvision", "timm", "segmentation_models_pytorch"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
