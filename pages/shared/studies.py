"""Studies on the Runs page: runs that belong together, how far they are, and what they say together."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean

import pandas as pd
import streamlit as st

from core.figures.repeats import class_dots, score_dots
from core.runs.run import RunState
from core.studies import duel
from core.studies import leakage as leaks
from core.studies.duel import DuelTable
from core.studies.removal import delete_study
from core.studies.repeats import OF_CLASSES, RepeatTable, RunLine, Spread, Standing, standing, stop, submit, take_up
from core.studies.study import Study, StudyStore
from pages.shared import cache, duel_results, fields, leakage, live, search, state
from pages.shared.live import PLAIN_FIGURE
from pages.shared.pickers import or_stop
from pages.shared.words import bounds, count, duration, moment, plain, spread_words

HELD = "study_in_hand"  # the session key of a study's id
VIEW = "runs_view"  # what the Runs page shows: RUNS or STUDIES
RUNS, STUDIES = "runs", "studies"
AT_WORK = (RunState.QUEUED, RunState.STARTING, RunState.RUNNING)
SECONDS = 2  # between looks at a study at work
WORDS = {"seeds": "seeds", "folds": "folds", "search": "search", duel.KIND: "duel", leaks.KIND: "leakage"}


def hold(study: Study) -> None:
    """Take a study in hand, and let the Runs page show studies."""
    st.session_state[HELD], st.session_state[VIEW] = study.id, STUDIES


def begin(work: str, *arguments: object) -> None:
    """Make a study by a function of core, which takes the workspace first and answers with its id; put its runs into
    the queue, and open the Runs page with it. Raises what the function does."""
    id = cache.lab().call(work, str(cache.workspace().root), *arguments)
    study = StudyStore(cache.workspace()).get(id)
    hold(study)
    submit(cache.executor(), study)
    cache.forget_runs()
    cache.forget_studies()
    st.switch_page("pages/runs.py")


def studies() -> bool:
    """On the Runs page: the choice between runs and studies, if there are any; and the studies, if they are chosen.

    Then the answer is yes, and nothing else is to be drawn.
    """
    there = {study.id: study for study in cache.studies()}
    if not there:
        return False
    st.segmented_control(
        "What to show",
        [RUNS, STUDIES],
        format_func={RUNS: "Runs", STUDIES: f"Studies ({len(there)})"}.get,
        default=RUNS if VIEW not in st.session_state else None,
        required=True,
        key=VIEW,
        help="Studies are runs that were started together: repeats with other seeds or folds, duels, searches, and "
        "prices of leakage.",
        label_visibility="collapsed",
        persist_state="session",
    )
    if st.session_state[VIEW] != STUDIES:
        return False
    if st.session_state.get(HELD) not in there:
        st.session_state[HELD] = next(iter(there))
    st.selectbox(
        "Study",
        list(there),
        format_func=_lines(there.values()).get,
        key=HELD,
        label_visibility="collapsed",
        persist_state="session",
    )
    study = there[fields.among(st.session_state[HELD], there, "study")]
    with st.container(border=True, key="study"):
        if study.kind == "search":
            search.results(study)
        else:
            _runs_together(study)
        _delete(study)
    return True


def _lines(there: Iterable[Study]) -> dict[str, str]:
    """Each study in a line of its own; equal ones, which a browser could not tell apart, with the end of their ids."""
    lines = {study.id: f"{study.name} · {WORDS[study.kind]} · {moment(study.created)}" for study in there}
    often = Counter(lines.values())
    return {id: line if often[line] == 1 else f"{line} · {id[-6:]}" for id, line in lines.items()}


def _states() -> dict[str, RunState]:
    return {run.id: run.state for run in cache.runs()}


def _runs_together(study: Study) -> None:
    """Repeats, a duel or a price of leakage: how far it is, and what its runs say together."""
    at_work = not standing(study, _states()).is_over
    waits = at_work or cache.study_table(study, _states())[1]  # the lab has not answered yet

    @st.fragment(run_every=SECONDS if waits else None)
    def tick() -> None:
        states = _states()
        now = standing(study, states)
        with or_stop():
            table, pending = cache.study_table(study, states)
        _headline(study, now, _left(study))
        if table is None:
            st.caption("Adding up what the runs say …")
        elif isinstance(table, leaks.Price):
            leakage.results(study, table)
            _runs(study, table.duel.runs, duel_results.columns(table.duel), states)
        elif isinstance(table, DuelTable):
            duel_results.results(study, table)
            _runs(study, table.runs, duel_results.columns(table), states)
        else:
            _table(table)
            _figures(study, table)
            _runs(study, table.runs, {one.label: one.values for one in table.figures}, states)
        if waits and now.is_over and not pending:
            live.changed()  # a whole run of the page, so that the ticking stops

    tick()


def _left(study: Study) -> float | None:
    """Seconds that the runs still waiting or at work will take, each as long as those of its policy that are done, or
    as all of them; None before one is done."""
    runs = {run.id: run for run in cache.runs()}
    mine = [runs[member.run] for member in study.members if member.run in runs]
    done = [run for run in mine if run.state is RunState.FINISHED]
    if not done:
        return None
    left = 0.0
    for run in (run for run in mine if run.state in AT_WORK):
        alike = [other.seconds for other in done if other.policy == run.policy] or [other.seconds for other in done]
        left += mean(alike) * (1 - run.epochs_done / max(1, run.epochs))
    return left


def _headline(study: Study, now: Standing, left: float | None) -> None:
    st.markdown(f"#### {plain(study.name, 60)}")
    parts = [f"{now.finished} of {count(now.planned, 'run')} finished"]
    parts += [f"{now.at_work} waiting or at work"] if now.at_work else []
    parts += [f"{now.ended} stopped, paused or failed"] if now.ended else []
    parts += [f"{now.gone} deleted"] if now.gone else []
    told = " · ".join(parts)
    if now.is_over:
        st.markdown(told)
    else:
        told += f" · about {duration(max(1, round(left)))} left" if left is not None else ""
        st.progress(now.finished / max(1, now.planned), told)
    with st.container(horizontal=True, key="study_actions"):
        if now.at_work and st.button("Stop all", key="study_stop", icon=":material/stop_circle:"):
            with or_stop():
                stop(cache.executor(), study)
            live.changed()
        if (now.ended or _left_alone(study)) and st.button(
            "Go on with the others", key="study_again", icon=":material/play_arrow:"
        ):
            with or_stop():
                take_up(cache.executor(), study)
            live.changed()


def _left_alone(study: Study) -> bool:
    """Whether a run of the study waits without being in the queue: what made it ended before it could be submitted."""
    queued, states = set(cache.store().unfinished()), _states()
    return any(states.get(one.run) is RunState.QUEUED and one.run not in queued for one in study.members)


def _table(table: RepeatTable) -> None:
    if not table.counted:
        st.caption("No run has finished yet.")
        return
    st.dataframe(
        [{"figure": one.label, **_numbers(one)} for one in table.figures],
        hide_index=True,
        key="study_figures",
        width="content",
        alt="Mean and standard deviation over the runs",
    )
    st.caption(
        f"Validation, each run by its best epoch; ± is the standard deviation over {count(table.counted, 'run')}. "
        f"{plain(table.caution)}"
    )


def _numbers(one: Spread) -> dict[str, str | int]:
    return {
        "mean ± std": spread_words(one.mean, one.std),
        "95 % interval of the mean": bounds(one.interval) or "–",
        "runs": one.n,
    }


def _figures(study: Study, table: RepeatTable) -> None:
    if not table.counted:
        return
    names = OF_CLASSES[table.task]
    left, right = st.columns(2)
    drawn = score_dots(table, identity=study.id)
    left.plotly_chart(drawn, key="study_scores", config=PLAIN_FIGURE, alt="The scores of each run and their mean")
    name = next(reversed(names)) if table.task == "segmentation" else next(iter(names))
    told = f"{names[name].capitalize()} of each class in each run"
    right.plotly_chart(class_dots(table, name, identity=study.id), key="study_classes", config=PLAIN_FIGURE, alt=told)
    with st.expander("Each class", key="study_per_class", icon=":material/table_rows:"):
        rows = [{"class": one.label, "figure": names[one.name], **_numbers(one)} for one in table.per_class]
        st.dataframe(rows, hide_index=True, key="study_class_table", alt="Mean and deviation of each class")


def _runs(
    study: Study,
    runs: Sequence[RunLine],
    columns: Mapping[str, Sequence[float | None]],
    states: Mapping[str, RunState],
) -> None:
    """Every run with its figures, {label: a value of each run}; choosing one takes it in hand."""
    lines = pd.DataFrame(
        [
            {
                "run": line.label,
                "state": states[line.run].value if line.run in states else line.state,
                **{label: values[place] for label, values in columns.items()},
                "": line.sentence,
            }
            for place, line in enumerate(runs)
        ]
    )
    key = f"study_runs_{study.id}"
    found = st.dataframe(
        lines,
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode="single-row",
        column_config={label: st.column_config.NumberColumn(format="%.4f") for label in columns},
        placeholder="–",
        alt="The runs of the study",
    )
    rows = found.selection.rows
    run = runs[rows[0]].run if rows and 0 <= rows[0] < len(runs) else ""
    if run in states and st.button(f"Open {plain(runs[rows[0]].label)}", key="study_open"):
        state.watch_run(run)
        st.switch_page("pages/train.py")
    st.download_button(
        "Table (CSV)",
        lines.to_csv(index=False).encode(),
        f"{study.id}.csv",
        "text/csv",
        key="study_csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _delete(study: Study) -> None:
    # A key of its own for each study, so that the menu closes when its study is gone and never offers the next one.
    with st.popover("Delete the study", icon=":material/delete:", key=f"study_delete_menu_{study.id}"):
        st.markdown(f"Delete **{plain(study.name, 60)}**?")
        runs = st.toggle(
            f"Its {count(len(study.members), 'run')} too, with weights and results", key=f"study_runs_too_{study.id}"
        )
        if st.button("Delete for good", type="primary", key="study_delete"):
            with or_stop():
                delete_study(cache.workspace(), study.id, runs=runs)
            cache.forget_studies()
            live.changed()
