"""Losses over the pixels of masks as rows: logits (N, K, H, W) float32 and targets (N, H, W) int64 in, one number out.

Pixels of the value IGNORE take part in none of them; a batch of nothing else gives 0. The region losses (Dice, Jaccard,
Tversky, Lovász) count over the whole batch, and leave out a class that has no pixel in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.data.dataset import IGNORE, Dataset
from core.errors import RecipeError
from core.knobs import BoolKnob, FloatKnob, Knob, check_values, find
from core.recipe import MaskLossChoice

if TYPE_CHECKING:
    import torch

    MaskLoss = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]

MOST_BALANCE = 50.0  # "balanced" never weighs one class more than so many times another


@dataclass(frozen=True)
class MaskLossRow:
    """One loss."""

    name: str
    label: str
    sentence: str
    knobs: tuple[Knob, ...]
    build: Callable[[dict[str, Any], int, "torch.Tensor | None"], "MaskLoss"]  # knob values, classes, weights of them
    source: str
    weighted: bool = True  # whether it takes class weights


def _dice(values: dict[str, Any], classes: int, weights: "torch.Tensor | None") -> "MaskLoss":
    from segmentation_models_pytorch.losses import DiceLoss

    from core.train.squared_dice import SquaredDiceLoss

    kind = SquaredDiceLoss if values["squared"] else DiceLoss
    return kind(
        "multiclass",
        classes=None if values["background"] else list(range(1, classes)),
        ignore_index=IGNORE,
        class_weights=weights,
    )


def _cross_entropy(values: dict[str, Any], classes: int, weights: "torch.Tensor | None") -> "MaskLoss":
    from torch.nn.functional import cross_entropy

    def loss(logits: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
        surprise = cross_entropy(logits, targets, weights, ignore_index=IGNORE, reduction="none")
        return _mean(surprise, targets, weights)

    return loss


def _dice_and_cross_entropy(values: dict[str, Any], classes: int, weights: "torch.Tensor | None") -> "MaskLoss":
    dice, cross_entropy = _dice(values, classes, weights), _cross_entropy(values, classes, weights)
    share = values["share"]

    def loss(logits: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
        return 2 * (share * dice(logits, targets) + (1 - share) * cross_entropy(logits, targets))

    return loss


def _focal(values: dict[str, Any], classes: int, weights: "torch.Tensor | None") -> "MaskLoss":
    from torch.nn.functional import cross_entropy

    gamma = values["gamma"]

    def loss(logits: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
        surprise = cross_entropy(logits, targets, ignore_index=IGNORE, reduction="none")
        # 1 - p by expm1, which keeps its digits, and its gradient for powers below 1, where p is nearly 1.
        pixels = (-(-surprise).expm1()).clamp_min(1e-7).pow(gamma) * surprise
        if weights is not None:
            pixels = pixels * weights[targets.masked_fill(targets == IGNORE, 0)]
        return _mean(pixels, targets, weights)

    return loss


def _tversky(values: dict[str, Any], classes: int, weights: "torch.Tensor | None") -> "MaskLoss":
    from segmentation_models_pytorch.losses import TverskyLoss

    return TverskyLoss(
        "multiclass", ignore_index=IGNORE, alpha=values["alpha"], beta=values["beta"], class_weights=weights
    )


def _lovasz(values: dict[str, Any], classes: int, weights: "torch.Tensor | None") -> "MaskLoss":
    from segmentation_models_pytorch.losses import LovaszLoss

    lovasz = LovaszLoss("multiclass", ignore_index=IGNORE)

    def loss(logits: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
        return lovasz(logits, targets).sum()  # of one number; of no numbers where every pixel is ignored

    return loss


def _jaccard(values: dict[str, Any], classes: int, weights: "torch.Tensor | None") -> "MaskLoss":
    from segmentation_models_pytorch.losses import JaccardLoss

    return JaccardLoss("multiclass", ignore_index=IGNORE, class_weights=weights)


def _mean(pixels: "torch.Tensor", targets: "torch.Tensor", weights: "torch.Tensor | None") -> "torch.Tensor":
    """The mean over the pixels that count, each as much as its class; 0 where none does."""
    counted = targets != IGNORE
    share = counted.to(pixels) if weights is None else weights[targets.masked_fill(~counted, 0)] * counted
    return (pixels * counted).sum() / share.sum().clamp_min(1e-7)


_SQUARED = BoolKnob(
    "squared",
    "squared denominator",
    False,
    help="2·Σpt / (Σp² + Σt²) instead of 2·Σpt / (Σp + Σt), as in V-Net: gentler where the model is unsure.",
)
_BACKGROUND = BoolKnob(
    "background", "count the first class", True, help="off: the mean of Dice leaves out the class with the number 0"
)

MASK_LOSSES: tuple[MaskLossRow, ...] = (
    MaskLossRow(
        "dice+cross-entropy",
        "Dice + cross-entropy",
        "Cross-entropy for a steady start, Dice so that small things count as much as large ones: the safe choice.",
        (
            _SQUARED,
            _BACKGROUND,
            FloatKnob("share", "share of Dice", 0.5, 0.0, 1.0, 0.05, help="0.5: the plain sum of the two"),
        ),
        _dice_and_cross_entropy,
        "https://arxiv.org/abs/1809.10486",
    ),
    MaskLossRow(
        "dice",
        "Dice",
        "One minus the overlap of what is found and what is there, twice their common area over the sum of both.",
        (_SQUARED, _BACKGROUND),
        _dice,
        "https://arxiv.org/abs/1606.04797",
    ),
    MaskLossRow(
        "cross-entropy",
        "Cross-entropy",
        "How surprised the model is by the true class of each pixel, in nats; large areas dominate.",
        (),
        _cross_entropy,
        "https://arxiv.org/abs/1505.04597",
    ),
    MaskLossRow(
        "focal",
        "Focal",
        "Cross-entropy that cares less for pixels that are right already, and so more for the difficult ones.",
        (FloatKnob("gamma", "gamma", 2.0, 0.0, 5.0, 0.25, help="0: plain cross-entropy"),),
        _focal,
        "https://arxiv.org/abs/1708.02002",
    ),
    MaskLossRow(
        "tversky",
        "Tversky",
        "Dice with a price of its own for what is invented and for what is missed.",
        (
            FloatKnob("alpha", "price of invented pixels", 0.3, 0.05, 1.0, 0.05),
            FloatKnob("beta", "price of missed pixels", 0.7, 0.05, 1.0, 0.05, help="both 0.5: Dice; both 1: Jaccard"),
        ),
        _tversky,
        "https://arxiv.org/abs/1706.05721",
    ),
    MaskLossRow(
        "lovasz",
        "Lovász",
        "A smooth stand-in for intersection over union itself; good for the last epochs, slow to start with.",
        (),
        _lovasz,
        "https://arxiv.org/abs/1705.08790",
        weighted=False,
    ),
    MaskLossRow(
        "jaccard",
        "Jaccard",
        "One minus intersection over union: as Dice, but harder on partial overlap.",
        (),
        _jaccard,
        "https://arxiv.org/abs/1608.01471",
    ),
)


def mask_loss_row(name: str) -> MaskLossRow:
    """The row with this name. Raises RecipeError with the names there are."""
    return find(MASK_LOSSES, name, "loss.name")


def knob_values(choice: MaskLossChoice) -> dict[str, Any]:
    """A checked value for every knob of the chosen loss. Raises RecipeError for what it does not know or take."""
    return check_values(mask_loss_row(choice.name).knobs, choice.values, "loss.values")


def class_weights(choice: MaskLossChoice, dataset: Dataset) -> tuple[float, ...] | None:
    """How much each class counts, with mean 1; None where all count the same.

    "balanced" is the inverse of each class's share of the pixels in the training split, no class more than MOST_BALANCE
    times another. Raises RecipeError for numbers that are not one for each class.
    """
    if choice.class_weights == "none":
        return None
    if choice.class_weights == "balanced":
        samples = dataset.of("train")
        pixels = [sum(sample.pixels[label] for sample in samples) for label in range(len(dataset.classes))]
        most = max(pixels)
        weights = [min(MOST_BALANCE, most / number) if number else MOST_BALANCE for number in pixels]
    else:
        weights = list(choice.class_weights)
        if len(weights) != len(dataset.classes):
            raise RecipeError(
                "loss.class_weights",
                found=f"{len(weights)} numbers",
                expected=f"one for each of the {len(dataset.classes)} classes: {', '.join(dataset.classes)}",
            )
    mean = sum(weights) / len(weights)
    return tuple(weight / mean for weight in weights)


def build_mask_loss(
    choice: MaskLossChoice, classes: int, weights: "Sequence[float] | torch.Tensor | None", device: "torch.device"
) -> "MaskLoss":
    """The loss of a recipe for `classes` classes, the first being the background, each counting as `weights` say.

    Raises RecipeError for an unknown name or knob, and for weights of classes that the loss does not take.
    """
    import torch

    row = mask_loss_row(choice.name)
    if weights is not None and not row.weighted:
        raise RecipeError("loss.class_weights", found="weights", expected=f"none, since {row.label} takes no weights")
    counts = None if weights is None else torch.as_tensor(weights, dtype=torch.float32, device=device)
    return row.build(knob_values(choice), classes, counts)
