"""Runs against one another as figures: their curves over one another, and their differences with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from core.compare.comparison import ClassChange, Pair
from core.figures.colours import ACCENT, QUIET, class_colour, faded
from core.figures.curves import HEIGHT, thinned
from core.figures.layout import PERCENT, label, quiet
from core.figures.repeats import name_lines, range_of

MOST_PAIRS = 12  # drawn: those whose difference is the largest
MOST_CLASSES = 15
LONGEST = 30  # letters of a name beside a difference
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")  # beside the colour
SCORES = {"classification": "accuracy", "segmentation": "dice"}  # as the journal names them
SCORE_WORDS = {"classification": "validation accuracy", "segmentation": "validation Dice"}

Entry = Mapping[str, Any]


def overlaid_curves(
    groups: Mapping[str, Sequence[Sequence[Entry]]], task: str, figure: str, *, identity: str = ""
) -> go.Figure:
    """The validation curve of every recipe: its name -> the journals of its runs. `figure` is "score" or "loss".

    Of several runs of a recipe the line is the mean of those that have reached an epoch, and the band goes from the
    lowest of them to the highest.
    """
    drawing = go.Figure()
    metric = SCORES[task] if figure == "score" else "loss"
    format = ".1%" if figure == "score" else ".3f"
    longest = 1
    for place, (name, journals) in enumerate(groups.items()):
        colour, dash = class_colour(place), DASHES[place % len(DASHES)]
        runs = [dict(_points(entries, metric)) for entries in journals]
        epochs = [epoch for epoch, _ in thinned([(epoch, 0.0) for epoch in sorted({e for run in runs for e in run})])]
        if not epochs:
            continue
        longest = max(longest, epochs[-1])
        columns = [[run[epoch] for run in runs if epoch in run] for epoch in epochs]
        several = sum(bool(run) for run in runs) > 1
        shown = label(name, 32)
        if several:
            lows, highs = [min(column) for column in columns], [max(column) for column in columns]
            drawing.add_scatter(
                x=epochs + epochs[::-1],
                y=highs + lows[::-1],
                fill="toself",
                fillcolor=faded(colour, 0.16),
                line={"width": 0},
                mode="lines",
                hoverinfo="skip",
                legendgroup=name,
                showlegend=False,
            )
        number = f" (mean of {sum(bool(run) for run in runs)})" if several else ""
        drawing.add_scatter(
            x=epochs,
            y=[sum(column) / len(column) for column in columns],
            mode="lines+markers" if len(epochs) < 40 else "lines",
            name=shown + number,
            legendgroup=name,
            line={"color": colour, "width": 2, "dash": dash},
            marker={"size": 5},
            cliponaxis=False,
            hovertemplate=f"epoch %{{x}}<br>%{{y:{format}}}<extra>{shown}{number}</extra>",
        )
    quiet(drawing, height=HEIGHT, x="epoch", y=SCORE_WORDS[task] if figure == "score" else "validation loss")
    drawing.update_layout(uirevision=identity or None)
    drawing.update_xaxes(range=[0, max(2, longest) + 0.2], dtick=1 if longest <= 12 else None, showgrid=False)
    if figure == "score":
        drawing.update_yaxes(tickformatstops=PERCENT, range=None if longest > 1 else [0, 1])
    else:
        drawing.update_yaxes(rangemode="tozero")
    return _below(drawing, len(groups))


def pair_differences(pairs: Sequence[Pair], names: Mapping[str, str], metric: str, *, identity: str = "") -> go.Figure:
    """The difference of each pair with its interval, in points (hundredths); those beyond chance are filled."""
    drawn = sorted(pairs, key=lambda pair: -abs(pair.value))[:MOST_PAIRS]
    figure = go.Figure()
    titles = []
    for place, pair in enumerate(drawn):
        sign = -1 if pair.value < 0 else 1  # the better one first, so that every difference points one way
        better, other = (pair.first, pair.second) if sign < 0 else (pair.second, pair.first)
        bounds = sorted(sign * bound for bound in pair.interval)
        # One below the other: shortened as one line, two long names would leave the end of the second alone.
        titles.append(f"{label(names[better], LONGEST)}<br>− {label(names[other], LONGEST)}")
        told = "beyond chance" if pair.different else "within noise"
        _bar(figure, len(drawn) - 1 - place, sign * pair.value, bounds, ACCENT if pair.different else QUIET, told)
    name_lines(figure, titles, f"difference in {metric} (points)", identity)
    figure.update_yaxes(ticktext=titles)
    figure.update_layout(showlegend=False)
    return _about_zero(figure, [end for pair in drawn for end in _turned(pair)])


def class_changes(
    changes: Sequence[ClassChange], classes: Sequence[str], figure_name: str, *, identity: str = ""
) -> go.Figure:
    """What became of each class, with its interval, in points; those that changed most if there are many."""
    known = [change for change in changes if change.value is not None]
    most = sorted(known, key=lambda change: -abs(change.value))[:MOST_CLASSES]
    drawn = [change for change in known if change in most]
    figure = go.Figure()
    for place, change in enumerate(drawn):
        colour = class_colour(classes.index(change.label))
        told = "beyond chance" if change.different else "within noise"
        _bar(figure, len(drawn) - 1 - place, change.value, list(change.interval), colour, told)
    name_lines(figure, [change.label for change in drawn], f"change of {figure_name} (points)", identity)
    figure.update_layout(showlegend=False)
    return _about_zero(figure, [end for change in drawn for end in change.interval])


def _bar(figure: go.Figure, height: int, value: float, bounds: Sequence[float], colour: str, told: str) -> None:
    figure.add_scatter(
        x=[100 * bound for bound in bounds],
        y=[height, height],
        mode="lines",
        line={"color": faded(colour, 0.4), "width": 10},
        hovertemplate="95 % interval, for all pairs together: %{x:+.1f} points<extra></extra>",
    )
    figure.add_scatter(
        x=[100 * value],
        y=[height],
        mode="markers",
        marker={
            "color": colour,
            "size": 11,
            "symbol": "circle" if told == "beyond chance" else "circle-open",
            "line": {"width": 2, "color": colour},
        },
        hovertemplate=f"%{{x:+.1f}} points, {told}<extra></extra>",
    )


def _turned(pair: Pair) -> tuple[float, ...]:
    return tuple(-bound for bound in pair.interval) if pair.value < 0 else tuple(pair.interval)


def _about_zero(figure: go.Figure, values: Sequence[float]) -> go.Figure:
    low, high = range_of([*values, 0.0])
    figure.add_vline(x=0, line={"color": QUIET, "width": 1.5, "dash": "dot"})
    form = "+.0f" if high - low > 0.1 else "+.1f"
    figure.update_xaxes(tickformat=form, range=[100 * low, 100 * high], zeroline=False)
    return figure


def _points(entries: Sequence[Entry], metric: str) -> list[tuple[int, float]]:
    return [
        (entry["epoch"], entry["validation"][metric])
        for entry in entries
        if entry.get("kind") == "epoch" and (entry.get("validation") or {}).get(metric) is not None
    ]


def _below(figure: go.Figure, number: int) -> go.Figure:
    """The legend under the plot, with room for so many names one under the other."""
    room = 22 * number
    figure.update_layout(
        height=HEIGHT + room,
        legend={"orientation": "v", "x": 0, "xanchor": "left", "y": 0, "yref": "container", "yanchor": "bottom"},
        margin={"t": 8, "b": 48 + room},
    )
    return figure
