"""A learning-rate range test as a curve: the loss at each rate, on a logarithmic axis, and where to begin."""

import math

import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET, faded
from core.figures.layout import quiet
from core.train.rates import RateTest

HEIGHT = 300  # pixels


def rate_curve(found: RateTest, *, identity: str = "") -> go.Figure:
    """The loss of each step and its smoothed curve over the rate; the suggestion as a line.

    What the loss did when it exploded is left out of sight: it would flatten all that matters.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=found.rates,
        y=found.losses,
        mode="markers",
        name="each step",
        marker={"color": faded(QUIET, 0.6), "size": 5},
        hovertemplate="rate %{x:.2g}<br>loss %{y:.3f}<extra></extra>",
    )
    figure.add_scatter(
        x=found.rates,
        y=found.smoothed,
        mode="lines",
        name="smoothed",
        line={"color": ACCENT, "width": 2.5},
        hovertemplate="rate %{x:.2g}<br>loss %{y:.3f}<extra>smoothed</extra>",
    )
    if found.suggestion is not None:
        figure.add_vline(x=found.suggestion, line={"color": ACCENT, "width": 1.5, "dash": "dash"})
        figure.add_annotation(
            text=f"falls fastest: {found.suggestion:g}",
            x=math.log10(found.suggestion),  # plotly places notes, unlike lines, by the logarithm
            y=1,
            yref="y domain",
            yanchor="bottom",
            font={"color": ACCENT},
            showarrow=False,
        )
    quiet(figure, height=HEIGHT, x="learning rate", y="training loss", identity=identity)
    low, high = math.log10(found.rates[0]), math.log10(found.rates[-1])
    figure.update_xaxes(type="log", range=[low - 0.1, high + 0.1], exponentformat="power", dtick=1, showgrid=False)
    figure.update_yaxes(range=_in_sight(found))
    figure.update_layout(margin={"t": 44})
    return figure


def _in_sight(found: RateTest) -> list[float]:
    bottom, top = min(found.smoothed), max(found.smoothed[: found.smoothed.index(min(found.smoothed)) + 1])
    room = max(top - bottom, 0.05 * abs(top), 1e-6)
    return [bottom - 0.15 * room, top + 0.6 * room]
