"""A head as it was and as it would be: the validation curves of both in one figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET
from core.figures.curves import HEIGHT, thinned
from core.figures.layout import quiet

FORMATS = {"loss": ".3f", "accuracy": ".1%"}
LABELS = {"loss": "validation loss", "accuracy": "validation accuracy"}


def head_curves(
    old: Sequence[Mapping[str, Any]],
    new: Sequence[Mapping[str, Any]] | None,
    metric: str,
    *,
    names: tuple[str, str] = ("as it is", "changed"),
    identity: str = "",
) -> go.Figure:
    """Validation "loss" or "accuracy" of each epoch, of the old head and, if there is one, of the new.

    `old` and `new` are journal entries of epochs. A head that was solved for in one go is a level line. The epoch whose
    weights count has a ring.
    """
    figure = go.Figure()
    last = max(entry["epoch"] for entries in (old, new or ()) for entry in entries)
    drawn = [(old, names[0], QUIET, "dot", "diamond")] + ([(new, names[1], ACCENT, "solid", "circle")] if new else [])
    for entries, name, colour, dash, symbol in drawn:
        points = thinned([(entry["epoch"], entry["validation"][metric]) for entry in entries])
        level = len(points) == 1 and last > 1
        xs = [0, last] if level else [x for x, _ in points]
        figure.add_scatter(
            x=xs,
            y=[points[0][1]] * 2 if level else [y for _, y in points],
            mode="lines" if level or len(points) >= 60 else "lines+markers",
            name=name,
            line={"color": colour, "width": 2, "dash": dash},
            marker={"size": 5, "symbol": symbol},
            cliponaxis=False,
            hovertemplate=f"epoch %{{x}}<br>{name} %{{y:{FORMATS[metric]}}}<extra></extra>",
        )
        kept = [entry for entry in entries if entry.get("best")][-1:]
        if kept and not level:
            figure.add_scatter(
                x=[kept[0]["epoch"]],
                y=[kept[0]["validation"][metric]],
                mode="markers",
                marker={"color": colour, "size": 12, "symbol": "circle-open", "line": {"width": 2}},
                showlegend=False,
                cliponaxis=False,
                hovertemplate=f"epoch %{{x}}<br>{name}, kept: %{{y:{FORMATS[metric]}}}<extra></extra>",
            )
    quiet(figure, height=HEIGHT, x="epoch", y=LABELS[metric], identity=identity)
    figure.update_xaxes(range=[0, max(2, last) + 0.2], dtick=1 if last <= 12 else None, showgrid=False)
    if metric == "loss":
        figure.update_yaxes(rangemode="tozero")
    else:
        figure.update_yaxes(tickformat=".0%")
    return figure
