"""Learning-rate schedules as rows. Every schedule is stepped once per optimizer step, within one phase."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.knobs import find
from core.recipe import ScheduleChoice

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler


@dataclass(frozen=True)
class ScheduleRow:
    """One schedule; `after_warmup` builds what follows the warm-up, over so many steps."""

    name: str
    label: str
    sentence: str
    after_warmup: Callable[["Optimizer", int], "LRScheduler"]
    source: str


def _constant(optimizer: "Optimizer", steps: int) -> "LRScheduler":
    from torch.optim.lr_scheduler import ConstantLR

    return ConstantLR(optimizer, factor=1.0, total_iters=0)


def _cosine(optimizer: "Optimizer", steps: int) -> "LRScheduler":
    from torch.optim.lr_scheduler import CosineAnnealingLR

    return CosineAnnealingLR(optimizer, T_max=max(1, steps))


SCHEDULES: tuple[ScheduleRow, ...] = (
    ScheduleRow(
        "cosine",
        "Cosine",
        "Falls smoothly from the learning rate to zero over the phase: large steps first, fine ones last.",
        _cosine,
        "https://arxiv.org/abs/1608.03983",
    ),
    ScheduleRow("constant", "Constant", "Stays at the learning rate.", _constant, "torch.optim.lr_scheduler"),
)


def schedule_row(name: str) -> ScheduleRow:
    """The row with this name. Raises RecipeError with the names there are."""
    return find(SCHEDULES, name, "schedule.name")


def build_schedule(optimizer: "Optimizer", choice: ScheduleChoice, steps: int) -> "LRScheduler":
    """A schedule over `steps` optimizer steps: a linear rise from a tenth (the warm-up share), then the row's."""
    from torch.optim.lr_scheduler import LinearLR, SequentialLR

    row = schedule_row(choice.name)
    warmup = round(choice.warmup * steps)
    if warmup == 0:
        return row.after_warmup(optimizer, steps)
    rise = LinearLR(optimizer, start_factor=0.1, total_iters=warmup)
    return SequentialLR(optimizer, [rise, row.after_warmup(optimizer, steps - warmup)], milestones=[warmup])
