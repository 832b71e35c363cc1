"""Train a recipe several times, with other seeds or on other folds: how often, and the button that starts it."""

import streamlit as st

from core.data.dataset import Dataset
from core.data.split import insist_on_folds
from core.errors import FoveaError
from core.recipe import Recipe
from pages.shared import studies
from pages.shared.pickers import or_stop
from pages.shared.words import count, sentence

MAKE = "core.studies.repeats:make"
MOST_SEEDS, MOST_FOLDS = 20, 10  # in the form; the command line takes more
USUAL = 5


def repeats(recipe: Recipe, dataset: Dataset, kind: str = "seeds") -> bool:
    """How often, as `kind` asks, "seeds" or "folds", and the start button. Whether a study can be started.

    A study that was started is shown on the Runs page, which opens.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", key="repeats"):
        folds = 0
        if kind == "folds":
            told = "The training and validation images are dealt into so many parts by class; each validates once."
            folds = st.number_input("Folds", 2, MOST_FOLDS, USUAL, 1, key="repeat_folds", help=told, width=140)
        told = "Another seed draws another head, another order of the images and other variants of them."
        least, usual = (1, 1) if folds else (2, USUAL)
        label = "Seeds for each fold" if folds else "Seeds"
        number = st.number_input(label, least, MOST_SEEDS, usual, 1, key=f"repeat_seeds_{kind}", help=told, width=160)
        seeds = [] if folds and number == 1 else list(range(recipe.seed, recipe.seed + number))
        runs = number * max(1, folds)
        try:
            if folds:
                insist_on_folds(dataset, folds, 0)
            problem = ""
        except FoveaError as error:
            problem = sentence(error)
        start = st.button(
            f"Train {count(runs, 'run')}",
            key="repeat_start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=bool(problem),
        )
    if problem:
        st.error(problem)
        return False
    st.caption(_explained(folds, seeds))
    if start:
        with or_stop(), st.spinner("Dealing the images and making the runs"):
            studies.begin(MAKE, recipe.to_json(), dataset.reference, seeds, folds)
    return True


def _explained(folds: int, seeds: list[int]) -> str:
    after = "They train one after the other; the Runs page tells their mean and standard deviation."
    of_seeds = f"seeds {seeds[0]} to {seeds[-1]}" if seeds else ""
    if not folds:
        return f"The same images, {of_seeds}. {after}"
    every = f", each with {of_seeds}" if seeds else ""
    return f"Every image but those of the test split validates in one of {folds} folds{every}. {after}"
