"""The map of a dataset: every picture a point where the embedding puts it, to be drawn around and looked at."""

from collections.abc import Iterator, Sequence

import numpy as np
import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET, class_colour
from core.figures.layout import label, quiet
from core.integrity.embedding import Embedding
from core.integrity.labels import SURE
from core.integrity.outliers import FAR

HEIGHT = 460  # pixels
MOST_POINTS = 6000  # of more pictures, those that stand out and an even choice of the others
MOST_DRAWN = 1500  # points that are drawn as vectors; of more, as pixels
STANDS_OUT = 3.0  # deviations from what is usual
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
_ALARM = "#d55e00"

Group = tuple[str, np.ndarray, str, str]  # name, which pictures (N,) bool, colour, symbol


def picture_map(
    embedding: Embedding,
    classes: Sequence[str],
    labels: Sequence[int],
    colour_by: str = "class",
    *,
    splits: Sequence[str] = (),
    identity: str = "",
) -> go.Figure:
    """Pictures as points in their first two principal components, whose `customdata` are the ids of samples.

    `labels` (N,) are indices of `classes`, -1 for masks; `splits` (N,) the names of their splits. `colour_by` is one
    of "class", "cluster", "wrong", "split" and "outlier". Groups differ in colour and in the shape of their points.
    """
    given = np.asarray(labels)
    shown = _shown(embedding, given)
    told = _told(embedding, classes, given)
    scatter = go.Scattergl if shown.sum() > MOST_DRAWN else go.Scatter
    figure = go.Figure()
    for name, which, colour, symbol in _groups(embedding, classes, given, colour_by, splits):
        rows = np.flatnonzero(which & shown)
        if not len(rows):
            continue
        figure.add_trace(
            scatter(
                x=embedding.xy[rows, 0],
                y=embedding.xy[rows, 1],
                mode="markers",
                name=f"{label(name)} ({which.sum():,})",
                customdata=embedding.ids[rows].tolist(),
                text=[told[row] for row in rows],
                hovertemplate="%{text}<extra></extra>",
                marker={"color": colour, "symbol": symbol, "size": 7, "opacity": 0.8, "line": {"width": 0}},
                selected={"marker": {"opacity": 1}},
                unselected={"marker": {"opacity": 0.2}},
            )
        )
    first, second = (f"{share:.0%} of all differences" for share in embedding.explained)
    quiet(figure, height=HEIGHT, x=f"first direction, {first}", y=f"second direction, {second}", identity=identity)
    figure.update_layout(dragmode="lasso", showlegend=True)
    figure.update_xaxes(showticklabels=False, showgrid=False)
    figure.update_yaxes(showticklabels=False, showgrid=False)
    return figure


def _shown(embedding: Embedding, labels: np.ndarray) -> np.ndarray:
    """Which pictures (N,) are drawn."""
    count = len(labels)
    if count <= MOST_POINTS:
        return np.ones(count, bool)
    striking = np.where(embedding.outlier >= STANDS_OUT, embedding.outlier, 0) + _doubted(embedding, labels)
    shown = np.zeros(count, bool)
    most = np.argsort(-striking, kind="stable")[: MOST_POINTS // 3]
    shown[most[striking[most] > 0]] = True
    others = np.flatnonzero(~shown)
    shown[others[np.linspace(0, len(others) - 1, MOST_POINTS - shown.sum()).astype(int)]] = True
    return shown


def _doubted(embedding: Embedding, labels: np.ndarray) -> np.ndarray:
    """Which labels (N,) the heads would say otherwise."""
    return (embedding.predicted >= 0) & (embedding.predicted != labels)


def _told(embedding: Embedding, classes: Sequence[str], labels: np.ndarray) -> list[str]:
    """What stands beside a point: its class, and what a network would call it if something else."""
    doubted = _doubted(embedding, labels)
    lines = []
    for row, index in enumerate(labels):
        text = label(classes[index]) if index >= 0 else f"picture {embedding.ids[row]}"
        if doubted[row]:
            text += f"<br>looks like {label(classes[embedding.predicted[row]])} ({embedding.likely[row]:.0%})"
        if embedding.outlier[row] >= FAR:
            text += "<br>far from all others"
        lines.append(text)
    return lines


def _groups(
    embedding: Embedding, classes: Sequence[str], labels: np.ndarray, colour_by: str, splits: Sequence[str]
) -> Iterator[Group]:
    """The groups of points, the quiet ones first, so that those that matter lie on top."""
    if colour_by == "class":
        for index, name in enumerate(classes):
            yield name, labels == index, *_look(index)
        yield "no class", labels < 0, QUIET, "circle"
    elif colour_by == "cluster":
        for index in np.unique(embedding.cluster).tolist():
            yield f"group {index + 1}", embedding.cluster == index, *_look(index)
    elif colour_by == "split":
        for index, name in enumerate(dict.fromkeys(splits)):
            yield name, np.asarray(splits) == name, *_look(index)
    elif colour_by == "wrong":
        doubted = _doubted(embedding, labels)
        sure = doubted & (embedding.wrong >= SURE)
        yield "not looked at", embedding.predicted < 0, QUIET, "circle-open"
        yield "label fits", (embedding.predicted >= 0) & ~doubted, QUIET, "circle"
        yield "may be another class", doubted & ~sure, ACCENT, "diamond"
        yield "surely looks like another", sure, _ALARM, "x"
    elif colour_by == "outlier":
        far = embedding.outlier >= FAR
        near = embedding.outlier < STANDS_OUT
        yield "like others", near, QUIET, "circle"
        yield "unusual", ~near & ~far, ACCENT, "diamond"
        yield "far from all others", far, _ALARM, "x"
    else:
        raise ValueError(f"colour_by is {colour_by!r}, not class, cluster, wrong, split or outlier")


def _look(index: int) -> tuple[str, str]:
    return class_colour(index), SYMBOLS[index % len(SYMBOLS)]
