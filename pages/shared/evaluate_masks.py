"""The report on a segmentation network: how well its masks overlap with the true ones, for each class and image."""

import streamlit as st

from core.data.dataset import Dataset
from core.evaluate.segmentation import Means, SegmentationResult
from core.figures.segmentation import pixel_confusion
from core.metrics.intervals import Interval
from core.metrics.segmentation import EMPTY_RULES, METRICS, MaskScore
from core.runs.store import Run
from pages.shared import (
    cache,
    evaluate_depth,
    evaluate_images,
    evaluate_threshold,
    evaluate_views,
    integrity,
    repeat_tables,
    where,
)
from pages.shared.evaluate_split import caveat
from pages.shared.evaluate_tabs import tabs
from pages.shared.live import PLAIN_FIGURE
from pages.shared.pickers import or_stop
from pages.shared.words import bounds, count, share

METRIC_WORDS = {"dice": "Dice", "iou": "IoU", "precision": "precision", "recall": "recall"}
EMPTY_WORDS = {"skip": "left out", "one": "counts as 1", "zero": "counts as 0"}
TALLEST = 600  # pixels of a table: three classes and their mean


def report(run: Run, result: SegmentationResult, dataset: Dataset | None) -> None:
    """The whole report on one split. Without its dataset, which may be gone, it shows no pictures."""
    path = run.paths.predictions(result.split)
    numbers = st.container()
    with_background, empty = switches(result)
    with or_stop():
        table = cache.mask_table(path)
        result, rows = cache.mask_report(path, empty)
        generous, _ = cache.mask_report(path, "one")
    with numbers:
        headline(run, result, with_background)
        integrity.panel(run, result)
    nothing_found(result, generous)

    st.subheader("Every image")
    st.caption("Worst first. Choose a row to see the image with its true mask, the answer, and where they differ.")
    chosen = evaluate_images.choose(run, result, rows)
    evaluate_images.picture(run, result, chosen, dataset)

    st.subheader("Every class")
    per_class(result, with_background)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.subheader("What is taken for what")
        confusion(result)
    with right:
        st.subheader("How far off the outlines are")
        boundary(result)
    if len(result.classes) == 2:
        evaluate_threshold.section(run, result, chosen, dataset)
    pixels = evaluate_depth.pixel_tabs_of(run, result.split) if len(result.classes) == 2 else {}
    tabs(
        {
            **pixels,
            "Test-time augmentation": lambda: evaluate_views.panel(run, result.split),
            "Where it looks": lambda: where.panel(run, dataset, table),
            "Repeats": lambda: repeat_tables.panel(run, dataset),
        },
        "pixel_tabs" if pixels else "mask_tabs",
    )


def switches(result: SegmentationResult) -> tuple[bool, str]:
    """Whether the background counts among the classes, and what an image counts that has nothing of a class."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom", key="mask_switches"):
        empty = st.segmented_control(
            "A class that is in neither mask of an image",
            list(EMPTY_RULES),
            format_func=EMPTY_WORDS.get,
            default=result.empty,
            required=True,
            key="empty_rule",
            persist_state="session",
            help="Neither the true mask nor the answer has it, so Dice is 0 / 0. What such an image is worth has to be "
            "agreed upon; it matters to means over images only. " + " ".join(EMPTY_RULES.values()),
        )
        with_background = result.background is not None and st.toggle(
            "Count the background too",
            key="with_background",
            persist_state="session",
            help="The background is large and easy, so a mean that counts it as one more class looks better than what "
            "one came for.",
        )
    empty = empty if empty in EMPTY_RULES else result.empty
    return with_background, empty


def headline(run: Run, result: SegmentationResult, with_background: bool) -> None:
    """Mean Dice and IoU in both ways of summing up, side by side and named, each with its interval."""
    pooled, over_images = _means(result, with_background)
    ways = (
        ("Pooled over pixels", "pooled", pooled, "Every pixel counts the same, so large objects count more."),
        ("Mean over images", "over images", over_images, "Every image counts the same, however little is in it."),
    )
    with st.container(key="headline"), st.grid(2, min_column_width=300):
        for title, suffix, means, about in ways:
            with st.container(border=True, height="stretch"):
                st.markdown(f"**{title}**  \n:small[:gray[{about}]]")
                with st.grid(2, min_column_width=160):
                    _metric(f"mean Dice {suffix}", means.mean_dice, means.mean_dice_interval)
                    _metric(f"mean IoU {suffix}", means.mean_iou, means.mean_iou_interval)
    over = "all classes, background included" if with_background else _without(result)
    st.caption(
        f"Means of {over}, over {count(result.n, 'image')} in their own size. {EMPTY_RULES[result.empty]} "
        "In brackets: the 95 % interval from drawing images again, where the true value plausibly lies. "
        f"{caveat(run, result.split)}"
    )


def _metric(label: str, value: float | None, interval: Interval | None) -> None:
    about = (
        "Twice the area that truth and answer share, divided by the two areas taken together."
        if "Dice" in label
        else "Intersection over union: the area that truth and answer share, divided by the area that either covers."
    )
    st.metric(
        label,
        share(value),
        delta=bounds(interval) or ("too few images for an interval" if value is not None else None),
        delta_color="off",
        delta_arrow="off",
        help=f"{about} Computed in the original size of each image; while training it is computed at the size that the "
        "model sees, so the figures there differ a little. 95 % interval: whole images drawn again, 1,000 times, with "
        "Student's tails (bootstrap).",
    )


def _means(result: SegmentationResult, with_background: bool) -> tuple[Means, Means]:
    over = result.over_images
    return (result.with_background, over.with_background) if with_background else (result, over)


def _without(result: SegmentationResult) -> str:
    return "all classes" if result.background is None else "the classes without background"


def nothing_found(result: SegmentationResult, generous: SegmentationResult) -> None:
    """Why a mean that counts the background flatters, and so does the rule by which empty images count as 1 (which
    `generous` follows), told with the figures of this very split."""
    idle, over = result.nothing_found, generous.nothing_found_over_images
    if idle is None or over is None:
        return
    pixels = sum(row.pixels for row in result.per_class)
    ground = result.per_class[result.background].pixels / max(1, pixels)
    with st.expander(
        "Why can a model that finds nothing still show a mean IoU of 0.45?", icon=":material/help:", key="nothing_found"
    ):
        st.markdown(
            "Because the background may be counted as a class. Say nine tenths of all pixels are background, and there "
            "is one class to find. A model that answers nothing but background then has an IoU of 0.90 for the "
            "background and 0 for the class: a mean of 0.45, though it found nothing. "
            f"**On these {count(result.n, 'image')}** {ground:.0%} of the pixels are background. A model that finds "
            f"nothing would show a mean IoU of **{share(idle.with_background.mean_iou)}** with the background and "
            f"**{share(idle.mean_iou)}** without it; this one has {share(result.with_background.mean_iou)} and "
            f"{share(result.mean_iou)}. That is why the means here leave the background out until you switch it on. "
            "A rule by which a class that is in neither mask counts as 1 flatters in the same way: under it, finding "
            f"nothing earns a mean Dice over images of **{share(over.mean_dice)}** here, without any "
            f"background{', as every image has every class' if over.mean_dice == 0 else ''}. So look at each class, "
            "and at the images at the top of the list below."
        )


def per_class(result: SegmentationResult, with_background: bool) -> None:
    """Every metric of every class in both ways of summing up, and how far the outlines lie apart."""
    lines = [
        line
        for row, over in zip(result.per_class, result.over_images.per_class, strict=True)
        for line in _lines(row.label, row, over)
    ]
    pooled, over_images = _means(result, with_background)
    lines += _lines("mean of the classes", _as_score(pooled), _as_score(over_images))
    bar = {
        name: st.column_config.ProgressColumn(name, format="%.3f", min_value=0, max_value=1, width="small")
        for name in ("pooled over pixels", "mean over images")
    }
    text = st.column_config.TextColumn
    drawn = text(help="Whole images drawn again, 1,000 times, with Student's tails (bootstrap).")
    columns = bar | {"class": text("class", width="medium", pinned=True)}
    columns |= {"pooled 95 %": drawn, "over images 95 %": drawn}
    st.dataframe(
        lines,
        hide_index=True,
        column_config=columns,
        height=min(TALLEST, 38 + 35 * len(lines)),
        key="per_class",
        placeholder="–",
        alt="Scores of every class",
    )
    st.caption(
        "Precision: share of the pixels given to a class that belong to it. Recall: share of its pixels that were "
        "found. A dash is undefined; an empty interval rests on too few images."
    )


def boundary(result: SegmentationResult) -> None:
    """How much there is of each class, and how far the outlines of truth and answer lie apart."""
    total = max(1, sum(row.pixels for row in result.per_class))
    lines = [
        {
            "class": row.label,
            "error (px)": row.boundary,
            "95 % interval": _pixels(row.boundary_interval),
            "95th (px)": row.boundary95,
            "compared": row.boundary_images,
            "images": row.images,
            "pixels": row.pixels / total,
        }
        for place, row in enumerate(result.per_class)
        if place != result.background
    ]
    number = st.column_config.NumberColumn
    columns = {
        "error (px)": number(format="%.2f", width="small", help="Mean distance between the outlines, over images."),
        "95th (px)": number(format="%.2f", width="small", help="The 95th percentile along the outline, over images."),
        "compared": number(width="small", help="Images in which truth and answer both have the class."),
        "images": number(width="small", help="Images whose true mask has the class."),
        "pixels": number(format="percent", width="small", help="Share of all pixels that truly belong to it."),
    }
    st.dataframe(
        lines, hide_index=True, column_config=columns, key="boundary", placeholder="–", alt="Boundary error of classes"
    )
    st.caption(
        "Boundary error: how far, in pixels of the original image, the outlines of the true mask and the answer lie "
        "apart on average, over the images where both have the class; and how far along the worst twentieth of them."
    )


def confusion(result: SegmentationResult) -> None:
    """Of the pixels of each class, which share was given which class."""
    figure = pixel_confusion(result.confusion, result.classes)
    st.plotly_chart(figure, key="pixel_confusion", config=PLAIN_FIGURE, alt="Confusion of pixels")
    told = "Each row: where the pixels of one true class went."
    if result.ignored:
        told += f" {result.ignored:,} pixels are ignored: the true masks give them no class."
    st.caption(told)


def _lines(label: str, pooled: MaskScore, over: MaskScore) -> list[dict]:
    return [
        {
            "class": label,
            "metric": METRIC_WORDS[name],
            "pooled over pixels": getattr(pooled, name),
            "pooled 95 %": bounds(getattr(pooled, f"{name}_interval")),
            "mean over images": getattr(over, name),
            "over images 95 %": bounds(getattr(over, f"{name}_interval")),
        }
        for name in METRIC_WORDS
    ]


def _as_score(means: Means) -> MaskScore:
    names = [*METRICS, *(f"{name}_interval" for name in METRICS)]
    return MaskScore(**{name: getattr(means, f"mean_{name}") for name in names})


def _pixels(interval: Interval | None) -> str:
    return "" if interval is None else f"[{interval.low:.2f}–{interval.high:.2f}]"
