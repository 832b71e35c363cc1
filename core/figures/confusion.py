"""Which class is taken for which: the confusion matrix, drawn from counts."""

from collections.abc import Sequence

import plotly.graph_objects as go

from core.figures.colours import ACCENT, faded
from core.figures.layout import label, quiet

LARGEST = 480  # pixels
CELL = 54  # pixels


def confusion_matrix(
    confusion: Sequence[Sequence[int]], classes: Sequence[str], chosen: tuple[int, int] | None = None
) -> go.Figure:
    """Counts (K, K), rows true and columns predicted; each row's shade is its share of the true class.

    Every cell is also a point with customdata (true index, predicted index), so that a click on it can be told from
    another; the chosen cell has a frame.
    """
    size = len(classes)
    height = min(LARGEST, CELL * size + 130)
    cell = max(6, (height - 130) / size)
    names = [label(name, 60) for name in classes]
    cells = [(row, column) for row in range(size) for column in range(size)]
    totals = [max(1, sum(row)) for row in confusion]
    hover = [
        f"true: {names[row]}<br>predicted: {names[column]}<br>"
        f"{confusion[row][column]:,} of {sum(confusion[row]):,} ({confusion[row][column] / totals[row]:.0%})"
        for row, column in cells
    ]
    figure = go.Figure(
        go.Heatmap(
            z=[[count / totals[row] for count in counts] for row, counts in enumerate(confusion)],
            text=[[f"{count:,}" if count else "" for count in counts] for counts in confusion],
            texttemplate="%{text}" if size <= 24 else None,
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            showscale=False,
            hoverinfo="skip",
        )
    )
    # Plotly cannot select cells of a heat map; these clear points over them can be clicked.
    figure.add_scatter(
        x=[column for _, column in cells],
        y=[row for row, _ in cells],
        mode="markers",
        marker={"symbol": "square", "size": cell, "color": faded(ACCENT, 0.0), "line": {"width": 0}},
        selected={"marker": {"color": faded(ACCENT, 0.0), "opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        customdata=cells,
        text=hover,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    if chosen is not None:
        row, column = chosen
        box = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
        figure.add_shape(type="rect", **box, line={"color": "#e69f00", "width": 3})
    quiet(figure, height=height, x="predicted", y="true")
    ticks = {"tickvals": list(range(size)), "ticktext": [label(name, 16) for name in classes], "showgrid": False}
    # Turned names end at their column, so that the last one has room and is not left out.
    figure.update_xaxes(**ticks, range=[-0.5, size - 0.5], side="bottom", autotickangles=[0, -45, -90])
    figure.update_yaxes(**ticks, range=[size - 0.5, -0.5])
    figure.update_layout(clickmode="event+select", margin={"t": 8})
    return figure
