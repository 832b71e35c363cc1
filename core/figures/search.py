"""A search in three figures, from its results as plain data: history, what matters, and which values go together."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET, faded
from core.figures.layout import label, quiet

HEIGHT = 300  # pixels
MOST_POINTS = 1000  # trials in one figure; no search has more
MOST_NAMED = 8  # ticks of a list of values; of more, only some are named
SYMBOLS = {"finished": "circle", "pruned": "x", "stopped": "square-open", "failed": "triangle-down"}
_PALE = "#c9d6dc"  # the worst trials of the parallel coordinates, as the best ones have the accent

Results = Mapping[str, Any]


def search_history(results: Results, *, identity: str = "") -> go.Figure:
    """The validation figure of each trial in turn, by how it ended, and the best so far as a line."""
    figure, metric = go.Figure(), str(results["metric"])
    line = results["history"][-MOST_POINTS:]
    figure.add_scatter(
        x=[point["number"] for point in line],
        y=[point["best"] for point in line],
        mode="lines",
        line={"color": ACCENT, "width": 2, "shape": "hv"},
        name="best so far",
        hovertemplate="after trial %{x}<br>best %{y:.3f}<extra></extra>",
    )
    for state, symbol in SYMBOLS.items():
        trials = [row for row in results["trials"][-MOST_POINTS:] if row["state"] == state and row["value"] is not None]
        if trials:
            figure.add_scatter(
                x=[trial["number"] for trial in trials],
                y=[trial["value"] for trial in trials],
                mode="markers",
                marker={"color": ACCENT if state == "finished" else QUIET, "size": 8, "symbol": symbol},
                name=state,
                cliponaxis=False,
                hovertemplate=f"trial %{{x}}, {state}<br>{label(metric)} %{{y:.3f}}<extra></extra>",
            )
    quiet(figure, height=HEIGHT, x="trial", y=f"validation {label(metric)}", identity=identity)
    figure.update_xaxes(showgrid=False, tickformat="d", rangemode="tozero")
    if not results["trials"]:
        figure.update_yaxes(range=[0, 1])
    return figure


def search_importances(results: Results, *, identity: str = "") -> go.Figure:
    """How much of the differences between trials each field explains, the most important at the top."""
    named = {field["path"]: field["label"] for field in results["fields"]}
    shares = sorted(results["importances"]["shares"].items(), key=lambda item: item[1])
    figure = go.Figure(
        go.Bar(
            x=[share for _, share in shares],
            y=[label(named.get(path, path)) for path, _ in shares],
            orientation="h",
            marker={"color": ACCENT},
            text=[f"{share:.0%}" for _, share in shares],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{x:.1%} of the differences<extra></extra>",
        )
    )
    quiet(figure, height=max(140, 60 + 34 * len(shares)), x="share of the differences", identity=identity)
    figure.update_xaxes(tickformat=".0%", range=[0, 1.08], showgrid=False)
    figure.update_layout(showlegend=False)
    return figure


def search_coordinates(results: Results, *, identity: str = "") -> go.Figure:
    """A line for each trial with a figure, through its values and what came of them; the darker, the better."""
    metric = str(results["metric"])
    trials = [trial for trial in results["trials"][-MOST_POINTS:] if trial["value"] is not None]
    figures = [trial["value"] for trial in trials]
    dimensions = [
        _dimension(field, [trial["values"].get(field["path"]) for trial in trials]) for field in results["fields"]
    ]
    low, high = (min(figures), max(figures)) if figures else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    dimensions.append({"label": label(metric), "values": figures, "range": [low, high], "tickformat": ".3f"})
    pale, strong = (_PALE, ACCENT) if results["higher_is_better"] else (ACCENT, _PALE)
    figure = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={"color": figures, "colorscale": [[0, pale], [1, strong]], "cmin": low, "cmax": high},
            labelfont={"size": 12},
            rangefont={"color": faded(QUIET, 0)},  # the ticks say it already
            tickfont={"size": 11},
            labelangle=0,
        )
    )
    quiet(figure, height=HEIGHT + 40, identity=identity)
    figure.update_layout(margin={"l": 60, "r": 60, "t": 48, "b": 24})
    return figure


def _dimension(field: Mapping[str, Any], values: Sequence[Any]) -> dict[str, Any]:
    """One axis: numbers as they are or by their logarithm, anything else as places in a list."""
    named = label(str(field["label"]), 22)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not values:
        return {"label": named, "values": []}
    if not numbers:
        options = sorted({str(value) for value in values})
        shown = options if len(options) <= MOST_NAMED else options[:: math.ceil(len(options) / MOST_NAMED)]
        return {
            "label": named,
            "values": [options.index(str(value)) for value in values],
            "range": [-0.25, len(options) - 0.75],
            "tickvals": [options.index(option) for option in shown],
            "ticktext": [label(option, 18) for option in shown],
        }
    if not field["log"] or min(values) <= 0:
        low, high = min(values), max(values)
        return {"label": named, "values": list(values), "range": [low, high if high > low else low + 1]}
    powers = [math.log10(value) for value in values]
    low, high = min(powers), max(powers)
    high = high if high > low else low + 1
    ticks = [low + (high - low) * place / 4 for place in range(5)]
    return {
        "label": named,
        "values": powers,
        "range": [low, high],
        "tickvals": ticks,
        "ticktext": [f"{10**tick:.2g}" for tick in ticks],
    }
