"""What can be known of a run before it is made, but only with torch: for callers that import it anyway, and the lab.

Networks are built as shapes without numbers, on torch's meta device, wherever they can be: a ConvNeXt-XLarge of 348
million weights then takes as long as a small network, and no memory.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from core.errors import FoveaError, RecipeError
from core.models.classifiers import fitting as fitting_backbone
from core.models.classifiers import has_drop_path
from core.models.stages import blocks_of, layers_of, stages
from core.models.weight_files import read_tensors
from core.models.weights import is_file, locate
from core.recipe import ModelChoice, Phase, Recipe, SegmenterChoice
from core.train.devices import accelerator_for
from core.train.freezing import Frozen, freeze
from core.train.task import Network, build_model


def rehearse(recipe: Recipe) -> None:
    """Refuse what this machine or the network cannot do, in one sentence.

    Raises RecipeError for a device or precision this machine does not have, a backbone or encoder nobody knows, an
    architecture that cannot stand on the encoder, an image size that the backbone cannot take, drop-path where there is
    none, and more layers or blocks than there are; WeightsError for a weight file that is not there or was made for
    another network.
    """
    with accelerator_for(recipe):
        pass
    model = _without_numbers(recipe, 2)
    _gmacs(model, recipe)
    _insist_on_fitting_weights(model, recipe.model)
    for number, phase in enumerate(recipe.phases):
        _freeze(model, phase, number)


def describe(recipe: str, classes: int) -> dict[str, Any]:
    """Facts of the network of a recipe (as JSON) and of what learns in each phase, as plain data for a page.

    {"parameters", "head" (those of what always learns), "gmacs" (billions of multiply-adds for one image of the
    recipe's size), "stages" [{"name", "parameters"}] from the input to the head, "phases" [{"name", "trainable",
    "frozen", "still_norms" (batch norms that learn without measuring), "by_stage" [{"name", "trainable", "frozen"}]}],
    "blocks", "layers" (how many "last ..." can ask for),
    "drop_path" (whether the backbone has branches to drop), "padded_to" (pixels; None where nothing is padded),
    "error" (None, or one sentence where the recipe asks for what the network cannot do; then what is not known is
    None, or empty)}. Nothing is downloaded and nothing computed.
    """
    wanted = Recipe.from_json(recipe)
    facts: dict[str, Any] = dict.fromkeys(("parameters", "head", "gmacs", "blocks", "layers", "padded_to", "error"))
    facts |= {"stages": [], "phases": [], "drop_path": False}
    try:
        if isinstance(wanted.model, ModelChoice):
            facts["drop_path"] = has_drop_path(wanted.model.backbone)
        model = _without_numbers(wanted, classes)
        facts |= _sizes(model, wanted)
        _insist_on_fitting_weights(model, wanted.model)
        facts["phases"] = [_phase(model, phase, number) for number, phase in enumerate(wanted.phases)]
    except FoveaError as error:
        facts["error"] = str(error)
    return facts


def _without_numbers(recipe: Recipe, classes: int) -> Network:
    try:
        with torch.device("meta"):
            return build_model(recipe, classes, pretrained=False)
    except NotImplementedError:  # this network computes while it is built
        return build_model(recipe, classes, pretrained=False).to("meta")


def _sizes(model: Network, recipe: Recipe) -> dict[str, Any]:
    side = recipe.image_size
    padded = model.padded(side) if isinstance(recipe.model, SegmenterChoice) else side
    return {
        "parameters": _count(model.parameters()),
        "head": _count(model.head.parameters()),
        "gmacs": _gmacs(model, recipe),
        "stages": [{"name": stage.name, "parameters": stage.parameters} for stage in _stages(model)],
        "blocks": len(blocks_of(model.backbone)),
        "layers": len(layers_of(model.backbone)),
        "padded_to": padded if padded != side else None,
    }


def _gmacs(model: Network, recipe: Recipe) -> float | None:
    """Billions of multiply-adds for one image; None where the network cannot tell without numbers.

    Raises RecipeError where it cannot take images of the recipe's size, as some transformers take one size alone.
    """
    side = recipe.image_size
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model.eval()(torch.empty(1, 3, side, side, device="meta"))
    except Exception as error:  # more than a thousand networks by many hands say no in as many ways
        if isinstance(error, NotImplementedError) or "meta" in str(error):
            return None  # it has to look at numbers
        own = getattr(model.backbone, "pretrained_cfg", {}).get("input_size", (0,))[-1]
        raise RecipeError(
            "image_size",
            found=f"{side}, which {recipe.model.network} cannot take ({error})",
            do=f"Choose {own}, the size it was made for" if own not in (0, side) else "Choose another size or network",
        ) from error
    return counter.get_total_flops() / 2e9


def _freeze(model: Network, phase: Phase, number: int) -> Frozen:
    field = f"phases.{number}.trainable"
    return freeze(model.backbone, model.head, phase.trainable, norms=phase.norms, field=field)


def _phase(model: Network, phase: Phase, number: int) -> dict[str, Any]:
    frozen = _freeze(model, phase, number)
    learning = set(layers_of(model.backbone)) - set(frozen.layers)
    return {
        "name": phase.name,
        "trainable": frozen.trainable,
        "frozen": frozen.frozen,
        "still_norms": len(learning.intersection(frozen.still)),
        "by_stage": [{"name": stage.name, **_split(stage.layers)} for stage in _stages(model)],
    }


def _split(layers: Iterable[nn.Module]) -> dict[str, int]:
    parameters = [one for layer in layers for one in layer.parameters(recurse=False)]
    free = _count(one for one in parameters if one.requires_grad)
    return {"trainable": free, "frozen": _count(parameters) - free}


def _stages(model: Network) -> tuple:
    return stages(model.backbone, model.head, head_name="decoder" if hasattr(model, "network") else "head")


def _count(parameters: Iterable[nn.Parameter]) -> int:
    return sum(one.numel() for one in parameters)


def _insist_on_fitting_weights(model: Network, choice: ModelChoice | SegmenterChoice) -> None:
    """Raises WeightsError for a named file that is not there, cannot be read, or has not the tensors of the network."""
    path = locate(choice) if is_file(choice) else None
    if path is None:
        return
    found, wanted = read_tensors(path, device="meta"), model.backbone.state_dict()
    if isinstance(choice, ModelChoice):
        fitting_backbone(found, wanted, path, choice.backbone)
        return
    from core.models.unets import fitting as fitting_encoder  # here, because classifiers train without SMP installed

    fitting_encoder(found, wanted, path, choice.encoder)
