"""Find a learning rate: one button on the Train page, the curve after some seconds, and the rate taken over."""

import uuid
from concurrent.futures import Future
from dataclasses import dataclass

import streamlit as st

from core.data.dataset import Dataset
from core.errors import FoveaError
from core.executors.progress import ProgressFile
from core.figures.finder import rate_curve
from core.recipe import Recipe
from core.train.rates import RateTest
from pages.shared import cache, fields, phases_form
from pages.shared.live import PLAIN_FIGURE
from pages.shared.words import count, plain, sentence

FIND = "core.train.finder:find_rate_for"
HELD = "rate_test_in_hand"  # the session key of a test's id
PHASE = "rate_test_phase"
SECONDS = 0.5  # between looks at a test at work
MOST_FORGOTTEN = 20  # tests that ended and whose session may be gone


@dataclass
class Test:
    """A range test in the desk process, at work or done."""

    __test__ = False  # for pytest: it is no test of ours

    recipe: str  # `_identity` of the recipe it is about
    phase: int
    future: Future
    progress: ProgressFile


def finder(recipe: Recipe, dataset: Dataset) -> None:
    """The button; while a test of this session is at work its progress, then its curve and what to do with it.

    Nothing where no phase has a rate to find. Raises RecipeError for a phase that a browser should not have sent.
    """
    phases = [number for number, phase in enumerate(recipe.phases) if phase.solver == "steps"]
    if not phases:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="finder"):
        number = _phase(recipe, phases)
        told = (
            "Lets the rate rise from far too small to far too large over some steps and watches the loss. It takes "
            "seconds and trains no run."
        )
        test = _held()
        busy = test is not None and not test.future.done()
        if st.button("Find a learning rate", key="find_rate", icon=":material/speed:", help=told, disabled=busy):
            _start(recipe, dataset, number)
            st.rerun()
    if number > 0:
        st.caption("A later phase is tested from the weights that the run starts with, before any phase has learned.")
    if test is None:
        return
    if busy:
        _watch()
    else:
        _result(recipe, dataset, test)


def _phase(recipe: Recipe, phases: list[int]) -> int:
    if len(phases) == 1:
        return phases[0]
    names = {number: f"{number + 1}: {recipe.phases[number].name}" for number in phases}
    if st.session_state.get(PHASE) not in names:
        st.session_state[PHASE] = phases[0]
    chosen = st.selectbox("Phase", phases, format_func=names.get, key=PHASE, width=220)
    return fields.among(chosen, phases, "phase")


def _start(recipe: Recipe, dataset: Dataset, number: int) -> None:
    id = uuid.uuid4().hex[:12]
    progress = ProgressFile(cache.workspace().cache / "progress" / f"{id}.json")
    what = str(cache.workspace().root), recipe.to_json(), dataset.id, number
    # The desk, so that previews need not wait for it.
    future = cache.desk().submit(FIND, *what, report=progress)
    future.add_done_callback(lambda _: progress.forget())
    tests = cache.rate_tests()
    for old in [old for old, one in tests.items() if one.future.done()][:-MOST_FORGOTTEN]:
        tests.pop(old, None)
    tests[id] = Test(_identity(recipe, dataset), number, future, progress)
    st.session_state[HELD] = id


def _held() -> Test | None:
    return cache.rate_tests().get(st.session_state.get(HELD))


@st.fragment(run_every=SECONDS)
def _watch() -> None:
    test = _held()
    if test is None or test.future.done():
        st.rerun()
    so_far = test.progress.read()
    told = f"step {so_far.done} of {so_far.total}" if so_far else "loading the model and the first pictures"
    st.progress(so_far.fraction if so_far else 0.0, f"Looking for a learning rate: {told}")


def _result(recipe: Recipe, dataset: Dataset, test: Test) -> None:
    try:
        found: RateTest = test.future.result()
    except FoveaError as error:
        st.error(sentence(error))
        return
    with st.container(border=True, key="rate_found"):
        of = f" of phase {plain(found.phase, 40)}" if len(recipe.phases) > 1 else ""
        st.markdown(f"**Learning rate{of}.** {plain(found.sentence)}")
        if test.recipe != _identity(recipe, dataset):
            st.caption("This was found for other choices than those above.")
        told = "Training loss while the learning rate rises"
        st.plotly_chart(rate_curve(found), key="rate_curve", config=PLAIN_FIGURE, alt=told)
        same = test.phase < len(recipe.phases)
        with st.container(horizontal=True, vertical_alignment="center"):
            if found.suggestion is not None and same:
                held = recipe.phases[test.phase].learning_rate == found.suggestion
                st.button(
                    f"Use {found.suggestion:g}",
                    key="use_rate",
                    icon=":material/check:",
                    disabled=held,
                    on_click=phases_form.set_rate,
                    args=(test.phase, found.suggestion),
                )
                if held:
                    st.caption("This is the rate of the phase now.", width="content")
            other = f"The middle of its longest fall, another rule, is {found.valley:g}: often too low. "
            st.caption(
                f"{count(len(found.rates), 'step')}, {count(found.images, 'image')}",
                width="content",
                help=f"Points are single batches; the line is smoothed. {other if found.valley else ''}"
                f"{found.planned} steps were planned up to the highest rate; ended by: {found.ended}.",
            )


def _identity(recipe: Recipe, dataset: Dataset) -> str:
    """What a test depends on: everything of a recipe but how long, how fast and under which name it learns."""
    same = {"learning_rate": 1e-3, "epochs": 1, "schedule": None, "name": ""}
    phases = tuple(phase.model_copy(update=same) for phase in recipe.phases)
    return f"{dataset.fingerprint} {recipe.model_copy(update={'phases': phases, 'name': '', 'preset': ''}).hash}"
