"""The pictures on which two of the compared runs disagree, those first on which they do most."""

from contextlib import suppress
from pathlib import Path

import streamlit as st

from core.compare.comparison import Comparison, Disagreement, Picture
from core.data.dataset import Dataset
from core.errors import FoveaError
from core.figures.overlay import draw_overlay
from core.metrics.segmentation import background_of
from core.runs.store import Run
from pages.shared import cache, gallery
from pages.shared.masks import mask_legend
from pages.shared.pixels import outline_width, photo
from pages.shared.words import plain, shorten

MOST_MASKS = 6  # rows of three pictures


def pictures(found: Comparison) -> None:
    """Choose two runs and how they disagree, and see the pictures."""
    gap = found.disagreements[0]
    if len(found.disagreements) > 1:
        gap = st.selectbox(
            "Two runs",
            found.disagreements,
            format_func=lambda one: f"{found.named(one.first)} and {found.named(one.second)}",
            key=f"compare_pair_{len(found.disagreements)}",
        )
    kinds = _kinds(found, gap)
    offered = [kind for kind in kinds if getattr(gap, kind)]
    if not offered:
        st.markdown("They agree on every picture.")
        return
    kind = st.segmented_control(
        "How they disagree",
        offered,
        format_func=lambda kind: f"{kinds[kind]} ({getattr(gap, kind):,})",
        default=offered[0],
        required=True,
        key=f"compare_kind_{gap.first}_{gap.second}_{'_'.join(offered)}",
        label_visibility="collapsed",
    )
    ids = gap.shown[kind]
    try:
        runs = [cache.store().get(id) for id in (gap.first, gap.second)]
        dataset = cache.dataset_of(runs[0])
    except FoveaError:
        st.caption("The data of these runs is gone, so its pictures cannot be shown.")
        return
    shown = [found.pictures[id] for id in ids]
    if found.task == "segmentation":
        _masks(found, gap, dataset, runs, shown[:MOST_MASKS])
    else:
        gallery.sheet(
            [cell for picture in shown if (cell := _cell(found, dataset, gap, picture))], "compare", width=128
        )
    total = getattr(gap, kind)
    if total > len(ids) or found.task == "segmentation":
        drawn = min(len(ids), MOST_MASKS) if found.task == "segmentation" else len(ids)
        st.caption(f"{drawn} of {total:,}: those on which the two disagree most.")


def _kinds(found: Comparison, gap: Disagreement) -> dict[str, str]:
    first, second = (plain(shorten(found.named(id), 24)) for id in (gap.first, gap.second))  # buttons read Markdown
    if found.task == "segmentation":
        return {"only_first": f"{first} is better", "only_second": f"{second} is better"}
    return {
        "only_first": f"only {first} is right",
        "only_second": f"only {second} is right",
        "neither": "both wrong, each in its own way",
    }


def _cell(found: Comparison, dataset: Dataset, gap: Disagreement, picture: Picture) -> tuple[Path, str, str] | None:
    with suppress(FoveaError):  # an image of another revision
        sample = dataset.sample(picture.id)
        first, second = (picture.answers[id] for id in (gap.first, gap.second))
        caption = f"{shorten(picture.truth, 12)}: {shorten(first[0], 10)} / {shorten(second[0], 10)}"
        names = [found.named(id) for id in (gap.first, gap.second)]
        told = "; ".join(
            f"{name} says {said} with {sure:.2f}" for name, (said, sure) in zip(names, (first, second), strict=True)
        )
        return dataset.thumbnail(sample), caption, f"{picture.file} is {picture.truth}: {told}"
    return None


def _masks(found: Comparison, gap: Disagreement, dataset: Dataset, runs: list[Run], shown: list[Picture]) -> None:
    mask_legend(dataset.classes)
    ground = background_of(dataset.classes)
    for picture in shown:
        with suppress(FoveaError, OSError):
            sample = dataset.sample(picture.id)
            drawn = []
            for run in runs:
                pixels, truth, answer = cache.compared(dataset, sample, run.paths.mask(found.split, sample.id))
                drawn.append(_outlined(pixels, answer, ground))
            images = [_outlined(pixels, truth, ground), *drawn]
            told = ["truth"]
            told += [
                f"{shorten(found.named(id), 24)}, Dice {picture.answers[id][1]:.2f}" for id in (gap.first, gap.second)
            ]
            for column, image, words in zip(st.columns(3), images, told, strict=True):
                column.image(image, caption=plain(words), alt=f"{picture.file}: {words}", width="stretch")


def _outlined(pixels, mask, ground: int | None) -> bytes:
    return photo(
        draw_overlay(pixels, mask, style="contour", opacity=1.0, background=ground, width=outline_width(mask.shape))
    )
