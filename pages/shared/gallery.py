"""Pictures in a grid that folds to the width there is, and what a dataset or an import holds."""

from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from pathlib import Path

import streamlit as st

from core.data.dataset import SPLITS, Dataset, Sample
from core.data.incoming import Proposal
from core.figures.counts import class_counts, pixel_shares
from pages.shared import cache
from pages.shared.live import PLAIN_FIGURE
from pages.shared.masks import OFF, held, mask_legend, rarest, style_widget
from pages.shared.words import plain

PAGE = 24  # pictures at a time


def sheet(pictures: Sequence[tuple[Path | bytes, str, str]], key: str, *, width: int = 88) -> None:
    """A contact sheet of (picture, caption, description for who cannot see it); cells at least `width` pixels wide.

    Captions are text. Pictures are JPEGs made before, so that nothing is encoded here.
    """
    with st.container(key=f"sheet_{key}"), st.grid("auto", min_column_width=width, gap="xsmall"):
        for picture, caption, description in pictures:
            source = str(picture) if isinstance(picture, Path) else picture
            st.image(source, caption=plain(caption, 40) or None, alt=description, width="stretch")


def paged(number: int, key: str, most: int = PAGE) -> slice:
    """Which of `number` pictures to show, `most` at a time; draws the page numbers when there is more than one page."""
    pages = max(1, -(-number // most))
    page = st.pagination(pages, key=f"{key}_page", max_visible_pages=5) if pages > 1 else 1
    start = (min(max(1, page), pages) - 1) * most
    return slice(start, start + most)


Show = Callable[[Dataset | Proposal, Sequence[Sample], str, str], None]  # draws samples of it, by a key, in a style


def looked_at(data: Dataset | Proposal, samples: Sequence[Sample], key: str, style: str) -> None:
    """A contact sheet of samples, only to be looked at."""
    sheet([cell(data, sample, style) for sample in samples], key)


def holdings(data: Dataset | Proposal, key: str, show: Show = looked_at) -> None:
    """Images per class beside a contact sheet, drawn by `show`, that can be narrowed to a class and a split.

    Of masks also the share of pixels that each class has, and the masks themselves over the pictures.
    """
    left, right = st.columns([2, 3], gap="medium")
    masks = data.task == "segmentation"
    with left:
        counts = class_counts(data.counts(), data.classes, unit="images that show it" if masks else "images")
        st.plotly_chart(counts, key=f"{key}_counts", config=PLAIN_FIGURE, alt="Number of images in each class")
        if masks:
            shares = pixel_shares(_pixels(data.samples, len(data.classes)), data.classes)
            st.plotly_chart(shares, key=f"{key}_pixels", config=PLAIN_FIGURE, alt="Share of pixels of each class")
    with right:
        there = [split for split in SPLITS if any(sample.split == split for sample in data.samples)]
        with st.container(horizontal=True, vertical_alignment="bottom"):
            label = st.selectbox(
                "Class",
                range(len(data.classes)),
                None,
                lambda index: data.classes[index],
                key=f"{key}_class",
                placeholder="every class",
                label_visibility="collapsed",
            )
            split = None
            if there:
                split = st.selectbox(
                    "Split", there, None, key=f"{key}_split", placeholder="every split", label_visibility="collapsed"
                )
            style = style_widget(f"{key}_style") if masks else OFF
        chosen = [s for s in data.samples if (label is None or label in s.holds) and split in (None, s.split)]
        chosen = chosen if label is not None else mixed(chosen)
        slot = st.container()
        window = paged(len(chosen), f"{key}_sheet")
        with slot:
            show(data, chosen[window], key, style)
            if style != OFF:
                mask_legend(data.classes)
    if isinstance(data, Dataset) and data.mask_map:
        with st.expander("What the values of the masks mean", icon=":material/palette:", key=f"{key}_values"):
            rows = [{"value": value, "class": label or "ignored"} for value, label in data.mask_map]
            st.dataframe(rows, hide_index=True)
    if data.skipped:
        with st.expander(f"Skipped files ({len(data.skipped):,})", icon=":material/rule:", key=f"{key}_skipped"):
            st.dataframe([{"file": row.file, "reason": row.reason} for row in data.skipped], hide_index=True)


def mixed(samples: Sequence[Sample]) -> list[Sample]:
    """The samples with the classes taking turns, so that a first page shows all of them.

    An image with a mask takes its turn for the rarest class in it, and those with many classes come first.
    """
    by_class: dict[int, list[Sample]] = {}
    for sample, label in sorted(zip(samples, rarest(samples), strict=True), key=lambda pair: -len(pair[0].holds)):
        by_class.setdefault(label, []).append(sample)
    turns = zip_longest(*(by_class[label] for label in sorted(by_class, key=lambda k: (-len(by_class[k][0].holds), k))))
    return [sample for sample in chain.from_iterable(turns) if sample is not None]


def cell(data: Dataset | Proposal, sample: Sample, style: str) -> tuple[Path | bytes, str, str]:
    """A sample for a sheet: its picture, its class, and both in words; masks say by themselves what is in a picture."""
    name = held(data, sample)
    return picture(data, sample, style), name if sample.label >= 0 else "", f"{name}: {sample.name}"


def picture(data: Dataset | Proposal, sample: Sample, style: str) -> Path | bytes:
    """The thumbnail of a sample, with its mask over it unless that is off."""
    if style == OFF:
        return data.thumbnail(sample)
    masked = cache.found_picture if isinstance(data, Proposal) else cache.masked_thumbnail
    return masked(data, sample, style)


def _pixels(samples: Sequence[Sample], classes: int) -> list[int]:
    """Pixels of each class in all masks together."""
    return [sum(sample.pixels[index] for sample in samples if sample.pixels) for index in range(classes)]
