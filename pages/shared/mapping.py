"""How a source is to be read, asked of a person: which layout it is, and which column or array plays which role."""

from collections.abc import Sequence

import streamlit as st

from core.data.incoming import Survey
from core.data.readers.reader import Pick, Picks
from core.errors import FoveaError
from pages.shared import cache, importing, sources
from pages.shared.pickers import or_stop
from pages.shared.sources import Source
from pages.shared.words import count, plain, sentence

NOTHING = "– none –"
MOST_COLUMNS = 40  # of a preview
PREVIEW_HEIGHT = 260  # pixels


def mapping(source: Source) -> None:
    """What the source in hand seems to be, with a field for each answer, and the button that reads it."""
    st.subheader(f"How to read {plain(source.name, 60)}")
    with st.container(border=True, key="mapping"):
        survey = _layout(source)
        if survey.doubt:
            st.warning(plain(survey.doubt))
        if survey.picks is not None:
            _answers(source, survey)
        with st.container(horizontal=True):
            missing = _missing(survey.picks, source.answers)
            if st.button(
                "Read the images", type="primary", key="read", icon=":material/arrow_forward:", disabled=bool(missing)
            ):
                with or_stop():
                    importing.read_source()
            if st.button("Cancel", key="mapping_cancel"):
                sources.let_go()
                st.rerun()
        if missing:
            st.caption(f"Still to choose: {plain(', '.join(pick.label for pick in missing))}.")


def _layout(source: Source) -> Survey:
    """Which of the layouts that fit it is; another one than was recognised is looked at anew."""
    fits = source.survey.fits
    names, labels = [name for name, _, _ in fits], {name: label for name, label, _ in fits}
    chosen = source.layout or source.survey.layout
    if len(fits) > 1:
        # Its place, not its value in the session: the eye would lose that when the field comes back.
        taken = st.radio(
            "It can be read in several ways",
            names,
            index=names.index(chosen) if chosen in names else 0,
            format_func=labels.get,
            captions=[plain(why) for _, _, why in fits],
            key=f"layout_{source.id}",
        )
        if taken in names and taken != chosen:
            source.layout, source.answers, chosen = taken, {}, taken
    else:
        why = source.survey.why
        st.markdown(f"**{plain(labels.get(chosen, chosen))}**: {plain(why)}.  \n{count(source.survey.files, 'file')}")
    if chosen == source.survey.layout and not source.answers:
        return source.survey
    try:
        return cache.survey(source.path, chosen, source.answers)
    except FoveaError as error:
        st.error(sentence(error))
        return source.survey


def _answers(source: Source, survey: Survey) -> None:
    """The questions of a layout over the table that they are about."""
    picks = survey.picks
    with st.grid("auto", min_column_width=200, gap="small"):
        answers = {pick.role: _answer(source, survey.layout, pick) for pick in picks.picks}
    if answers != {pick.role: source.answers.get(pick.role, pick.guess) for pick in picks.picks}:
        source.answers = answers
        st.rerun()  # what else is asked may depend on it: the columns on the table
    for note in picks.notes:
        st.markdown(f":material/info: {plain(note)}")
    _preview(picks, answers)


def _answer(source: Source, layout: str, pick: Pick) -> str:
    options = [*pick.options] if pick.needed else ["", *pick.options]
    key = f"pick_{source.id}_{layout}_{pick.role}"
    held = source.answers.get(pick.role, pick.guess)
    if key in st.session_state and st.session_state[key] not in options:
        del st.session_state[key]
    return (
        st.selectbox(
            plain(pick.label),
            options,
            index=options.index(held) if held in options else None if pick.needed else 0,
            format_func=lambda option: option or NOTHING,
            key=key,
            help=plain(pick.sentence),
            placeholder="choose",
        )
        or ""
    )


def _preview(picks: Picks, answers: dict[str, str]) -> None:
    """The first rows; a column that plays a role says so in its head, an array in a column of its own."""
    if not picks.preview:
        return
    head, *rows = picks.preview
    head = head[:MOST_COLUMNS]
    roles: dict[str, list[str]] = {}
    for pick in picks.picks:
        if answers.get(pick.role):
            roles.setdefault(answers[pick.role], []).append(pick.label.lower())
    told = "The head of a column says what it is taken as."
    if not roles.keys() & set(head) and roles.keys() & {row[0] for row in rows}:
        head, rows = ("taken as", *head), [(" and ".join(roles.get(row[0], ())), *row) for row in rows]
        roles, told = {}, "Each says what it is taken as."
    width = len(head)
    table = [{str(place): cell for place, cell in enumerate(row[:width])} for row in rows]
    shown = {str(place): st.column_config.TextColumn(_titled(name, roles)) for place, name in enumerate(head)}
    st.caption(f"The first {count(len(rows), 'row')}. {told}")
    st.dataframe(table, column_config=shown, hide_index=True, height="content" if len(rows) <= 8 else PREVIEW_HEIGHT)


def _titled(name: str, roles: dict[str, list[str]]) -> str:
    return f"{name} → {' and '.join(roles[name])}" if name in roles else name


def _missing(picks: Picks | None, answers: dict[str, str]) -> Sequence[Pick]:
    if picks is None:
        return ()
    return [pick for pick in picks.picks if pick.needed and not answers.get(pick.role, pick.guess)]
