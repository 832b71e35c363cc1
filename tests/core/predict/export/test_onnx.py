import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.data.library import Library
from core.errors import InputError, RunError
from core.models.catalog import BACKBONES
from core.models.classifiers import build_classifier
from core.models.network import PixelNetwork
from core.models.unets import build_segmenter
from core.predict.export import onnx_file
from core.predict.export.agreement import TOLERANCE, Agreement, asking, insist
from core.predict.export.exporting import export_run, keep_export
from core.predict.export.graph import graph_of
from core.predict.export.kept import kept_file, read_kept
from core.predict.predictor import predict
from core.recipe import ModelChoice, SegmenterChoice


def test_the_file_answers_as_the_run_does_and_says_how_it_is_asked(exported, small_run, workspace, tmp_path, capsys):
    file, answer = exported
    session = onnxruntime.InferenceSession(str(file))
    about = session.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(about["classes"])) == small_run.facts.classes
    assert about["recipe"] == small_run.recipe.hash
    assert (about["fit"], about["image_size"]) == ("crop", "32")
    assert answer["checked"]["squares"] <= TOLERANCE
    assert answer["checked"]["pictures"] > 3
    assert json.loads(about["checked"]) == answer["checked"]

    dataset = Library(workspace).get(small_run.facts.dataset)
    picture = dataset.path(dataset.of("validation")[0])
    (expected,) = predict(str(small_run.paths.folder), [("one", picture.read_bytes())])
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    (found,) = session.run(["probabilities"], {"pictures": pixels[None]})[0]
    assert np.abs(found - list(expected.probabilities.values())).max() < 1e-5

    # What it says of itself is true: the lines run, and find the same class.
    Image.open(picture).save(tmp_path / "picture.jpg", quality=95)
    lines = about["how_to"].replace('"model.onnx"', repr(str(file)))
    exec(lines.replace('"picture.jpg"', repr(str(tmp_path / "picture.jpg"))), {})
    assert capsys.readouterr().out.split()[-1].startswith("0.")


def test_any_number_of_pictures_of_any_size_is_answered(exported):
    file, _ = exported
    session = onnxruntime.InferenceSession(str(file))
    for number, height, width in ((1, 32, 32), (3, 60, 41)):
        pictures = np.zeros((number, height, width, 3), np.uint8)
        probabilities = session.run(None, {"pictures": pictures})[0]
        assert probabilities.shape == (number, 3)
        assert np.allclose(probabilities.sum(1), 1)


def test_nothing_of_this_machine_is_in_the_file(exported):
    file, _ = exported
    content = file.read_bytes()
    assert not [place for place in (b"site-packages", b"/core/", str(file.parent).encode()) if place in content]


@pytest.mark.slow
def test_masks_come_in_the_size_of_the_picture(small_mask_run, workspace, tmp_path):
    file = tmp_path / "masks.onnx"
    answer = export_run(str(workspace.root), small_mask_run.id, "onnx", str(file))
    assert answer["checked"]["whole"] < 0.02
    probabilities, mask = onnxruntime.InferenceSession(str(file)).run(
        ["probabilities", "mask"], {"pictures": np.full((2, 45, 70, 3), 90, np.uint8)}
    )
    assert probabilities.shape == (2, 3, 45, 70)
    assert (mask == probabilities.argmax(1)).all()


def test_a_file_that_answers_otherwise_is_refused_and_not_kept(exported, small_run, workspace, tmp_path, monkeypatch):
    made = onnx.load(exported[0])
    monkeypatch.setattr(onnx_file, "graph_of", lambda *_, **__: made)
    weights = load_file(small_run.paths.best)
    spoiled = {name: one.flip(0) if name.startswith("head") else one for name, one in weights.items()}
    with safe_open(small_run.paths.best, "pt") as file:
        facts = file.metadata()
    save_file({name: one.contiguous() for name, one in spoiled.items()}, small_run.paths.best, facts)
    with pytest.raises(InputError, match="answers otherwise than the model"):
        export_run(str(workspace.root), small_run.id, "onnx", str(tmp_path / "model.onnx"))
    assert not [*tmp_path.glob("*.onnx*"), *tmp_path.glob(".*.tmp")]


@pytest.mark.parametrize("far", [{"squares": 0.01}, {"whole_mean": 0.1}, {"squares": float("nan")}])
def test_how_far_apart_is_too_far(far):
    near = {"pictures": 4, "squares": 1e-6, "whole": 0.01, "whole_mean": 0.001, "same": 1.0}
    insist(Agreement(**near))
    with pytest.raises(InputError, match="differ by up to"):
        insist(Agreement(**near | far))


class Undecided(PixelNetwork):
    """A network whose way depends on what it sees, which no graph can say."""

    def __init__(self) -> None:
        super().__init__(mean=(0.5,) * 3, std=(0.5,) * 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        flat = images.flatten(1)
        return flat[:, :2] if float(flat.sum()) > 0 else flat[:, 2:4]


def test_a_network_that_onnx_cannot_say_is_refused_with_the_reason():
    with pytest.raises(InputError, match="Undecided cannot be said in ONNX's operators: found .+ Export the zip"):
        graph_of(Undecided().eval(), size=16, fit="crop", classes=2, masks=False, name="Undecided")


def test_a_page_finds_what_was_kept_until_the_weights_change(small_run, workspace):
    assert read_kept(small_run.paths, "zip") is None
    keep_export(str(workspace.root), small_run.id, "zip")
    kept = read_kept(small_run.paths, "zip")
    assert kept["bytes"] == kept_file(small_run.paths, "zip").stat().st_size
    small_run.paths.best.write_bytes(small_run.paths.best.read_bytes() + b" ")
    assert read_kept(small_run.paths, "zip") is None


def test_a_run_without_weights_has_nothing_to_export(small_run, workspace, tmp_path):
    small_run.paths.best.unlink()
    with pytest.raises(RunError, match="no saved model"):
        export_run(str(workspace.root), small_run.id, "zip", str(tmp_path / "x.zip"))


SIZE = 64
SEGMENTERS = (  # every architecture, and every kind of encoder at least once
    ("unet", "tu-tf_efficientnet_lite0"),
    ("unetplusplus", "resnet18"),
    ("manet", "resnet18"),
    ("linknet", "mobilenet_v2"),
    ("fpn", "efficientnet-b0"),
    ("pspnet", "resnet18"),
    ("pan", "resnet18"),
    ("deeplabv3", "resnet18"),
    ("deeplabv3plus", "tu-convnext_tiny"),
    ("upernet", "mit_b0"),
    ("segformer", "mit_b0"),
    ("dpt", "tu-vit_small_patch16_224"),
)


def lively(model: PixelNetwork) -> PixelNetwork:
    """A random network that answers different pictures differently: its norms have measured some, and it is sure."""
    torch.manual_seed(0)
    with torch.no_grad():
        model.train()
        for _ in range(3):
            model(model.normalise(torch.randint(0, 256, (4, 3, SIZE, SIZE), dtype=torch.uint8)))
        model.eval()
        spread = model(model.normalise(torch.randint(0, 256, (4, 3, SIZE, SIZE), dtype=torch.uint8))).std()
        last = [part for part in model.modules() if isinstance(part, torch.nn.Linear | torch.nn.Conv2d)][-1]
        last.weight.mul_(3 / spread.clamp_min(1e-3))
    return model


def same_answers(model: PixelNetwork, name: str, *, masks: bool) -> None:
    graph = graph_of(model, size=SIZE, fit="squash", classes=4, masks=masks, name=name)
    onnx.checker.check_model(graph)
    ask = asking(graph.SerializeToString())
    for seed in range(2):
        square = np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        expected = model.probabilities(torch.from_numpy(square).permute(2, 0, 1)[None])[0].numpy()
        assert expected.max() > 0.3
        assert np.abs(ask(square) - expected).max() < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", [row.name for row in BACKBONES if row.parameters < 100_000_000])
def test_every_classifier_on_offer_can_be_exported(name):
    torch.manual_seed(0)
    same_answers(lively(build_classifier(ModelChoice(backbone=name, weights="random"), 4)), name, masks=False)


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "encoder"), SEGMENTERS)
def test_every_segmentation_network_on_offer_can_be_exported(architecture, encoder):
    torch.manual_seed(0)
    choice = SegmenterChoice(architecture=architecture, encoder=encoder, weights="random")
    same_answers(lively(build_segmenter(choice, 4, SIZE)), choice.network, masks=True)
