"""The images of an evaluated split, worst first, and the chosen one: its truth, its answer, and where they differ."""

from typing import Any

import streamlit as st

from core.data.dataset import Dataset
from core.errors import FoveaError
from core.evaluate.segmentation import ImageScore, SegmentationResult
from core.figures.overlay import draw_errors, draw_overlay
from core.runs.store import Run
from pages.shared import cache, state
from pages.shared.masks import style_widget
from pages.shared.pixels import error_swatches, grey, outline_width, photo
from pages.shared.words import legend, plain, sentence, share

TABLE_HEIGHT = 388  # pixels: ten rows
EVERY = None  # in the choice of a class: all of them
TABLE = "per_image"
MOST_COLUMNS = 8  # classes that get a column each in the table of images


def choose(run: Run, result: SegmentationResult, rows: list[ImageScore]) -> ImageScore:
    """The table of images, worst first; a click on a row chooses the image, which otherwise is the worst."""
    ids = [row.id for row in rows]
    held = st.session_state.get(state.IMAGE)
    id = held[2] if held and tuple(held[:2]) == (run.id, result.split) and held[2] in ids else ids[0]

    def hold(place: int) -> None:
        if 0 <= place < len(ids):
            st.session_state[state.IMAGE] = (run.id, result.split, ids[place])

    def click() -> None:
        hold(next(iter(st.session_state[TABLE].selection.rows), -1))

    place = ids.index(id)
    st.session_state[TABLE] = {"selection": {"rows": [place], "columns": [], "cells": []}}
    st.dataframe(
        [_line(row, result) for row in rows],
        hide_index=True,
        key=TABLE,
        on_select=click,
        selection_mode="single-row-required",
        height=min(TABLE_HEIGHT, 38 + 35 * len(rows)),
        column_config=_columns(result),
        placeholder="–",
        alt="Scores of every image, worst first",
    )
    with st.container(horizontal=True, vertical_alignment="center", key="image_bar"):
        st.button(
            "Worse", key="worse", icon=":material/chevron_left:", disabled=not place, on_click=hold, args=[place - 1]
        )
        st.button(
            "Better",
            key="better",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=place == len(ids) - 1,
            on_click=hold,
            args=[place + 1],
        )
        st.markdown(f"**{plain(rows[place].file, 60)}** &nbsp;:gray[{place + 1:,} of {len(ids):,}]", width="content")
    return rows[place]


def _shown_classes(result: SegmentationResult) -> list[int]:
    return [place for place in range(len(result.classes)) if place != result.background]


def _line(row: ImageScore, result: SegmentationResult) -> dict[str, Any]:
    return {
        "image": row.file,
        "Dice": row.dice,
        "IoU": row.iou,
        **{_dice_of(result, place): row.classes[place] for place in _own_columns(result)},
        "missed": row.missed,
        "invented": row.invented,
        **({"confused": row.confused} if _several(result) else {}),
        "boundary (px)": row.boundary,
        "size": f"{row.width} × {row.height}",
    }


def _several(result: SegmentationResult) -> bool:
    return len(_shown_classes(result)) > 1


def _own_columns(result: SegmentationResult) -> list[int]:
    """The classes with a column of their own: none where that would repeat the mean, or be too many to read."""
    places = _shown_classes(result)
    return places if 1 < len(places) <= MOST_COLUMNS else []


def _dice_of(result: SegmentationResult, place: int) -> str:
    return f"Dice {result.classes[place]}"


def _columns(result: SegmentationResult) -> dict[str, Any]:
    number, part = st.column_config.NumberColumn, {"format": "percent", "width": 72}
    return {
        "image": st.column_config.TextColumn("image", width=165, pinned=True),
        "Dice": st.column_config.ProgressColumn(
            "Dice",
            format="%.3f",
            min_value=0,
            max_value=1,
            width="small",
            help="Mean of the classes of this image, without background.",
        ),
        "IoU": number(format="%.3f", width=60),
        **{_dice_of(result, place): number(format="%.3f") for place in _own_columns(result)},
        "missed": number(**part, help="Share of the picture that has a class in truth, and background in the answer."),
        "invented": number(
            **part, help="Share of the picture that has a class in the answer, and background in truth."
        ),
        "confused": number(**part, help="Share of the picture that has one class in truth and another in the answer."),
        "boundary (px)": number(format="%.2f", help="Mean distance between the outlines of truth and answer."),
    }


@st.fragment
def picture(run: Run, result: SegmentationResult, row: ImageScore, dataset: Dataset | None) -> None:
    """The chosen image three times: with its truth, with the answer, and with hits, misses and inventions."""
    predicted = run.paths.mask(result.split, row.id)
    try:
        if dataset is None:
            raise FoveaError("The dataset of this run is gone, and the pictures with it; the numbers stay")
        image, truth, answer = cache.compared(dataset, dataset.sample(row.id), predicted)
    except FoveaError as error:
        st.info(sentence(error), icon=":material/hide_image:")
        return
    shown, style, opacity = _controls(result)
    classes = None if shown is EVERY else [shown]
    look = {"opacity": opacity, "style": style, "classes": classes, "background": result.background}
    look["width"] = outline_width(truth.shape)
    errors = draw_errors(grey(image), truth, answer, shown, background=result.background, opacity=opacity)
    pictures = {
        "Truth": draw_overlay(image, truth, **look),
        "Answer": draw_overlay(image, answer, **look),
        "Where they differ": errors,
    }
    with st.container(key="overlays"), st.grid(3, min_column_width=240, gap="small"):
        for title, pixels in pictures.items():
            st.image(photo(pixels), caption=title, alt=f"{title}: {row.file}", width="stretch")
    with st.container(horizontal=True, horizontal_alignment="distribute", key="overlay_legend"):
        places = _shown_classes(result) if shown is EVERY else [shown]
        st.markdown(f":small[{legend(result.classes, places)}]", width="content")
        _error_legend(with_confused=shown is EVERY and _several(result))
    st.caption(_told(row))


def _controls(result: SegmentationResult) -> tuple[int | None, str, float]:
    places = _shown_classes(result)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="overlay_controls"):
        shown = st.selectbox(
            "Class",
            places,
            None,
            lambda place: result.classes[place],
            key="overlay_class",
            placeholder="every class",
            width=220,
        )
        style = style_widget("overlay_style", off=False, titled=True)
        opacity = st.slider(
            "Opacity", 0.0, 1.0, 0.8, 0.05, "percent", key="overlay_opacity", persist_state="session", width=240
        )
    return (
        shown if shown in places else EVERY,
        style,
        min(1.0, max(0.0, opacity)),
    )


def _error_legend(*, with_confused: bool) -> None:
    told = {
        "hit": "hit",
        "missed": "missed: only the truth has it",
        "invented": "invented: only the answer has it",
        "confused": "confused: another class",
    }
    with st.container(horizontal=True, gap="small", width="content"):
        for square, name in error_swatches():
            if name == "confused" and not with_confused:
                continue
            with st.container(horizontal=True, gap="xxsmall", vertical_alignment="center", width="content"):
                st.image(square, width=22, alt="")
                st.caption(told[name], width="content")


def _told(row: ImageScore) -> str:
    parts = [f"Dice {share(row.dice)}"]
    if row.dice is None:
        parts = ["Nothing to find and nothing found, so Dice is undefined"]
    parts += [f"missed {row.missed:.1%}, invented {row.invented:.1%} of the picture"]
    if row.boundary is not None:
        parts.append(f"outlines {row.boundary:.2f} pixels apart on average")
    return "; ".join(parts) + "."
