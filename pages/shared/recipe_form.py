"""The choices of a training run as widgets: a preset that chooses everything, and every choice within reach.

A preset sets all fields; whatever is changed afterwards is what the person changed, is counted, and can be taken back.
With data of another task the form starts again from that task's first preset.
"""

from typing import Any

import streamlit as st

from core.augment.catalog import POLICIES, policy, transform
from core.data.dataset import Dataset
from core.presets import DEFAULTS, Preset, preset, presets_for
from core.recipe import AugmentChoice, Difference, Recipe, diff
from pages.shared import classifier_form, fields, phases_form, segmenter_form, state, technique_form
from pages.shared.finder import finder
from pages.shared.stages import stages
from pages.shared.words import count, field_words, plain

PRESET, TASK, POLICY, SEED = "train_preset", "train_task", "train_policy", "train_seed"
REPORT = "train_report"  # which course report, where one of them is the start
A_REPORT = "report"  # stands for them all among the presets
RECIPE = "train_recipe"  # (what it is called, a whole recipe as plain data): such as the best of a search
A_RECIPE = "recipe"  # stands for it among the presets
OWN = "own"  # the choice made on the Augment page, among the policies
OF_PRESET = "preset"  # the rows that the preset brings with it, among the policies
FORMS = {"classification": classifier_form, "segmentation": segmenter_form}
KEPT = (PRESET, TASK, POLICY, SEED, REPORT, RECIPE, fields.key("name"))  # whatever preset is chosen
VARYING = (["augment", "policy"], ["augment", "rows"])  # what an augmentation is, as the heads of paths
NOT_OF_PRESET = ("dataset", "name", "seed", "preset")  # fields that a preset does not mean to set


def recipe_form(dataset: Dataset) -> Recipe:
    """Draw the choices and give the recipe they make. Raises RecipeError for a value that no recipe may have."""
    settle(dataset.task)
    form, images = FORMS[dataset.task], min(4096, max(1, len(dataset.of("train"))))
    _pick(dataset.task)
    base = _base()
    base = base.set({"batch_size": min(base.batch_size, images)})
    about = st.container()

    changes: dict[str, Any] = {}
    left, right = st.columns(2, gap="medium")
    with left:
        changes |= form.network(base, dataset)
    with right:
        augment = _augmentation(base)
        with st.grid(2, min_column_width=110):
            sizes = {size: f"{size} × {size}" for size in form.SIZES}
            changes |= fields.choice(base, "image_size", "Image size (pixels)", sizes)
            changes |= fields.number(base, "batch_size", "Batch", "Images per step.", most=images)
    changes |= phases_form.phases_form(base, form.TRAINABLE)
    learns = st.container()
    with st.container(key="train_parts", gap="xsmall"):
        changes |= form.parts(base, dataset)
        changes |= technique_form.optimizer(base)
        changes |= technique_form.regularisation(base)
        changes |= technique_form.stopping(base)
        changes |= technique_form.machine(base)
        changes |= _rest(base, dataset)
    recipe = base.set({**changes, "dataset": dataset.id})
    recipe = recipe.model_copy(update={"augment": augment.model_copy(update={"views": recipe.augment.views})})
    with about:
        _about(base, recipe)
    with learns:
        stages(recipe, dataset)
        finder(recipe, dataset)
    return recipe


def settle(task: str) -> None:
    """Let the fields belong to this task: after data of another one they start again from its first preset."""
    if st.session_state.get(TASK) != task:
        st.session_state[TASK] = task
        st.session_state[PRESET] = DEFAULTS[task]
        fields.begin_again(KEPT)


def begin_with(choice: AugmentChoice, seed: int, task: str) -> None:
    """Take a choice of augmentation and its seed into the next recipe."""
    settle(task)
    state.hold_augment(choice)
    st.session_state[POLICY] = OWN if choice.rows is not None else choice.policy
    st.session_state[SEED] = seed
    state.choose_new_run()


def begin_with_recipe(recipe: Recipe, label: str) -> None:
    """Let the fields start from a whole recipe, which is called `label` among the presets."""
    settle(recipe.task)
    st.session_state[RECIPE] = label, recipe.model_copy(update={"name": ""}).model_dump(mode="json")
    st.session_state[PRESET] = A_RECIPE
    fields.begin_again(KEPT)
    st.session_state[POLICY] = OF_PRESET if recipe.augment.rows is not None else recipe.augment.policy
    st.session_state[SEED] = recipe.seed
    state.choose_new_run()


def usual_policy(task: str) -> str:
    """The policy with which runs of this task vary their images unless another one is chosen."""
    return preset(DEFAULTS[task]).recipe().augment.policy


def shape(task: str) -> tuple[int, str]:
    """Side in pixels and fit with which the next run of this task will see its images."""
    settle(task)
    base = _base()
    return tuple(fields.held(base, path) for path in ("image_size", "fit"))


# Presets


def _reports(task: str) -> list[Preset]:
    return [row for row in presets_for(task) if row.page]


def _base() -> Recipe:
    name = st.session_state[PRESET]
    if name == A_RECIPE:
        return Recipe.parse(st.session_state[RECIPE][1])
    return preset(st.session_state[REPORT] if name == A_REPORT else name).recipe()


def _pick(task: str) -> None:
    """What to start from: one of the plain ways, or what a course report did."""
    reports = {row.name: row.label for row in _reports(task)}
    options = {row.name: row.label for row in presets_for(task) if row.name not in reports}
    if reports:
        options[A_REPORT] = "As in a course report"
    label, recipe = st.session_state.get(RECIPE) or ("", {})
    if recipe.get("task") == task:
        options[A_RECIPE] = label
    if st.session_state.get(REPORT) not in reports:
        st.session_state[REPORT] = next(iter(reports), None)
    st.segmented_control(
        "Start from",
        list(options),
        format_func=options.get,
        required=True,
        key=PRESET,
        on_change=_follow_preset,
        persist_state="session",
        wrap=True,
    )
    fields.among(st.session_state[PRESET], options, "preset")
    if st.session_state[PRESET] == A_REPORT:
        st.selectbox(
            "Report",
            list(reports),
            format_func=reports.get,
            key=REPORT,
            on_change=_follow_preset,
            persist_state="session",
        )
        fields.among(st.session_state[REPORT], reports, "preset")


def _about(base: Recipe, recipe: Recipe) -> None:
    """What the preset is for, where it differs from its report, and what was changed since."""
    row = preset(base.preset or DEFAULTS[base.task])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(plain(row.summary), width="stretch")
        changed = _unlike(base, recipe)
        if changed:
            with st.popover(f"{count(len(changed), 'choice')} unlike the preset", type="tertiary", key="train_unlike"):
                for found in changed:
                    st.markdown(f"{plain(field_words(found.path))}: {_told(found.left)} → **{_told(found.right)}**")
                st.button("As the preset again", key="as_preset", icon=":material/undo:", on_click=_follow_preset)
    if row.page:
        with st.container(border=True, key="report"):
            st.markdown(plain(row.page))
            with st.expander(f"Differs from the report in {count(len(row.differs), 'point')}", key="report_differs"):
                st.markdown("\n".join(f"- {plain(difference)}" for difference in row.differs))
            with st.expander(f"What it sets, and why: {count(len(row.settings), 'choice')}", key="report_settings"):
                st.markdown(
                    "\n".join(f"- **{plain(field_words(one.path))}**: {plain(one.reason)}" for one in row.settings)
                )


def _unlike(base: Recipe, recipe: Recipe) -> list[Difference]:
    """Where a recipe is unlike its preset; rows of another augmentation are one difference, and so are phases of
    another number."""
    changed = [found for found in diff(base, recipe) if found.path.split(".")[0] not in NOT_OF_PRESET]
    varied = [found for found in changed if found.path == "augment.policy"]
    if any(found.path.startswith("augment.rows") for found in changed):
        varied = varied or [Difference("augment.rows", "as the preset", "changed")]
        changed = [*varied, *(found for found in changed if found.path.split(".")[:2] not in VARYING)]
    if len(base.phases) == len(recipe.phases):
        return changed
    numbers = (count(len(one.phases), "phase") for one in (base, recipe))
    return [Difference("phases", *numbers), *(found for found in changed if not found.path.startswith("phases."))]


def _told(value: Any) -> str:
    return "nothing" if value is None else plain(f"{value:g}" if isinstance(value, float) else str(value), 40)


def _follow_preset() -> None:
    """A preset was picked: every field starts again from what it says, its augmentation among them, unless that was
    set by hand on the Augment page."""
    fields.begin_again(KEPT)
    augment = _base().augment
    if augment.rows is not None:
        st.session_state[POLICY] = OF_PRESET
    elif st.session_state.get(POLICY) != OWN:
        st.session_state[POLICY] = augment.policy


# What every run has


def _augmentation(base: Recipe) -> AugmentChoice:
    held = state.augment()
    own = held if held is not None and held.rows is not None else None
    options = {row.name: row.label for row in POLICIES}
    if base.augment.rows is not None:
        options = {OF_PRESET: "As the preset"} | options
    if own:
        options |= {OWN: plain(own.policy[:1].upper() + own.policy[1:], 30)}
    if st.session_state.get(POLICY) not in options:
        st.session_state[POLICY] = OF_PRESET if OF_PRESET in options else base.augment.policy
    name = st.segmented_control(
        "Augmentation",
        list(options),
        format_func=options.get,
        required=True,
        key=POLICY,
        persist_state="session",
        wrap=True,
    )
    if name == OWN and own:
        st.caption(f"{len(own.rows)} transforms, as set on the Augment page.")
        return own
    if name == OF_PRESET and base.augment.rows is not None:
        st.caption(", ".join(plain(transform(row.name).label) for row in base.augment.rows) + ".")
        return base.augment
    st.caption(plain(policy(name).sentence))
    return AugmentChoice(policy=name)


def _rest(base: Recipe, dataset: Dataset) -> dict[str, Any]:
    """How pictures become squares, the run's name, its seed."""
    form = FORMS[dataset.task]
    told = [form.FITS[fields.held(base, "fit")], f"seed {fields.held(base, 'seed')}", fields.held(base, "name")]
    with technique_form.part("Pictures, name, seed", told, "train_rest_part", "sell"), st.grid(4, min_column_width=150):
        changes = fields.choice(base, "fit", "How images become square", form.FITS)
        changes |= form.pictures(base)
        key = fields.start(base, "name")
        st.text_input("Name of the run", key=key, max_chars=80, placeholder="from its choices", persist_state="session")
        same = "The same seed gives the same run, bit for bit on a CPU."
        changes |= fields.number(base, "seed", "Seed", same)
    return changes | {"name": st.session_state[key]}
