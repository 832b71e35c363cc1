"""How a run learns: journal entries -> curves of loss, accuracy and Dice. Epochs count from 1 over all phases."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET, class_colour, faded
from core.figures.layout import PERCENT, label, quiet
from core.metrics.segmentation import background_of

MOST_POINTS = 1000  # per trace; a browser redraws them every second while a run is watched
HEIGHT = 300  # pixels
SMALL = 200  # pixels, of a figure that says less
MOST_NAMED = 6  # borders between phases that are named; of more only the lines are drawn
MOST_CLASSES = 8  # drawn one by one; more lines than that are no longer told apart
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "triangle-down", "x")  # beside the colour

Entry = Mapping[str, Any]


def loss_curves(entries: Sequence[Entry], *, identity: str = "") -> go.Figure:
    """Loss as each epoch proceeds (thinned to 1,000 points), and of training and validation at its end."""
    figure = go.Figure()
    steps = _where_dense(thinned(step_points(entries)))
    if steps:
        figure.add_scatter(
            x=[x for x, _ in steps],
            y=[y for _, y in steps],
            mode="lines" if len(steps) > 1 else "markers",  # one point makes no line
            marker={"color": QUIET, "size": 4},
            name="within the epoch",
            line={"color": faded(QUIET, 0.55), "width": 1},
            hovertemplate="epoch %{x:.2f}<br>loss %{y:.3f}<extra>within the epoch</extra>",
        )
    epochs = _epochs(entries)
    _line(figure, epochs, "train", "loss", "training", QUIET, ".3f")
    _line(figure, epochs, "validation", "loss", "validation", ACCENT, ".3f")
    quiet(figure, height=HEIGHT, x="epoch", y="loss", identity=identity)
    figure.update_yaxes(rangemode="tozero", range=None if figure.data else [0, 2])
    return _phases(_whole_epochs(figure, entries), entries)


def accuracy_curves(entries: Sequence[Entry], *, identity: str = "") -> go.Figure:
    """Accuracy of training and validation after each epoch, validation with its 95 % interval and its best epoch."""
    figure = go.Figure()
    _score(figure, entries, "accuracy", ("training", "validation"))
    return _finished(figure, entries, "accuracy", identity)


def dice_curves(entries: Sequence[Entry], classes: Sequence[str], *, identity: str = "") -> go.Figure:
    """Mean Dice of training and validation after each epoch, validation with its 95 % interval and its best epoch, and
    the validation Dice of each class in the colour of the class.

    Of many classes the lowest ones are drawn, and the background only when its name in the legend is clicked: it is
    nearly 1 and would hide how the others differ.
    """
    figure = go.Figure()
    epochs = _epochs(entries)
    background = background_of(classes)
    latest = next((entry["per_class"] for entry in reversed(epochs) if entry.get("per_class")), ())
    ranked = sorted(
        (index for index in range(len(latest)) if index != background),
        key=lambda index: 1.0 if latest[index] is None else latest[index],
    )
    drawn = sorted(ranked[:MOST_CLASSES]) + ([] if background is None or not latest else [background])
    for index in drawn:
        points = thinned(
            [
                (entry["epoch"], entry["per_class"][index])
                for entry in epochs
                if len(entry.get("per_class") or ()) > index and entry["per_class"][index] is not None
            ]
        )
        name = label(classes[index], 24)
        figure.add_scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            mode="lines+markers",
            name=name,
            line={"color": class_colour(index), "width": 1.5},
            marker={"size": 6, "symbol": SYMBOLS[index % len(SYMBOLS)]},
            visible="legendonly" if index == background else True,
            cliponaxis=False,
            hovertemplate=f"epoch %{{x}}<br>{name} %{{y:.1%}}<extra></extra>",
        )
    _score(figure, entries, "dice", ("mean, training", "mean, validation"))
    return _finished(figure, entries, "Dice", identity)


def rate_curve(entries: Sequence[Entry], *, identity: str = "") -> go.Figure:
    """The learning rate as each epoch proceeds, over all phases."""
    figure = go.Figure()
    points = thinned(
        [
            (entry["epoch"] - 1 + entry["step"] / max(1, entry["steps"]), entry["learning_rate"])
            if entry["kind"] == "step"
            else (entry["epoch"], entry["learning_rate"])
            for entry in entries
            if entry.get("kind") in ("step", "epoch") and entry.get("learning_rate") is not None
        ]
    )
    figure.add_scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="lines" if len(points) > 1 else "markers",
        line={"color": ACCENT, "width": 2},
        hovertemplate="epoch %{x:.2f}<br>rate %{y:.3g}<extra></extra>",
        showlegend=False,
    )
    quiet(figure, height=SMALL, x="epoch", y="learning rate", identity=identity)
    figure.update_yaxes(rangemode="tozero", exponentformat="power")
    return _phases(_whole_epochs(figure, entries), entries)


def step_points(entries: Sequence[Entry]) -> list[tuple[float, float]]:
    """(epoch as a fraction, mean loss of the epoch so far) at every training step that the journal tells of."""
    return [
        (entry["epoch"] - 1 + entry["step"] / max(1, entry["steps"]), entry["loss"])
        for entry in entries
        if entry.get("kind") == "step" and entry.get("loss") is not None
    ]


def thinned(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """At most `most` of the points, evenly spaced, the last one among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]


def _where_dense(points: Sequence[tuple[float, float]]) -> list[tuple[float, float | None]]:
    """The points, with a gap where the next one is more than an epoch away: a line there would show what nobody saw.

    A head on stored features runs through many epochs between two points.
    """
    found: list[tuple[float, float | None]] = list(points[:1])
    for before, point in pairwise(points):
        if point[0] - before[0] > 1:
            found.append((before[0], None))
        found.append(point)
    return found


def _score(figure: go.Figure, entries: Sequence[Entry], metric: str, names: tuple[str, str]) -> None:
    """The lines of a score for training and validation, with the interval and the epoch whose weights are kept."""
    epochs = _epochs(entries)
    known = [entry for entry in epochs if entry.get("interval")]
    if known:
        xs = [entry["epoch"] for entry in known]
        figure.add_scatter(
            x=xs + xs[::-1],
            y=[entry["interval"][1] for entry in known] + [entry["interval"][0] for entry in known][::-1],
            fill="toself",
            fillcolor=faded(ACCENT, 0.16),
            line={"width": 0 if len(known) > 1 else 4, "color": faded(ACCENT, 0.16)},  # one epoch makes no area
            mode="lines",
            hoverinfo="skip",
            name="95 % interval",
        )
    training, validation = names
    _line(figure, epochs, "train", metric, training, QUIET, ".1%")
    _line(figure, epochs, "validation", metric, validation, ACCENT, ".1%")
    for entry in [entry for entry in epochs if entry.get("best")][-1:]:
        figure.add_scatter(
            x=[entry["epoch"]],
            y=[entry["validation"][metric]],
            mode="markers",
            name="kept",
            marker={"color": ACCENT, "size": 12, "symbol": "circle-open", "line": {"width": 2}},
            cliponaxis=False,
            hovertemplate="epoch %{x}<br>kept: validation %{y:.1%}<extra></extra>",
        )


def _finished(figure: go.Figure, entries: Sequence[Entry], y: str, identity: str) -> go.Figure:
    quiet(figure, height=HEIGHT, x="epoch", y=y, identity=identity)
    figure.update_yaxes(tickformatstops=PERCENT, range=None if figure.data else [0, 1])
    return _phases(_whole_epochs(figure, entries), entries)


def _epochs(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.get("kind") == "epoch"]


def _line(
    figure: go.Figure, epochs: Sequence[Entry], split: str, metric: str, name: str, colour: str, format: str
) -> None:
    measured = [entry for entry in epochs if (entry.get(split) or {}).get(metric) is not None]
    points = thinned([(entry["epoch"], entry[split][metric]) for entry in measured])
    if not points:
        return
    figure.add_scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="lines+markers" if len(points) < 60 else "lines",
        name=name,
        line={"color": colour, "width": 2, "dash": "solid" if split == "validation" else "dot"},
        marker={"size": 5},
        cliponaxis=False,
        hovertemplate=f"epoch %{{x}}<br>{name} %{{y:{format}}}<extra></extra>",
    )


def _whole_epochs(figure: go.Figure, entries: Sequence[Entry]) -> go.Figure:
    last = max((entry["epoch"] for entry in entries if entry.get("epoch")), default=1)
    figure.update_xaxes(range=[0, max(2, last) + 0.2], dtick=1 if last <= 12 else None, showgrid=False)
    return figure


def _phases(figure: go.Figure, entries: Sequence[Entry]) -> go.Figure:
    names = {entry["phase"]: entry["name"] for entry in entries if entry.get("kind") == "phase"}
    borders = [(one, two) for one, two in pairwise(_epochs(entries)) if one["phase"] != two["phase"]]
    for before, after in borders:
        name = label(names.get(after["phase"], f"phase {after['phase'] + 1}"))
        named = {"text": name, "font": {"size": 11, "color": QUIET}, "yanchor": "top"}
        figure.add_vline(
            x=before["epoch"],
            line={"color": QUIET, "width": 1, "dash": "dot"},
            annotation=named if len(borders) <= MOST_NAMED else None,
        )
    return figure
