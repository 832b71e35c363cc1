"""Time travel: one picture, and what the network said about it after each epoch; two runs side by side."""

from itertools import islice

import streamlit as st

from core.errors import FoveaError
from core.figures.travel import shares_over_epochs
from core.metrics.segmentation import background_of
from core.models.snapshot_files import START
from core.predict.answer import Travel
from core.runs.run import RunPaths
from core.runs.store import Run
from pages.shared import cache
from pages.shared.cached import travel as cached
from pages.shared.cached import where
from pages.shared.live import PLAIN_FIGURE
from pages.shared.masks import FILL
from pages.shared.pickers import run_lines
from pages.shared.words import SCORE_WORDS, legend, measured, moment, plain, sentence, shorten

NEVER = (
    "Nothing of this run's earlier epochs was kept. Runs keep their weights after each epoch from now on, unless the "
    "network is too large for that."
)
WIDTH = 340  # pixels of a picture, where there is so much room
MOST_OTHERS = 100  # of the newest runs, offered to be seen beside this one
ANSWER = ""  # the class that a network answers itself


def panel(run: Run, pictures: list[tuple[str, bytes]]) -> None:
    """The picture in hand through the epochs of a run, beside another run if one is chosen. Asked for, or not drawn."""
    if not pictures:
        return
    with st.container(border=True, key="travel"):
        wanted = st.toggle(
            "Time travel",
            key="travel_on",
            persist_state="session",
            help="Drag the epoch, and see what the network said about your picture while it was still learning.",
        )
        if not wanted:
            return
        if not cached.epochs(run.paths):
            st.caption(NEVER)
            return
        _choices(run, pictures)


def _choices(run: Run, pictures: list[tuple[str, bytes]]) -> None:
    """What to go back with: the picture, the other run, the class whose reasons are shown."""
    same = (one for one in cache.runs() if one.id != run.id and one.best and one.task == run.recipe.task)
    runs = cache.workspace().runs
    others = {one.id: one for one in islice(same, MOST_OTHERS) if cached.epochs(RunPaths(runs / one.id))}
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="travel_choice"):
        place = 0
        if len(pictures) > 1:
            place = st.selectbox(
                "Picture", range(len(pictures)), 0, lambda one: pictures[one][0], key="travel_picture", width=220
            )
        beside = st.selectbox(
            "Beside it",
            list(others),
            None,
            run_lines(others).get,
            key=f"travel_beside_{run.id}",
            placeholder="another run" if others else "no other run kept its epochs",
            disabled=not others,
            width=330,
        )
        label = ANSWER
        if run.recipe.task == "classification":
            label = st.selectbox(
                "Heat for",
                [ANSWER, *run.facts.classes],
                0,
                lambda name: name or "its last answer",
                key=f"travel_label_{run.id}",
                width=200,
            )
    name, content = pictures[min(place or 0, len(pictures) - 1)]
    both = [run]
    if beside in others:
        try:
            both.append(cache.store().get(beside))
        except FoveaError as error:
            st.error(sentence(error), icon=":material/error:")
    told: list[tuple[Run, Travel]] = []
    with st.spinner("Going back", show_time=True):
        for one in both:
            asked = label if label in one.facts.classes else ANSWER
            try:
                found = cached.travel(one.paths, name, content, asked)
            except FoveaError as error:
                st.error(sentence(error), icon=":material/error:")
                continue
            if found.error:
                st.error(plain(found.error), icon=":material/broken_image:")
                return
            told.append((one, found))
    if told:
        _drag(told)


@st.fragment
def _drag(told: list[tuple[Run, Travel]]) -> None:
    """The slider, and the networks as they were at its epoch."""
    epochs = sorted({epoch for _, found in told for epoch in found.epochs})
    key = "travel_epoch_" + "_".join(run.id for run, _ in told)
    epoch = epochs[-1]
    if len(epochs) > 1:
        epoch = st.select_slider(
            "Epoch",
            epochs,
            epochs[-1],
            lambda one: "before training" if one == START else str(one),
            key=key,
            help="Only epochs whose weights were kept. Of two runs with other epochs each shows its last one before.",
        )
    for column, (run, found) in zip(st.columns(len(told), gap="medium"), told, strict=True):
        with column:
            _one(run, found, epoch, wide=len(told) == 1)


def _one(run: Run, found: Travel, epoch: int, *, wide: bool) -> None:
    """One run at an epoch: what it said, where it looked or what it found, and how that changed."""
    place = found.at(epoch)
    here, masks = found.epochs[place], run.recipe.task == "segmentation"
    made = "" if wide else f"{plain(moment(run.facts.created))} · "  # two runs may be called alike
    st.markdown(f"**{plain(run.name, 50)}** &nbsp;:gray[{made}{_standing(run, found, here)}]")
    left, right = st.columns([1, 2], gap="medium") if wide else (st.container(), st.container())
    background = background_of(found.classes) if masks else None
    with left:
        if masks:
            drawn = cache.drawn_mask(
                found.picture, found.maps[place], where.size_of(found.picture), FILL, 0.5, _shown(found), background
            )
        else:
            drawn = where.drawn_over(found.picture, found.maps[place])
        st.image(drawn, alt=f"{found.name} after epoch {here}", width=WIDTH)
        st.markdown(f":small[{_told(found, place, background)}]")
    with right:
        figure = shares_over_epochs(
            found.epochs,
            found.shares,
            found.classes,
            here,
            title="share of the picture" if masks else "probability",
            hidden=background,
            identity=run.id,
        )
        st.plotly_chart(figure, key=f"travel_lines_{run.id}", config=PLAIN_FIGURE, alt="The answer over the epochs")


def _standing(run: Run, found: Travel, epoch: int) -> str:
    """Which epoch this is, and how good the network was then."""
    if epoch == START:
        return "before training"
    entries = (one for one in cache.journal(run.paths) if one.get("kind") == "epoch" and one.get("epoch") == epoch)
    entry = next(entries, None)
    told = f"epoch {epoch}" + (", the best" if epoch == found.best else "")
    if entry is None:
        return told
    interval = entry.get("interval")
    score = measured(entry["validation"].get(run.recipe.score), tuple(interval) if interval else None)
    return f"{told} · validation {SCORE_WORDS[run.recipe.task]} {plain(score)}"


def _told(found: Travel, place: int, background: int | None) -> str:
    """What the network said then, in a line."""
    shares = found.shares[place]
    if found.label:
        most = max(range(len(shares)), key=shares.__getitem__)
        said = f"It says **{plain(found.classes[most], 30)}**, {shares[most]:.1%}."
        return f"{said} Bright: what speaks for {plain(found.label, 30)}."
    there = [index for index in _shown(found) if index != background and shares[index] > 0]
    named = ", ".join(f"{plain(shorten(found.classes[index], 20))} {shares[index]:.1%}" for index in there)
    return f"{legend(found.classes, _shown(found))}<br>{named or 'Nothing found.'}".replace("<br>", "  \n")


def _shown(found: Travel) -> tuple[int, ...]:
    ground = background_of(found.classes)
    return tuple(index for index in range(len(found.classes)) if index != ground)
