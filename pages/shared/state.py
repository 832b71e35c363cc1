"""The index of session keys, and what is in hand: the dataset and the run that all pages are about.

Session state holds ids and small plain values, never objects; whatever they stand for is read from disk. Widgets that
should survive a change of page keep their own values (`persist_state="session"`).
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import streamlit as st

from core.errors import FoveaError
from core.recipe import AugmentChoice
from core.runs.run import RunState
from core.workspace import safe_id
from pages.shared import cache

DATASET = "dataset_in_hand"  # id of a dataset, also in the address as ?dataset=
RUN = "run_in_hand"  # id of a run, also in the address as ?run=
AUGMENT = "augment_in_hand"  # an AugmentChoice as plain data, chosen on the Augment page
IMPORT = "import_at_work"  # id of the import this session waits for
LOOKED = "source_in_hand"  # id of what somebody wants to import and was asked about
PROPOSAL = "proposal_in_hand"  # id of what an import found and nobody has kept yet
COMPARED = "runs_compared"  # ids of the runs that are compared, as chosen, also in the address as ?compare=a,b
CELL = "cell_in_hand"  # (run, split, true class, predicted class) chosen in the confusion matrix
IMAGE = "image_in_hand"  # (run, split, sample id) chosen among the images of an evaluated split
TICKED = "pictures_ticked"  # (reference of a dataset, ids of the pictures that are ticked in it)
SPLITTING = "split_anew_open"  # reference of the dataset whose split anew is being asked about
WATCHED = "run_watched"  # id of the run that the Train page shows; "" while choosing a new one; None: undecided
NEWS = "news"  # one sentence to show after a change of page
MOST_COMPARED = 24  # runs at a time: more are no longer told apart in a figure


def settle() -> None:
    """Decide what is in hand before any page runs: what the session holds, else what the address says, else the newest.

    The address keeps the ids, so that a reload, a bookmark and a link sent to somebody else open the same things;
    changing the page by the sidebar drops them from the address, and this puts them back.
    """
    datasets = [card.id for card in cache.library().cards()]
    runs = cache.runs()
    newest = next((run.id for run in runs if not run.labels.archived), runs[0].id if runs else None)
    held = {
        "dataset": _settle(DATASET, "dataset", lambda id: id in datasets, datasets[0] if datasets else None),
        "run": _settle(RUN, "run", _is_run, newest),
        "import": _settle(IMPORT, "import", lambda id: id in cache.imports(), None),
        "compare": ",".join(_settle_compared()),
        "source": _settle(LOOKED, "source", lambda id: id in cache.sources(), None),
        "found": _settle(
            PROPOSAL, "found", lambda id: safe_id(id) and (cache.workspace().incoming / id).is_dir(), None
        ),
    }
    before = st.query_params.to_dict()
    after = {name: id for name, id in (before | held).items() if id}
    if after != before:
        st.query_params.from_dict(after)  # at once: each change of the address is a step of the browser's Back button


def _settle(key: str, name: str, there: Callable[[str], bool], otherwise: str | None) -> str | None:
    chosen = (st.session_state.get(key), st.query_params.get(name))
    id = next((id for id in chosen if id and there(id)), otherwise)
    st.session_state[key] = id
    return id


def _settle_compared() -> list[str]:
    told = st.query_params.get("compare", "").split(",")
    ids = st.session_state.get(COMPARED)
    hold_compared([id for id in (told if ids is None else ids) if id and _is_run(id)])
    return compared()


def _is_run(run: str) -> bool:
    with suppress(FoveaError):
        cache.store().paths(run)
        return True
    return False


def dataset_id() -> str | None:
    """The dataset in hand."""
    return st.session_state.get(DATASET)


def hold_dataset(id: str) -> None:
    """Take another dataset in hand."""
    st.session_state[DATASET] = id


def run_id() -> str | None:
    """The run in hand."""
    return st.session_state.get(RUN)


def watch_run(id: str) -> None:
    """Take a run in hand and let the Train page show it."""
    st.session_state[RUN] = st.session_state[WATCHED] = id


def choose_new_run() -> None:
    """Let the Train page show the choices for a new run."""
    st.session_state[WATCHED] = ""


def watched() -> str | None:
    """The run that the Train page is to show: the one asked for, or without a wish the one in hand if it is at work."""
    wish, held = st.session_state.get(WATCHED), run_id()
    if wish is None and held and not run_state().is_finished:
        watch_run(held)
        return held
    return held if wish and wish == held else None


def compared() -> list[str]:
    """The runs that are compared."""
    return list(st.session_state.get(COMPARED) or ())


def hold_compared(ids: Iterable[str]) -> None:
    """Choose the runs that are compared: each once, and no more than are compared at a time."""
    st.session_state[COMPARED] = list(dict.fromkeys(ids))[:MOST_COMPARED]


def run_state() -> RunState | None:
    """Where the run in hand stands; None without one."""
    run = run_id()
    return cache.store().status(run).state if run and _is_run(run) else None


def augment() -> AugmentChoice | None:
    """What was chosen on the Augment page, if anything."""
    held = st.session_state.get(AUGMENT)
    return None if held is None else AugmentChoice.model_validate(held)


def hold_augment(choice: AugmentChoice) -> None:
    """Keep a choice of augmentation for the Train page."""
    st.session_state[AUGMENT] = choice.model_dump(mode="json")


def tell(sentence: str) -> None:
    """Leave one sentence for the next run of a page."""
    st.session_state[NEWS] = sentence


def show_news() -> None:
    """Show that sentence, once."""
    news: Any = st.session_state.pop(NEWS, None)
    if news:
        st.toast(news, icon=":material/check_circle:")
