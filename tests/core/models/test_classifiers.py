import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_sample_image

from core.data.loading import fit_image
from core.errors import RecipeError, WeightsError
from core.models.catalog import BACKBONES
from core.models.classifiers import CHUNK, Classifier, build_classifier, in_chunks, load_weights
from core.models.weights import weights_state
from core.recipe import ModelChoice

SMALL = "resnet10t"  # of timm, in no row: any timm name trains


def pictures(count: int, size: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


def random_classifier(backbone: str = SMALL, classes: int = 3) -> Classifier:
    return build_classifier(ModelChoice(backbone=backbone, weights="random"), classes).eval()


@pytest.fixture(scope="module")
def lite0() -> Classifier:
    return build_classifier(ModelChoice(), 5).eval()


def test_the_weights_of_the_default_backbone_know_imagenet():
    """With the package's own classifier on top it names two photographs, so its tensors lie where they belong."""
    model = build_classifier(ModelChoice(), 1000).eval()
    *_, weight, bias = torch.load(weights_state("tf_efficientnet_lite0").path, weights_only=True).values()
    model.head[1].load_state_dict({"weight": weight, "bias": bias})
    names = {}
    for file in ("china.jpg", "flower.jpg"):
        pixels = fit_image(Image.fromarray(load_sample_image(file)), 224, "crop")
        probabilities = model.probabilities(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0]
        names[file] = int(probabilities.argmax())
    assert names == {"china.jpg": 698, "flower.jpg": 985}, "palace and daisy"


def test_logits_are_the_head_of_the_features_of_normalised_images(lite0):
    images = pictures(2, 64)
    normalised = lite0.normalise(images)
    assert normalised.dtype == torch.float32
    assert normalised.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(normalised, images.float() / 127.5 - 1)  # mean and deviation of this backbone are 0.5
    with torch.inference_mode():
        features = lite0.features(normalised)
        assert features.shape == (2, lite0.width) == (2, 1280)
        torch.testing.assert_close(lite0(normalised), lite0.head(features))


def test_normalising_leaves_the_images_as_they_are(lite0):
    images = pictures(2)
    lite0.normalise(images)
    assert torch.equal(images, pictures(2))


def test_probabilities_sum_to_one_and_are_not_asked_of_a_model_that_trains(lite0):
    probabilities = lite0.probabilities(pictures(3, 64))
    assert (probabilities.shape, probabilities.dtype) == ((3, 5), torch.float32)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(3))
    lite0.train()
    try:
        with pytest.raises(ValueError, match="training mode"):
            lite0.probabilities(pictures(1, 64))
    finally:
        lite0.eval()


def test_the_same_image_gives_the_same_bits_in_any_company(lite0):
    images = pictures(37, 64)
    every = in_chunks(lite0.probabilities, images)
    order = torch.randperm(37, generator=torch.Generator().manual_seed(0))
    assert torch.equal(in_chunks(lite0.probabilities, images[order])[order.argsort()], every)
    assert torch.equal(in_chunks(lite0.probabilities, images[20:21])[0], every[20])
    torch.testing.assert_close(lite0.probabilities(images[20:21])[0], every[20], atol=1e-5, rtol=0)


def test_every_pass_has_the_same_size():
    sizes = []

    def remember(chunk: torch.Tensor) -> torch.Tensor:
        sizes.append(len(chunk))
        return chunk * 2

    assert torch.equal(in_chunks(remember, torch.arange(35)), 2 * torch.arange(35))
    assert sizes == [CHUNK] * 3


@pytest.mark.parametrize("row", BACKBONES, ids=lambda row: row.name)
def test_every_backbone_reads_images_of_a_size_not_its_own(row):
    with torch.device("meta"):  # shapes without numbers: quick, and no memory for the largest
        model = random_classifier(row.name)
        images = torch.empty(1, 3, 72, 72, dtype=torch.uint8)
    assert model.width == row.features
    with torch.no_grad():
        assert model.features(model.normalise(images)).shape == (1, row.features)
        assert model(model.normalise(images)).shape == (1, 3)


def test_a_saved_model_is_the_same_model(tmp_path):
    torch.manual_seed(1)
    model = random_classifier()
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "model.safetensors")
    torch.manual_seed(2)
    other = build_classifier(ModelChoice(backbone=SMALL), 3, pretrained=False).eval()
    assert not torch.equal(other.probabilities(pictures(4)), model.probabilities(pictures(4)))
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(other.probabilities(pictures(4)), model.probabilities(pictures(4)))


def test_the_seed_decides_the_head():
    heads = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        heads.append(build_classifier(ModelChoice(), 4).head[1].weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_dropout_is_the_one_that_was_chosen():
    assert build_classifier(ModelChoice(backbone=SMALL, weights="random", dropout=0.4), 2).head[0].p == 0.4


def test_an_unknown_backbone_is_refused_with_names_that_are_close():
    with pytest.raises(RecipeError, match=r"model\.backbone.*'resnet1', expected a model name of timm: .*resnet18"):
        build_classifier(ModelChoice(backbone="resnet1"), 2)
    with pytest.raises(RecipeError, match=r"model\.backbone.*'no such thing', expected a model name of timm\."):
        build_classifier(ModelChoice(backbone="no such thing", weights="random"), 2)


def timm_state(name: str = SMALL, **options: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return timm.create_model(name, **options).state_dict()


FILES = {
    "timm's own, with its classifier": lambda state: state,
    "saved from several GPUs": lambda state: {f"module.{key}": value for key, value in state.items()},
    "inside a training script's wrapper": lambda state: {"epoch": 3, "state_dict": state},
    "a model of Fovea": lambda state: (
        {f"backbone.{key}": value for key, value in state.items()} | {"mean": torch.ones(3)}
    ),
    "without counters": lambda state: {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")},
    "under other names in the same order": lambda state: {
        f"part{place}.{key.rpartition('.')[2]}": value for place, (key, value) in enumerate(state.items())
    },
}


@pytest.mark.parametrize("kind", FILES)
def test_weights_are_taken_from(kind, tmp_path):
    state = timm_state()
    torch.save(FILES[kind](state), tmp_path / "weights.pth")
    torch.manual_seed(6)
    model = build_classifier(ModelChoice(backbone=SMALL, weights=str(tmp_path / "weights.pth")), 2)
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_safetensors_are_taken_too(tmp_path):
    state = timm_state(num_classes=7)
    save_file(state, tmp_path / "weights.safetensors")
    model = build_classifier(ModelChoice(backbone=SMALL, weights=str(tmp_path / "weights.safetensors")), 2)
    assert torch.equal(model.backbone.state_dict()["conv1.0.weight"], state["conv1.0.weight"])


@pytest.mark.parametrize("other", ["resnet14t", "mobilenetv3_small_050", "resnet18"])
def test_weights_of_another_architecture_are_refused(other, tmp_path):
    file = tmp_path / "other.pth"
    torch.save(timm_state(other), file)
    with pytest.raises(WeightsError, match=r"other\.pth does not fit resnet10t: found .*, expected the \d+ tensors of"):
        build_classifier(ModelChoice(backbone=SMALL, weights=str(file)), 2)


def test_tensors_in_another_order_are_not_taken_for_the_right_ones(tmp_path):
    state = FILES["under other names in the same order"](timm_state())
    torch.save(dict(reversed(state.items())), tmp_path / "shuffled.pth")
    with pytest.raises(WeightsError, match="does not fit"):
        build_classifier(ModelChoice(backbone=SMALL, weights=str(tmp_path / "shuffled.pth")), 2)


class Evil:
    def __reduce__(self):
        return pytest.fail, ("a weight file was executed",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.pth", b""),
        ("text.pth", b"these are no weights"),
        ("empty.safetensors", b""),
        ("text.safetensors", b"these are no weights, and the header is nonsense"),
    ],
)
def test_a_file_that_is_no_weight_file_is_refused(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="read safely"):
        build_classifier(ModelChoice(backbone=SMALL, weights=str(tmp_path / name)), 2)


def test_nothing_in_a_weight_file_is_executed(tmp_path):
    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="safely"):
        build_classifier(ModelChoice(backbone=SMALL, weights=str(tmp_path / "evil.pth")), 2)


def test_a_file_without_tensors_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="found no tensor"):
        load_weights(timm.create_model(SMALL, num_classes=0), tmp_path / "none.pth", SMALL)


def test_weights_that_are_nowhere_are_never_replaced_by_a_random_start(monkeypatch):
    monkeypatch.setattr("core.models.weights._hub_answers", lambda repository: False)
    with pytest.raises(WeightsError, match="tf_efficientnet_lite0"):
        build_classifier(ModelChoice(backbone="resnet34"), 2)
