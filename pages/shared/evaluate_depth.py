"""Below the figures of a split: how well the model ranks, and whether it is right as often as it says."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from core.evaluate.depth import METHODS, Depth, PixelDepth
from core.figures.depth import calibration_curve, confidence_bars, precision_curves, roc_curves
from core.metrics.intervals import Interval
from core.runs.store import Run
from pages.shared.cached.depth import depth
from pages.shared.live import PLAIN_FIGURE
from pages.shared.pickers import or_stop
from pages.shared.words import bounds, measured, plain, share

FEWEST_DRAWN = 6  # classes that all curves are drawn of; of more, the worst
ABOUT = {
    "auroc": "AUROC: how often an image of the class gets a higher probability for it than an image of another class; "
    "0.5 is a guess.",
    "average_precision": "Average precision: the mean precision over the images of the class, going down from the "
    "surest; the class's share of all images is a guess.",
    "error": "Expected calibration error: how far confidence and the share of right answers lie apart on average, over "
    "ten bins of confidence.",
    "gap": "Mean confidence less accuracy: above zero the model claims to be right more often than it is.",
    "brier": "Brier score: mean squared distance of the probabilities from the truth; 0 is perfect.",
}


def figure(label: str, value: float | None, interval: Interval | None, about: str, *, of_sign: bool = False) -> None:
    """A number with its interval under it, and in its tooltip what it is and how the interval was made."""
    shown = "–" if value is None else signed(value) if of_sign else share(value)
    under = f"[{signed(interval.low)} to {signed(interval.high)}]" if of_sign and interval else bounds(interval)
    st.metric(label, shown, delta=under or None, delta_color="off", delta_arrow="off", help=about)


def signed(value: float) -> str:
    """A number with its sign, as "+0.012", and a minus as long as the plus."""
    return f"{value:+.3f}".replace("-", "\u2212")


def told(name: str) -> str:
    """What a figure is, and how its interval was made."""
    return f"{ABOUT[name]} {METHODS[name]}"


def tabs_of(run: Run, split: str) -> dict[str, Callable[[], None]]:
    """The tabs about a classifier's probabilities."""
    return {
        "ROC": partial(ranking, run, split, "auroc"),
        "Precision and recall": partial(ranking, run, split, "average_precision"),
        "Calibration": partial(calibration, run, split),
    }


def pixel_tabs_of(run: Run, split: str) -> dict[str, Callable[[], None]]:
    """The tabs about the probabilities of a network with two classes of pixels."""
    return {
        "Precision and recall": partial(pixel_ranking, run, split),
        "Calibration": partial(pixel_calibration, run, split),
    }


def ranking(run: Run, split: str, name: str) -> None:
    """AUROC or average precision of every class, with its curves."""
    with or_stop():
        found: Depth = depth(run, split)
    word = "AUROC" if name == "auroc" else "average precision"
    interval = getattr(found, f"{name}_interval")
    known = [(place, one) for place, one in enumerate(found.per_class) if getattr(one, name) is not None]
    if not known:
        st.markdown("Ranking needs images of at least two classes, which this split has not.")
        return
    worst = sorted(known, key=lambda row: getattr(row[1], name))
    lowest = worst[0][1]
    st.markdown(
        f"**Mean {word} {measured(getattr(found, name), interval)}.** Lowest for {plain(lowest.label, 40)}: "
        f"{measured(getattr(lowest, name), getattr(lowest, f'{name}_interval'))}.",
        help=told(name),
    )
    drawn = sorted(worst[:FEWEST_DRAWN])
    curve = "roc" if name == "auroc" else "precision_recall"
    lines = [
        (
            place,
            one.label,
            getattr(one, curve),
            f"{word} {measured(getattr(one, name), getattr(one, f'{name}_interval'))}",
        )
        for place, one in drawn
    ]
    left, right = st.columns([4, 3], gap="medium")
    drawing = roc_curves(lines) if name == "auroc" else precision_curves(lines)
    left.plotly_chart(drawing, key=f"depth_{curve}", config=PLAIN_FIGURE, alt=f"{word} of the classes")
    if len(known) > len(drawn):
        left.caption(f"Drawn: the {len(drawn)} lowest of {len(known)} classes.")
    rows = [
        {
            "class": one.label,
            word: getattr(one, name),
            "95 %": bounds(getattr(one, f"{name}_interval")),
            **({} if name == "auroc" else {"a guess": one.positives / found.n}),
            "images": one.positives,
        }
        for one in found.per_class
    ]
    number = st.column_config.NumberColumn
    columns = {word: number(format="%.3f", help=told(name)), "a guess": number(format="%.3f", width="small")}
    with right:
        st.dataframe(
            rows, hide_index=True, key=f"depth_{name}", column_config=columns, placeholder="–", alt=f"{word} by class"
        )
        st.caption("Each class is held against all others. A class without images has no figure.")


def calibration(run: Run, split: str) -> None:
    """Whether the model is right as often as it says."""
    with or_stop():
        found: Depth = depth(run, split)
    told_of = found.calibration
    st.markdown(_verdict(told_of.gap, told_of.gap_interval))
    with st.container(key="calibration"), st.grid(3, min_column_width=170):
        figure("calibration error", told_of.error, told_of.error_interval, told("error"))
        figure("confidence less accuracy", told_of.gap, told_of.gap_interval, told("gap"), of_sign=True)
        figure("Brier score", told_of.brier, told_of.brier_interval, told("brier"))
    st.caption(_by_chance(told_of.error, told_of.by_chance, f"{found.n:,} images"))
    left, right = st.columns([3, 2], gap="medium")
    drawing = calibration_curve(told_of.bins)
    left.plotly_chart(drawing, key="calibration_curve", config=PLAIN_FIGURE, alt="Share that is right by confidence")
    with right:
        st.caption("How many images the model is so sure of")
        st.plotly_chart(
            confidence_bars(told_of.bins), key="calibration_bars", config=PLAIN_FIGURE, alt="Images by confidence"
        )
        _bins(told_of.bins, "confidence", "right", "images", "Wilson")


def pixel_ranking(run: Run, split: str) -> None:
    """Precision and recall of the foreground's pixels at every threshold."""
    with or_stop():
        found: PixelDepth = depth(run, split)
    about = f"Of pixels, over all images. {METHODS['pixels']}"
    st.markdown(
        f"**Average precision {measured(found.average_precision, found.average_precision_interval)}** for pixels of "
        f"{plain(found.label, 40)}; a guess has {share(found.share)}, its share of all pixels.",
        help=about,
    )
    words = f"average precision {measured(found.average_precision, found.average_precision_interval)}"
    drawing = precision_curves([(1, found.label, found.precision_recall, words)], found.share)
    st.plotly_chart(drawing, key="depth_pixels", config=PLAIN_FIGURE, alt="Precision over recall of pixels")


def pixel_calibration(run: Run, split: str) -> None:
    """Whether a pixel is foreground as often as the network says."""
    with or_stop():
        found: PixelDepth = depth(run, split)
    about = (
        "How far the probability of the foreground and its true share lie apart on average, over ten bins, by pixels. "
        "95 % interval: all true errors under which this figure would not be a rare one, images drawn as wholes."
    )
    st.markdown(
        f"**Calibration error {measured(found.error, found.error_interval)}**, by pixels of {found.n:,} images.",
        help=about,
    )
    st.caption(_by_chance(found.error, found.by_chance, f"{found.n:,} images"))
    left, right = st.columns([3, 2], gap="medium")
    name = f"probability of {found.label}"
    drawing = calibration_curve(found.bins, x=name, y=f"truly {found.label}", unit="pixels")
    left.plotly_chart(drawing, key="calibration_curve", config=PLAIN_FIGURE, alt="True share by probability")
    with right:
        _bins(found.bins, "said", "true", "pixels", "images drawn again")


def _verdict(gap: float, interval: Interval) -> str:
    if interval.low > 0:
        return f"**The model is over-confident**: it claims to be right {100 * gap:.1f} points more often than it is."
    if interval.high < 0:
        return f"**The model is under-confident**: it is right {-100 * gap:.1f} points more often than it claims."
    return "**Confidence and accuracy agree**, as far as these images can tell."


def _by_chance(error: float, chance: float, images: str) -> str:
    told = f"So few as {images} would show a calibration error of about {chance:.3f} even of a model that has none"
    return f"{told}, so look at the interval." if chance > error / 4 else f"{told}."


def _bins(bins: tuple, said: str, true: str, unit: str, method: str) -> None:
    rows = [
        {
            said: f"{100 * one.low:.0f}–{100 * one.high:.0f} %",
            "mean": f"{one.confidence:.1%}",
            true: f"{one.accuracy:.1%}",
            "95 %": bounds(one.interval),
            unit: one.n,
        }
        for one in bins
        if one.n
    ]
    st.dataframe(
        rows,
        hide_index=True,
        key="calibration_bins",
        column_config={"95 %": st.column_config.TextColumn(help=f"Of the share in the column before. {method}.")},
        alt="Calibration by bin",
    )
