"""An ONNX file of a run's best model: it takes pictures and gives probabilities, and says itself how it is used."""

import json
from collections.abc import Callable
from pathlib import Path

import onnx

from core.data.dataset import Dataset
from core.evaluate.current import digest_of
from core.models.network import PixelNetwork
from core.predict.export.agreement import Agreement, agreement
from core.predict.export.graph import graph_of
from core.predict.export.pixels import MASK, PICTURES, PROBABILITIES
from core.recipe import Recipe
from core.train.checkpoint import Trained
from core.workspace import replacing

_HOW_TO = """\
import json
import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession("{file}")
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
picture = ImageOps.exif_transpose(Image.open("picture.jpg")).convert("RGB")
pixels = np.asarray(picture)[None]  # (1, height, width, 3) uint8, of any size
"""
_HOW_TO_LABELS = """\
probabilities = session.run(["probabilities"], {"pictures": pixels})[0][0]
print(classes[probabilities.argmax()], probabilities.max())
"""
_HOW_TO_MASKS = """\
probabilities, mask = session.run(["probabilities", "mask"], {"pictures": pixels})
print(mask[0])  # (height, width): the number of a class at each pixel, by its place in classes
"""


def write_onnx(
    file: Path,
    trained: Trained,
    dataset: Dataset,
    *,
    run_id: str,
    best: Path,
    report: Callable[[int, int, str], None] | None = None,
) -> Agreement:
    """Write the model as an ONNX file, once it has answered validation pictures as PyTorch does.

    Raises InputError when the network cannot be said in ONNX or answers otherwise, StorageError when the disk is full;
    nothing is left of the file then.
    """
    recipe, classes = trained.recipe, trained.classes
    if report is not None:
        report(0, 1, "translating the network")
    masks = recipe.task == "segmentation"
    model = graph_of(
        trained.model,
        size=recipe.image_size,
        fit=recipe.fit,
        classes=len(classes),
        masks=masks,
        name=recipe.model.network,
    )
    facts = _facts(trained.model, recipe, trained, run_id, digest_of(best))
    model.producer_name, model.doc_string = "Fovea", how_to(file.name, masks=masks)
    with replacing(file) as temporary:
        _write(model, facts, temporary)
        found = agreement(temporary, trained, dataset, report)
        _write(model, facts | {"checked": json.dumps(found.to_json())}, temporary)
    return found


def how_to(file: str, *, masks: bool) -> str:
    """How the file is asked, as a few lines of Python."""
    return _HOW_TO.format(file=file) + (_HOW_TO_MASKS if masks else _HOW_TO_LABELS)


def _write(model: onnx.ModelProto, facts: dict[str, str], path: Path) -> None:
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, facts)
    path.write_bytes(model.SerializeToString())


def _facts(model: PixelNetwork, recipe: Recipe, trained: Trained, run_id: str, digest: str) -> dict[str, str]:
    """What goes into the file beside its graph, each a text."""
    outputs = {PROBABILITIES: "float32 (N, classes), in the order of `classes`"}
    if recipe.task == "segmentation":
        outputs = {
            PROBABILITIES: "float32 (N, classes, H, W), in the order of `classes` and the size of the picture",
            MASK: "uint8 (N, H, W), the number of the most probable class at each pixel",
        }
    return {
        "task": recipe.task,
        "classes": json.dumps(list(trained.classes)),
        "input": json.dumps({PICTURES: "uint8 (N, H, W, 3), red, green, blue; upright; any N, H and W"}),
        "output": json.dumps(outputs),
        "image_size": str(recipe.image_size),
        "fit": recipe.fit,
        "mean": json.dumps([float(one) for one in model.mean.flatten()]),
        "std": json.dumps([float(one) for one in model.std.flatten()]),
        "preprocessing": "inside: resizing, scaling by mean and deviation, and softmax are parts of the graph",
        "network": recipe.model.network,
        "run": run_id,
        "recipe": recipe.hash,
        "weights": digest,
        "epoch": str(trained.facts["epoch"]),
        "dataset": trained.facts["dataset"],
        "dataset_fingerprint": trained.facts["dataset_fingerprint"],
        "how_to": how_to("model.onnx", masks=recipe.task == "segmentation"),
    }
