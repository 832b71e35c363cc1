"""For two classes: how probable the foreground must be to count, and what every figure would be then."""

import numpy as np
import streamlit as st

from core.data.dataset import Dataset
from core.errors import FoveaError
from core.evaluate.masks import LEVELS
from core.evaluate.segmentation import ImageScore, SegmentationResult, at_threshold, evaluate_masks, threshold_figures
from core.figures.overlay import draw_errors, draw_overlay
from core.figures.segmentation import threshold_curve
from core.runs.store import Run
from pages.shared import cache
from pages.shared.live import PLAIN_FIGURE
from pages.shared.pickers import or_stop
from pages.shared.pixels import grey, outline_width, photo
from pages.shared.words import bounds, plain, sentence, share

USUAL = LEVELS // 2  # where the more probable of two classes wins


@st.fragment
def section(run: Run, result: SegmentationResult, row: ImageScore, dataset: Dataset | None) -> None:
    """A slider for the threshold; its figures beside those of 0.5, and the chosen image under it."""
    st.subheader("Threshold")
    name = result.classes[1]
    st.caption(
        f"A pixel counts as {plain(name, 30)} from this probability on. Lower finds more and invents more. Choose it "
        "on the validation split; the figures of the test split are then honest."
    )
    if result.split == "test":
        st.warning(
            "These are the test images. A threshold that is chosen here fits them, and their figures then say nothing "
            "about new ones.",
            icon=":material/warning:",
        )
    with or_stop():
        table = cache.mask_table(run.paths.predictions(result.split))
        levels = cache.levels(run.paths.levels(result.split))
    left, right = st.columns([4, 5], gap="medium")
    with left:
        cut = st.slider("Threshold (%)", 1, LEVELS - 1, USUAL, key="threshold", format="%d %%")
        cut = min(LEVELS - 1, max(1, cut))
        now = evaluate_masks(at_threshold(table, levels, cut / LEVELS), empty=result.empty)
        _figures(now, result)
        figure = threshold_curve(threshold_figures(levels), cut / LEVELS)
        st.plotly_chart(figure, key="threshold_curve", config=PLAIN_FIGURE, alt="Figures at every threshold")
    with right:
        _picture(run, result, row, dataset, cut)


def _figures(now: SegmentationResult, usual: SegmentationResult) -> None:
    """Those of the foreground, each with its interval and what it is at a half."""
    with st.container(key="threshold_figures"), st.grid(2, min_column_width=110):
        for label, name in (("Dice", "dice"), ("IoU", "iou"), ("precision", "precision"), ("recall", "recall")):
            score, before = now.per_class[1], usual.per_class[1]
            st.metric(
                label,
                share(getattr(score, name)),
                delta=bounds(getattr(score, f"{name}_interval")) or None,
                delta_color="off",
                delta_arrow="off",
                help=f"Pooled over pixels, of {plain(score.label)}. At 50 %: {share(getattr(before, name))}.",
            )
    st.caption(
        f"Mean Dice over images: {share(now.over_images.per_class[1].dice)} "
        f"{bounds(now.over_images.per_class[1].dice_interval)}; at 50 % it is "
        f"{share(usual.over_images.per_class[1].dice)}."
    )


def _picture(run: Run, result: SegmentationResult, row: ImageScore, dataset: Dataset | None, cut: int) -> None:
    """The image chosen above, cut at this threshold."""
    if dataset is None:
        return
    try:
        sample = dataset.sample(row.id)
        image, truth, _ = cache.compared(dataset, sample, run.paths.mask(result.split, row.id))
        with st.spinner("Looking", show_time=True):
            probable = cache.level_map(run, sample)
    except FoveaError as error:
        st.info(sentence(error), icon=":material/hide_image:")
        return
    answer = (probable >= cut).astype(np.uint8)
    ground = result.background
    look = {"style": "contour", "opacity": 1.0, "background": ground, "width": outline_width(truth.shape)}
    pictures = {
        f"Answer at {cut} %": draw_overlay(image, answer, **look),
        "Where it differs": draw_errors(grey(image), truth, answer, 1, background=ground),
    }
    with st.container(key="cut"), st.grid(2, min_column_width=200, gap="small"):
        for title, pixels in pictures.items():
            st.image(photo(pixels), caption=title, alt=f"{title}: {row.file}", width="stretch")
    st.caption(f"{plain(row.file, 60)}, the image chosen above.")
