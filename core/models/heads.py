"""The heads a classifier can have: what turns a backbone's features into classes. Importing this imports no torch.

The backbone pools its maps itself, so a head reads one row of features for each image.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.knobs import FloatKnob, IntKnob, find
from core.recipe import ModelChoice

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class HeadRow:
    """One head. Its knobs are fields of `ModelChoice`; a field that is no knob of it has no effect."""

    name: str
    label: str
    sentence: str
    knobs: tuple[FloatKnob | IntKnob, ...]

    @property
    def dense(self) -> bool:
        """Whether it has a layer of its own before the last one."""
        return any(knob.name == "hidden" for knob in self.knobs)

    def parameters(self, width: int, classes: int, hidden: int) -> int:
        """Weights and biases for `width` features of an image."""
        read = hidden if self.dense else width
        return (width + 1) * hidden * self.dense + (read + 1) * classes


def _dropout(default: float) -> FloatKnob:
    about = "Share of what the last layer reads that is left out at random at each step."
    return FloatKnob("dropout", "Dropout", default, 0.0, 0.9, 0.05, help=about)


HEADS: tuple[HeadRow, ...] = (
    HeadRow(
        "linear", "One layer", "One linear layer on the pooled features: quick, hard to overfit.", (_dropout(0.0),)
    ),
    HeadRow(
        "dense",
        "Dense layer, then classes",
        "A dense layer with ReLU and dropout before the last one, as many course reports have it: it can bend where "
        "one layer is straight, and overfits sooner.",
        (IntKnob("hidden", "Units", 256, 8, 4096, 8, help="How many numbers the dense layer makes."), _dropout(0.5)),
    ),
)


def head_row(name: str) -> HeadRow:
    """The row of a head. Raises RecipeError listing the names when there is none."""
    return find(HEADS, name, "model.head")


def build_head(choice: ModelChoice, width: int, classes: int) -> "nn.Module":
    """The chosen head: logits (N, classes) of features (N, width). Drawn from torch's global generator.

    Raises RecipeError for a head there is none of.
    """
    from torch import nn

    row = head_row(choice.head)
    if not row.dense:
        return nn.Sequential(nn.Dropout(choice.dropout), nn.Linear(width, classes))
    return nn.Sequential(
        nn.Linear(width, choice.hidden), nn.ReLU(), nn.Dropout(choice.dropout), nn.Linear(choice.hidden, classes)
    )
