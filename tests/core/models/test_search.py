import json

import pytest
import timm

from core.models import search as module
from core.models.catalog import BACKBONES
from core.models.search import SIZES, parameters_of, search


def names(*arguments, **options) -> list[str]:
    return [row["name"] for row in search(*arguments, **options)]


def test_every_word_has_to_be_in_the_name_however_it_is_written():
    assert names("ConvNeXt-Tiny")[0] == "convnext_tiny"
    found = names("efficientnet v2 b3")
    assert found[0].startswith("tf_efficientnetv2_b3")
    assert all("efficientnetv2" in name for name in found)
    assert names("no such network") == []


def test_the_whole_name_comes_first_then_what_is_here_and_then_the_smallest():
    assert names("resnet18")[0] == "resnet18"
    assert names("efficientnet")[0] == "tf_efficientnet_lite0"
    found = [row for row in search("resnet") if "." not in row["name"] and row["name"].startswith("resnet")]
    assert [row["parameters"] for row in found] == sorted(row["parameters"] for row in found)


def test_a_training_is_found_by_its_tag_and_the_usual_one_stands_once():
    assert "vit_small_patch16_224.augreg_in21k" in names("vit small patch16 224 in21k")
    assert "resnet18.a1_in1k" not in names("resnet18", limit=500), "that is resnet18 itself"
    assert "resnet18.fb_swsl_ig1b_ft_in1k" in names("resnet18", limit=500)


@pytest.mark.parametrize("largest", [1, 5, 30])
def test_no_result_is_larger_than_asked_for(largest):
    found = search("", largest=largest, limit=5000)
    assert len(found) > 10
    assert max(row["parameters"] for row in found) <= largest * 1e6
    fewer = {row["name"] for row in found}
    assert {row["name"] for row in search("resnet", limit=5000) if row["parameters"] <= largest * 1e6} <= fewer


def test_results_are_with_published_weights_or_without_as_asked():
    published, not_published = search("resnet", pretrained=True, limit=5000), search("resnet", pretrained=False)
    assert all(timm.get_pretrained_cfg(row["name"]).hf_hub_id for row in published)
    assert not_published
    assert not any(row["pretrained"] for row in not_published)
    assert "starts at random" in not_published[0]["weights"]


def test_results_are_here_or_to_be_downloaded_as_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert names("", here=True) == ["tf_efficientnet_lite0"], "which a package brings"
    snapshot = tmp_path / "models--timm--resnet26.bt_in1k" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--timm--resnet50.a1_in1k").mkdir()  # a download that broke off
    (snapshot / "model.safetensors").touch()
    assert set(names("", here=True)) == {"tf_efficientnet_lite0", "resnet26"}
    assert "resnet26" not in names("resnet26", here=False)
    assert "resnet50" in names("resnet50", here=False)


def test_a_result_says_what_a_page_shows_and_is_plain_data():
    row = search("convnext_tiny")[0]
    assert json.loads(json.dumps(row)) == row
    assert (row["label"], row["image_size"], row["parameters"]) == ("ConvNeXt-Tiny", 224, 27_820_128)
    assert row["licence"] == "apache-2.0"
    assert search("resnet26t")[0]["label"] == ""


def test_no_more_than_the_limit_is_told():
    assert len(search("")) == 50
    assert len(search("", limit=7)) == 7


def test_the_sizes_written_down_are_those_of_the_catalog_and_of_the_timm_that_is_here():
    told = json.loads(SIZES.read_text())
    if told["timm"] == timm.__version__:  # else what is new there is counted when it is found
        assert set(told["parameters"]) == set(timm.list_models())
    assert {row.name: told["parameters"][row.name] for row in BACKBONES} == {
        row.name: row.parameters for row in BACKBONES
    }


@pytest.mark.parametrize("name", ["resnet10t", "test_vit", "lcnet_035", "maxvit_pico_rw_256"])
def test_a_network_that_is_not_written_down_is_counted(name, monkeypatch):
    written = parameters_of(name)
    monkeypatch.setattr(module, "_table", dict)
    assert parameters_of(f"{name}.a_tag") == written


def test_the_sizes_can_be_written_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(timm, "list_models", lambda: ["test_vit", "resnet10t"])
    module.write_sizes(tmp_path / "sizes.json")
    told = json.loads((tmp_path / "sizes.json").read_text())
    assert told["parameters"] == {"test_vit": parameters_of("test_vit"), "resnet10t": parameters_of("resnet10t")}
