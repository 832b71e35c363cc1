"""What a model that Fovea saved says of itself, read from its file's header alone. Importing this imports no torch.

Another run can start from such a file, so a page and a command have to know whether it fits before anything starts.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import FoveaError, WeightsError
from core.models.architectures import TIMM_PREFIX
from core.recipe import ModelChoice, Recipe, SegmenterChoice

_LONGEST_HEADER = 50_000_000  # bytes; that of the largest network takes a hundredth


@dataclass(frozen=True)
class Saved:
    """A model that a run has saved: its choices, its classes in order, and where it is."""

    run: str  # the name of the run's folder
    recipe: Recipe
    classes: tuple[str, ...]

    @property
    def network(self) -> str:
        """The backbone or encoder, without the tag of its training."""
        return looked_with(self.recipe.model)

    def same_whole(self, choice: ModelChoice | SegmenterChoice, classes: Sequence[str]) -> str:
        """Why the head, or the decoder, cannot be taken along with the backbone; empty where it can."""
        mine = self.recipe.model
        if isinstance(choice, SegmenterChoice) != isinstance(mine, SegmenterChoice):
            return "that run was about " + ("masks" if isinstance(mine, SegmenterChoice) else "whole pictures")
        if isinstance(choice, SegmenterChoice) and choice.architecture != mine.architecture:
            return f"that run has {mine.architecture} and not {choice.architecture}"
        if isinstance(choice, ModelChoice) and (choice.head, choice.head == "dense" and choice.hidden) != (
            mine.head,
            mine.head == "dense" and mine.hidden,
        ):
            return "that run has another kind of head"
        if tuple(classes) != self.classes:
            same = sorted(classes) == sorted(self.classes)
            return "that run has its classes in another order" if same else "that run has other classes"
        return ""


def saved_model(path: Path) -> Saved | None:
    """What the header of a file says; None for any file that is not one of Fovea's own."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if path.suffix.lower() != ".safetensors" or length > _LONGEST_HEADER:
                return None
            facts: Any = json.loads(json.loads(file.read(length))["__metadata__"]["facts"])
        return Saved(path.parent.name, Recipe.parse(facts["recipe"]), tuple(map(str, facts["classes"])))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, FoveaError):
        return None  # whatever is wrong with it is said by whoever reads its tensors


def start_from(path: Path, task: str) -> dict[str, Any]:
    """What a recipe of a task is to say so that it starts from a saved model: {path in the recipe: value}.

    The network is that of the model, as far as the task has such a one. Raises WeightsError when no model is there.
    """
    saved = saved_model(path)
    if saved is None:
        raise WeightsError(
            "There is no saved model to start from",
            found=f"{'a damaged' if path.is_file() else 'no'} {path.name} in {path.parent.name}",
            do="Let that run train for one epoch, or choose another",
        )
    theirs, changes = saved.recipe.model, {"model.weights": str(path)}
    if task == saved.recipe.task:
        parts = ("architecture", "encoder") if isinstance(theirs, SegmenterChoice) else ("backbone", "head", "hidden")
        return changes | {f"model.{part}": getattr(theirs, part) for part in parts}
    if isinstance(theirs, ModelChoice):
        return changes | {"model.encoder": TIMM_PREFIX + theirs.backbone}
    backbone = theirs.encoder.removeprefix(TIMM_PREFIX)
    return changes | ({"model.backbone": backbone} if backbone != theirs.encoder else {})


def looked_with(choice: ModelChoice | SegmenterChoice) -> str:
    """What looks at the pictures: a name of timm without the tag of its training, or an encoder of SMP."""
    name = choice.encoder if isinstance(choice, SegmenterChoice) else choice.backbone
    return name.removeprefix(TIMM_PREFIX).partition(".")[0]


def insist_on_same(path: Path, choice: ModelChoice | SegmenterChoice) -> None:
    """Refuse a model that another run has saved with another network. Raises WeightsError."""
    saved = saved_model(path)
    if saved is not None and saved.network != looked_with(choice):
        ours = looked_with(choice)
        raise WeightsError(
            f"{path.name} of {saved.run} does not fit {ours}",
            found=f"the weights of {saved.network}",
            expected=f"those of {ours}",
            do=f"Choose {saved.network}, or other weights",
        )
