"""How the answer to one picture changed over the epochs: a line for each class."""

from collections.abc import Sequence

import plotly.graph_objects as go

from core.figures.colours import QUIET, class_colour
from core.figures.curves import SYMBOLS
from core.figures.layout import label, quiet

MOST_LINES = 6  # classes; more lines than that are no longer told apart
HEIGHT = 230  # pixels


def lines_of(shares: Sequence[Sequence[float]], hidden: int | None = None) -> list[int]:
    """The classes that are drawn: those that ever had the largest share, without a hidden one, in their order."""
    largest = [max(column) for column in zip(*shares, strict=True)] if shares else []
    ranked = sorted((index for index in range(len(largest)) if index != hidden), key=lambda index: -largest[index])
    return sorted(ranked[:MOST_LINES])


def shares_over_epochs(
    epochs: Sequence[int],
    shares: Sequence[Sequence[float]],
    classes: Sequence[str],
    here: int,
    *,
    title: str,
    hidden: int | None = None,
    identity: str = "",
) -> go.Figure:
    """What each class got after each epoch, in [0, 1], with a mark at the epoch `here`; `title` names the axis."""
    figure = go.Figure()
    for index in lines_of(shares, hidden):
        name = label(classes[index], 24)
        figure.add_scatter(
            x=list(epochs),
            y=[row[index] for row in shares],
            mode="lines+markers",
            name=name,
            line={"color": class_colour(index), "width": 2},
            marker={"symbol": SYMBOLS[index % len(SYMBOLS)], "size": 6},
            hovertemplate="epoch %{x}: %{y:.1%}<extra>" + name + "</extra>",
        )
    quiet(figure, height=HEIGHT, x="epoch (0: before training)", y=title, identity=identity)
    figure.add_vline(x=here, line={"color": QUIET, "width": 1.5, "dash": "dot"})
    figure.update_yaxes(rangemode="tozero", tickformat=".0%")
    figure.update_xaxes(tickformat="d")
    return figure
