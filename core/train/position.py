"""Where training stands: what decides how it goes on, and is saved with the weights."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from core.recipe import Recipe


@dataclass(frozen=True)
class Position:
    """Between two steps of training."""

    epoch: int = 0  # epochs done, over all phases
    step: int = 0  # steps done of the next one
    phase: int = 0  # from 0
    in_phase: int = 0  # epochs done of this phase
    over: bool = False  # this phase has ended
    best: dict[str, float] | None = None  # epoch and figures of the best validation so far
    figure: float | None = None  # the best of this phase, by the metric of early stopping
    waited: int = 0  # epochs since then
    pieces: int = 1  # that a batch is learned from in

    @classmethod
    def of(cls, saved: dict[str, Any] | None) -> Self:
        """The position in a saved state, or the start."""
        return cls(**saved["at"]) if saved else cls()

    def state(self) -> dict[str, Any]:
        """What `of` reads."""
        return {"at": asdict(self)}

    def next_phase(self) -> Self:
        """Before the first epoch of the next phase."""
        return replace(self, phase=self.phase + 1, in_phase=0, over=False, figure=None, waited=0)

    def after_epoch(self, recipe: Recipe, validation: dict[str, float], best: dict[str, float] | None) -> Self:
        """After one more epoch of this phase, whose validation gave these figures."""
        stopping, phase = recipe.early_stopping, recipe.phases[self.phase]
        figure, waited, done = validation[stopping.metric], self.waited + 1, self.in_phase + 1
        better = (
            (self.figure - figure if stopping.metric == "loss" else figure - self.figure) if self.in_phase else math.inf
        )
        if better > stopping.least:
            waited = 0
        else:
            figure = self.figure
        patience = stopping.patience or math.inf
        return replace(
            self,
            epoch=self.epoch + 1,
            step=0,
            in_phase=done,
            over=done >= phase.epochs or waited >= patience,
            best=best,
            figure=figure,
            waited=waited,
        )
