"""How well a model ranks and whether it is right as often as it says: ROC, precision and recall, calibration."""

from collections.abc import Sequence

import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET, class_colour, faded
from core.figures.curves import SYMBOLS
from core.figures.layout import label, quiet
from core.metrics.calibration import Bin

HEIGHT = 360  # pixels
BARS = 120  # pixels, of the images in each bin

Points = Sequence[tuple[float, float]]
Line = tuple[int, str, Points, str]  # index of the class, its name, the curve, and its figure in words


def roc_curves(lines: Sequence[Line]) -> go.Figure:
    """ROC curves of classes, each against all others; the dashed diagonal is a guess."""
    figure = go.Figure()
    _diagonal(figure, "a guess")
    for line in lines:
        _curve(figure, line, "%{x:.1%} of the others, %{y:.1%} of its own")
    return _finished(figure, "share of the others taken for it", "share of its images found")


def precision_curves(lines: Sequence[Line], share: float | None = None) -> go.Figure:
    """Precision over recall of classes; `share` is the precision of a guess, where there is one for all."""
    figure = go.Figure()
    if share is not None:
        figure.add_scatter(
            x=[0, 1],
            y=[share, share],
            mode="lines",
            name="a guess",
            line={"color": QUIET, "dash": "dash", "width": 1},
            hoverinfo="skip",
        )
    for line in lines:
        _curve(figure, line, "recall %{x:.1%}, precision %{y:.1%}")
    return _finished(figure, "recall: share found", "precision: share right of those named so")


def calibration_curve(
    bins: Sequence[Bin], *, x: str = "confidence", y: str = "right", unit: str = "images"
) -> go.Figure:
    """The share that is right over how sure the model was, with intervals; below the diagonal it is over-confident.

    `x` and `y` say in words, which may hold names of classes, what is held against what.
    """
    x, y = label(x, 40), label(y, 40)
    figure, filled = go.Figure(), [one for one in bins if one.n]
    _diagonal(figure, "as it should be")
    down = [one.accuracy - one.interval.low if one.interval else 0.0 for one in filled]
    up = [one.interval.high - one.accuracy if one.interval else 0.0 for one in filled]
    figure.add_scatter(
        x=[one.confidence for one in filled],
        y=[one.accuracy for one in filled],
        error_y={"type": "data", "array": up, "arrayminus": down, "color": faded(ACCENT, 0.6), "thickness": 1.5},
        customdata=[(one.n, *(one.interval or (None, None))) for one in filled],
        mode="lines+markers",
        name=y,
        line={"color": ACCENT, "width": 2},
        marker={"size": 8},
        cliponaxis=False,
        hovertemplate=f"{x} %{{x:.1%}}<br>{y} %{{y:.1%}} [%{{customdata[1]:.3f}}–%{{customdata[2]:.3f}}]<br>"
        f"%{{customdata[0]:,}} {unit}<extra></extra>",
    )
    return _finished(figure, x, y)


def confidence_bars(bins: Sequence[Bin], *, unit: str = "images") -> go.Figure:
    """How many images, or pixels, lie in each bin."""
    figure = go.Figure(
        go.Bar(
            x=[(one.low + one.high) / 2 for one in bins],
            y=[one.n for one in bins],
            width=[0.9 * (one.high - one.low) for one in bins],
            marker={"color": faded(ACCENT, 0.55)},
            hovertemplate=f"%{{y:,}} {unit}<extra></extra>",
        )
    )
    quiet(figure, height=BARS)
    figure.update_xaxes(range=[0, 1], tickformat=".0%", showgrid=False)
    figure.update_layout(margin={"t": 4})
    return figure


def _curve(figure: go.Figure, line: Line, told: str) -> None:
    index, name, points, words = line
    shown = label(name, 24)
    figure.add_scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="lines+markers" if len(points) <= 12 else "lines",
        name=shown,
        line={"color": class_colour(index), "width": 2, "dash": ("solid", "dash", "dot")[index % 3]},
        marker={"size": 5, "symbol": SYMBOLS[index % len(SYMBOLS)]},
        cliponaxis=False,
        hovertemplate=f"{shown}: {words}<br>{told}<extra></extra>",
    )


def _diagonal(figure: go.Figure, name: str) -> None:
    line = {"color": QUIET, "dash": "dash", "width": 1}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name=name, line=line, hoverinfo="skip")


def _finished(figure: go.Figure, x: str, y: str) -> go.Figure:
    quiet(figure, height=HEIGHT, x=x, y=y)
    figure.update_xaxes(range=[0, 1.01], tickformat=".0%", constrain="domain")
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return figure
