"""A duel as figures: the score of every run, runs of one seed joined; and the differences with their intervals."""

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from core.figures.colours import ACCENT, QUIET, class_colour, faded
from core.figures.layout import label
from core.figures.repeats import mean_mark, name_lines, range_of, sway
from core.metrics.crossed import Crossed
from core.studies.duel import DuelTable, Gap

MOST_CLASSES = 15  # drawn, those that changed most


def paired_dots(table: DuelTable, *, identity: str = "") -> go.Figure:
    """The score of every run, a line for each policy; thin lines join the runs of a seed, which are a pair."""
    figure = go.Figure()
    spreads = [next(one for one in line.figures if one.label == table.score) for line in table.policies]
    heights = [len(spreads) - 1 - place for place in range(len(spreads))]  # the first one on top
    for place, seed in enumerate(table.seeds):
        there = [(one.values[place], height) for one, height in zip(spreads, heights, strict=True)]
        there = [(value, height) for value, height in there if value is not None]
        figure.add_scatter(
            x=[value for value, _ in there],
            y=[height + sway(place, len(table.seeds)) for _, height in there],
            mode="lines+markers",
            line={"color": faded(ACCENT, 0.45), "width": 1.5},
            marker={"color": ACCENT, "size": 9, "line": {"width": 1, "color": "rgba(255,255,255,0.7)"}},
            hovertemplate=f"seed {seed}<br>{label(table.score, 24)} %{{x:.1%}}<extra></extra>",
            name="runs of one seed",
            showlegend=place == 0,
        )
    means = [(one.mean, one.std, height) for one, height in zip(spreads, heights, strict=True) if one.mean is not None]
    figure.add_scatter(
        **mean_mark(
            x=[mean for mean, _, _ in means],
            y=[height for _, _, height in means],
            customdata=[[std or 0.0] for _, std, _ in means],
            hovertemplate="mean %{x:.1%} ± %{customdata[0]:.1%}<extra></extra>",
        )
    )
    values = [value for one in spreads for value in one.values if value is not None]
    name_lines(figure, [line.label for line in table.policies], f"validation {table.score}", identity)
    low, high = range_of(values)
    figure.update_xaxes(tickformat=".0%" if high - low > 0.1 else ".1%", range=[low, min(high, 1.01)])
    return figure


def differences(table: DuelTable, *, identity: str = "") -> go.Figure:
    """The mean difference of each pair with its interval, and beside it that of each seed, in points (hundredths)."""
    names = [f"{pair.second} − {pair.first}" for pair in table.pairs]
    figure = _intervals([pair.gap for pair in table.pairs], [ACCENT] * len(names))
    for place, pair in enumerate(table.pairs):
        height = len(names) - 1 - place
        figure.add_scatter(
            x=_points(pair.differences),
            y=[height - 0.24] * len(pair.differences),
            customdata=list(pair.seeds),
            mode="markers",
            marker={"color": faded(ACCENT, 0.5), "size": 6},
            hovertemplate="seed %{customdata}: %{x:+.1f} points<extra></extra>",
            name="one seed",
            showlegend=place == 0,
        )
    name_lines(figure, names, f"difference in {table.score} (points)", identity, width=24)
    values = [value for pair in table.pairs for value in pair.differences]
    return _about_zero(figure, values + _ends(pair.gap for pair in table.pairs))


def class_differences(table: DuelTable, pair: Gap, *, identity: str = "") -> go.Figure:
    """The change of each class from the first policy of a pair to the second, with its interval, in points; those that
    changed most if there are many, in the order and the colours of the classes."""
    known = [(place, one) for place, one in enumerate(pair.per_class) if one.gap is not None]
    most = sorted(known, key=lambda found: -abs(found[1].gap.mean))[:MOST_CLASSES]
    drawn = [found for found in known if found in most]
    figure = _intervals([one.gap for _, one in drawn], [class_colour(place) for place, _ in drawn])
    figure.update_layout(showlegend=False)  # its marks would have the colour of one class
    name_lines(figure, [one.label for _, one in drawn], f"change of {table.class_figure} (points)", identity)
    return _about_zero(figure, _ends(one.gap for _, one in drawn))


def _intervals(gaps: Sequence[Crossed | None], colours: Sequence[str]) -> go.Figure:
    figure = go.Figure()
    for place, (gap, colour) in enumerate(zip(gaps, colours, strict=True)):
        if gap is None:
            continue
        height = len(gaps) - 1 - place
        figure.add_scatter(
            x=_points(gap.interval),
            y=[height, height],
            mode="lines",
            line={"color": faded(colour, 0.4), "width": 10},
            hovertemplate="95 % interval: %{x:+.1f} points<extra></extra>",
            name="95 % interval",
            showlegend=place == 0,
        )
        figure.add_scatter(
            x=_points([gap.mean]),
            y=[height],
            mode="markers",
            marker={"color": colour, "size": 11, "line": {"width": 1, "color": "rgba(255,255,255,0.7)"}},
            hovertemplate="mean %{x:+.1f} points<extra></extra>",
            name="mean difference",
            showlegend=place == 0,
        )
    return figure


def _about_zero(figure: go.Figure, values: Sequence[float]) -> go.Figure:
    """An axis that shows all values and zero, which is marked: there is no difference."""
    low, high = range_of([*values, 0.0])
    figure.add_vline(x=0, line={"color": QUIET, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(tickformat="+.0f" if high - low > 0.1 else "+.1f", range=_points([low, high]), zeroline=False)
    return figure


def _points(shares: Iterable[float]) -> list[float]:
    return [100 * share for share in shares]


def _ends(gaps: Iterable[Crossed | None]) -> list[float]:
    return [end for gap in gaps if gap is not None for end in gap.interval]
