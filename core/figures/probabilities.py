"""What a model says about one picture: its probabilities as bars."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.figures.colours import class_colour, faded
from core.figures.layout import label, quiet

MOST_BARS = 8
BAR = 30  # pixels


def probability_bars(probabilities: Mapping[str, float], classes: Sequence[str]) -> go.Figure:
    """The most probable classes (at most 8), largest on top, each in its class's colour; values in [0, 1]."""
    ranked = sorted(probabilities, key=probabilities.__getitem__, reverse=True)[:MOST_BARS]
    place = {name: index for index, name in enumerate(classes)}
    rows = list(range(len(ranked)))
    values = [probabilities[name] for name in ranked]
    colours = [faded(class_colour(place[name]), 1.0 if row == 0 else 0.55) for row, name in enumerate(ranked)]
    figure = go.Figure(
        go.Bar(
            y=rows,
            x=values,
            orientation="h",
            marker={"color": colours, "line": {"width": 0}},
            text=[f"{value:.1%}" for value in values],
            textposition="outside",
            cliponaxis=False,
            customdata=[label(name, 60) for name in ranked],
            hovertemplate="%{customdata}: %{x:.2%}<extra></extra>",
        )
    )
    quiet(figure, height=BAR * len(ranked) + 20)
    figure.update_layout(bargap=0.35, margin={"t": 4, "b": 4, "r": 52})
    figure.update_xaxes(range=[0, 1], visible=False)
    figure.update_yaxes(
        tickvals=rows, ticktext=[label(name, 20) for name in ranked], autorange="reversed", showgrid=False
    )
    return figure
