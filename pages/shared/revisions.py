"""The revisions of a dataset: what each changed, the pictures it was about, the way back, and a split anew."""

import streamlit as st

from core.data.dataset import Change, Dataset, Sample
from core.data.revisions import Revision, restore
from pages.shared import cache, gallery, state
from pages.shared.masks import OFF, held
from pages.shared.pickers import or_stop
from pages.shared.repair import done, mend, names_of
from pages.shared.splitting import split_widgets
from pages.shared.words import count, moment, plain, splits

MOST_PICTURES = 24  # of one change
SHOWN = ("exclude", "relabel", "move")  # kinds of changes that are about some pictures, not all


def history(dataset: Dataset) -> None:
    """What became of a dataset, newest first, each with the way back to it; folded, and nothing for a first revision.

    The tables of earlier revisions are read when it is unfolded.
    """
    if dataset.revision == 1:
        return
    last = plain(dataset.changes[-1].sentence, 90) if dataset.changes else ""
    more = f" and {count(len(dataset.changes) - 1, 'more change')}" if len(dataset.changes) > 1 else ""
    label = f"**Revision {dataset.revision} of {dataset.revision}** · {last}{more}"
    unfolded = st.expander(label, key="revisions", icon=":material/history:", on_change="rerun")
    if not unfolded.open:
        return
    with unfolded:
        st.caption("Runs keep the revision that they learned from. Nothing is ever deleted, so every way back is open.")
        with or_stop():
            known = cache.revisions(dataset)
        for one in reversed(known):
            _revision(dataset, one)


def _revision(dataset: Dataset, one: Revision) -> None:
    with st.container(border=True, key=f"revision_{one.number}"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            now = " :green-badge[in use]" if one.number == dataset.revision else ""
            learned = sum((run.dataset, run.revision) == (dataset.id, one.number) for run in cache.runs())
            facts = f"{count(one.samples, 'image')} · {splits(one.splits)} · {moment(one.created)}"
            facts += f" · {count(learned, 'run')} learned from it" if learned else ""
            st.markdown(f"**Revision {one.number}**{now}  \n:small[:gray[{facts}]]", width="content")
            if one.fingerprint != dataset.fingerprint:
                told = "Makes a new revision that is as this one was."
                if st.button("Go back to this", key=f"restore_{one.number}", icon=":material/undo:", help=told):
                    with or_stop():
                        back = restore(dataset, one.number)
                    done(back, " ".join(change.sentence for change in back.changes))
        if not one.changes:
            st.markdown("As it was imported.")
        for change in one.changes:
            st.markdown(f"- {plain(change.sentence)}")
        shown = [change for change in one.changes if change.kind in SHOWN]
        if shown and st.toggle("Show the pictures", key=f"revision_pictures_{one.number}"):
            with or_stop():
                before = cache.dataset(dataset.id, one.number - 1)
            for place, change in enumerate(shown):
                _pictures(before, change, f"revision_{one.number}_{place}")


def _pictures(before: Dataset, change: Change, key: str) -> None:
    cells = []
    for sample in names_of(before, change.samples[:MOST_PICTURES]):
        picture, _, description = gallery.cell(before, sample, OFF)
        cells.append((picture, _became(before, sample, change), description))
    gallery.sheet(cells, key, width=80)
    rest = len(change.samples) - len(cells)
    if rest > 0:
        st.caption(f"and {count(rest, 'more picture')}")


def _became(before: Dataset, sample: Sample, change: Change) -> str:
    if change.kind == "relabel":
        return f"{held(before, sample)} → {change.to}"
    if change.kind == "move":
        return f"{sample.split} → {change.to}"
    return held(before, sample)


def split_button(dataset: Dataset) -> None:
    """A button that opens the choice of another split, which stays open when the page runs anew, as after a check."""
    if st.button("Split anew", key="split_anew", icon=":material/call_split:"):
        st.session_state[state.SPLITTING] = dataset.reference
    if st.session_state.get(state.SPLITTING) == dataset.reference:
        _split_anew(dataset)


def _closed() -> None:
    st.session_state[state.SPLITTING] = None


@st.dialog("Split anew", width="large", icon=":material/call_split:", on_dismiss=_closed)
def _split_anew(dataset: Dataset) -> None:
    st.markdown(
        "All pictures are dealt anew, those of the test split too, as a new revision. A model that learned before may "
        "have seen what the new test split holds: train again before you judge by it."
    )
    with or_stop():
        rule = split_widgets(dataset.samples, key="anew")
    if st.button("Deal anew", key="deal", type="primary", icon=":material/check:", disabled=rule is None):
        ids = tuple(sample.id for sample in dataset.samples)
        mend(dataset, [Change("deal", ids, rule.to_json(), rule.sentence)])
