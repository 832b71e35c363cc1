from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import InputError
from core.models.architectures import ARCHITECTURES
from core.models.unets import build_segmenter
from core.predict.answer import SHOWN_SIDE
from core.predict.explain import explain_class, grad_cam
from core.recipe import SegmentationRecipe, SegmenterChoice
from core.train.checkpoint import Trained

CLASSES = ("background", "cell")


def network(architecture: str = "unet", encoder: str = "resnet18", size: int = 64):
    torch.manual_seed(0)
    choice = SegmenterChoice(architecture=architecture, encoder=encoder, weights="random")
    return build_segmenter(choice, len(CLASSES), size).eval()


def picture(size: int = 64) -> torch.Tensor:
    return torch.randint(0, 256, (1, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def trained() -> Trained:
    recipe = SegmentationRecipe(image_size=64).set({"model.encoder": "resnet18", "model.weights": "random"})
    return Trained(network(), CLASSES, recipe, {})


def upload(size: tuple[int, int] = (90, 50)) -> bytes:
    file = BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("row", ARCHITECTURES, ids=lambda row: row.name)
def test_every_architecture_can_say_where_it_looks(row):
    size = 60  # which most of them pad
    encoder = "tu-vit_tiny_patch16_224" if row.name == "dpt" else "resnet18"
    model = network(row.name, encoder, size)
    for stage in (0, None):
        heat, _, stages, used = grad_cam(model, picture(size), 1, stage)
        assert heat.shape == (size, size)
        assert used == stage if stage is not None else used in range(len(stages))
        assert torch.isfinite(heat).all()
        assert heat.min() >= 0
        assert heat.max() == pytest.approx(1) or not heat.any()


@pytest.mark.parametrize("encoder", ["tu-tf_efficientnet_lite0", "mobilenet_v2", "mit_b0", "tu-convnext_atto"])
def test_encoders_of_every_kind_list_their_stages_from_fine_to_coarse(encoder):
    heat, _, stages, used = grad_cam(network(encoder=encoder), picture(), 1)
    sides = [int(stage.split(" × ")[0]) for stage in stages]
    assert sides == sorted(sides, reverse=True)
    assert sides[-1] == 2, "a 32nd of 64 pixels"
    assert used in range(len(stages))
    assert heat.shape == (64, 64)


class OneMap(torch.nn.Module):
    """An encoder whose two feature maps are the picture's left and right half, scaled by weights of one."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(2))

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        half = images.shape[-1] // 2
        left, right = torch.zeros_like(images[:, :1]), torch.zeros_like(images[:, :1])
        left[..., :half], right[..., half:] = 1, 1
        return [images, torch.cat([left, right], dim=1) * self.scale.view(1, 2, 1, 1)]


class Toy(torch.nn.Module):
    """A network of which one can see by eye what it looks at: class 1 is the left half minus three of the right."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = OneMap()
        self.mean = torch.zeros(1)

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        return images.float()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        left, right = self.backbone(images)[1].split(1, dim=1)
        return torch.cat([torch.zeros_like(left), left - 3 * right], dim=1)


def test_what_raises_the_class_is_warm_and_what_lowers_it_is_cold():
    heat, found, stages, _ = grad_cam(Toy(), picture(8), 1)
    assert found
    assert stages == ("8 × 8",)
    assert torch.equal(heat[:, :4], torch.ones(8, 4))
    assert not heat[:, 4:].any()


def test_only_the_pixels_predicted_as_the_class_are_asked():
    """Class 0 is predicted on the right half, where its logit, always zero, depends on nothing."""
    heat, found, _, _ = grad_cam(Toy(), picture(8), 0)
    assert found
    assert not heat.any()


class TwoStages(Toy):
    """As Toy, with a coarser feature map behind the other, which is all that speaks for class 1, or against it."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.backbone = Deeper(sign)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        fine, coarse = self.backbone(images)[1:]
        wide = torch.nn.functional.interpolate(coarse, fine.shape[-2:])
        return torch.cat([torch.zeros_like(wide), fine[:, :1] + wide], dim=1)


class Deeper(OneMap):
    def __init__(self, sign: float) -> None:
        super().__init__()
        self.sign = sign

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        image, fine = super().forward(images)
        coarse = self.sign * torch.nn.functional.avg_pool2d(fine[:, :1].detach() * self.scale[0], 2)
        return [image, fine, coarse]


def test_the_coarsest_feature_map_is_asked_unless_it_says_nothing():
    heat, _, stages, used = grad_cam(TwoStages(0.5), picture(8), 1)
    assert stages == ("8 × 8", "4 × 4")
    assert used == 1
    assert heat[:, :3].min() == 1

    heat, _, _, used = grad_cam(TwoStages(-0.5), picture(8), 1)
    assert used == 0, "what the coarse one holds is below zero, so it only speaks against the class"
    assert torch.equal(heat[:, :4], torch.ones(8, 4))

    heat, _, _, used = grad_cam(TwoStages(-0.5), picture(8), 1, stage=1)
    assert used == 1
    assert not heat.any(), "whoever asks for it gets it"


def test_a_class_that_is_found_nowhere_is_explained_over_all_pixels():
    model = Toy()
    with torch.no_grad():
        model.backbone.scale[0] = -1.0  # now class 1 is nowhere the most probable one
    heat, found, _, _ = grad_cam(model, picture(8), 1)
    assert not found
    assert heat.shape == (8, 8)


def test_what_is_put_around_a_picture_is_neither_asked_nor_shown():
    heat, found, _, _ = grad_cam(Toy(), picture(8), 1, lies=(4, 0, 8, 8))
    assert not found, "class 1 is found on the left half, which is no part of the picture"
    assert not heat[:, :4].any()
    heat, found, _, _ = grad_cam(Toy(), picture(8), 1, lies=(0, 2, 8, 6))
    assert found
    assert torch.equal(heat[2:6, :4], torch.ones(4, 4))
    assert not heat[[0, 1, 6, 7]].any()


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_the_warmest_place_is_within_the_picture(trained, fit):
    recipe = trained.recipe.set({"fit": fit})
    for label in CLASSES:
        answer = explain_class(replace(trained, recipe=recipe), "a.png", upload((90, 20)), label)
        assert answer.warm
        assert np.asarray(Image.open(BytesIO(answer.heat))).max() > 250


def test_the_explanation_lies_over_the_picture_that_is_shown(trained):
    answer = explain_class(trained, "a.png", upload((2 * SHOWN_SIDE, 800)), "cell")
    assert answer.error is None
    heat, shown = Image.open(BytesIO(answer.heat)), Image.open(BytesIO(answer.picture))
    assert heat.mode == "L"
    assert heat.size == shown.size == (SHOWN_SIDE, 400)
    assert np.asarray(heat).max() in (0, 255)
    assert answer.stages[-1] == "2 × 2"
    assert answer.warm == np.asarray(heat).any()


def test_every_stage_can_be_asked_and_no_other(trained):
    stages = explain_class(trained, "a.png", upload(), "cell").stages
    maps = {explain_class(trained, "a.png", upload(), "cell", stage=stage).stage for stage in range(len(stages))}
    assert maps == set(range(len(stages)))
    with pytest.raises(InputError, match="no such stage: found 9, expected 0 to"):
        explain_class(trained, "a.png", upload(), "cell", stage=9)


def test_a_class_that_the_model_does_not_know_is_refused_with_those_it_knows(trained):
    with pytest.raises(InputError, match="found 'nucleus', expected one of background, cell"):
        explain_class(trained, "a.png", upload(), "nucleus")


def test_what_is_no_picture_gets_a_sentence(trained):
    answer = explain_class(trained, "a.txt", b"text", "cell")
    assert answer.error.startswith("a.txt cannot be read as a picture")
    assert answer.heat == b""


def test_explaining_leaves_no_hook_and_no_gradient_behind(trained):
    explain_class(trained, "a.png", upload(), "cell")
    assert not trained.model.backbone._forward_hooks
    assert all(parameter.grad is None for parameter in trained.model.parameters())
