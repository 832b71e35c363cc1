"""What differs between the problems that a run can be about, so that the loop need not know which it is.

A task knows the network, what a loss and a score are, which targets belong to the pictures and what can be shown of a
model that still learns. Each is a file of the same inner shape: `classification.py`, `segmentation.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Union

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from core.augment.mixing import Mixing
from core.augment.pipeline import Augmentation
from core.data.dataset import Dataset
from core.data.loading import DecodedImages
from core.models.classifiers import Classifier
from core.recipe import Recipe
from core.train.classification import ClassificationTask
from core.train.events import Look, Looks
from core.train.segmentation import SegmentationTask
from core.train.sources import Index

if TYPE_CHECKING:
    from core.models.unets import Segmenter

Network = Union[Classifier, "Segmenter"]  # with a backbone and a head, and its own way of normalising pictures
Batch = tuple[torch.Tensor, torch.Tensor]  # inputs and targets


class Tally(Protocol):
    """Additive counts over a pass. Whatever is told of the pass is computed from them."""

    images: int  # so far

    def add(self, losses: torch.Tensor, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Count one batch of n images: losses (n,), and what the model gave and should have given."""

    @property
    def loss(self) -> float:
        """Mean loss over the images so far. Reading it waits for the device."""

    def state(self) -> dict[str, Any]:
        """The counts so far, as tensors on the CPU and numbers."""

    def absorb(self, state: dict[str, Any]) -> None:
        """Add counts that another tally had: of the same pass before it was paused, or of another process's share."""

    def metrics(self) -> dict[str, float]:
        """Loss and scores of the pass."""

    def per_class(self) -> tuple[float | None, ...]:
        """A score of each class, in their order; None where the counts do not define it. Empty where there is none."""

    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the score that stands for a run; None where it is too few images."""


class Source(Protocol):
    """Inputs and targets by index, for PyTorch's batched look-up."""

    def __getitems__(self, indices: Sequence[Index]) -> Batch: ...

    def prefetch(self, indices: Sequence[Index]) -> None:
        """Begin to get these ready in the background."""


class Task(Protocol):
    """One problem, opened for one run. `images` are the decoded images of its dataset."""

    images: DecodedImages
    validation_batch: int  # images per pass that only looks
    stores_features: bool  # while the backbone is frozen, the head learns from its stored features

    def build(self, *, pretrained: bool = True) -> Network:
        """The network, its head drawn from torch's global generator: seed it first. Without `pretrained` all of it is
        random: for one about to be loaded."""

    def source(self, augmentation: Augmentation) -> Source:
        """The pictures and their targets."""

    def mixing(self) -> Mixing | None:
        """What mixes training pictures and their targets with one another; None where nothing does."""

    def losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """One loss per image, (n,) float32, whose mean is learned from. Targets may be those that mixing gave."""

    def tally(self) -> Tally:
        """Fresh counts for one pass."""

    def better(self, one: dict[str, float], other: dict[str, float] | None) -> bool:
        """Whether `one` is the better validation, by the figure that the recipe chooses the best epoch by."""

    def looks(self) -> Iterator[Looks]:
        """The few validation images to be shown after each epoch; nothing where there is nothing to show."""

    def look(self, epoch: int, forward: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[Look]:
        """What the model, in evaluation mode, makes of them."""

    def facts(self) -> dict[str, Any]:
        """What a saved model of this task must never be separated from, besides what every one carries."""

    def close(self) -> None:
        """Let go of the files."""


TASKS: dict[str, type[ClassificationTask] | type[SegmentationTask]] = {
    "classification": ClassificationTask,
    "segmentation": SegmentationTask,
}


def task_for(recipe: Recipe, dataset: Dataset, device: torch.device, cache: Path) -> Task:
    """The task of a recipe, with the decoded pictures of its dataset under `cache`; to be closed."""
    return TASKS[recipe.task](recipe, dataset, device, cache)


def combined(task: Task, tally: Tally, accelerator: Accelerator) -> Tally:
    """The counts of all processes that share a pass; the tally itself where there is only one."""
    if accelerator.num_processes == 1:
        return tally
    whole = task.tally()
    for state in gather_object([tally.state()]):
        whole.absorb(state)
    return whole


def build_model(recipe: Recipe, classes: int, *, pretrained: bool = True) -> Network:
    """The network that a recipe asks for; with `pretrained=False` one about to be loaded, at random."""
    return TASKS[recipe.task].network(recipe, classes, pretrained=pretrained)
