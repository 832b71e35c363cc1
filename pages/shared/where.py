"""Where a network looks: Grad-CAM over pictures of a split, and whether such maps mean anything for this network."""

import streamlit as st

from core.data.dataset import Dataset, Sample
from core.errors import FoveaError
from core.evaluate.masks import MaskTable
from core.evaluate.mistakes import confident_mistakes, of_cell
from core.evaluate.predictions import PredictionTable
from core.metrics.segmentation import background_of
from core.predict.meaning import ALIKE, LEARNED, NOTHING, UNDECIDED, Likeness, MapsCheck
from core.runs.store import Run
from pages.shared import atwork, cache, gallery
from pages.shared.cached import where
from pages.shared.words import failure, plain, sentence, shorten

CHECK = "core.predict.maps_check:check_maps"
ICONS = {LEARNED: ("check_circle", "green"), UNDECIDED: ("help", "orange"), NOTHING: ("error", "red")}
MOST = 12  # pictures at a time
MOST_MISTAKES = 96
WRONG, RIGHT = "Mistakes", "Named rightly"
ANSWER, TRUTH = "what it answered", "what it is"

Asked = tuple[Sample, str, str]  # a picture, the class it is asked for, what to write under it


def panel(run: Run, dataset: Dataset | None, table: PredictionTable | MaskTable) -> None:
    """Where the network looks in pictures of the evaluated split. Nothing is computed before somebody asks for it.

    Without the dataset, which may be gone, there are no pictures to look at.
    """
    st.caption(
        "Grad-CAM: the brighter a place, the more it speaks for the class that is asked for. A map says where the "
        "network found its reasons, not whether they are good ones."
    )
    if dataset is None:
        st.markdown("The pictures of this run are gone, so there is nothing to look at.")
        return
    meaning(run)
    asked = _of_masks(run, dataset, table) if isinstance(table, MaskTable) else _of_classes(run, dataset, table)
    if not asked:
        st.markdown("There is no such picture here.")
        return
    if st.toggle("Show the maps", key="where_on", help="Each takes about four times as long as an answer."):
        maps(run, dataset, asked)


def meaning(run: Run) -> None:
    """Whether maps mean anything for this network: what the check found, or the way to it."""
    work = where.checks().get(run.id)
    if work is not None and not work.done:
        _at_work(run)
        return
    if work is not None:
        where.checks().pop(run.id, None)
        try:
            work.result()
        except Exception as error:  # whatever it is, the maps can be looked at
            st.error(failure(error), icon=":material/error:")
    found = where.checked(run.paths)
    if found is not None:
        told(found)
        return
    with st.container(horizontal=True, vertical_alignment="center", key="maps_check"):
        st.button(
            "Do these maps mean anything?",
            key="maps_check_start",
            icon=":material/rule:",
            on_click=_start,
            args=[run],
            help="Draws the maps of some validation images again with networks of random weights. Where those look "
            "the same, a map says nothing about what was learned (Adebayo et al., 2018).",
        )


def _start(run: Run) -> None:
    arguments = (str(cache.workspace().root), run.id)
    where.checks()[run.id] = atwork.begin("Comparing maps", CHECK, *arguments, unit="map")


@st.fragment(run_every=atwork.SECONDS)
def _at_work(run: Run) -> None:
    work = where.checks().get(run.id)
    if work is None or work.done:
        st.rerun()
    atwork.bar(work, "maps_check")


def told(found: MapsCheck) -> None:
    """The verdict of a check first, then its numbers."""
    icon, colour = ICONS[found.verdict]
    st.markdown(f":{colour}[:material/{icon}:] **{plain(found.sentence)}**")
    likenesses = {"all weights at random": found.whole, "only the head at random": found.head}
    numbers = " · ".join(f"{name}: {plain(_measured(one))}" for name, one in likenesses.items())
    st.caption(
        f"Likeness to maps of networks with {numbers}.",
        help="Mean rank correlation (Spearman) of the places of two maps: 1 is the same order, 0 is unrelated; from "
        f"{ALIKE:g} on they count as alike. In brackets the 95 % interval, in which both the {found.pictures} pictures "
        f"and the {found.draws} random networks are a matter of chance (variances of two crossed factors). "
        f"{found.cold} pictures without a bright place were left out.",
    )


def _measured(one: Likeness) -> str:
    return f"{one.mean:.2f} [{one.interval.low:.2f} to {one.interval.high:.2f}]"


def _of_classes(run: Run, dataset: Dataset, table: PredictionTable) -> list[Asked]:
    """The pictures that are chosen, with the class that each is asked for."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="where_choice"):
        kind = st.segmented_control("Pictures", [WRONG, RIGHT], default=WRONG, required=True, key="where_pictures")
        ask = st.segmented_control("Asked for", [ANSWER, TRUTH], default=ANSWER, required=True, key="where_asked")
        label = st.selectbox(
            "Class",
            range(len(table.classes)),
            None,
            lambda place: table.classes[place],
            key=f"where_class_{run.id}",
            placeholder="every class",
            width=220,
        )
    if kind == WRONG:
        shown = confident_mistakes(table, len(table))
    else:
        shown = [one for place in range(len(table.classes)) for one in of_cell(table, place, place)]
        shown.sort(key=lambda one: -one.confidence)
    wanted = [one for one in shown if label is None or one.truth == table.classes[label]][:MOST_MISTAKES]
    asked = []
    for one in wanted:
        name = one.predicted if ask == ANSWER else one.truth
        told = f"{shorten(one.truth, 14)} → {shorten(one.predicted, 14)} · {one.confidence:.2f}"
        asked.append((dataset.sample(one.id), name, told if kind == WRONG else f"{shorten(one.truth, 20)}"))
    return asked


def _of_masks(run: Run, dataset: Dataset, table: MaskTable) -> list[Asked]:
    """The pictures that have the chosen class, with that class."""
    drawn = [place for place in range(len(table.classes)) if place != background_of(table.classes)]
    label = st.selectbox("Class", drawn, 0, lambda place: table.classes[place], key=f"where_class_{run.id}", width=220)
    there = table.confusion[:, label, :].sum(axis=1) > 0
    return [
        (dataset.sample(id), table.classes[label], shorten(name, 30))
        for id, name, has in zip(table.ids, table.files, there, strict=True)
        if has
    ][:MOST_MISTAKES]


def maps(run: Run, dataset: Dataset, asked: list[Asked]) -> None:
    """A page of the pictures with their heat over them."""
    window = gallery.paged(len(asked), "where", MOST)
    try:
        with st.spinner("Looking", show_time=True):
            found = where.explanations(run.paths, dataset, [(sample, label) for sample, label, _ in asked[window]])
    except FoveaError as error:
        st.error(sentence(error), icon=":material/error:")
        return
    shown, cold = [], 0
    for one, (sample, label, told) in zip(found, asked[window], strict=True):
        if one.error:
            st.error(plain(one.error), icon=":material/broken_image:")
            continue
        cold += not one.warm
        shown.append(
            (where.drawn_over(one.picture, one.heat), told, f"{sample.name}: where the network looks for {label}")
        )
    gallery.sheet(shown, "where", width=150)
    if cold:
        st.caption(f"{cold} of these have no bright place: nothing in them speaks for the class.")
