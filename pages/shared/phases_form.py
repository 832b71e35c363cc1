"""The phases of a training run as widgets: a few as a line each, many as a table with one of them open.

The phases themselves are held in session state as plain data; each widget of a line is filled from them and writes back
to them. Whatever adds, removes or moves a phase rewrites the data and lets the widgets start again.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pandas as pd
import streamlit as st

from core.augment.catalog import views
from core.presets.plans import PLANS, plan
from core.recipe import Phase, Recipe, ScheduleChoice
from core.train.schedules import SCHEDULES, schedule_row
from pages.shared import fields
from pages.shared.forms import knob_widget
from pages.shared.words import count, plain

PHASES = "train_phases"  # the session key of all phases, as plain data
OPEN = "train_open_phase"  # which of many phases is open, from 1
PLAN = "train_plan"  # the name of the plan that is shown as chosen
PLAN_OF = "train_plan_of"  # (its name, its knob values): what the phases were made of
OF_PRESET, OWN = "preset", "own"  # stand among the plans for the preset's phases, and for edited ones
LINES = 5  # phases that are drawn as a line each; more of them become a table
MOST = next(rule.max_length for rule in Recipe.model_fields["phases"].metadata if hasattr(rule, "max_length"))
OF_RECIPE = ""  # stands for the recipe's own schedule, among the schedules of a phase
AS_THE_RUN = "as the whole run"  # how it is called
FIELDS = ("name", "trainable", "epochs", "learning_rate", "solver", "norms")  # that have a widget each
RATE_STEP = 1e-4
TABLE = 248  # pixels: its head and six rows


def phases_form(base: Recipe, layers: Mapping[str, str]) -> dict[str, Any]:
    """Draw the phases and give them as a change. `layers` are the usual choices of what may learn, and their words."""
    beside = _plan(base)
    phases = held(base)
    if len(phases) == 1:
        with beside:
            _line(base, 0, phases, layers)
    elif len(phases) > LINES:
        _line(base, _chosen(phases), phases, layers)
    else:
        for number in range(len(phases)):
            _line(base, number, phases, layers)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Add a phase",
            key="add_phase",
            icon=":material/add:",
            type="tertiary",
            disabled=len(phases) >= MOST,
            on_click=_change,
            args=(base, "copy", len(phases) - 1),
        )
        if len(phases) > 1:
            epochs = sum(phase["epochs"] for phase in phases)
            st.caption(f"{count(len(phases), 'phase')}, {count(epochs, 'epoch')} together.", width="content")
    return {"phases": phases}


def _plan(base: Recipe) -> Any:
    """A ready-made plan, with its knobs; it writes the phases, which can be edited afterwards.

    Gives the place for a single phase: beside the plan if it has no knobs, else below it.
    """
    of, values = st.session_state.setdefault(PLAN_OF, (OF_PRESET, {}))
    edited = held(base) != _planned(base, of, values)
    options = (
        {OF_PRESET: "As the preset"} | {row.name: row.label for row in PLANS} | ({OWN: "My own"} if edited else {})
    )
    st.session_state[PLAN] = OWN if edited else of

    def follow() -> None:
        chosen = fields.among(st.session_state[PLAN], options, "plan")
        if chosen != OWN:
            _begin_plan(base, chosen)

    left, right = st.columns([1, 4], vertical_alignment="bottom")
    left.selectbox("Plan", list(options), format_func=options.get, key=PLAN, on_change=follow, persist_state="session")
    if edited or of == OF_PRESET:
        return right
    row = plan(of)
    with right, st.grid(4, min_column_width=150):
        turned = {
            knob.name: knob_widget(knob, knob.default, fields.key(f"plan.{of}.{knob.name}")) for knob in row.knobs
        }
    st.caption(plain(f"{row.sentence} {row.rates}"))
    if turned != values:
        st.session_state[PLAN_OF] = of, turned
        hold(_planned(base, of, turned))
    return st.container()


def _begin_plan(base: Recipe, name: str) -> None:
    for key in [key for key in st.session_state if str(key).startswith(fields.key(f"plan.{name}."))]:
        del st.session_state[key]
    values = {} if name == OF_PRESET else {knob.name: knob.default for knob in plan(name).knobs}
    st.session_state[PLAN_OF] = name, values
    hold(_planned(base, name, values))


def _planned(base: Recipe, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The phases of a plan, as plain data."""
    phases = base.phases if name == OF_PRESET else plan(name).phases(values)
    return [phase.model_dump(mode="json") for phase in phases]


def stored(recipe: Recipe) -> str:
    """Whether a frozen backbone's features are stored, or why not, in one sentence; "" where no backbone is frozen."""
    if recipe.task != "classification" or all(phase.trainable != "head" for phase in recipe.phases):
        return ""
    if recipe.mix.on:
        kinds = " and ".join(name for name, on in (("MixUp", recipe.mix.mixup), ("CutMix", recipe.mix.cutmix)) if on)
        verb = "mix" if " and " in kinds else "mixes"
        return f"{kinds} {verb} pixels, so features cannot be stored and each epoch looks at every picture."
    variants = views(recipe.augment)
    times = f"in {variants} variants" if variants > 1 else "once"
    return f"While only the head learns, each picture is looked at {times} and its features are stored."


def held(base: Recipe) -> list[dict[str, Any]]:
    """The phases that are chosen, as plain data."""
    if PHASES not in st.session_state:
        hold(base.model_dump(mode="json")["phases"])
    phases = [deepcopy(phase) for phase in st.session_state[PHASES]]
    for number, phase in enumerate(phases):
        for field in FIELDS:
            phase[field] = st.session_state.get(fields.key(f"phases.{number}.{field}"), phase[field])
        _take_schedule(number, phase)
    return phases


def set_rate(number: int, rate: float) -> None:
    """Give a phase, counted from 0, another learning rate; for a callback, before the page is drawn."""
    phases = deepcopy(st.session_state.get(PHASES, []))
    if 0 <= number < len(phases):
        phases[number]["learning_rate"] = rate
        hold(phases)


def hold(phases: list[dict[str, Any]]) -> None:
    """Choose these phases; every widget starts from them."""
    for name in [name for name in st.session_state if str(name).startswith(f"{PHASES}_")]:
        del st.session_state[name]
    st.session_state[PHASES] = phases


def _chosen(phases: list[dict[str, Any]]) -> int:
    """Show all of many phases, and give the one that is open, from 0."""
    key = f"{PHASES}_table"
    st.session_state.setdefault(OPEN, 1)
    table = pd.DataFrame(
        {
            "phase": range(1, len(phases) + 1),
            "name": [phase["name"] for phase in phases],
            "trains": [phase["trainable"] for phase in phases],
            "epochs": [phase["epochs"] for phase in phases],
            "learning rate": [phase["learning_rate"] for phase in phases],
            "schedule": [_schedule_words(phase) for phase in phases],
        }
    )

    def take() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        st.session_state[OPEN] = rows[0] + 1 if rows else st.session_state[OPEN]

    st.dataframe(
        table,
        hide_index=True,
        key=key,
        on_select=take,
        selection_mode="single-row",
        height=TABLE,
        column_config={"learning rate": st.column_config.NumberColumn(format="%g")},
        alt="The phases of the run",
    )
    with st.grid(5, min_column_width=110):
        fields.value(OPEN, "Phase to change", 1, len(phases), 1, "Or click its row in the table.")
    return st.session_state[OPEN] - 1


def _schedule_words(phase: dict[str, Any]) -> str:
    return schedule_row(phase["schedule"]["name"]).label if phase["schedule"] else AS_THE_RUN


def _line(base: Recipe, number: int, phases: list[dict[str, Any]], layers: Mapping[str, str]) -> None:
    phase, several = phases[number], len(phases) > 1
    with (
        st.container(key=f"phase_{number}"),
        st.grid(5 if several else 4, min_column_width=110, vertical_alignment="bottom"),
    ):
        options = layers if phase["trainable"] in layers else {phase["trainable"]: phase["trainable"], **layers}
        st.selectbox(
            f"Phase {number + 1} trains" if several else "Trains",
            list(options),
            format_func=lambda value: options.get(value, value),
            key=_start(number, phase, "trainable"),
            help='Which layers may change. More can be typed in, such as "last 3 layers" or "last 30%".',
            accept_new_options=True,
            persist_state="session",
        )
        for field, label, step, help in (
            ("epochs", "Epochs", 1, "Passes over the training images."),
            ("learning_rate", "Learning rate", RATE_STEP, "How far one step moves the weights, at its peak."),
        ):
            fields.value(_start(number, phase, field), label, *fields.bounds(Phase, field), step, help)
        if several:
            _schedule(number, phase)
        with st.container(horizontal=True):
            with st.popover("More", icon=":material/tune:", key=f"{PHASES}_{number}_more", width="stretch"):
                _details(base, number, phase)
            if several:
                _actions(base, number, phases)
    for field in FIELDS:
        phase[field] = st.session_state[_start(number, phase, field)]
    st.session_state[PHASES] = phases


def _start(number: int, phase: dict[str, Any], field: str) -> str:
    """The session key of a field of a phase, which holds what the phase says unless something was chosen."""
    key = fields.key(f"phases.{number}.{field}")
    if key not in st.session_state:
        st.session_state[key] = phase[field]
    return key


def _schedule(number: int, phase: dict[str, Any]) -> None:
    key = fields.key(f"phases.{number}.schedule.name")
    if key not in st.session_state:
        st.session_state[key] = phase["schedule"]["name"] if phase["schedule"] else OF_RECIPE
    options = {OF_RECIPE: AS_THE_RUN} | {row.name: row.label for row in SCHEDULES}
    st.selectbox(
        "Rate over time",
        list(options),
        format_func=options.get,
        key=key,
        help="How the learning rate moves in this phase; that of the whole run stands under Optimizer and schedule.",
        persist_state="session",
    )
    _take_schedule(number, phase)


def _take_schedule(number: int, phase: dict[str, Any]) -> None:
    """Give a phase the schedule that its widget says."""
    path = f"phases.{number}.schedule.name"
    name = st.session_state.get(fields.key(path))
    if name is None:
        return
    fields.among(name, (OF_RECIPE, *(row.name for row in SCHEDULES)), path)
    if name == OF_RECIPE:
        phase["schedule"] = None
    elif phase["schedule"] is None or phase["schedule"]["name"] != name:
        phase["schedule"] = ScheduleChoice(name=name).model_dump(mode="json")


def _details(base: Recipe, number: int, phase: dict[str, Any]) -> None:
    name = _start(number, phase, "name")
    st.text_input("Name of the phase", key=name, max_chars=40, persist_state="session")
    solver, epochs = _start(number, phase, "solver"), _start(number, phase, "epochs")

    def once() -> None:
        if st.session_state[solver] == "convex":
            st.session_state[epochs] = 1

    if base.task == "classification":
        options = {"steps": "learned step by step", "convex": "solved to the end at once"}
        st.selectbox(
            "The head is",
            list(options),
            format_func=options.get,
            key=solver,
            help="A linear head on stored features has one best answer, which a solver finds in one epoch.",
            on_change=once,
            persist_state="session",
        )
    if phase["trainable"] != "head":
        options = {"learn": "measure each batch", "still": "keep what they measured"}
        st.selectbox(
            "Batch norms that learn",
            list(options),
            format_func=options.get,
            key=_start(number, phase, "norms"),
            help="The network's own, which this phase unfreezes. Where pictures are few, it is better that they keep "
            "what they measured when the network was trained.",
            persist_state="session",
        )
    if phase["schedule"]:
        st.markdown("**Its own schedule**")
        path, values = f"phases.{number}.schedule", phase["schedule"]["values"]
        row = schedule_row(phase["schedule"]["name"], path)
        if row.warms_up:
            key = fields.key(f"{path}.warmup")
            if key not in st.session_state:
                st.session_state[key] = phase["schedule"]["warmup"]
            fields.value(key, "Warm-up", *fields.bounds(ScheduleChoice, "warmup"), 0.01)
            phase["schedule"]["warmup"] = st.session_state[key]
        for knob in row.knobs:
            key = fields.key(f"{path}.{row.name}.{knob.name}")
            turned = knob_widget(knob, values.get(knob.name, knob.default), key)
            if knob.name in values or turned != knob.default:
                values[knob.name] = turned


def _actions(base: Recipe, number: int, phases: list[dict[str, Any]]) -> None:
    same = sum(phase["trainable"] == phases[number]["trainable"] for phase in phases)
    options = {"up": "Move up", "down": "Move down", "copy": "Add a copy below", "remove": "Remove"}
    if same > 1:
        options["spread"] = f"The same for all {same} that train this much"
    key = f"phase_do_{number}"

    def act() -> None:
        _change(base, st.session_state[key], number)

    st.menu_button("", list(options), format_func=options.get, key=key, icon=":material/more_vert:", on_click=act)


def _change(base: Recipe, what: str, number: int) -> None:
    """Add, remove or move a phase, or give its figures to all phases that train as much."""
    phases = held(base)
    if not 0 <= number < len(phases):
        return
    to = {"up": number - 1, "down": number + 1, "copy": number + 1}.get(what, number)
    if what == "copy" and len(phases) < MOST:
        phases.insert(to, dict(phases[number]))
    elif what == "remove" and len(phases) > 1:
        del phases[number]
    elif what in ("up", "down") and 0 <= to < len(phases):
        phases.insert(to, phases.pop(number))
    elif what == "spread":
        given = {field: phases[number][field] for field in ("epochs", "learning_rate", "schedule", "norms")}
        phases = [phase | given if phase["trainable"] == phases[number]["trainable"] else phase for phase in phases]
    hold(phases)
    st.session_state[OPEN] = min(max(to, 0), len(phases) - 1) + 1
