import json

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

from core.errors import RecipeError, WeightsError
from core.models.architectures import ARCHITECTURES
from core.models.classifiers import build_classifier
from core.models.stages import layers_of
from core.models.unets import IMAGENET, Segmenter, build_segmenter, load_encoder
from core.models.weight_files import read_tensors
from core.models.weights import weights_state
from core.recipe import ModelChoice, SegmentationRecipe, SegmenterChoice
from core.train.freezing import freeze, set_training
from core.train.rehearsal import describe

SMALL = "tu-resnet10t"  # in no row: any timm name trains
LITE0 = "tu-tf_efficientnet_lite0"
TINY_VIT = "tu-vit_tiny_patch16_224"


def pictures(count: int, height: int, width: int | None = None) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, height, width or height), dtype=torch.uint8, generator=generator)


def random_segmenter(encoder: str = SMALL, architecture: str = "unet", classes: int = 3, size: int = 64) -> Segmenter:
    return build_segmenter(SegmenterChoice(architecture=architecture, encoder=encoder, weights="random"), classes, size)


@pytest.fixture(scope="module")
def lite0() -> Segmenter:
    return build_segmenter(SegmenterChoice(), 3, 64).eval()


PAIRS = [(row.name, encoder) for row in ARCHITECTURES for encoder in (LITE0, "resnet34") if row.name != "dpt"]


@pytest.mark.parametrize(("architecture", "encoder"), [*PAIRS, ("dpt", TINY_VIT)])
def test_every_architecture_learns_from_and_answers_for_images_of_any_size(architecture, encoder):
    torch.manual_seed(0)
    model = random_segmenter(encoder, architecture)
    before = [parameter.detach().clone() for parameter in model.head.parameters()]
    logits = model(model.normalise(pictures(2, 60)))
    assert logits.shape == (2, 3, 60, 60)
    cross_entropy(logits, torch.zeros(2, 60, 60, dtype=torch.long)).backward()
    idle = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not idle, "every layer that is counted also learns"
    torch.optim.SGD(model.parameters(), lr=1e-3).step()
    assert any(not torch.equal(one, other) for one, other in zip(before, model.head.parameters(), strict=True))
    shapes = model.to("meta").eval()  # numbers cost time, shapes do not
    for height, width in ((96, 96), (100, 100), (100, 60)):
        assert shapes(torch.empty(1, 3, height, width, device="meta")).shape == (1, 3, height, width)


def test_probabilities_of_every_pixel_sum_to_one(lite0):
    probabilities = lite0.probabilities(pictures(2, 60, 40))
    assert (probabilities.shape, probabilities.dtype) == ((2, 3, 60, 40), torch.float32)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2, 60, 40))


def test_sides_are_padded_to_what_the_network_takes_with_the_last_row_and_column():
    model = random_segmenter().eval()
    images = model.normalise(pictures(1, 60))
    larger = torch.cat([images, images[..., -1:].expand(-1, -1, -1, 4)], dim=3)
    larger = torch.cat([larger, larger[..., -1:, :].expand(-1, -1, 4, -1)], dim=2)
    with torch.inference_mode():
        torch.testing.assert_close(model(images), model.network(larger)[..., :60, :60])
    assert (model.padded(60), model.padded(64), model.padded(65), model.padded(5)) == (64, 64, 96, 32)


def test_a_size_that_the_network_takes_is_not_touched():
    model = random_segmenter().eval()
    images = model.normalise(pictures(2, 64))
    with torch.inference_mode():
        assert torch.equal(model(images), model.network(images))


def test_pan_never_gets_less_than_it_can_work_on():
    assert random_segmenter("resnet18", "pan").multiple == 16
    assert described({"model.architecture": "pan", "model.encoder": "resnet18"}, 96)["padded_to"] == 128


def test_an_image_is_normalised_as_its_encoder_was_trained(lite0):
    images = pictures(2, 32)
    normalised = lite0.normalise(images)
    assert normalised.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(normalised, images.float() / 127.5 - 1)  # mean and deviation of this encoder are 0.5
    assert torch.equal(images, pictures(2, 32)), "and left as it is"
    report = random_segmenter("resnet34")
    assert torch.equal(report.mean.flatten(), torch.tensor(IMAGENET[0]))
    assert torch.equal(report.std.flatten(), torch.tensor(IMAGENET[1]))


def test_probabilities_are_not_asked_of_a_model_that_trains(lite0):
    lite0.train()
    try:
        with pytest.raises(ValueError, match="training mode"):
            lite0.probabilities(pictures(1, 64))
    finally:
        lite0.eval()


def test_the_offline_encoder_makes_the_same_maps_as_the_classifier_that_knows_imagenet(lite0):
    """Their deepest common map is the same, so every tensor lies where it belongs."""
    classifier = build_classifier(ModelChoice(), 5).eval()
    images = lite0.normalise(pictures(1, 64))
    with torch.inference_mode():
        maps = lite0.backbone(images)[-1]
        whole = classifier.backbone
        torch.testing.assert_close(maps, whole.blocks(whole.bn1(whole.conv_stem(images))))


def test_the_seed_decides_the_decoder_and_the_weights_do_not():
    heads = []
    for seed, weights in ((0, "pretrained"), (0, "random"), (1, "random")):
        torch.manual_seed(seed)
        model = build_segmenter(SegmenterChoice(weights=weights), 4, 64)
        heads.append(torch.cat([parameter.flatten() for parameter in model.head.parameters()]))
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[1], heads[2])


def test_a_saved_model_is_the_same_model(tmp_path):
    torch.manual_seed(1)
    model = random_segmenter().eval()
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "best.safetensors")
    torch.manual_seed(2)
    other = build_segmenter(SegmenterChoice(encoder=SMALL), 3, 64, pretrained=False).eval()
    assert not torch.equal(other.probabilities(pictures(2, 64)), model.probabilities(pictures(2, 64)))
    other.load_state_dict(load_file(tmp_path / "best.safetensors"))
    assert torch.equal(other.probabilities(pictures(2, 64)), model.probabilities(pictures(2, 64)))


def test_encoder_and_head_are_all_there_is_and_nothing_is_counted_twice():
    model = random_segmenter()
    parts = [*model.backbone.parameters(), *model.head.parameters()]
    assert {id(part) for part in parts} == {id(part) for part in model.parameters()}
    assert len(parts) == len({id(part) for part in parts})
    assert sum(name.endswith("segmentation_head.0.weight") for name in model.state_dict()) == 1


def test_a_frozen_encoder_stays_as_it_is_while_the_decoder_learns():
    model = random_segmenter()
    frozen = freeze(model.backbone, model.head, "head")
    set_training(model, frozen)
    still, moving = (
        {key: value.clone() for key, value in part.state_dict().items()} for part in (model.backbone, model.head)
    )
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    cross_entropy(model(model.normalise(pictures(2, 64))), torch.zeros(2, 64, 64, dtype=torch.long)).backward()
    optimizer.step()
    assert all(torch.equal(value, still[key]) for key, value in model.backbone.state_dict().items())
    assert any(not torch.equal(value, moving[key]) for key, value in model.head.state_dict().items())


@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [("pspnet", LITE0), ("pspnet", "resnet34"), ("dpt", TINY_VIT), ("unet", "efficientnet-b0")],
)
def test_the_last_layers_of_an_encoder_are_layers_that_the_decoder_reads(architecture, encoder):
    model = random_segmenter(encoder, architecture).to("meta")
    freeze(model.backbone, model.head, "last 2 layers")
    model(torch.empty(2, 3, 64, 64, device="meta")).sum().backward()
    last = layers_of(model.backbone)[-2:]
    assert all(parameter.grad is not None for layer in last for parameter in layer.parameters(recurse=False))


def state(name: str = "resnet10t", **options: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return timm.create_model(name, **options).state_dict()


FILES = {
    "timm's own, with its classifier": lambda state: state,
    "saved from several GPUs": lambda state: {f"module.{key}": value for key, value in state.items()},
    "a classifier of Fovea": lambda state: (
        {f"backbone.{key}": value for key, value in state.items()}
        | {"mean": torch.ones(3), "head.1.bias": torch.ones(3)}
    ),
    "a segmenter of Fovea": lambda state: (
        {f"network.encoder.model.{key}": value for key, value in state.items()} | {"mean": torch.ones(3)}
    ),
    "a network of SMP": lambda state: {f"encoder.model.{key}": value for key, value in state.items()},
    "without counters": lambda state: {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("kind", FILES)
def test_an_encoder_takes_weights_from(kind, tmp_path):
    found = state()
    torch.save(FILES[kind](found), tmp_path / "weights.pth")
    torch.manual_seed(6)
    choice = SegmenterChoice(encoder=SMALL, weights=str(tmp_path / "weights.pth"))
    model = build_segmenter(choice, 2, 64)
    for key, value in model.backbone.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(value, found[key.removeprefix("model.")]), key


@pytest.mark.parametrize("encoder", ["resnet18", LITE0])
def test_what_a_run_saved_starts_the_next_one_with_another_decoder(tmp_path, encoder):
    torch.manual_seed(1)
    first = random_segmenter(encoder)
    file = tmp_path / "best.safetensors"
    save_file({key: value.contiguous() for key, value in first.state_dict().items()}, file)
    choice = SegmenterChoice(architecture="fpn", encoder=encoder, weights=str(file))
    second = build_segmenter(choice, 5, 64)
    for key, value in second.backbone.state_dict().items():
        assert torch.equal(value, first.backbone.state_dict()[key]), key


def test_an_encoder_whose_wrapper_writes_names_another_way_gets_every_tensor(tmp_path):
    found = state("test_convnext")
    torch.save(found, tmp_path / "timm.pth")
    choice = SegmenterChoice(encoder="tu-test_convnext", weights=str(tmp_path / "timm.pth"))
    encoder = build_segmenter(choice, 2, 64).backbone
    assert torch.equal(encoder.model.stages_0.blocks[0].conv_dw.weight, found["stages.0.blocks.0.conv_dw.weight"])
    maps = encoder.eval()(torch.ones(1, 3, 64, 64))[-1]
    whole = timm.create_model("test_convnext", num_classes=0).eval()
    whole.load_state_dict({key: value for key, value in found.items() if not key.startswith("head.fc")})
    torch.testing.assert_close(maps, whole.stages(whole.stem(torch.ones(1, 3, 64, 64))))


def test_smp_and_timm_weights_of_the_same_network_are_interchangeable(tmp_path):
    torch.save(state("resnet18"), tmp_path / "timm.pth")
    model = build_segmenter(SegmenterChoice(encoder="resnet18", weights=str(tmp_path / "timm.pth")), 2, 64)
    wanted = state("resnet18")
    assert torch.equal(model.backbone.layer4[1].bn2.weight, wanted["layer4.1.bn2.weight"])
    assert torch.equal(model.backbone.conv1.weight, wanted["conv1.weight"])


@pytest.mark.parametrize("other", ["resnet14t", "mobilenetv3_small_050", "resnet18"])
def test_weights_of_another_architecture_are_refused(other, tmp_path):
    file = tmp_path / "other.pth"
    torch.save(state(other), file)
    with pytest.raises(WeightsError, match=r"other\.pth does not fit tu-resnet10t: found .*, expected the \d+ tensors"):
        build_segmenter(SegmenterChoice(encoder=SMALL, weights=str(file)), 2, 64)


def test_the_package_of_the_offline_weights_fits_no_other_encoder():
    with pytest.raises(WeightsError, match="does not fit"):
        load_encoder(random_segmenter().backbone, weights_state("tf_efficientnet_lite0").path, SMALL)


def test_every_tensor_of_the_offline_encoder_comes_from_the_package(lite0):
    package = [value for value in read_tensors(weights_state("tf_efficientnet_lite0").path).values() if value.numel()]
    sums = {(tuple(value.shape), float(value.double().sum())) for value in package}
    for key, value in lite0.backbone.state_dict().items():
        assert (tuple(value.shape), float(value.double().sum())) in sums, key


def test_the_pixels_of_weights_of_smp_are_scaled_as_their_repository_says(tmp_path):
    save_file(smp.Unet("resnet18", encoder_weights=None).encoder.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"mean": [0.1, 0.2, 0.3], "std": [1, 2, 3]}))
    choice = SegmenterChoice(encoder="resnet18", weights=str(tmp_path / "model.safetensors"))
    model = build_segmenter(choice, 2, 64)
    assert model.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert model.std.flatten().tolist() == [1, 2, 3]


def test_weights_that_are_nowhere_are_never_replaced_by_a_random_start(monkeypatch):
    monkeypatch.setattr("core.models.weights._hub_answers", lambda repository: False)
    with pytest.raises(
        WeightsError, match=f"weights of resnet34 cannot be had.*an encoder whose weights are here: {LITE0}"
    ):
        build_segmenter(SegmenterChoice(encoder="resnet34"), 2, 64)


@pytest.mark.parametrize(
    ("name", "close"),
    [("resnet43", "resnet34"), ("tf_efficientnet_lite0", LITE0), ("tu-resnet19d", "tu-resnet18d"), ("unheard of", "")],
)
def test_an_unknown_encoder_is_refused_with_names_that_are_close(name, close):
    with pytest.raises(RecipeError, match=rf"model\.encoder: found '{name}', expected an encoder of SMP.*{close}"):
        random_segmenter(name)


@pytest.mark.parametrize(
    ("architecture", "encoder", "reason"),
    [
        ("dpt", "resnet34", "DPT cannot stand on"),
        ("unet", TINY_VIT, "U-Net cannot stand on"),
        ("linknet", "mit_b0", "LinkNet cannot stand on"),
        ("deeplabv3", "vgg11", "do not support dilated mode"),
        ("unet", "tu-nest_tiny", "U-Net cannot stand on"),
    ],
)
def test_two_that_do_not_go_together_are_refused_in_one_sentence(architecture, encoder, reason):
    with pytest.raises(RecipeError, match=reason) as caught:
        random_segmenter(encoder, architecture)
    assert "\n" not in str(caught.value)
    told = described({"model.architecture": architecture, "model.encoder": encoder}, 64)
    assert told["error"] == str(caught.value)
    assert told["parameters"] is None


def test_a_transformer_of_fixed_size_takes_the_size_of_the_recipe():
    assert described({"model.encoder": "tu-swin_tiny_patch4_window7_224"}, 96)["error"] is None


def described(changes: dict, image_size: int) -> dict:
    return describe(SegmentationRecipe().set(changes | {"image_size": image_size}).to_json(), 3)


def test_a_network_is_described_before_anything_is_downloaded(monkeypatch):
    monkeypatch.setattr("core.models.unets.locate", lambda choice: pytest.fail("weights were looked for"))
    facts = described({"model.encoder": "resnet34"}, 100)
    real = build_segmenter(SegmenterChoice(encoder="resnet34"), 3, 100, pretrained=False)
    assert facts["parameters"] == sum(parameter.numel() for parameter in real.parameters())
    assert facts["head"] == sum(parameter.numel() for parameter in real.head.parameters())
    assert (facts["padded_to"], facts["error"]) == (128, None)
    assert facts["gmacs"] == pytest.approx((3.663 + 2.334) * (128 / 224) ** 2, rel=0.01)
    assert described({}, 96)["padded_to"] is None
