"""What a recipe chooses as the texts of Python that stand in a script: transforms, loss, optimizer, mixing."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from core.augment import warp
from core.data.dataset import Dataset
from core.models.network import PixelNetwork
from core.predict.export.source import Gathered, gather
from core.predict.export.writing import filled
from core.recipe import OptimizerChoice, Recipe, TransformChoice
from core.train.losses import loss_values, weights_of
from core.train.mask_losses import class_weights, knob_values
from core.train.optimizers import optimizer_row


def named(rows: Sequence[TransformChoice]) -> list[tuple[str, TransformChoice]]:
    """Each row by the name of its draws: a row that stands twice draws twice."""
    seen: Counter[str] = Counter()
    found = []
    for row in rows:
        found.append((f"{row.name}.{seen[row.name]}" if seen[row.name] else row.name, row))
        seen[row.name] += 1
    return found


def moves(expressions: Sequence[str]) -> bool:
    """Whether any of these is a map that can be joined with others."""
    return any(
        isinstance(kind := getattr(warp, text.split("(")[0], None), type) and issubclass(kind, warp.Warp)
        for text in expressions
    )


def counting() -> Gathered:
    """What counts the pixels of masks and sums them up."""
    return gather(
        [
            ("core.train.segmentation", "pixel_counts"),
            ("core.metrics.segmentation", "mean_dice"),
            ("core.metrics.segmentation", "mean_iou"),
        ]
    )


def loss(recipe: Recipe, dataset: Dataset, masks: bool) -> tuple[str, Gathered]:
    """The loss as the text of the script, and what it stands on."""
    choice, squared = recipe.loss, gather([])
    if masks:
        values, weights = knob_values(choice), class_weights(choice, dataset)
        if values.get("squared"):
            squared = gather([("core.train.squared_dice", "SquaredDiceLoss")])
    else:
        values, found = loss_values(choice), weights_of(choice, dataset)
        weights = None if found is None else [float(one) for one in found]
    facts = {
        "masks": masks,
        "name": choice.name,
        "values": values,
        "weights": None if weights is None else list(weights),
        "squared": squared.text,
        "smoothing": getattr(choice, "label_smoothing", 0.0),
    }
    return filled("loss.py.jinja", facts).strip("\n"), squared


def scales(choice: OptimizerChoice, model: PixelNetwork) -> list[tuple[str, float]]:
    """Where the share of the learning rate changes along the parameters; empty where it never does."""
    if choice.layer_decay >= 1:
        return []
    depth_of = model.group_matcher()
    depths = {name: depth_of(name) for name, _ in model.named_parameters()}
    order = {depth: place for place, depth in enumerate(sorted(set(depths.values())))}
    steps, last = [], None
    for name, depth in depths.items():
        scale = choice.layer_decay ** (len(order) - 1 - order[depth])
        if scale != last:
            steps.append((repr(name), scale))
        last = scale
    return steps


def optimizer(choice: OptimizerChoice) -> str:
    """What builds the optimizer over the script's groups of weights."""
    row, groups = optimizer_row(choice.name), "list(groups.values())"
    if choice.name == "sgd":
        return f"torch.optim.SGD({groups}, momentum={choice.momentum}, nesterov={choice.momentum > 0}, fused=True)"
    if choice.name in ("adam", "adamw"):
        return f"torch.optim.{row.label.split()[0]}({groups}, fused=True)"
    return f'create_optimizer_v2({groups}, opt="{row.timm}", lr=rate)'


def mixing(recipe: Recipe, classes: int) -> dict[str, Any] | None:
    """What mixes pictures of a batch; None where nothing does."""
    if not recipe.mix.on:
        return None
    kinds = (("MixUp", recipe.mix.mixup), ("CutMix", recipe.mix.cutmix))
    mixes = [f"v2.{kind}(alpha={alpha}, num_classes={classes})" for kind, alpha in kinds if alpha > 0]
    return {"kinds": mixes, "probability": recipe.mix.probability}
