"""Every technique within reach of the Train page: what a widget says is in the recipe, the rest is the preset's."""

import pytest

from core.presets import preset
from core.presets.plans import PLANS, plan
from core.recipe import Recipe
from core.train.losses import LOSSES
from core.train.optimizers import OPTIMIZERS
from core.train.schedules import SCHEDULES
from pages.shared import phases_form, recipe_form
from pages.shared.phases_form import LINES
from pages.shared.words import plain
from tests.pages.conftest import well, words
from tests.running import until

DEFAULT = preset("frozen-head").recipe()


@pytest.fixture
def train(visit, tiny_dataset, monkeypatch):
    """The Train page over a small dataset, and the last recipe it made as `recipe()`."""
    import pages.shared.recipe_form as form

    seen, real = [], form.recipe_form
    monkeypatch.setattr(form, "recipe_form", lambda dataset: seen.append(real(dataset)) or seen[-1])
    app = visit("train")
    app.recipe = lambda: seen[-1]
    app.start = DEFAULT.set({"dataset": tiny_dataset.id, "batch_size": seen[-1].batch_size})
    return app


def labels(app):
    """What the folded parts say of themselves."""
    return "\n".join(expander.label for expander in app.expander).replace("\\", "")


def unlike(app):
    """The choices that are said to be unlike the preset."""
    return [line.value for line in app.markdown if " → " in line.value]


def test_nothing_is_unlike_the_preset_at_first(train):
    assert train.recipe() == train.start
    assert unlike(train) == []


def test_what_the_widgets_say_is_in_the_recipe_counted_and_taken_back(train):
    train.number_input(key="train_ema").set_value(0.99)
    train.number_input(key="train_clip").set_value(1.5)
    train.number_input(key="train_mix_mixup").set_value(0.2)
    train.number_input(key="train_early_stopping_patience").set_value(3)
    train.number_input(key="train_batch_size").set_value(8)
    train.number_input(key="train_accumulate").set_value(2)
    train.number_input(key="train_loss_label_smoothing").set_value(0.1)
    train.selectbox(key="train_early_stopping_metric").set_value("accuracy")
    train.selectbox(key="train_precision").set_value("float32")
    train.selectbox(key="train_sampler").set_value("balanced")
    train.selectbox(key="train_tracker").set_value("tensorboard")
    train.toggle(key="train_restore_best").set_value(True)
    train.run()
    well(train)

    changes = {
        "ema": 0.99,
        "clip": 1.5,
        "mix.mixup": 0.2,
        "early_stopping.patience": 3,
        "early_stopping.metric": "accuracy",
        "batch_size": 8,
        "accumulate": 2,
        "loss.label_smoothing": 0.1,
        "precision": "float32",
        "sampler": "balanced",
        "tracker": "tensorboard",
        "restore_best": True,
    }
    assert train.recipe() == train.start.set(changes)
    assert len(unlike(train)) == len(changes)
    assert "MixUp mixes pixels, so features cannot be stored" in words(train)
    for told in ("MixUp, mean of weights, clipping", "after 3 without a better epoch", "float32, 2 batches a step"):
        assert told in labels(train), "a folded part says what is chosen in it"

    train.button(key="as_preset").click().run()
    well(train)
    assert train.recipe() == train.start
    assert train.number_input(key="train_ema").value == 0


def test_what_was_chosen_survives_a_visit_to_another_page(train):
    train.number_input(key="train_clip").set_value(2.0)
    train.number_input(key="train_phases_0_epochs").set_value(4)
    train.button(key="add_phase").click().run()
    chosen = train.recipe()
    train.switch_page("pages/data.py").run()
    train.switch_page("pages/train.py").run()
    well(train)

    assert train.recipe() == chosen
    assert (chosen.clip, [phase.epochs for phase in chosen.phases]) == (2.0, [4, 4])


@pytest.mark.parametrize(
    ("rows", "key", "path", "keep"),
    [
        (OPTIMIZERS, "train_optimizer_name", "optimizer.name", ()),
        (SCHEDULES, "train_schedule_name", "schedule.name", ("train_schedule_values_",)),
        (LOSSES, "train_loss_name", "loss.name", ("train_loss_values_",)),
    ],
    ids=["optimizers", "schedules", "losses"],
)
def test_every_row_can_be_chosen_and_shows_its_own_knobs(train, rows, key, path, keep):
    for row in rows:
        train.selectbox(key=key).set_value(row.name).run()
        well(train)
        assert train.recipe() == train.start.set({path: row.name})
        assert row.label.lower() in labels(train).lower()
        kinds = ("slider", "number_input", "toggle", "selectbox")
        drawn = [str(widget.key) for kind in kinds for widget in train.get(kind)]
        for before in keep:
            knobs = {name.removeprefix(f"{before}{row.name}_") for name in drawn if name.startswith(before)}
            assert knobs == {knob.name for knob in row.knobs}


def test_a_knob_that_is_turned_is_written_down_and_the_others_are_not(train):
    train.selectbox(key="train_schedule_name").set_value("step").run()
    train.number_input(key="train_schedule_values_step_every").set_value(3).run()
    train.selectbox(key="train_loss_name").set_value("focal").run()
    train.slider(key="train_loss_values_focal_gamma").set_value(1.0).run()
    well(train)

    assert train.recipe().schedule.values == {"every": 3}
    assert train.recipe().loss.values == {"gamma": 1.0}


def test_a_head_brings_its_own_knobs_with_their_defaults(train):
    assert "train_model_linear_dropout" in [slider.key for slider in train.slider]
    train.selectbox(key="train_model_head").set_value("dense").run()
    well(train)

    assert (train.recipe().model.head, train.recipe().model.hidden, train.recipe().model.dropout) == ("dense", 256, 0.5)


def test_each_class_can_be_given_a_number_of_its_own(train, tiny_dataset):
    train.selectbox(key="train_loss_class_weights").set_value("own").run()
    train.number_input(key=f"train_loss_own_weights_{tiny_dataset.id}_1").set_value(3.0).run()
    well(train)

    assert train.recipe().loss.class_weights == (1.0, 3.0, *[1.0] * (len(tiny_dataset.classes) - 2))
    assert "classes weighed" in labels(train)


# Phases


def trained(app):
    return [phase.trainable for phase in app.recipe().phases]


def do(app, number, what):
    app.menu_button(key=f"phase_do_{number}").click(what).run()
    well(app)


def test_phases_are_added_moved_and_removed(train):
    train.button(key="add_phase").click().run()
    train.selectbox(key="train_phases_1_trainable").set_value("last 40%")
    train.number_input(key="train_phases_1_learning_rate").set_value(1e-4)
    train.run()
    well(train)
    assert trained(train) == ["head", "last 40%"]

    do(train, 1, "Move up")
    assert trained(train) == ["last 40%", "head"]
    assert train.number_input(key="train_phases_0_learning_rate").value == 1e-4

    do(train, 1, "Add a copy below")
    do(train, 0, "Remove")
    assert trained(train) == ["head", "head"]
    do(train, 0, "Move up")
    assert trained(train) == ["head", "head"], "the first cannot move further"
    do(train, 0, "Remove")
    assert trained(train) == ["head"]
    assert not train.menu_button, "the last one stays"


@pytest.mark.parametrize(
    ("typed", "field"), [("last 7 layers", ""), ("most of it", "phases.0.trainable"), ("last 900 layers", "900")]
)
def test_what_learns_can_be_typed_and_what_cannot_be_gets_one_sentence(app, tiny_dataset, typed, field):
    app.run()
    app.session_state["train_task"], app.session_state["train_preset"] = "classification", "frozen-head"
    app.session_state["train_phases"] = DEFAULT.model_dump(mode="json")["phases"]
    app.session_state["train_phases_0_trainable"] = typed  # AppTest cannot type into a list
    app.switch_page("pages/train.py").run()
    until(lambda: app.run().error or app.get("plotly_chart"))
    well(app)

    assert app.selectbox(key="train_phases_0_trainable").value == typed
    assert [field in error.value.replace("\\", "") for error in app.error] == ([True] if field else [])
    assert ("train" in [button.key for button in app.button]) == (not field)


def test_a_phase_can_have_a_schedule_of_its_own_and_go_back_to_that_of_the_recipe(train):
    train.button(key="add_phase").click().run()
    train.selectbox(key="train_phases_1_schedule_name").set_value("step").run()
    train.number_input(key="train_phases_1_schedule_step_every").set_value(2).run()
    well(train)
    first, second = train.recipe().phases
    assert first.schedule is None
    assert (second.schedule.name, second.schedule.values) == ("step", {"every": 2})

    train.selectbox(key="train_phases_1_schedule_name").set_value("").run()
    well(train)
    assert [phase.schedule for phase in train.recipe().phases] == [None, None]


def test_a_head_can_be_solved_to_the_end_which_takes_one_epoch(train):
    train.selectbox(key="train_phases_0_solver").set_value("convex").run()
    well(train)

    [phase] = train.recipe().phases
    assert (phase.solver, phase.epochs) == ("convex", 1)
    assert not train.error


def test_many_phases_are_a_table_with_one_of_them_open(train):
    for number in range(LINES):
        train.button(key="add_phase").click().run()
        well(train)
        train.session_state["train_open_phase"] = number + 2
    assert len(train.recipe().phases) == LINES + 1
    [table] = [frame.value for frame in train.dataframe]
    assert list(table["phase"]) == list(range(1, LINES + 2))
    drawn = [str(box.key) for box in train.selectbox if str(box.key).endswith("trainable")]
    assert drawn == [f"train_phases_{LINES}_trainable"]

    train.number_input(key="train_open_phase").set_value(2).run()
    train.number_input(key="train_phases_1_epochs").set_value(9).run()
    well(train)
    epochs = [20, 9, *[20] * (LINES - 1)]
    assert [phase.epochs for phase in train.recipe().phases] == epochs
    assert list(train.dataframe[0].value["epochs"]) == epochs, "the table follows at once"

    do(train, 1, f"The same for all {LINES + 1} that train this much")
    assert [phase.epochs for phase in train.recipe().phases] == [9] * (LINES + 1)
    do(train, 1, "Move down")
    assert train.number_input(key="train_open_phase").value == 3, "the phase stays open where it goes"


def test_there_are_never_more_phases_than_a_recipe_may_have(train):
    most = 64
    train.session_state["train_phases"] = DEFAULT.model_dump(mode="json")["phases"] * most
    train.run()
    well(train)

    assert len(train.recipe().phases) == most == Recipe.model_fields["phases"].metadata[1].max_length
    assert train.button(key="add_phase").disabled


# Plans


@pytest.mark.parametrize("row", PLANS, ids=lambda row: row.name)
def test_a_plan_writes_its_phases_and_says_how_their_rates_are_chosen(train, row):
    train.selectbox(key="train_plan").set_value(row.name).run()
    well(train)

    assert train.recipe().phases == row.phases()
    assert plain(row.rates) in words(train)
    assert not train.error


def test_a_knob_of_a_plan_writes_its_phases_anew_and_an_edited_plan_is_ones_own(train):
    train.selectbox(key="train_plan").set_value("rounds").run()
    train.slider(key="train_plan_rounds_rounds").set_value(6).run()
    well(train)
    assert train.recipe().phases == plan("rounds").phases({"rounds": 6})
    assert len(train.dataframe[0].value) == 12, "many phases stay readable"
    assert unlike(train) == ["phases: 1 phase → **12 phases**"]

    train.number_input(key="train_phases_0_epochs").set_value(3).run()
    well(train)
    assert train.selectbox(key="train_plan").value == "own"
    assert train.recipe().phases[0].epochs == 3
    assert train.recipe().phases[1:] == plan("rounds").phases({"rounds": 6})[1:]

    train.selectbox(key="train_plan").set_value("preset").run()
    well(train)
    assert train.recipe() == train.start


def test_another_preset_brings_its_own_phases_whatever_plan_was_chosen(train):
    train.selectbox(key="train_plan").set_value("progressive").run()
    train.segmented_control(key="train_preset").set_value("fine-tune").run()
    well(train)

    assert train.recipe().phases == preset("fine-tune").recipe().phases
    assert train.selectbox(key="train_plan").value == "preset"


# What learns


def test_what_learns_is_counted_by_stage_before_the_start(train, helper):
    train.selectbox(key="train_plan").set_value("head-then-share").run()
    until(lambda: train.run().get("plotly_chart"))
    well(train)

    table = train.dataframe[0].value.set_index("stage")
    head, share = table.columns[1:]
    assert table.loc["together", head] == table.loc["head", "parameters"]
    assert table.loc["head", head] < table.loc["together", share] < table.loc["together", "parameters"]
    assert table.loc["stem", share] == 0
    assert table["parameters"].iloc[:-1].sum() == table.loc["together", "parameters"]


def test_the_norms_of_a_phase_that_unfreezes_some_can_be_chosen(train, helper):
    assert "train_phases_0_norms" not in [box.key for box in train.selectbox], "a head unfreezes none"
    train.selectbox(key="train_plan").set_value("head-then-share").run()
    assert train.selectbox(key="train_phases_1_norms").value == "still"
    until(lambda: train.run().get("plotly_chart"))
    assert train.dataframe[0].value.columns[-1] == "learn: last 40%, norms still"
    train.selectbox(key="train_phases_1_norms").set_value("learn").run()
    well(train)

    assert [phase.norms for phase in train.recipe().phases] == ["learn", "learn"]
    until(lambda: train.run().get("plotly_chart"))
    assert train.dataframe[0].value.columns[-1] == "learn: last 40%"


# From elsewhere


def meanwhile(app, monkeypatch, act):
    """Let something happen to the form while another page is open."""
    app.switch_page("pages/data.py").run()
    with monkeypatch.context() as patch:
        patch.setattr("streamlit.session_state", app.session_state)
        act()
    app.switch_page("pages/train.py").run()
    well(app)


def test_a_whole_recipe_from_elsewhere_fills_the_form_and_can_be_left_again(train, tiny_dataset, monkeypatch):
    found = preset("fine-tune").recipe().set({"optimizer.name": "lion", "augment.policy": "heavy", "seed": 7})
    meanwhile(train, monkeypatch, lambda: recipe_form.begin_with_recipe(found, "Best of a search"))

    assert train.recipe() == found.set({"dataset": tiny_dataset.id})
    assert "Best of a search" in train.segmented_control(key="train_preset").options
    assert unlike(train) == []
    train.segmented_control(key="train_preset").set_value("frozen-head").run()
    well(train)
    assert train.recipe().phases == DEFAULT.phases
    assert train.recipe().optimizer == DEFAULT.optimizer


def test_a_rate_that_was_found_goes_into_its_phase(train, monkeypatch):
    train.selectbox(key="train_plan").set_value("head-then-share").run()
    well(train)
    meanwhile(train, monkeypatch, lambda: phases_form.set_rate(1, 7e-4))

    assert [phase.learning_rate for phase in train.recipe().phases] == [3e-3, 7e-4]
