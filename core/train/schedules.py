"""Learning-rate schedules as rows: how the rate moves within one phase.

A schedule is stepped once per optimizer step and told of every validation. The schedules themselves are PyTorch's;
`Schedule` joins them with a warm-up and keeps what is needed to go on from any step.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.knobs import BoolKnob, FloatKnob, IntKnob, Knob, check_values, find
from core.recipe import ScheduleChoice

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

START = 0.1  # a warm-up begins at so much of the rate it rises to
_TORCH = "https://docs.pytorch.org/docs/stable/optim.html"
_MOVED = ("lr", "momentum", "betas")  # what a schedule changes in an optimizer's groups


@dataclass(frozen=True)
class Span:
    """The optimizer steps of a phase."""

    steps: int  # of the whole phase
    steps_per_epoch: int
    warmup: int  # the first so many of them, which a warm-up takes

    @property
    def rest(self) -> int:
        """Steps after the warm-up; never 0."""
        return max(1, self.steps - self.warmup)


@dataclass(frozen=True)
class ScheduleRow:
    """One schedule; `build` makes what follows the warm-up from knob values and the phase's steps."""

    name: str
    label: str
    sentence: str
    knobs: tuple[Knob, ...]
    build: Callable[["Optimizer", dict[str, Any], Span], "LRScheduler"]
    source: str
    warms_up: bool = True  # whether the recipe's warm-up comes first; a schedule with a rise of its own has none
    watch: Callable[["Optimizer", dict[str, Any]], "ReduceLROnPlateau"] | None = None  # what hears the validation loss


def _constant(optimizer: "Optimizer", values: dict[str, Any], span: Span) -> "LRScheduler":
    from torch.optim.lr_scheduler import ConstantLR

    return ConstantLR(optimizer, factor=1.0, total_iters=0)


def _cosine(optimizer: "Optimizer", values: dict[str, Any], span: Span) -> "LRScheduler":
    from torch.optim.lr_scheduler import CosineAnnealingLR

    return CosineAnnealingLR(optimizer, T_max=span.rest)


def _one_cycle(optimizer: "Optimizer", values: dict[str, Any], span: Span) -> "LRScheduler":
    from torch.optim.lr_scheduler import OneCycleLR

    points = span.steps + 1  # PyTorch counts the rate after the last step as well
    rise = values["rise"]
    if rise * points == 1:  # a rise that ends on the very first point is a division by zero
        rise *= 1 + 1e-9
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=points,
        pct_start=rise,
        div_factor=values["start_divisor"],
        final_div_factor=values["end_divisor"],
        cycle_momentum=values["momentum"],
    )


def _step(optimizer: "Optimizer", values: dict[str, Any], span: Span) -> "LRScheduler":
    from torch.optim.lr_scheduler import MultiStepLR

    # The fall comes with the end of an epoch, wherever the warm-up ends.
    falls = range(values["every"] * span.steps_per_epoch, span.steps, values["every"] * span.steps_per_epoch)
    return MultiStepLR(optimizer, [max(0, fall - span.warmup) for fall in falls], gamma=values["factor"])


def _exponential(optimizer: "Optimizer", values: dict[str, Any], span: Span) -> "LRScheduler":
    from torch.optim.lr_scheduler import ExponentialLR

    return ExponentialLR(optimizer, gamma=values["factor"] ** (1 / span.steps_per_epoch))


def _plateau(optimizer: "Optimizer", values: dict[str, Any]) -> "ReduceLROnPlateau":
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    return ReduceLROnPlateau(
        optimizer,
        factor=values["factor"],
        patience=values["patience"],
        min_lr=[group["initial_lr"] * values["lowest"] for group in optimizer.param_groups],
        eps=0.0,
    )


SCHEDULES: tuple[ScheduleRow, ...] = (
    ScheduleRow(
        "cosine",
        "Cosine",
        "Falls smoothly from the learning rate to zero over the phase: large steps first, fine ones last.",
        (),
        _cosine,
        "https://arxiv.org/abs/1608.03983",
    ),
    ScheduleRow("constant", "Constant", "Stays at the learning rate.", (), _constant, _TORCH),
    ScheduleRow(
        "one-cycle",
        "One cycle",
        "Rises from a small rate to the learning rate and falls to almost nothing, in one sweep over the phase.",
        (
            FloatKnob("rise", "share of the steps that rise", 0.25, 0.05, 0.9, 0.05),
            FloatKnob("start_divisor", "start below the peak", 25.0, 1.0, 1000.0, 1.0, "times", "25: a 25th of it"),
            FloatKnob("end_divisor", "end below the start", 1e4, 1.0, 1e6, 100.0, "times"),
            BoolKnob(
                "momentum",
                "momentum the other way",
                True,
                help="0.95 while the rate is low, 0.85 at its peak; the optimizer's own momentum is not used",
            ),
        ),
        _one_cycle,
        "https://arxiv.org/abs/1708.07120",
        warms_up=False,
    ),
    ScheduleRow(
        "plateau",
        "Reduce on plateau",
        "Stays at the learning rate and falls each time the validation loss has stopped getting better.",
        (
            FloatKnob("factor", "falls to", 0.2, 0.01, 0.9, 0.05, "of the rate before"),
            IntKnob("patience", "patience", 2, 0, 100, 1, "epochs", "so many without a better loss are borne"),
            FloatKnob("lowest", "lowest rate", 0.001, 0.0, 0.5, 0.001, "of the learning rate"),
        ),
        _constant,
        _TORCH,
        watch=_plateau,
    ),
    ScheduleRow(
        "step",
        "Steps",
        "Falls by a factor after every so many epochs.",
        (
            IntKnob("every", "falls every", 5, 1, 1000, 1, "epochs", "as long as the phase or longer: it never falls"),
            FloatKnob("factor", "falls to", 0.2, 0.01, 0.95, 0.05, "of the rate before"),
        ),
        _step,
        _TORCH,
    ),
    ScheduleRow(
        "exponential",
        "Exponential",
        "Falls by the same share in every epoch, a little at each step.",
        (FloatKnob("factor", "after an epoch", 0.9, 0.1, 0.999, 0.01, "of the rate before"),),
        _exponential,
        _TORCH,
    ),
)


def schedule_row(name: str, field: str = "schedule") -> ScheduleRow:
    """The row with this name. Raises RecipeError, about `field`, with the names there are."""
    return find(SCHEDULES, name, f"{field}.name")


def schedule_values(choice: ScheduleChoice, field: str = "schedule") -> dict[str, Any]:
    """A checked value for every knob of the chosen schedule. Raises RecipeError for what it does not know or take."""
    return check_values(schedule_row(choice.name, field).knobs, choice.values, f"{field}.values")


class Schedule:
    """The learning rate of one phase, from its first optimizer step to its last.

    Each group of the optimizer keeps its own peak, so that rates that differ by layer stay in proportion. After the
    last step the rate stays as it is.
    """

    def __init__(self, optimizer: "Optimizer", row: ScheduleRow, values: dict[str, Any], span: Span) -> None:
        self._optimizer, self._span, self._taken = optimizer, span, 0
        self._moving = _with_warmup(optimizer, row, values, span)
        self._watching = row.watch(optimizer, values) if row.watch else None

    @property
    def rate(self) -> float:
        """The learning rate of the next step: the largest where layers differ."""
        return max(float(group["lr"]) for group in self._optimizer.param_groups)

    def step(self) -> None:
        """Go on to the next step; after every step of the optimizer."""
        if self._taken < self._span.steps:
            self._taken += 1
            self._moving.step()

    def end_epoch(self, validation_loss: float) -> None:
        """Hear of a validation, after every one."""
        if self._watching:
            self._watching.step(validation_loss)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on from here: plain numbers, lists and dicts."""
        return {
            "taken": self._taken,
            "moving": deepcopy(self._moving.state_dict()),
            "watching": deepcopy(self._watching.state_dict()) if self._watching else None,
            "groups": [{key: group[key] for key in _MOVED if key in group} for group in self._optimizer.param_groups],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state, with the rates and momentums that the optimizer had then."""
        state = deepcopy(state)
        self._taken = state["taken"]
        self._moving.load_state_dict(state["moving"])
        if self._watching:
            self._watching.load_state_dict(state["watching"])
        for group, moved in zip(self._optimizer.param_groups, state["groups"], strict=True):
            group.update(moved)


def _with_warmup(optimizer: "Optimizer", row: ScheduleRow, values: dict[str, Any], span: Span) -> "LRScheduler":
    from torch.optim.lr_scheduler import LinearLR, SequentialLR

    if not span.warmup:
        return row.build(optimizer, values, span)
    rise = LinearLR(optimizer, start_factor=START, total_iters=span.warmup)
    if row.watch:  # it may lower the rate at any time, which a schedule joined to the rise would undo
        return rise
    return SequentialLR(optimizer, [rise, row.build(optimizer, values, span)], milestones=[span.warmup])


def build_schedule(
    optimizer: "Optimizer", choice: ScheduleChoice, *, steps_per_epoch: int, epochs: int, field: str = "schedule"
) -> Schedule:
    """The schedule of a phase of so many epochs of so many optimizer steps, whose peak is the optimizer's own rate.

    Raises RecipeError, about `field`, for an unknown name or knob and for a value out of bounds.
    """
    row, values = schedule_row(choice.name, field), schedule_values(choice, field)
    steps = steps_per_epoch * epochs
    warmup = round(choice.warmup * steps) if row.warms_up else 0
    return Schedule(optimizer, row, values, Span(steps, steps_per_epoch, warmup))
