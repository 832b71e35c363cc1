"""A run as it is watched: where it stands, how long it still takes, and its curves."""

import streamlit as st

from core.runs.continued import continue_run
from core.runs.pace import pace
from core.runs.run import Origin, RunState
from core.runs.store import Run
from pages.shared import cache, state
from pages.shared.pickers import or_stop
from pages.shared.words import SCORE_HELP, SCORE_WORDS, bounds, data_name, duration, plain, share, state_badge

MOST_SAID = 3  # the last ones; rounds of many phases may each end early
RATE_STEP = 1e-4  # of a learning rate's field
PLAIN_FIGURE = {"displaylogo": False, "modeBarButtons": [["toImage"]]}  # of plotly's buttons only "download"


def headline(run: Run) -> None:
    """Name and state, and one sentence about it."""
    status = run.status
    st.markdown(f"#### {plain(run.name, 60)} &nbsp;{state_badge(status.state)}")
    st.caption(f"Data: {plain(data_name(run.facts.dataset_name, run.facts.revision), 80)}")
    if run.facts.origin:
        st.caption(_origin(run.facts.origin))
    told = plain(status.sentence or status.state.sentence)
    if status.state is RunState.FAILED:
        st.error(told, icon=":material/error:")
    elif status.state is RunState.QUEUED:
        place = cache.store().place(run.id)
        st.caption(
            f"{told} " + ("It is next." if place == 1 else f"It is number {place} in the queue." if place else "")
        )
    elif not status.state.has_worker:
        st.caption(told)


def numbers(run: Run) -> None:
    """Where the run stands: bar, best validation with its interval, epoch, pace, time."""
    status, now = run.status, pace(run.recipe, cache.journal(run.paths))
    if status.state.has_worker:
        st.progress(now.fraction, plain(status.sentence or status.state.sentence))
    with st.container(key="run_numbers"), st.grid(4, min_column_width=150):
        where = f"epoch {status.best['epoch']:.0f}" if "epoch" in status.best else ""
        st.metric(
            f"validation {SCORE_WORDS[run.recipe.task]}",
            share(status.best.get(run.recipe.score)),
            delta=" · ".join(part for part in (bounds(status.interval), where) if part) or None,
            delta_color="off",
            delta_arrow="off",
            help=f"Of the best epoch, whose weights are kept. {SCORE_HELP[run.recipe.task]}",
        )
        st.metric("epoch", f"{now.epoch} / {now.epochs}")
        rate = status.images_per_second if status.state.is_finished else now.images_per_second
        st.metric(
            "images per second",
            f"{rate:,.0f}" if rate else "–",
            help="Training images through the network. Epochs that only read its stored features are far faster; their "
            "rate is shown only where there were no others.",
        )
        if status.state.has_worker:
            st.metric("time left, about", duration(now.seconds_left))
        else:
            st.metric("time taken", duration(status.seconds or None))
    for sentence in _said(run)[-MOST_SAID:]:
        st.caption(f":material/info: {plain(sentence)}")
    if now.passing and status.state.has_worker:
        st.caption("The frozen network looks at every picture once; after that an epoch takes a moment.")


def _origin(origin: Origin) -> str:
    """Where a run began, with the name of that run while it is there."""
    name = plain(next((line.name for line in cache.runs() if line.id == origin.run), origin.run), 60)
    if origin.how == "continued":
        return f"Goes on from **{name}** after its epoch {origin.epoch}."
    return f"Started from the weights of **{name}**, its epoch {origin.epoch}."


def _said(run: Run) -> list[str]:
    """What training said of how it went: that memory ran out, that a phase ended early. Each thing once."""
    told = {entry["sentence"]: entry["epoch"] for entry in cache.journal(run.paths) if entry.get("kind") == "said"}
    new = {sentence: epoch for sentence, epoch in told.items() if sentence not in run.status.sentence}
    return [f"Epoch {epoch}: {sentence}" if epoch else sentence for sentence, epoch in new.items()]


def has_curves(run: Run) -> bool:
    """Whether there is a curve to draw, or one to come."""
    entries = cache.journal(run.paths)
    moved = any(entry.get("kind") in ("step", "epoch") for entry in entries)
    return bool(entries) and (moved or run.status.state.has_worker)


def curves(run: Run) -> None:
    """Loss and score side by side, from the start of the run on."""
    if not has_curves(run):
        return
    loss, score = cache.curves(run.paths, run.recipe.task, run.facts.classes)
    left, right = st.columns(2)
    told = f"{SCORE_WORDS[run.recipe.task].capitalize()} over the epochs"
    right.plotly_chart(score, key="curve_score", config=PLAIN_FIGURE, alt=told)
    left.plotly_chart(loss, key="curve_loss", config=PLAIN_FIGURE, alt="Loss over the epochs")


def log(run: Run) -> None:
    """The end of what the worker printed."""
    tail = cache.store().log_tail(run.id, 20)
    if tail:
        with st.expander("The end of its log", expanded=run.status.state is RunState.FAILED, key="run_log"):
            st.code(tail, language=None, wrap_lines=True)


def actions(run: Run) -> None:
    """What can be done with a run now."""
    state_now = run.status.state
    with st.container(horizontal=True, key="run_actions"):
        if not state_now.is_finished:
            waits = state_now is RunState.QUEUED
            asked = run.paths.stop.exists()
            label = "Leave the queue" if waits else "Stop and keep best"
            if st.button(label, key="stop", icon=":material/stop_circle:", disabled=asked):
                with or_stop():
                    cache.executor().stop(run.id)
                changed()
            if not waits:
                told = "It gives its place and its memory back, and goes on with the very next step when you like."
                asked = asked or run.paths.pause.exists()
                if st.button("Pause", key="pause", icon=":material/pause_circle:", disabled=asked, help=told):
                    with or_stop():
                        cache.executor().pause(run.id)
                    changed()
        label = "Go on" if state_now is RunState.PAUSED else "Resume"
        if state_now.can_resume and st.button(label, key="resume", icon=":material/play_arrow:", type="primary"):
            with or_stop():
                cache.executor().resume(run.id)
            changed()
        if state_now is RunState.FINISHED and run.recipe.phases[-1].solver == "steps":
            _continue(run)
        if run.paths.best.exists():
            main = "primary" if state_now is RunState.FINISHED else "secondary"
            if st.button("Evaluate", key="to_evaluate", icon=":material/query_stats:", type=main):
                st.switch_page("pages/evaluate.py")
            if st.button("Predict", key="to_predict", icon=":material/photo_camera:"):
                st.switch_page("pages/predict.py")


def _continue(run: Run) -> None:
    """Train a finished run on: a new run, which takes over what this one has come to."""
    last = run.recipe.phases[-1]
    with st.popover("More epochs", icon=":material/forward:", key=f"continue_menu_{run.id}"):
        st.markdown("Go on as a new run; this one stays as it is. The learning rate rises and falls once more.")
        epochs = st.number_input("Epochs", 1, 1000, last.epochs, key=f"continue_epochs_{run.id}")
        rate = st.number_input(
            "Learning rate", 1e-7, 10.0, last.learning_rate, RATE_STEP, "%g", key=f"continue_rate_{run.id}"
        )
        if st.button("Continue", type="primary", key=f"continue_{run.id}"):
            with or_stop():
                longer = continue_run(cache.store(), run.id, epochs, rate)
                cache.executor().submit(longer)
            state.watch_run(longer)
            changed()


def changed() -> None:
    """Something was done to a run: look again, everywhere on the page."""
    cache.forget_runs()
    st.rerun()
