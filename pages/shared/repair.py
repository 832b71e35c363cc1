"""Ticking pictures wherever they are shown, and what is then done with them, each time as a new revision."""

from collections.abc import Collection, Mapping, Sequence

import streamlit as st

from core.data.dataset import SPLITS, Change, Dataset, Sample
from core.data.revisions import revise
from pages.shared import gallery, state
from pages.shared.masks import OFF, held
from pages.shared.pickers import or_stop
from pages.shared.words import plain

BY_HAND = "chosen by hand."


def ticked(dataset: Dataset) -> list[str]:
    """The ids of the pictures that are ticked, in the order of ticking. Another revision begins without any."""
    reference, ids = st.session_state.get(state.TICKED) or ("", [])
    return list(ids) if reference == dataset.reference else []


def tick(dataset: Dataset, ids: Collection[str], on: bool = True) -> None:
    """Tick pictures, or take their ticks away."""
    others = [id for id in ticked(dataset) if id not in set(ids)]
    st.session_state[state.TICKED] = dataset.reference, [*others, *ids] if on else others


def untick() -> None:
    """Take all ticks away."""
    st.session_state[state.TICKED] = None


def sheet(
    dataset: Dataset,
    samples: Sequence[Sample],
    key: str,
    style: str = OFF,
    *,
    captions: Mapping[str, str] | None = None,
    width: int = 88,
) -> None:
    """A contact sheet of pictures that are ticked by touching them, all sheets of a page alike.

    `captions`, by id, stand in for the name of the class. Cells are at least `width` pixels wide.
    """
    on = set(ticked(dataset))
    with st.container(key=f"sheet_{key}"), st.grid("auto", min_column_width=width, gap="xsmall"):
        for sample in samples:
            picture, caption, description = gallery.cell(dataset, sample, style)
            name, caption = f"tick_{key}_{sample.id}", (captions or {}).get(sample.id, caption)
            st.session_state[name] = sample.id in on
            with st.container(key=f"tickable_{key}_{sample.id}", gap=None):
                source = picture if isinstance(picture, bytes) else str(picture)
                st.image(source, caption=plain(caption, 60) or None, alt=description, width="stretch")
                st.checkbox(
                    f"Tick {sample.id}",
                    key=name,
                    label_visibility="collapsed",
                    on_change=_touched,
                    args=(dataset, sample.id, name),
                )


def contact_sheet(dataset: Dataset, samples: Sequence[Sample], key: str, style: str) -> None:
    """The same with a word on what ticking is for."""
    sheet(dataset, samples, key, style)
    st.caption("Touch pictures to tick them: then leave them out, call them something else, or move them.")


def _touched(dataset: Dataset, id: str, name: str) -> None:
    tick(dataset, [id], st.session_state[name])


def bar(dataset: Dataset, suggested: Mapping[str, str]) -> None:
    """At the foot of the window what can be done with the ticked pictures, as long as there are any.

    `suggested` are names of classes by id, where a check has one.
    """
    ids = [sample.id for sample in names_of(dataset, ticked(dataset))]
    if not ids:
        return
    with (
        st.bottom,
        st.container(
            horizontal=True, vertical_alignment="center", horizontal_alignment="center", gap="xsmall", key="tick_bar"
        ),
    ):
        st.markdown(f"**{len(ids):,} ticked**", width="content")
        if st.button("Leave out", key="leave_out", type="primary", icon=":material/visibility_off:"):
            mend(dataset, [Change("exclude", tuple(ids), why=BY_HAND)])
        st.button("Untick", key="untick", icon=":material/close:", on_click=untick)
        fitting = {id: suggested[id] for id in ids if id in suggested}
        if fitting:
            told = plain(" ".join(change.sentence for change in relabelled(fitting)), 400)
            if st.button(f"As suggested ({len(fitting):,})", key="relabel_suggested", help=told):
                mend(dataset, relabelled(fitting))
        if dataset.task == "classification":
            _rename(dataset, ids)
        _move(dataset, ids)


def _rename(dataset: Dataset, ids: list[str]) -> None:
    with st.popover("Rename", icon=":material/edit:", key=f"rename_menu_{dataset.reference}"):
        new = st.selectbox(
            "They show",
            dataset.classes,
            index=None,
            key=f"tick_class_{dataset.reference}",
            placeholder="choose a class, or type a new one",
            accept_new_options=True,
            format_func=lambda name: name,
        )
        if st.button("Rename", key="relabel", type="primary", disabled=not new):
            mend(dataset, [Change("relabel", tuple(ids), new.strip(), BY_HAND)])


def relabelled(names: Mapping[str, str]) -> list[Change]:
    """Changes that give pictures these names, by id: one for each name."""
    why = "suggested by the check of labels, chosen by hand."
    return [
        Change("relabel", tuple(id for id, own in names.items() if own == name), name, why)
        for name in dict.fromkeys(names.values())
    ]


def _move(dataset: Dataset, ids: list[str]) -> None:
    with st.popover("Move", icon=":material/swap_horiz:", key=f"move_menu_{dataset.reference}"):
        to = st.selectbox(
            "To the split", SPLITS, index=None, key=f"tick_split_{dataset.reference}", placeholder="choose"
        )
        if st.button("Move", key="move", type="primary", disabled=not to):
            mend(dataset, [Change("move", tuple(ids), to, BY_HAND)])


def mend(dataset: Dataset, changes: Sequence[Change]) -> None:
    """Make a new revision by these changes and show it. An error is told, and the page ends there."""
    with or_stop():
        revised = revise(dataset, changes)
    done(revised, " ".join(change.sentence for change in changes))


def done(revised: Dataset, told: str) -> None:
    """Show a revision that was just made, and say what it changed."""
    untick()
    state.tell(plain(f"Revision {revised.revision}: {told}"))
    st.rerun()


def names_of(dataset: Dataset, ids: Sequence[str]) -> list[Sample]:
    """The samples with these ids, those left out that are no longer there."""
    there = {sample.id: sample for sample in dataset.samples}
    return [there[id] for id in ids if id in there]


def told_of(dataset: Dataset, sample: Sample, suggested: Mapping[str, str]) -> str:
    """A caption: the class of a picture, and the one that it may rather be."""
    name = held(dataset, sample)
    return f"{name} → {suggested[sample.id]}?" if sample.id in suggested else name
