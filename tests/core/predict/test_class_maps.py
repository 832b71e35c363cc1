"""Where a classifier looks: right for every network on offer, and for the kinds of networks that timm has."""

from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from core.errors import InputError
from core.models.catalog import BACKBONES
from core.models.classifiers import Classifier, build_classifier
from core.predict.class_maps import as_picture, explain_label, look, on_grid
from core.predict.predictor import explain, explain_files
from core.recipe import Recipe
from core.train.checkpoint import load_trained

CLASSES = 4
LARGE = ("convnext_xlarge",)  # its family is here by a small one; 350 million random weights take half a minute to draw
# Kinds that no row of the catalog has: channels last, two tokens before the patches, registers, tokens that are
# averaged, attention that pools, tokens of classes that enter late, windows.
OTHERS = {
    "swin_tiny_patch4_window7_224": 7,
    "deit_tiny_distilled_patch16_224": 14,
    "test_vit2": 10,
    "cait_xxs24_224": 14,
    "mobilevit_xxs": 7,
    "mixer_s32_224": 7,
    "swinv2_cr_tiny_ns_224": 7,
}


def random_one(name: str) -> Classifier:
    torch.manual_seed(0)
    choice = Recipe().set({"model.backbone": name, "model.weights": "random"}).model
    return build_classifier(choice, CLASSES).eval()


def mottled(side: int, number: int = 1) -> torch.Tensor:
    """Pictures with a bright square on noise, uint8."""
    images = torch.randint(
        0, 90, (number, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    images[:, 0, side // 8 : side // 2, side // 8 : side // 2] = 240
    return images


def insist_on_a_map(name: str, side: int, cells: int) -> None:
    model, images = random_one(name), mottled(side)
    seen = look(model, images)
    assert torch.allclose(seen.logits.detach(), model(model.normalise(images)).detach(), atol=1e-4), "the same network"
    heats = torch.stack([seen.heat(index)[0] for index in range(CLASSES)])
    assert heats.shape == (CLASSES, cells, cells)
    assert heats.isfinite().all()
    assert (heats >= 0).all()
    warm = [heat / heat.max() for heat in heats if heat.any()]
    assert len(warm) >= 2
    assert all(heat.std() > 1e-3 for heat in warm), "some places matter more than others"
    assert not torch.allclose(warm[0], warm[1], atol=1e-2), "another class has other reasons"
    assert not any(part._forward_hooks for part in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", [row.name for row in BACKBONES if row.name not in LARGE])
def test_every_network_on_offer_can_say_where_it_looks(name):
    insist_on_a_map(name, 96, 6 if name.startswith("vit") else 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_the_largest_ones_can_as_well(name):
    insist_on_a_map(name, 64, 2)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "cells"), OTHERS.items())
def test_so_can_other_kinds_of_networks(name, cells):
    insist_on_a_map(name, 160 if name == "test_vit2" else 224, cells)


# The right layer


def test_a_transformer_that_answers_by_its_class_token_is_asked_where_the_other_tokens_still_count():
    model = random_one("test_vit")
    inside: dict[str, torch.Tensor] = {}
    last = model.backbone.blocks[-1]
    hook = last.norm1.register_forward_hook(lambda _, __, given: inside.update(layer=given))
    seen = look(model, mottled(160))
    hook.remove()
    assert seen.layer is inside["layer"]
    assert seen.prefix == 1
    assert seen.heat(0).shape == (1, 10, 10)


def test_a_convolutional_network_is_asked_at_what_it_pools():
    model = random_one("resnet18")
    seen = look(model, mottled(96))
    pooled = seen.layer.mean(dim=(2, 3))
    assert torch.allclose(pooled, seen.features, atol=1e-5)


def test_the_heat_is_that_of_the_paper():
    """One linear layer on pooled maps: the gradient of a logit by a map is its weight, divided by the places.

    It is counted from the mean of the logits.
    """
    model = random_one("resnet18")
    seen = look(model, mottled(96, 2))
    weight = [part for part in model.head.modules() if isinstance(part, nn.Linear)][-1].weight
    weight = weight - weight.mean(dim=0)
    for index in range(CLASSES):
        expected = torch.einsum("nchw,c->nhw", seen.layer, weight[index]).relu() / 9
        assert torch.allclose(seen.heat(index), expected.detach(), rtol=1e-3, atol=1e-6)


def test_places_are_read_whichever_way_they_lie():
    maps = torch.arange(2 * 3 * 4 * 4.0).view(2, 3, 4, 4)
    tokens = maps.flatten(2).transpose(1, 2)
    prefixed = torch.cat([torch.full((2, 2, 3), -1.0), tokens], dim=1)
    for values, options in [
        (maps, {}),
        (maps.permute(0, 2, 3, 1), {}),
        (tokens, {}),
        (prefixed, {"prefix": 2}),
        (prefixed, {}),  # a network that does not say how many there are
    ]:
        assert torch.equal(on_grid(values, **options), maps)
    cube = torch.randn(1, 4, 4, 4)
    assert torch.equal(on_grid(cube), cube)
    assert torch.equal(on_grid(cube, last=True), cube.permute(0, 3, 1, 2))


@pytest.mark.parametrize("shape", [(1, 8), (1, 8, 1, 1), (1, 3, 8), (1, 2, 197, 64), (1, 3, 4, 5)])
def test_what_has_no_places_is_no_map(shape):
    assert on_grid(torch.zeros(shape)) is None


def test_what_is_added_to_all_logits_changes_no_map():
    model = random_one("test_convnext")
    plain = look(model, mottled(96)).heat(1)
    with torch.no_grad():
        [part for part in model.head.modules() if isinstance(part, nn.Linear)][-1].weight.add_(0.7)
    assert torch.allclose(look(model, mottled(96)).heat(1), plain, rtol=1e-3, atol=1e-7)


def test_a_network_without_places_is_told_of():
    class Flat(nn.Module):
        def forward_features(self, images):
            return images.mean(dim=(2, 3))

        def forward_head(self, features):
            return features

    model = Classifier(Flat(), 3, nn.Linear(3, 2), mean=(0.5,) * 3, std=(0.5,) * 3).eval()
    with pytest.raises(InputError, match="Where this network looks cannot be shown: found no layer of Flat"):
        look(model, mottled(32))


# A network that has learned something: the quarter of a picture does not matter, the colour of its square does


def squares(number: int, side: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, list[tuple[int, int]]]:
    """Grey noise with one square, red, green or blue, in one of four corners; its colour, and where it is."""
    draw = np.random.default_rng(seed)
    images = draw.integers(60, 130, (number, 3, side, side), dtype=np.uint8)
    labels, places = draw.integers(0, 3, number), []
    half = side // 2
    for image, label in zip(images, labels, strict=True):
        corner = tuple(int(one) for one in draw.integers(0, 2, 2))
        top, left = (place * half + side // 8 for place in corner)
        image[:, top : top + side // 4, left : left + side // 4] = 30
        image[label, top : top + side // 4, left : left + side // 4] = 250
        places.append(corner)
    return torch.from_numpy(images), torch.from_numpy(labels), places


def taught(name: str, side: int, steps: int) -> Classifier:
    torch.manual_seed(0)
    choice = Recipe().set({"model.backbone": name, "model.weights": "random"}).model
    model = build_classifier(choice, 3)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    for step in range(steps):
        images, labels, _ = squares(16, side, step)
        functional.cross_entropy(model(model.normalise(images)), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@pytest.mark.parametrize(
    ("name", "side", "steps", "least"),
    [
        ("test_resnet", 64, 40, 0.8),
        pytest.param("test_efficientnet", 64, 120, 0.8, marks=pytest.mark.slow),
        pytest.param("test_convnext", 128, 120, 0.8, marks=pytest.mark.slow),
        # Grad-CAM is a weaker witness here: an attention of the class token need not weigh all places alike.
        pytest.param("test_vit", 128, 150, 0.45, marks=pytest.mark.slow),
    ],
)
def test_the_heat_moves_with_what_the_class_is_told_by(name, side, steps, least):
    model = taught(name, side, steps)
    images, labels, corners = squares(24, side, 10_000)
    with torch.no_grad():
        answers = model(model.normalise(images)).argmax(dim=1)
    right = [place for place in range(24) if answers[place] == labels[place]]
    assert len(right) >= 20, "it has learned the colours"
    found = 0
    for place in right:
        seen = look(model, images[place : place + 1])
        heat = seen.heat(int(labels[place]))[0]
        quarters = functional.adaptive_avg_pool2d(heat[None, None], 2)[0, 0]
        found += divmod(int(quarters.argmax()), 2) == corners[place]
    assert found >= least * len(right), f"{found} of {len(right)}; chance is a quarter"


# Through the files of a run


def png(colour: str = "crimson", size: tuple[int, int] = (60, 30)) -> bytes:
    Image.new("RGB", size, colour).save(file := BytesIO(), "PNG")
    return file.getvalue()


def test_a_run_explains_its_own_answer_or_a_class_that_is_named(trained_run, tiny_dataset):
    sample = tiny_dataset.of("validation")[0]
    content, folder = tiny_dataset.path(sample).read_bytes(), str(trained_run.paths.folder)
    answer = explain(folder, sample.name, content)
    assert answer.error is None
    assert answer.found, "the answer is the most probable class"
    others = [explain(folder, sample.name, content, label) for label in tiny_dataset.classes]
    assert [other.label for other in others] == list(tiny_dataset.classes)
    assert [other.found for other in others] == [label == answer.label for label in tiny_dataset.classes]
    assert len({other.heat for other in others}) > 1
    shown, heat = (Image.open(BytesIO(part)) for part in (answer.picture, answer.heat))
    assert shown.size == heat.size == (trained_run.recipe.image_size,) * 2
    assert heat.mode == "L"


def test_a_class_it_does_not_know_and_a_file_that_is_no_picture_get_sentences(trained_run):
    trained = load_trained(trained_run.paths.best)
    with pytest.raises(InputError, match="found 'martian', expected one of"):
        explain_label(trained, "a.png", png(), "martian")
    assert explain_label(trained, "a.txt", b"text", "").error.startswith("a.txt cannot be read as a picture")


def test_files_are_explained_one_by_one_and_one_that_is_gone_gets_its_reason(trained_run, tiny_dataset, tmp_path):
    sample = tiny_dataset.of("validation")[0]
    label = tiny_dataset.classes[0]
    asked = [(sample.name, str(tiny_dataset.path(sample)), label), ("gone.png", str(tmp_path / "gone.png"), label)]
    there, gone = explain_files(str(trained_run.paths.folder), asked)
    assert there.label == label
    assert there.error is None
    assert "gone.png cannot be read" in gone.error


def test_no_heat_is_drawn_as_nothing():
    picture = Image.open(BytesIO(as_picture(torch.zeros(3, 3), 12)))
    assert picture.size == (12, 12)
    assert not np.asarray(picture).any()
    warm = np.asarray(Image.open(BytesIO(as_picture(torch.eye(3), 12))))
    assert warm.max() > 200
    assert warm[1, 1] > warm[1, 10]


def test_a_layer_that_gives_no_tensor_is_passed_over():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward_features(self, images):
            return SimpleNamespace(maps=self.norm(images))

        def forward_head(self, found):
            return found.maps.mean(dim=(2, 3))

    model = Classifier(Odd(), 3, nn.Linear(3, 2), mean=(0.5,) * 3, std=(0.5,) * 3).eval()
    seen = look(model, mottled(8))
    assert seen.heat(0).shape == (1, 8, 8)
