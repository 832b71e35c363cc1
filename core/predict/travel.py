"""Go back in a run: what its network said about a picture after each epoch, where it looked, or which mask it drew."""

import copy
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from core.data.loading import fit_image, jpeg, read_image
from core.data.mask_files import mask_png
from core.errors import ImageError, InputError, RunError, WeightsError, shown
from core.predict.answer import Travel
from core.predict.class_maps import Seen, as_picture, look
from core.predict.predictor import trained_model
from core.runs.run import RunPaths
from core.runs.snapshots import epochs_to_visit
from core.train.checkpoint import Trained
from core.train.snapshots import Past, Weights

HEAD = "head."


def travel(run_folder: str, name: str, content: bytes, label: str = "") -> Travel:
    """What a run's network said after each epoch that was kept, about a picture given as the content of its file.

    The heat of a classifier speaks for the class `label`; "" is the class that its best model answers. A picture that
    cannot be read gets its reason in `error`. Raises RunError when the run kept no epochs or has no model, WeightsError
    when the model is damaged, InputError when it has no such class.
    """
    began = time.perf_counter()
    paths = RunPaths(Path(run_folder))
    trained, epochs = trained_model(paths.folder), epochs_to_visit(paths)
    if not epochs:
        raise RunError(
            "No epoch of this run can be gone back to",
            found="no snapshots of its weights",
            do="Runs keep them from now on, unless their network is too large",
        )
    if label and label not in trained.classes:
        raise InputError(
            "The model has no such class", found=shown(label), expected="one of " + ", ".join(trained.classes)
        )
    try:
        image = read_image(content, name=name)
    except ImageError as error:
        return Travel(name, error=str(error), milliseconds=1000 * (time.perf_counter() - began))
    pixels = fit_image(image, trained.recipe.image_size, trained.recipe.fit)
    square = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    ways = {"classification": _Classes, "segmentation": _Masks}
    way = ways[trained.recipe.task](trained, square, label)
    past = Past(trained.model.state_dict(), trained.facts["epoch"], paths.snapshots)
    visited, said = [], []
    for epoch in epochs:
        try:
            weights = past.weights(epoch)
        except WeightsError:
            continue  # a run that trains gave it up a moment ago
        visited.append(epoch)
        said.append(way.at(weights))
    return Travel(
        name,
        classes=trained.classes,
        label=way.label,
        epochs=tuple(visited),
        best=trained.facts["epoch"],
        shares=tuple(shares for shares, _ in said),
        maps=tuple(drawn for _, drawn in said),
        picture=jpeg(pixels),
        milliseconds=1000 * (time.perf_counter() - began),
    )


class _Classes:
    """A classifier: probabilities, and the heat of one class. Epochs that differ by their heads alone look once."""

    def __init__(self, trained: Trained, square: torch.Tensor, label: str) -> None:
        self._model, self._square = copy.deepcopy(trained.model), square
        self._side, self._backbone = trained.recipe.image_size, ()
        self._seen: Seen | None = None
        answer = int(trained.model.probabilities(square)[0].argmax())
        self._asked = trained.classes.index(label) if label else answer
        self.label = trained.classes[self._asked]

    def at(self, weights: Weights) -> tuple[tuple[float, ...], bytes]:
        backbone = tuple(tensor for name, tensor in weights.items() if not name.startswith(HEAD))
        if self._seen is None or any(one is not other for one, other in zip(backbone, self._backbone, strict=True)):
            self._model.load_state_dict(weights)
            self._seen, self._backbone = look(self._model, self._square), backbone
        with torch.enable_grad():
            logits = _head(self._model.head, weights)(self._seen.features)
        heat = self._seen.heat(self._asked, logits)[0]
        probabilities = torch.softmax(logits.detach().float(), dim=1)[0]
        return tuple(probabilities.tolist()), as_picture(heat, self._side)


class _Masks:
    """A segmentation network: its mask, and how much of the picture each class has."""

    label = ""

    def __init__(self, trained: Trained, square: torch.Tensor, label: str) -> None:
        self._model, self._square, self._classes = copy.deepcopy(trained.model), square, len(trained.classes)

    def at(self, weights: Weights) -> tuple[tuple[float, ...], bytes]:
        self._model.load_state_dict(weights)
        mask = self._model.probabilities(self._square)[0].argmax(dim=0).numpy().astype(np.uint8)
        shares = np.bincount(mask.ravel(), minlength=self._classes) / mask.size
        return tuple(shares.tolist()), mask_png(mask)


def _head(head: nn.Module, weights: Weights) -> nn.Module:
    """A copy of a head with other weights."""
    other = copy.deepcopy(head)
    other.load_state_dict({name.removeprefix(HEAD): one for name, one in weights.items() if name.startswith(HEAD)})
    return other
