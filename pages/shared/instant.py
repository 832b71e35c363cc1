"""Instant heads: move a choice of the head, and a second later see what would have become of it.

The network's features of every picture are stored, so only the head learns anew, in the lab.
"""

from typing import Any

import streamlit as st

from core.errors import FoveaError
from core.executors.instant import Head, Retrained, can_retrain, head_of, keep
from core.figures.confusion import confusion_matrix
from core.figures.instant import head_curves
from core.metrics.paired import Paired
from core.models.heads import head_row
from core.recipe import Recipe
from core.runs.run import RunState
from core.runs.store import Run
from core.train.losses import LOSSES, loss_row
from pages.shared import cache, live, state
from pages.shared.fields import among
from pages.shared.forms import knob_widget
from pages.shared.pickers import or_stop
from pages.shared.words import bounds, count, plain, sentence, share

RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)
DECAYS = (0.0, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0)
MOST_EPOCHS = 100  # on the slider, unless the run has more
SOLVERS = {"steps": "Step by step", "convex": "Solved at once"}
WEIGHTS = {"none": "all the same", "balanced": "the rarer, the more"}
MOST_CLASSES = 12  # of matrices that stand side by side
SURE = 0.05  # a difference that chance makes more rarely than this is called one


def instant(run: Run) -> None:
    """The panel under a run whose head learned on stored features; nothing under another one."""
    if not can_retrain(run.recipe) or not _stored(run):
        return
    told = (
        "The network looked at every picture once and its features are stored, so a head with other choices learns in "
        "about a second."
    )
    if st.toggle("Change the head, see it at once", key=f"instant_{run.id}_on", help=told, persist_state="session"):
        _panel(run.id)


def _stored(run: Run) -> bool:
    """Whether all features that the head asks for are there: a run at work may still have pictures to look at."""
    if run.status.state is RunState.FINISHED:
        return True
    return any(entry.get("kind") == "epoch" and entry.get("stored") for entry in cache.journal(run.paths))


@st.fragment
def _panel(id: str) -> None:
    with st.container(border=True, key="instant_panel"), or_stop():
        run = cache.store().get(id)
        base = head_of(run.recipe)
        if len(run.recipe.phases) > 1:
            st.caption(f"Of this run's phases only the first, {plain(base.phases[0].name, 40)}, is about the head.")
        top = st.container(horizontal=True, vertical_alignment="bottom", key="instant_kind")
        changes = _choices(base, f"instant_{id}", top)
        actions = st.container(horizontal=True, key="instant_actions")
        try:
            with top, st.spinner("The head learns …", width="content"):  # up there it moves nothing that is in sight
                found = cache.retrained(run, changes)
        except FoveaError as error:  # the old head stays in sight
            if not changes:
                raise
            st.error(sentence(error))
            found, changes = cache.retrained(run, {}), {}
        _numbers(found, bool(changes))
        _figures(found, run.facts.classes, bool(changes), id)
        _actions(actions, run, found, bool(changes))


def _choices(base: Recipe, key: str, top: Any) -> dict[str, Any]:
    """The choices as widgets, the first of them in `top`; those unlike the run's, as `Recipe.set` takes them."""
    again = f"{key}_{st.session_state.get(f'{key}_round', 0)}"  # another round, other widgets: all as the run has them
    phase, loss, chosen = base.phases[0], base.loss, {}
    linear = base.model.head == "linear"
    if linear:
        solver = top.segmented_control(
            "The head learns",
            list(SOLVERS),
            default=phase.solver,
            format_func=SOLVERS.get,
            required=True,
            key=f"{again}_solver",
            help="Of one layer there is one best head, which a solver finds without steps, rates and epochs.",
        )
        chosen["phases.0.solver"] = among(solver, SOLVERS, "phases.0.solver")
    solved = chosen.get("phases.0.solver", phase.solver) == "convex"
    with st.grid(4, min_column_width=190):
        if not solved:
            rates = sorted({*RATES, phase.learning_rate})
            chosen["phases.0.learning_rate"] = st.select_slider(
                "Learning rate", rates, phase.learning_rate, format_func=lambda rate: f"{rate:g}", key=f"{again}_rate"
            )
            most = max(MOST_EPOCHS, phase.epochs)
            chosen["phases.0.epochs"] = st.slider("Epochs", 1, most, phase.epochs, key=f"{again}_epochs")
            most = max(0.9, base.model.dropout)
            chosen["model.dropout"] = st.slider(
                "Dropout", 0.0, most, base.model.dropout, 0.05, key=f"{again}_dropout", help=_dropout_help(base)
            )
        decays = sorted({*DECAYS, base.optimizer.weight_decay})
        chosen["optimizer.weight_decay"] = st.select_slider(
            "Weight decay", decays, base.optimizer.weight_decay, format_func=lambda d: f"{d:g}", key=f"{again}_decay"
        )
        if not solved:
            names = [row.name for row in LOSSES]
            picked = st.selectbox(
                "Loss", names, names.index(loss.name), lambda name: loss_row(name).label, key=f"{again}_loss"
            )
            chosen["loss.name"] = among(picked, names, "loss.name")
            said = loss.values if picked == loss.name else {}
            knobs = loss_row(picked).knobs
            values = {k.name: knob_widget(k, said.get(k.name, k.default), f"{again}_{picked}_{k.name}") for k in knobs}
            if values != {knob.name: said.get(knob.name, knob.default) for knob in knobs}:
                chosen["loss.values"] = values
            elif picked != loss.name:
                chosen["loss.values"] = {}
            chosen["loss.label_smoothing"] = st.slider(
                "Label smoothing", 0.0, 0.5, loss.label_smoothing, 0.05, key=f"{again}_smoothing"
            )
        own = None if isinstance(loss.class_weights, str) else "own"
        options = [*WEIGHTS, *filter(None, [own])]
        weights = st.selectbox(
            "Classes count",
            options,
            options.index(own or loss.class_weights),
            lambda name: WEIGHTS.get(name, "as the run has them"),
            key=f"{again}_weights",
        )
        if among(weights, options, "loss.class_weights") != "own":
            chosen["loss.class_weights"] = weights
    if solved:  # what a solver has no use for
        chosen |= {"phases.0.epochs": 1, "loss.name": "cross-entropy", "loss.values": {}, "loss.label_smoothing": 0.0}
    elif phase.solver == "convex" and chosen["phases.0.epochs"] == 1:
        st.caption("One epoch of steps is little: move the epochs up.")
    return {path: value for path, value in chosen.items() if value != _held(base, path)}


def _held(base: Recipe, path: str) -> Any:
    here: Any = base
    for step in path.split("."):
        here = here[int(step)] if step.isdigit() else getattr(here, step)
    return here


def _dropout_help(base: Recipe) -> str:
    about = next((knob.help for knob in head_row(base.model.head).knobs if knob.name == "dropout"), "")
    return plain(about)


def _numbers(found: Retrained, changed: bool) -> None:
    """Accuracy before and now, with intervals, and what changed sides."""
    with st.container(key="instant_numbers"), st.grid(3, min_column_width=170):
        _accuracy("as the run has it", found.old)
        if changed:
            _accuracy("with these choices", found.new)
            moved = found.difference.gained + found.difference.lost
            st.metric(
                "images that changed sides",
                f"{moved:,}",
                delta=f"{found.difference.gained} gained · {found.difference.lost} lost" if moved else None,
                delta_color="off",
                delta_arrow="off",
                help="Validation images that are right now and were not, and the other way round.",
            )
    if changed:
        seconds = f"It learned in {found.new.seconds:.1f} s."
        st.markdown(f"{difference_in_words(found.difference)} {seconds}")
        st.caption(
            "The more choices are tried on the same validation images, the more often one of them wins by luck; "
            "the test split has the last word."
        )
    else:
        st.caption("Move any choice: the new head appears beside the old one.")


def _accuracy(label: str, head: Head) -> None:
    where = f"epoch {head.best['epoch']:.0f}" if len(head.entries) > 1 else ""
    st.metric(
        label,
        share(head.best["accuracy"]),
        delta=" · ".join(part for part in (bounds(head.interval), where) if part),
        delta_color="off",
        delta_arrow="off",
        help="Accuracy on the validation images, at the best epoch. In brackets the 95 % interval (Wilson).",
    )


def difference_in_words(found: Paired) -> str:
    """What a second answer changed, and whether that can be chance."""
    if not found.gained and not found.lost:
        same = "No validation image changed sides"
        return f"{same}; {count(found.moved, 'wrong one')} got another name." if found.moved else f"{same}."
    gained, lost = (f"**{number}** {'was' if number == 1 else 'were'}" for number in (found.gained, found.lost))
    told = (
        f"Of {count(found.images, 'validation image')}, {gained} wrong and now right, and {lost} right and now wrong."
    )
    if round(100 * found.p) == 100:
        return f"{told} Chance alone makes so small a difference all the time (McNemar's test): nothing to build on."
    often = "less than once" if found.p < 0.01 else f"about {count(max(1, round(100 * found.p)), 'time')}"
    verdict = "hardly chance" if found.p < SURE else "no difference to build on"
    return f"{told} By chance alone sides change as unevenly {often} in 100 (McNemar's test): {verdict}."


def _figures(found: Retrained, classes: tuple[str, ...], changed: bool, id: str) -> None:
    """Curves and confusion matrices of both, side by side."""
    new = found.new.entries if changed else None
    for metric, place in zip(("loss", "accuracy"), st.columns(2), strict=True):
        figure = head_curves(found.old.entries, new, metric, identity=id)
        alt = f"Validation {metric} over the epochs, before and now"
        place.plotly_chart(figure, key=f"instant_{metric}", config=live.PLAIN_FIGURE, alt=alt)
    heads = {"as the run has it": found.old} | ({"with these choices": found.new} if changed else {})
    places = st.columns(2) if len(classes) <= MOST_CLASSES else [st.container() for _ in heads]
    for number, (place, (label, head)) in enumerate(zip(places, heads.items(), strict=False)):
        place.markdown(f"**Validation images, {label}**")
        figure = confusion_matrix(head.confusion, classes)
        alt = f"Confusion matrix, {label}"
        place.plotly_chart(figure, key=f"instant_matrix_{number}", config=live.PLAIN_FIGURE, alt=alt)


def _actions(place: Any, run: Run, found: Retrained, changed: bool) -> None:
    told = "Puts a run with these choices into the queue. It reads the same features and ends with the same numbers."
    if place.button(
        "Keep as a run", key="instant_keep", type="primary", icon=":material/add:", disabled=not changed, help=told
    ):
        made = keep(cache.workspace(), run, found.new.recipe)
        cache.executor().submit(made)
        state.watch_run(made)
        live.changed()
    place.button(
        "As the run has it",
        key="instant_again",
        icon=":material/undo:",
        disabled=not changed,
        on_click=_begin_again,
        args=(f"instant_{run.id}_round",),
    )


def _begin_again(name: str) -> None:
    """Another round: the widgets are made anew, and start from what the run has."""
    st.session_state[name] = st.session_state.get(name, 0) + 1
