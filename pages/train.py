"""Train: one button, and curves that move."""

from typing import Any

import streamlit as st

from core.data.dataset import Dataset
from core.machine import cores, gpu_here
from core.models.weights import is_file, locate
from core.recipe import Recipe
from core.runs.run import RunState
from core.runs.store import Run
from core.train.check import check
from core.train.estimate import estimate
from pages.shared import cache, hypothesis, live, looks, recipe_form, state
from pages.shared.guard import require_app
from pages.shared.instant import instant
from pages.shared.phases_form import stored
from pages.shared.pickers import dataset_or_stop, is_active, or_stop
from pages.shared.repeats import repeats
from pages.shared.search import search
from pages.shared.words import count, duration, plain

require_app()
SECONDS = 1  # between looks at a run at work
ONCE = "once"
WATCHING = {  # what there is to see of a run that is not at work
    RunState.FINISHED: "This is how it learned.",
    RunState.STOPPED: "This is how it learned until it was stopped.",
    RunState.PAUSED: "It is paused: Go on takes it up again.",
    RunState.FAILED: "It did not come to its end.",
}
WAYS = {ONCE: "Once", "seeds": "Seeds", "folds": "Folds", "search": "Search"}  # to train a recipe


def choose() -> None:
    """Everything is chosen already; change what you like, then train."""
    with st.container(horizontal=True, vertical_alignment="center", key="train_bar"):
        dataset = dataset_or_stop()
        way = st.segmented_control(
            "How often",
            list(WAYS),
            format_func=WAYS.get,
            default=ONCE,
            required=True,
            key="way_to_train",
            help="Once; several times and compared; or many times with other values, to find better ones.",
            label_visibility="collapsed",
            persist_state="session",
        )
        button = st.container(width="content")
    told = st.container()
    with or_stop():
        cache.executor().advance()  # a spare gets warm while somebody still chooses
        recipe = recipe_form.recipe_form(dataset)
        expected = hypothesis.form(dataset, recipe) if way == ONCE else None
    with told, or_stop():
        check(recipe, dataset)
        if is_file(recipe.model):
            locate(recipe.model)  # a file of one's own, or another run's: refused before the lab has looked into it
        st.markdown(facts(recipe, dataset, cache.described(recipe, len(dataset.classes))))
        if why := stored(recipe):
            st.caption(why)
        if caution := cache.caution(dataset):
            st.markdown(f":small[:orange[:material/warning: {plain(caution)}]]")
        if way != ONCE:
            with st.container(border=True, key="train_often"):
                search(recipe, dataset) if way == "search" else repeats(recipe, dataset, way)
    if way == ONCE and button.button("Train", type="primary", key="train", icon=":material/play_arrow:", width=140):
        with told, or_stop():
            run = cache.store().create(recipe, dataset, hypothesis=expected)
            cache.executor().submit(run)
        hypothesis.forget()
        state.watch_run(run)
        live.changed()


def facts(recipe: Recipe, dataset: Dataset, network: dict[str, Any] | None) -> str:
    """What the run will cost, before it starts; `network` is what the lab says of it."""
    of_data = len(dataset.classes), dataset.split_counts(), cores()
    cost = estimate(recipe, *of_data, cache.seen_rates(), gpu=gpu_here(), described=network)
    ahead = len(cache.store().unfinished())
    parts = []
    if cost.parameters:
        parts.append(f"{cost.parameters / 1e6:.1f} M parameters")
    if cost.trainable:
        parts.append(f"{cost.trainable:,} trainable")
    if cost.seconds:
        parts.append(f"about {duration(cost.seconds)} on this machine")
    elif cost.parameters:
        parts.append("how long is not known ahead on a GPU")
    parts.append(f"{count(ahead, 'run')} ahead of you" if ahead else "starts at once")
    padded = network and network["padded_to"]
    told = f"  \n:small[:gray[Images are padded to {padded} × {padded} for this network, and its masks cut back.]]"
    return " · ".join(parts) + (told if padded else "")


def watch(id: str) -> None:
    """The run, every second while it is at work."""
    at_work = is_active(state.run_state())

    @st.fragment(run_every=SECONDS if at_work else None)
    def tick() -> None:
        with or_stop():
            run = cache.store().get(id)
        live.headline(run)
        live.numbers(run)
        live.actions(run)
        live.curves(run)
        rates(run)
        looks.looks(run)
        if run.status.state in (RunState.FAILED, RunState.STOPPED):
            live.log(run)
        if at_work and run.status.state.is_finished:
            live.changed()  # a whole run of the page, so that the ticking stops

    tick()
    with or_stop():
        run = cache.store().get(id)
    hypothesis.panel(run)
    with or_stop():
        instant(run)


def again(id: str) -> None:
    """The choices for a new run, as this run has them."""
    with or_stop():
        run = cache.store().get(id)
        # A fold and what it leaves out belong to its study, not to what a person chooses.
        recipe = run.recipe.set({"folds": 0, "fold": 0})
        if any(card.id == run.facts.dataset for card in cache.library().cards()):
            state.hold_dataset(run.facts.dataset)
        recipe_form.begin_with_recipe(recipe, "As an earlier run")
    st.rerun()


def rates(run: Run) -> None:
    """The learning rate over the epochs, folded."""
    if live.has_curves(run):
        with st.expander("Learning rate over the epochs", key="rates", icon=":material/show_chart:"):
            st.plotly_chart(cache.rates(run.paths), key="curve_rate", config=live.PLAIN_FIGURE, alt="The learning rate")


st.title("Train")
watched, held = state.watched(), state.run_id()
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    if watched:
        at_work = is_active(state.run_state())
        st.caption(
            WATCHING.get(state.run_state(), "Watch it learn. It goes on when you close this page."), width="content"
        )
        with st.container(horizontal=True, width="content"):
            if not at_work:
                told = "Puts all choices of this run into the form, to change some of them and train anew."
                if st.button("Change its choices", key="run_again", icon=":material/tune:", help=told):
                    again(watched)
            if st.button("New run", key="new_run", icon=":material/add:"):
                state.choose_new_run()
                st.rerun()
    else:
        told = "Train a model on your images, and watch it learn."
        if state.dataset_id():
            told = "Everything is chosen already: press Train, or change what you like first."
        st.caption(told, width="content")
        if held and st.button("Back to the run in hand", key="show_run", icon=":material/monitoring:"):
            state.watch_run(held)
            st.rerun()
if watched:
    watch(watched)
else:
    choose()
