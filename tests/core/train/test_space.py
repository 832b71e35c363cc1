"""A run whose weights the disk cannot hold is refused before its first step."""

import shutil
from collections import namedtuple

import pytest

from core.errors import StorageError
from core.recipe import Recipe, SegmentationRecipe
from core.train.check import check
from core.train.space import insist_on_space, space_needed

LARGE = Recipe().set({"model.backbone": "convnext_xlarge"})


def with_free(monkeypatch, free):
    usage = namedtuple("usage", "total used free")(10**13, 0, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def test_a_head_keeps_its_network_twice_and_more_keeps_what_the_optimizer_remembers():
    weights = 348_147_968 * 4
    assert space_needed(LARGE) == 2 * weights
    assert space_needed(LARGE.set({"phases.0.trainable": "last 40%"})) == 5 * weights
    assert space_needed(LARGE.set({"ema": 0.9})) == 3 * weights
    assert space_needed(SegmentationRecipe().set({"model.encoder": "resnet34"})) == 5 * 21_284_672 * 4


def test_a_network_of_unknown_size_needs_nothing_that_can_be_told():
    assert space_needed(Recipe().set({"model.backbone": "resnet26"})) == 0


def test_a_disk_that_is_too_full_is_told_before_the_start(small_recipe, coloured, monkeypatch):
    recipe = small_recipe.set({"model.backbone": "convnext_xlarge"})
    with_free(monkeypatch, 2_785_183_744)
    check(recipe, coloured)
    with_free(monkeypatch, 2_785_183_743)
    with pytest.raises(StorageError, match=r"weights of convnext_xlarge: found 2\.8 GB free, expected 2\.8 GB\. Free"):
        check(recipe, coloured)


def test_a_folder_that_is_not_there_is_not_asked(tmp_path):
    insist_on_space(LARGE, tmp_path / "nowhere")
