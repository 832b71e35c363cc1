"""What a segmentation network finds in a picture: its mask over it, how much of each class, how sure, and why."""

from dataclasses import dataclass

import streamlit as st

from core.errors import FoveaError
from core.figures.counts import pixel_shares
from core.metrics.segmentation import background_of
from core.predict.answer import MaskAnswer
from core.predict.submission import insist_on_names, stem_of, submission_of
from core.runs.store import Run
from pages.shared import cache
from pages.shared.live import PLAIN_FIGURE
from pages.shared.masks import FILL, OUTLINE, style_widget
from pages.shared.words import duration, legend, plain, sentence

MASK, ORIGINAL, DOUBT, REASON = "mask", "original", "doubt", "reason"
MUCH_LARGER = 2.5  # times the training pictures: from here on tiles are recommended
COARSE = " This feature map has {} cells, so it is no sharper than that; those to its left are finer."
VIEWS = {MASK: "Mask", ORIGINAL: "Original", DOUBT: "Uncertainty", REASON: "Heat map"}


@dataclass(frozen=True)
class Look:
    """How all pictures are looked at, and what of them is shown."""

    tiles: bool
    sides: bool  # from all eight of them
    view: str  # one of VIEWS
    style: str  # FILL or OUTLINE
    opacity: float  # in [0, 1]
    classes: tuple[int, ...]  # shown in the mask
    reason: int  # the class that is explained


def answers(run: Run, pictures: list[tuple[str, bytes]]) -> None:
    """Every picture, given as (name, content), with its mask; below them the file for a competition."""
    if not pictures:
        return
    look = controls(run)
    done = []
    with st.spinner("Looking", show_time=True):
        for place, (name, content) in enumerate(pictures):
            with st.container(border=True, key=f"answer_{place}"):
                found = answer(run, look, place, name, content)
            done += [found] if found else []
    submission(run, done)
    st.caption(
        "A model gives every pixel one of the classes it learned. A picture of anything else gets a mask too, "
        "sometimes without any doubt."
    )


def controls(run: Run) -> Look:
    """The switches for all pictures: how the network looks, and what is drawn."""
    classes = run.facts.classes
    drawn = [place for place in range(len(classes)) if place != background_of(classes)]
    with st.container(horizontal=True, gap="medium", vertical_alignment="center", key="mask_ways"):
        tiles = st.toggle(
            "Overlapping tiles",
            key="predict_tiles",
            persist_state="session",
            help="For pictures much larger than those of training: they are seen in windows as large as those were, "
            "each overlapping the next by half, and the answers are blended. Otherwise the whole picture is made as "
            f"small as the {run.recipe.image_size} pixels that the network sees.",
        )
        sides = st.toggle(
            "Look from all sides",
            key="predict_sides",
            persist_state="session",
            help="Test-time augmentation: the network sees the picture turned and mirrored in all eight ways, and the "
            "answers are averaged. Where they disagree, it is unsure. Takes eight times as long.",
        )
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="mask_look"):
        offered = [view for view in VIEWS if sides or view != DOUBT]
        view = st.segmented_control(
            "Show", offered, format_func=VIEWS.get, default=MASK, required=True, key="predict_view"
        )
        view = view if view in offered else MASK
        shown, style, opacity, reason = tuple(drawn), OUTLINE, 0.5, drawn[0]
        if view == MASK:
            style = style_widget("predict_style", off=False, start=FILL, titled=True)
            picked = st.pills(
                "Classes",
                drawn,
                selection_mode="multi",
                default=drawn,
                format_func=lambda place: plain(classes[place], 30),
                key=f"predict_classes_{run.id}",
            )
            shown = tuple(place for place in picked if place in drawn)
        if view == REASON:
            reason = st.selectbox(
                "Class",
                range(len(classes)),
                drawn[0],
                lambda place: classes[place],
                key=f"predict_reason_{run.id}",
                width=220,
            )
        if view != ORIGINAL:
            opacity = st.slider(
                "Opacity", 0.0, 1.0, 0.5, 0.05, "percent", key="predict_opacity", persist_state="session", width=150
            )
    return Look(tiles, sides, view, style, min(1.0, max(0.0, opacity)), shown, reason)


def answer(run: Run, look: Look, place: int, name: str, content: bytes) -> MaskAnswer | None:
    """One picture with its mask and how much of it each class has, or why there is none."""
    try:
        found = cache.mask_answer(run.paths, name, content, look.tiles, look.sides)
    except FoveaError as error:
        st.error(sentence(error), icon=":material/error:")
        return None
    if found.error:
        st.error(plain(found.error), icon=":material/broken_image:")
        return None
    left, right = st.columns([3, 2], gap="medium")
    with left:
        picture(run, look, place, found, content)
    with right:
        areas(run, place, found)
        downloads(run, place, found)
    return found


def picture(run: Run, look: Look, place: int, found: MaskAnswer, content: bytes) -> None:
    """The picture with whatever is to be seen over it, and what that means."""
    classes, told = run.facts.classes, ""
    size = found.width, found.height
    if look.view == DOUBT:
        drawn = cache.drawn_heat(found.picture, found.uncertainty, size, look.opacity)
        told = "Dark: the eight views agree. Bright: half of them or more disagree with their common answer."
    elif look.view == REASON:
        explained = reason(run, look, place, found, content)
        if explained is None:
            return
        drawn, told = explained
    elif look.view == ORIGINAL:
        drawn = cache.drawn_mask(found.picture, found.mask, size, FILL, 0.0, (), None)
    else:
        ground = background_of(classes)
        drawn = cache.drawn_mask(found.picture, found.mask, size, look.style, look.opacity, look.classes, ground)
        told = legend(classes, look.classes)
    alt = f"{found.name}: {VIEWS[look.view].lower()}"
    st.image(drawn, caption=plain(found.name, 60), alt=alt, width="stretch")
    st.markdown(f":small[{told}]" if told else "")


def reason(run: Run, look: Look, place: int, found: MaskAnswer, content: bytes) -> tuple[bytes, str] | None:
    """Grad-CAM of the chosen class over the picture, and what it says."""
    label, key = run.facts.classes[look.reason], f"stage_{place}_{run.id}_{look.reason}"
    try:
        told = cache.explanation(run.paths, found.name, content, label, st.session_state.get(key))
    except FoveaError as error:
        st.error(sentence(error), icon=":material/error:")
        return None
    if told.error:
        st.error(plain(told.error), icon=":material/broken_image:")
        return None
    drawn = cache.drawn_heat(told.picture, told.heat, (found.width, found.height), look.opacity)
    st.select_slider(
        "Feature map",
        range(len(told.stages)),
        told.stage,
        lambda stage: f"{stage + 1}: {told.stages[stage]}",
        key=key,
        help="Which of the encoder's feature maps is asked, from fine to coarse. The last one holds what the network "
        "has understood, at low resolution; earlier ones hold edges and textures.",
    )
    name = plain(label, 30)
    if not told.warm:
        return drawn, f"Nothing in this feature map speaks for **{name}**. Ask a finer one."
    said = f"**{name}** was found nowhere here. Grad-CAM of the whole picture: what speaks for it most."
    if told.found:
        said = f"Grad-CAM: the brighter, the more this place speaks for **{name}** where it was predicted."
    return drawn, said + (COARSE.format(told.stages[told.stage]) if told.stage else "")


def areas(run: Run, place: int, found: MaskAnswer) -> None:
    """How much of the picture each class has: bars, and the same as numbers."""
    pixels = [round(part * found.width * found.height) for part in found.areas.values()]
    bars = pixel_shares(pixels, run.facts.classes)
    st.plotly_chart(bars, key=f"areas_{place}", config=PLAIN_FIGURE, alt="Share of the picture that each class has")
    st.dataframe(
        [
            {"class": label, "share": part, "pixels": number}
            for (label, part), number in zip(found.areas.items(), pixels, strict=True)
        ],
        hide_index=True,
        column_config={
            "share": st.column_config.NumberColumn(format="percent", width="small"),
            "pixels": st.column_config.NumberColumn(format="localized", width="small"),
        },
        key=f"areas_table_{place}",
        alt="Area of each class",
    )
    seen = "seen whole" if found.tiles == 1 else f"seen in {found.tiles:,} tiles"
    sides = f", each from {found.views} sides" if found.views > 1 else ""
    took = duration(found.milliseconds / 1000) if found.milliseconds >= 1000 else f"{found.milliseconds:.0f} ms"
    st.caption(f"{found.width:,} × {found.height:,} pixels, {seen}{sides}, in {took}")
    wide, tall = found.learned
    if found.tiles == 1 and max(found.width / wide, found.height / tall) >= MUCH_LARGER:
        st.caption(
            f":material/lightbulb: Pictures of training had about {wide:,} × {tall:,} pixels. If what is to be found "
            "is as large here, in pixels, as it was there, overlapping tiles see it better."
        )


def downloads(run: Run, place: int, found: MaskAnswer) -> None:
    """The mask as a file of indices and as a picture."""
    stem = stem_of(found.name)
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Mask, class indices",
            found.mask,
            f"{stem}.mask.png",
            "image/png",
            key=f"mask_png_{place}",
            icon=":material/download:",
            on_click="ignore",
            help="PNG in the size of the picture: each pixel is the number of its class, "
            + ", ".join(f"{index} {plain(label, 30)}" for index, label in enumerate(run.facts.classes))
            + ". It looks black in most viewers.",
        )
        st.download_button(
            "Mask, colours",
            lambda: cache.coloured(found.mask, background_of(run.facts.classes)),
            f"{stem}.colours.png",
            "image/png",
            key=f"colour_png_{place}",
            icon=":material/palette:",
            on_click="ignore",
            help="PNG in the size of the picture: each class in its colour, the background black.",
        )


def submission(run: Run, done: list[MaskAnswer]) -> None:
    """All masks as the run-length file that a Kaggle competition takes."""
    if not done:
        return
    problem = ""
    try:
        insist_on_names(found.name for found in done)
    except FoveaError as error:
        problem = sentence(error)
    classes = run.facts.classes
    counted = [plain(label, 30) for index, label in enumerate(classes) if index != background_of(classes)]
    lines = ", ".join(f"`_{place}` {label}" for place, label in enumerate(counted))
    with st.container(horizontal=True, vertical_alignment="center", key="submission"):
        st.download_button(
            "Submission (CSV)",
            lambda: submission_of(((found.name, found.mask) for found in done), classes),
            f"{run.id} submission.csv",
            "text/csv",
            key="submission_csv",
            icon=":material/table:",
            on_click="ignore",
            disabled=bool(problem),
        )
        st.caption(
            problem
            or f"Run lengths, down the columns and counted from 1, as the Kaggle competition BKAI-IGH NeoPolyp takes "
            f"them: one line for each picture and class ({lines}).",
            width="stretch",
        )
