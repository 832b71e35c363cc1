"""Repeated runs as dots: every run, their mean, and one standard deviation to either side."""

from collections.abc import Sequence

import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET, class_colour, faded
from core.figures.layout import label, quiet
from core.studies.repeats import RepeatTable, RunLine, Spread

ROW = 46  # pixels to a line of dots
MOST_CLASSES = 12  # drawn, those with the lowest mean
NARROWEST = 0.06  # of a score, from one end of the axis to the other
SWAY = 0.16  # of a line, how far dots stand off its middle, so that equal ones are both seen


def score_dots(table: RepeatTable, *, identity: str = "") -> go.Figure:
    """The scores of all runs that count; the loss, which is on another scale, is left to the table."""
    return _dots([one for one in table.figures if one.name != "loss"], table.runs, "validation score", identity)


def class_dots(table: RepeatTable, name: str, *, identity: str = "") -> go.Figure:
    """One figure of each class, those with the lowest mean if there are many, in the colours of the classes."""
    spreads = [one for one in table.per_class if one.name == name]
    colours = {one.label: class_colour(place) for place, one in enumerate(spreads)}
    known = sorted((one for one in spreads if one.mean is not None), key=lambda one: one.mean)[:MOST_CLASSES]
    drawn = [one for one in spreads if one in known]
    return _dots(drawn, table.runs, name, identity, [colours[one.label] for one in drawn])


def _dots(
    spreads: Sequence[Spread], runs: Sequence[RunLine], x: str, identity: str, colours: Sequence[str] = ()
) -> go.Figure:
    figure = go.Figure()
    for place, one in enumerate(spreads):
        height = len(spreads) - 1 - place  # the first one on top
        there = [(number, value) for number, value in enumerate(one.values) if value is not None]
        colour = colours[place] if colours else ACCENT
        if one.std is not None:
            figure.add_scatter(
                x=[one.mean - one.std, one.mean + one.std],
                y=[height, height],
                mode="lines",
                line={"color": faded(colour, 0.3), "width": 12},
                hoverinfo="skip",
                showlegend=place == 0,
                name="mean ± std",
            )
        figure.add_scatter(
            x=[value for _, value in there],
            y=[height + sway(number, len(runs)) for number, _ in there],
            customdata=[label(runs[number].label, 40) for number, _ in there],
            mode="markers",
            marker={"color": colour, "size": 8, "line": {"width": 1, "color": "rgba(255,255,255,0.7)"}},
            hovertemplate=f"%{{customdata}}<br>{label(one.label, 24)} %{{x:.1%}}<extra></extra>",
            showlegend=place == 0,
            name="one run",
        )
        if one.mean is not None:
            told = f"mean of {one.n}<br>{label(one.label, 24)} %{{x:.1%}}<extra></extra>"
            figure.add_scatter(**mean_mark(x=[one.mean], y=[height], hovertemplate=told, showlegend=place == 0))
    name_lines(figure, [one.label for one in spreads], x, identity)
    bands = [one.mean + sign * one.std for one in spreads if one.std is not None for sign in (-1, 1)]
    low, high = range_of([value for one in spreads for value in one.values if value is not None] + bands)
    figure.update_xaxes(tickformat=".0%" if high - low > 0.1 else ".1%", range=[low, high])
    return figure


def name_lines(figure: go.Figure, names: Sequence[str], x: str, identity: str, *, width: int = 20) -> None:
    """Give a figure one line for each name, the first on top, and an axis `x`."""
    quiet(figure, height=90 + ROW * max(1, len(names)), x=x, identity=identity)
    figure.update_xaxes(nticks=6)
    figure.update_yaxes(
        tickvals=[len(names) - 1 - place for place in range(len(names))],
        ticktext=[label(name, width) for name in names],
        range=[-0.6, len(names) - 0.4],
        showgrid=False,
    )


def mean_mark(**values: object) -> dict[str, object]:
    """A trace of means: short upright lines."""
    mark = {"symbol": "line-ns", "size": 26, "line": {"width": 2.5, "color": QUIET}}
    return {"mode": "markers", "marker": mark, "name": "mean", **values}


def range_of(values: Sequence[float]) -> tuple[float, float]:
    """From the lowest to the highest of some scores with some room, and never so narrow that chance looks large."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = max(0.08 * (high - low), (NARROWEST - (high - low)) / 2, 0.005)
    return low - room, high + room


def sway(number: int, runs: int) -> float:
    """How far the dot of a run stands off the middle of its line, so that equal ones are both seen."""
    return SWAY * (2 * number / (runs - 1) - 1) if runs > 1 else 0.0
