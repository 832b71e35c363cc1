"""Starting from what another run has saved: what its file says of itself, and what is taken from it."""

import json

import pytest
import torch
from safetensors.torch import save_file

from core.errors import WeightsError
from core.models.classifiers import Classifier, build_classifier
from core.models.saved import saved_model, start_from
from core.models.unets import Segmenter, build_segmenter
from core.models.weights import locate
from core.recipe import ModelChoice, Recipe, SegmentationRecipe, SegmenterChoice

TINY = "test_efficientnet"
CLASSES = ("cat", "dog", "emu")


def kept(folder, recipe: Recipe, classes=CLASSES, seed: int = 1) -> tuple[Classifier | Segmenter, str]:
    """A model and the file that a run in a folder of its own would have kept of it."""
    torch.manual_seed(seed)
    if recipe.task == "segmentation":
        model = build_segmenter(recipe.model, len(classes), 64, pretrained=False)
    else:
        model = build_classifier(recipe.model, len(classes), pretrained=False)
    model.mean.fill_(0.25)
    (folder / "cats-1").mkdir(parents=True, exist_ok=True)
    facts = {"task": recipe.task, "recipe": recipe.model_dump(mode="json"), "classes": list(classes), "epoch": 3}
    file = folder / "cats-1" / "best.safetensors"
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(state, file, metadata={"facts": json.dumps(facts)})
    return model, str(file)


def classifier_recipe(**choice: object) -> Recipe:
    return Recipe(model=ModelChoice(**({"backbone": TINY} | choice)))


def segmenter_recipe(**choice: object) -> SegmentationRecipe:
    return SegmentationRecipe(model=SegmenterChoice(**({"encoder": f"tu-{TINY}"} | choice)))


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.parametrize("head", ["linear", "dense"])
def test_backbone_and_head_are_taken_where_the_classes_and_the_head_are_the_same(tmp_path, head):
    first, file = kept(tmp_path, classifier_recipe(head=head, hidden=32))
    second = build_classifier(ModelChoice(backbone=TINY, head=head, hidden=32, weights=file), 3, names=CLASSES)
    assert same(first, second), "the scale of its pixels included"
    assert second.origin == "Backbone and head start from run cats-1, which has the same classes in the same order."


@pytest.mark.parametrize(
    ("choice", "names", "reason"),
    [
        ({}, ("dog", "cat", "emu"), "since that run has its classes in another order"),
        ({}, ("cat", "dog", "owl"), "since that run has other classes"),
        ({}, ("cat", "dog"), "since that run has other classes"),
        ({"head": "dense"}, CLASSES, "since that run has another kind of head"),
    ],
)
def test_otherwise_the_head_starts_at_random_and_the_model_says_why(tmp_path, choice, names, reason):
    first, file = kept(tmp_path, classifier_recipe())
    torch.manual_seed(2)
    second = build_classifier(ModelChoice(backbone=TINY, weights=file, **choice), len(names), names=names)
    assert same(first.backbone, second.backbone)
    assert not same(first.head, second.head)
    assert second.origin == f"The backbone starts from run cats-1, the head at random, {reason}."


def test_a_dense_head_of_another_width_is_another_head(tmp_path):
    _, file = kept(tmp_path, classifier_recipe(head="dense", hidden=32))
    model = build_classifier(ModelChoice(backbone=TINY, head="dense", hidden=64, weights=file), 3, names=CLASSES)
    assert "another kind of head" in model.origin


def test_a_segmenter_takes_its_decoder_along_or_says_why_not(tmp_path):
    first, file = kept(tmp_path, segmenter_recipe())
    second = build_segmenter(SegmenterChoice(encoder=f"tu-{TINY}", weights=file), 3, 64, names=CLASSES)
    assert same(first, second)
    assert second.origin.startswith("Encoder and decoder start from run cats-1")
    other = build_segmenter(
        SegmenterChoice(architecture="fpn", encoder=f"tu-{TINY}", weights=file), 3, 64, names=CLASSES
    )
    assert same(first.backbone, other.backbone)
    assert "the decoder at random, since that run has unet and not fpn" in other.origin
    fewer = build_segmenter(SegmenterChoice(encoder=f"tu-{TINY}", weights=file), 2, 64, names=CLASSES[:2])
    assert "since that run has other classes" in fewer.origin


def test_a_segmenter_starts_from_a_classifier_of_the_same_network(tmp_path):
    first, file = kept(tmp_path, classifier_recipe())
    second = build_segmenter(SegmenterChoice(encoder=f"tu-{TINY}", weights=file), 3, 64, names=CLASSES)
    assert torch.equal(second.backbone.model.conv_stem.weight, first.backbone.conv_stem.weight)
    assert "since that run was about whole pictures" in second.origin


@pytest.mark.parametrize(
    ("recipe", "choice"),
    [
        (classifier_recipe(), ModelChoice(backbone="test_resnet")),
        (segmenter_recipe(), SegmenterChoice(encoder="tu-test_resnet")),
        (segmenter_recipe(), ModelChoice(backbone="test_resnet")),
    ],
)
def test_the_model_of_another_network_is_refused_from_its_header_alone(tmp_path, recipe, choice):
    _, file = kept(tmp_path, recipe)
    with pytest.raises(
        WeightsError,
        match=r"best\.safetensors of cats-1 does not fit test_resnet: found the weights of test_efficientnet",
    ):
        locate(choice.model_copy(update={"weights": file}))


def test_the_same_network_with_the_tag_of_a_training_is_the_same_network(tmp_path):
    _, file = kept(tmp_path, classifier_recipe())
    assert locate(ModelChoice(backbone=f"{TINY}.r160_in1k", weights=file))


def test_any_other_file_says_nothing_of_itself(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "own.pth")
    (tmp_path / "nonsense.safetensors").write_bytes(b"\xff" * 64)
    save_file({"a": torch.zeros(1)}, tmp_path / "plain.safetensors")
    for name in ("own.pth", "nonsense.safetensors", "plain.safetensors", "nowhere.safetensors"):
        assert saved_model(tmp_path / name) is None


def test_other_files_leave_the_head_at_random_and_the_model_says_so(tmp_path):
    model, _ = kept(tmp_path, classifier_recipe())
    torch.save(model.state_dict(), tmp_path / "own.pth")
    started = build_classifier(ModelChoice(backbone=TINY, weights=str(tmp_path / "own.pth")), 3, names=CLASSES)
    assert started.origin == "The backbone starts from own.pth, the head at random."
    assert build_classifier(ModelChoice(backbone=TINY, weights="random"), 3).origin.endswith("start at random.")


def test_a_recipe_can_take_the_network_of_a_saved_model(tmp_path):
    _, file = kept(tmp_path, classifier_recipe(head="dense", hidden=64))
    path = tmp_path / "cats-1" / "best.safetensors"
    assert start_from(path, "classification") == {
        "model.weights": file,
        "model.backbone": TINY,
        "model.head": "dense",
        "model.hidden": 64,
    }
    assert start_from(path, "segmentation") == {"model.weights": file, "model.encoder": f"tu-{TINY}"}
    with pytest.raises(WeightsError, match=r"no saved model to start from: found no best\.safetensors in dogs-2"):
        start_from(tmp_path / "dogs-2" / "best.safetensors", "classification")
