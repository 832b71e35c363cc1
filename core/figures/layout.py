"""What all figures share: no boxes, quiet grids, room for the labels, and names that are only ever text."""

import html

import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET

MARKUP_FREE = {"quote": False}  # plotly reads <tags> and &amp; in labels, but leaves quotes alone

PERCENT = [  # how shares are written on an axis, by the step between its marks: no two marks are to read alike
    {"dtickrange": [None, 0.00099], "value": ".2%"},
    {"dtickrange": [0.00099, 0.0099], "value": ".1%"},
    {"dtickrange": [0.0099, None], "value": ".0%"},
]


def label(text: str, width: int = 28) -> str:
    """A name as plotly shows it letter for letter: shortened in the middle to `width`, and never read as markup."""
    text = " ".join(text.split())
    if len(text) > width:
        ending = width // 3
        text = text[: width - ending - 1] + "…" + text[-ending:]
    return html.escape(text, **MARKUP_FREE)


def quiet(figure: go.Figure, *, height: int, x: str = "", y: str = "", identity: str = "") -> go.Figure:
    """Give a figure the common look. `height` is in pixels; `x` and `y` name the axes with their units.

    `identity` keeps zoom and hidden lines while new data arrive for the same thing.
    """
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 28, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.0,
            "yref": "container",  # measured from the plot it would slide into it when the page changes its width
            "xanchor": "left",
            "yanchor": "top",
            "title": None,
            "traceorder": "normal",
        },
        hoverlabel={"namelength": -1},
        uirevision=identity or None,
        dragmode=False,
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": QUIET, "activecolor": ACCENT},
    )
    figure.update_xaxes(title_text=x or None, showline=False, zeroline=False, ticks="", automargin=True)
    figure.update_yaxes(title_text=y or None, showline=False, zeroline=False, ticks="", automargin=True)
    return figure
