"""What pixels are taken for, and what a threshold does to the figures of a mask."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET, class_colour
from core.figures.layout import label, quiet

CELL, LARGEST = 58, 480  # pixels
CURVES = (  # metric -> what it is called, colour, dash: none of them told by its colour alone
    ("dice", "Dice", ACCENT, "solid"),
    ("iou", "IoU", QUIET, "solid"),
    ("precision", "precision", class_colour(0), "dash"),
    ("recall", "recall", class_colour(4), "dot"),
)


def pixel_confusion(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> go.Figure:
    """Pixels (K, K), rows true and columns predicted, as shares of the true class: each row adds up to 100 %."""
    size = len(classes)
    names = [label(name, 60) for name in classes]
    totals = [sum(row) for row in confusion]
    shares = [[count / max(1, totals[row]) for count in counts] for row, counts in enumerate(confusion)]
    hover = [
        [
            f"true: {names[row]}<br>predicted: {names[column]}<br>"
            f"{confusion[row][column]:,} of {totals[row]:,} pixels ({shares[row][column]:.2%})"
            for column in range(size)
        ]
        for row in range(size)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            text=[[_percent(count, totals[row]) for count in counts] for row, counts in enumerate(confusion)],
            texttemplate="%{text}" if size <= 16 else None,
            customdata=hover,
            hovertemplate="%{customdata}<extra></extra>",
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            showscale=False,
        )
    )
    quiet(figure, height=min(LARGEST, CELL * size + 130), x="predicted", y="true")
    ticks = {"tickvals": list(range(size)), "ticktext": [label(name, 16) for name in classes], "showgrid": False}
    figure.update_xaxes(**ticks, range=[-0.5, size - 0.5], side="bottom", autotickangles=[0, -45, -90])
    figure.update_yaxes(**ticks, range=[size - 0.5, -0.5])
    figure.update_layout(margin={"t": 8})
    return figure


def threshold_curve(figures: Mapping[str, np.ndarray], threshold: float) -> go.Figure:
    """The figures of the foreground at every threshold, as `threshold_figures` gives them; the chosen one is marked."""
    figure = go.Figure()
    for metric, name, colour, dash in CURVES:
        figure.add_scatter(
            x=figures["threshold"],
            y=[None if np.isnan(value) else float(value) for value in figures[metric]],
            mode="lines",
            name=name,
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate=f"from %{{x:.0%}} on<br>{name} %{{y:.1%}}<extra></extra>",
        )
    figure.add_vline(x=threshold, line={"color": ACCENT, "width": 1})
    quiet(figure, height=260, x="threshold", identity="threshold")
    figure.update_xaxes(range=[0, 1], tickformat=".0%", showgrid=False)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return figure


def _percent(count: int, total: int) -> str:
    """A share as a person reads it: never 0 % where there is something, never 100 % where something is missing."""
    if not count:
        return ""
    share = 100 * count / total
    if share < 0.1:
        return "&lt;0.1 %"
    if share > 99.9 and count < total:
        return "&gt;99.9 %"
    return f"{share:.1f} %"
