"""Which parts of a network learn: parameters by stage -> a strip for each kind of phase, from the input to the head.

Every stage gets the same width, as a head of five thousand weights would not be seen beside a backbone of millions; how
many there are stands below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET, faded
from core.figures.layout import label, quiet

ROW, AXIS = 30, 72  # pixels
GAP = 0.04  # between stages, as a share of one
MOST_NUMBERED = 16  # of more stages than that only the names stand below


@dataclass(frozen=True)
class StageCount:
    """How many parameters of a stage may change, and how many may not."""

    name: str  # "stem", "block 1", "head"
    trainable: int
    frozen: int

    @property
    def parameters(self) -> int:
        return self.trainable + self.frozen


@dataclass(frozen=True)
class PhaseCounts:
    """The stages of a network during a phase, or during all phases of a kind."""

    name: str
    stages: tuple[StageCount, ...]  # from the input to the head


def stage_bars(phases: Sequence[PhaseCounts], *, identity: str = "") -> go.Figure:
    """A strip for each of `phases`, the first on top; what learns has the accent colour."""
    figure = go.Figure()
    names = [f"{place}. {label(phase.name, 26)}" if len(phases) > 1 else "" for place, phase in enumerate(phases, 1)]
    cells = [
        (name, place, stage, stage.trainable / max(1, stage.parameters))
        for name, phase in zip(names, phases, strict=True)
        for place, stage in enumerate(phase.stages)
    ]
    for learns, colour in ((True, ACCENT), (False, faded(QUIET, 0.35))):
        drawn = [cell for cell in cells if (cell[3] > 0 if learns else cell[3] < 1)]
        figure.add_bar(
            y=[name for name, _, _, _ in drawn],
            x=[(part if learns else 1 - part) * (1 - GAP) for _, _, _, part in drawn],
            base=[place + (0 if learns else part * (1 - GAP)) for _, place, _, part in drawn],
            customdata=[(label(stage.name), stage.trainable, stage.frozen) for _, _, stage, _ in drawn],
            orientation="h",
            name="learns" if learns else "stays as it is",
            marker={"color": colour, "line": {"width": 0}},
            width=0.7,
            hovertemplate="%{customdata[0]}<br>%{customdata[1]:,} learn<br>%{customdata[2]:,} stay<extra></extra>",
        )
    quiet(figure, height=AXIS + ROW * len(phases), identity=identity)
    stages = phases[0].stages if phases else ()
    numbered = len(stages) <= MOST_NUMBERED
    figure.update_xaxes(
        tickvals=[place + (1 - GAP) / 2 for place in range(len(stages))],
        ticktext=[_below(stage, numbered) for stage in stages],
        tickangle=0,
        tickfont={"size": 10},
        range=[0, max(1, len(stages)) - GAP],
        showgrid=False,
    )
    span = [-0.5, len(phases) - 0.5]
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], range=span, showgrid=False)
    return figure.update_layout(barmode="overlay", showlegend=True, margin={"t": 28, "b": 38 if numbered else 24})


def short(parameters: int) -> str:
    """ "5.1 k", "3.4 M": a number of parameters in a few letters."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if parameters >= 0.9995 * size:
            return f"{parameters / size:.3g}{unit}"
    return str(parameters)


def _below(stage: StageCount, numbered: bool) -> str:
    name = label(stage.name.removeprefix("block "), 8)
    return f"{name}<br>{short(stage.parameters)}" if numbered else name
