"""Where training should have stopped: the loss of training and validation, and the stretch in which it turned."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET, faded
from core.figures.curves import loss_curves

Entry = Mapping[str, Any]
LATE = "#d55e00"  # what should not have been trained; one of the colours that everybody tells apart


def stopping(entries: Sequence[Entry], found: Mapping[str, Any], *, identity: str = "") -> go.Figure:
    """The loss curves of a run with the epoch at which training should have stopped, its interval, the epochs after it,
    and the epoch whose weights are kept. `found` are the figures of the finding about over-fitting."""
    figure = loss_curves([entry for entry in entries if entry.get("kind") != "step"], identity=f"{identity} stopping")
    first, last = found["stop_interval"]
    figure.add_vrect(x0=found["stop"], x1=found["last_epoch"], fillcolor=faded(LATE, 0.08), line_width=0, layer="below")
    figure.add_vrect(x0=first - 0.5, x1=last + 0.5, fillcolor=faded(ACCENT, 0.18), line_width=0, layer="below")
    named = {"font": {"size": 11, "color": QUIET}, "yanchor": "top"}
    figure.add_vline(
        x=found["stop"],
        line={"color": ACCENT, "width": 2},
        annotation={"text": f"stop: epoch {found['stop']}", **named},
    )
    kept = found.get("kept_epoch")
    if kept and kept != found["stop"]:
        figure.add_vline(
            x=kept,
            line={"color": QUIET, "width": 1, "dash": "dash"},
            annotation={"text": f"kept: epoch {kept}", "font": named["font"], "yanchor": "bottom", "y": 0},
        )
    return figure
