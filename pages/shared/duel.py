"""Two or more augmentation policies against one another: which, with how many seeds, at what cost, and the button."""

from collections.abc import Mapping

import streamlit as st

from core.augment.catalog import resolve
from core.data.dataset import Dataset
from core.errors import FoveaError
from core.machine import cores, gpu_here
from core.metrics.crossed import FEWEST_SEEDS
from core.presets import DEFAULTS, preset, presets_for
from core.recipe import AugmentChoice, Recipe
from core.studies.duel import (
    MOST_EPOCHS,
    MOST_VIEWS,
    USUAL_SEEDS,
    entries,
    expected_seconds,
    is_stored,
    pace,
    with_effort,
    with_epochs,
    within,
)
from pages.shared import cache, classifier_form, segmenter_form, studies
from pages.shared.fields import among
from pages.shared.pickers import or_stop
from pages.shared.words import count, duration, plain, sentence

MAKE = "core.studies.duel:make"
SIZES = {"classification": classifier_form.SIZES, "segmentation": segmenter_form.SIZES}
BUDGETS = {"epochs": "Epochs", "minutes": "Minutes"}
MOST_SEEDS, MOST_MINUTES, USUAL_MINUTES = 15, 600, 2


def duel(dataset: Dataset, policies: Mapping[str, AugmentChoice]) -> None:
    """Choose among these policies, by their labels, and start the duel; the Runs page then shows it.

    At first the first two are chosen. A choice that names a seed draws the same variants for all seeds of the duel.
    What changes nothing comes first, since the others are to be better than that.
    """
    labels = sorted(policies, key=lambda label: bool(resolve(policies[label])))
    if len(labels) < 2:
        st.caption("A duel needs two policies: save the one above under a name, or add another.")
        return
    chosen = st.pills(
        "Policies to compare",
        labels,
        default=[label for label in labels if label in list(policies)[:2]],
        selection_mode="multi",
        format_func=lambda label: plain(label, 40),
        key="duel_policies",
        help="All are trained with the same seeds, split, weights at the start and order of images.",
        persist_state="session",
    )
    chosen = {label: policies[label] for label in labels if label in chosen}
    recipe = _recipe(dataset)
    with st.container(horizontal=True, vertical_alignment="bottom", key="duel_budget"):
        told = "Another seed draws another head, another order of the images and other variants of them."
        number = st.number_input(
            "Seeds", FEWEST_SEEDS, MOST_SEEDS, len(USUAL_SEEDS), 1, key="duel_seeds", help=told, width=120
        )
        seeds = range(number)
        budget = st.segmented_control(
            "Budget",
            list(BUDGETS),
            format_func=BUDGETS.get,
            default="epochs",
            required=True,
            key="duel_budget_kind",
            help="So many epochs for each run; or as much work as fits into so many minutes for all of them.",
            persist_state="session",
        )
        minutes = None
        if budget == "minutes":
            minutes = st.number_input("Minutes", 1, MOST_MINUTES, USUAL_MINUTES, 1, key="duel_minutes", width=130)
        else:
            recipe, chosen = _epochs(recipe, chosen)
    try:
        entries(recipe, chosen, seeds)  # whether they make a duel at all
        splits = dataset.split_counts()
        seconds = pace(cache.runs(), len(dataset.classes), cores(), gpu=gpu_here())
        if minutes is not None:
            recipe, chosen = within(minutes, recipe, chosen, seeds, splits, seconds)
        takes, problem = expected_seconds(entries(recipe, chosen, seeds), splits, seconds), ""
    except FoveaError as error:
        takes, problem = None, sentence(error)
    runs = len(chosen) * number
    start = st.button(
        f"Start the duel: {count(runs, 'run')}",
        key="duel_start",
        type="primary",
        icon=":material/swords:",
        disabled=bool(problem),
    )
    if problem:
        st.warning(problem) if len(chosen) < 2 else st.error(problem)
        return
    st.caption(_explained(recipe, chosen, takes))
    if start:
        plain_choices = {label: choice.model_dump(mode="json") for label, choice in chosen.items()}
        with or_stop(), st.spinner("Making the runs"):
            studies.begin(MAKE, recipe.to_json(), dataset.id, plain_choices, list(seeds))


def _recipe(dataset: Dataset) -> Recipe:
    """What each run trains, but for its policy and its seed."""
    rows = {row.name: row.label for row in presets_for(dataset.task) if not row.page}
    sizes = SIZES[dataset.task]
    with st.grid(2, min_column_width=190):
        name = st.selectbox(
            "What learns",
            list(rows),
            list(rows).index(DEFAULTS[dataset.task]),
            rows.get,
            key=f"duel_preset_{dataset.task}",
            help="On a frozen backbone variants are looked at once and kept, so that a duel takes a minute or two.",
            persist_state="session",
        )
        recipe = preset(among(name, rows, "preset")).recipe()
        size = st.selectbox(
            "Image size (pixels)",
            sizes,
            sizes.index(_size(dataset, sizes, recipe.image_size)),
            lambda size: f"{size} × {size}",
            key=f"duel_size_{dataset.id}",
            persist_state="session",
        )
    images = max(1, len(dataset.of("train")))
    changes = {"image_size": among(size, sizes, "image_size"), "batch_size": min(recipe.batch_size, images)}
    return recipe.set({**changes, "dataset": dataset.id})


def _size(dataset: Dataset, sizes: tuple[int, ...], usual: int) -> int:
    """The preset's size, or a smaller one that loses nothing of the pictures."""
    largest = max((max(sample.width, sample.height) for sample in dataset.samples), default=usual)
    return min(usual, next((size for size in sizes if size >= max(128, largest)), usual))


def _epochs(recipe: Recipe, chosen: dict[str, AugmentChoice]) -> tuple[Recipe, dict[str, AugmentChoice]]:
    """The budget of each run: epochs, and of a frozen backbone how many variants of each image it looks at."""
    least = len(recipe.phases)
    epochs = st.number_input(
        "Epochs", least, MOST_EPOCHS, recipe.epochs, 1, key=f"duel_epochs_{recipe.preset}", width=120
    )
    recipe = with_epochs(recipe, epochs)
    if not is_stored(recipe):
        return recipe, chosen
    told = "Of each training image the frozen backbone looks at so many variants; epochs take turns with them."
    views = st.number_input("Variants", 1, MOST_VIEWS, recipe.augment.views, 1, key="duel_views", help=told, width=120)
    return with_effort(recipe, chosen, views)


def _explained(recipe: Recipe, chosen: Mapping[str, AugmentChoice], takes: float | None) -> str:
    """What will happen and how long it takes, before it starts."""
    if takes is None:
        told = "How long it takes is not known ahead on a GPU."
    else:
        told = f"About **{duration(takes)}** on this machine, one run after the other."
    each = count(recipe.epochs, "epoch")
    if is_stored(recipe):
        each += f" on {count(max(choice.views for choice in chosen.values()), 'stored variant')} of each image"
    return (
        f"{told} Each run: {each}. Runs of one seed share the split, the weights at the start and the order of the "
        "images. The Runs page tells which policy is better, or that there is no evidence of a difference."
    )
