"""How many images each class has in each split."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.figures.colours import QUIET, class_colour, faded
from core.figures.layout import label, quiet

STRENGTH = {"train": 1.0, "validation": 0.6, "test": 0.3, "": 1.0}  # opacity of a class's colour in each split
ROW, TALL_ROW, FEW = 26, 40, 8  # pixels for one class; a few classes get more


def class_counts(counts: Mapping[str, Mapping[str, int]], classes: Sequence[str], *, unit: str = "images") -> go.Figure:
    """One bar a class, its splits side by side, from {split: {class: number of images}}. "" is "not split yet"."""
    figure = go.Figure()
    rows = list(range(len(classes)))
    splits = [split for split in STRENGTH if any(counts.get(split, {}).values())]
    for split in splits:
        figure.add_bar(
            y=rows,
            x=[counts[split].get(name, 0) for name in classes],
            orientation="h",
            name=split or "images",
            marker={"color": [faded(class_colour(i), STRENGTH[split]) for i in rows], "line": {"width": 0}},
            customdata=[label(name, 60) for name in classes],
            hovertemplate=f"%{{customdata}}<br>{split or 'images'}: %{{x:,}}<extra></extra>",
            showlegend=False,
        )
        if len(splits) > 1:
            swatch = {"color": faded(QUIET, STRENGTH[split]), "symbol": "square", "size": 11}
            figure.add_scatter(x=[None], y=[None], mode="markers", name=split, marker=swatch)
    totals = [sum(counts[split].get(name, 0) for split in splits) for name in classes]
    figure.add_scatter(
        y=rows,
        x=totals,
        mode="text",
        text=[f" {total:,}" for total in totals],
        textposition="middle right",
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
    )
    figure.update_layout(barmode="stack")
    return _rows(figure, classes, unit)


def pixel_shares(pixels: Sequence[int], classes: Sequence[str]) -> go.Figure:
    """One bar a class: its share of the pixels that all masks give a class, from the number of pixels of each."""
    total = sum(pixels)
    shares = [number / total if total else 0.0 for number in pixels]
    rows = list(range(len(classes)))
    figure = go.Figure()
    figure.add_bar(
        y=rows,
        x=shares,
        orientation="h",
        marker={"color": [class_colour(index) for index in rows], "line": {"width": 0}},
        text=[f"{share:.1%}" if share == 0 or share >= 0.001 else "&lt; 0.1%" for share in shares],
        textposition="outside",
        cliponaxis=False,
        customdata=[(label(name, 60), number) for name, number in zip(classes, pixels, strict=True)],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]:,} pixels, %{x:.2%}<extra></extra>",
        showlegend=False,
    )
    figure.update_xaxes(tickformat=".0%")
    return _rows(figure, classes, "share of pixels")


def _rows(figure: go.Figure, classes: Sequence[str], unit: str) -> go.Figure:
    """The look of a figure with one row a class, the first on top."""
    quiet(figure, height=(TALL_ROW if len(classes) <= FEW else ROW) * len(classes) + 90, x=unit)
    figure.update_layout(bargap=0.3, margin={"r": 52})
    figure.update_xaxes(rangemode="tozero", nticks=6)
    figure.update_yaxes(
        tickvals=list(range(len(classes))),
        ticktext=[label(name, 22) for name in classes],
        autorange="reversed",
        showgrid=False,
    )
    return figure
