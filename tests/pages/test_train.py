from dataclasses import replace

import pytest
from PIL import Image

from core.data.dataset import save_dataset
from core.data.incoming import inspect, keep
from core.presets import presets_for
from core.runs.journal import RunWriter
from core.runs.run import RunState, write_status
from core.runs.store import RunStore
from core.train.events import Said
from pages.shared import recipe_form as form
from pages.shared.state import WATCHED
from pages.shared.words import plain
from tests.pages.conftest import well, words

CLASSIFIERS = presets_for("classification")


@pytest.fixture
def recipe(monkeypatch):
    """The last recipe that the Train page made."""
    seen, real = [], form.recipe_form
    monkeypatch.setattr(form, "recipe_form", lambda dataset: seen.append(real(dataset)) or seen[-1])
    return lambda: seen[-1]


def choose(app, row):
    """Pick a preset as a person does: those of reports stand behind one choice."""
    app.segmented_control(key=form.PRESET).set_value(form.A_REPORT if row.page else row.name).run()
    if row.page:
        app.selectbox(key=form.REPORT).set_value(row.name).run()
    well(app)


def test_without_images_the_page_shows_the_way_to_them(visit):
    app = visit("train")

    assert "no images yet" in words(app)
    assert "press Train" not in words(app)


def test_everything_is_chosen_already(visit, tiny_dataset):
    app = visit("train")

    assert not app.button(key="train").disabled
    assert not app.error
    assert "M parameters" in words(app)
    assert "starts at once" in words(app)
    assert "more than one split" not in words(app)


def test_near_duplicates_on_both_sides_of_the_split_are_told_before_the_start(visit, tiny_dataset):
    pair = tiny_dataset.of("train")[0].id, tiny_dataset.of("validation")[0].id
    samples = (replace(one, twins=min(pair)) if one.id in pair else one for one in tiny_dataset.samples)
    save_dataset(replace(tiny_dataset, samples=tuple(samples)))

    assert "1 set of near duplicates is in more than one split" in words(visit("train"))


@pytest.mark.parametrize("row", CLASSIFIERS, ids=lambda row: row.name)
def test_a_preset_sets_all_fields(visit, tiny_dataset, recipe, row):
    app = visit("train")
    app.number_input(key="train_phases_0_epochs").set_value(7).run()
    choose(app, row)

    start = row.recipe().set({"dataset": tiny_dataset.id, "batch_size": recipe().batch_size})
    assert recipe() == (start if row != CLASSIFIERS[0] else start.set({"phases.0.epochs": 7}))
    assert bool(row.page) == ("The report" in words(app))
    assert all(plain(difference) in words(app) for difference in row.differs)


def test_the_batch_is_never_larger_than_the_training_split(visit, tiny_dataset):
    app = visit("train")

    assert app.number_input(key="train_batch_size").value == len(tiny_dataset.of("train")) < 32


def test_data_that_cannot_train_is_said_before_the_start(visit, workspace, tmp_path):
    for place, label in enumerate(["train/cat", "train/dog", "test/cat", "test/dog", "test/ferret"] * 4):
        (tmp_path / "set" / label).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (9 * place, 80, 160)).save(tmp_path / "set" / label / f"{place}.png")
    keep(workspace, inspect(workspace, tmp_path / "set").id)
    app = visit("train")

    assert "have no training image: found 'ferret'" in app.error[0].value
    assert "train" not in [button.key for button in app.button]


def test_a_run_that_is_over_is_not_said_to_go_on(app, finished_run):
    app.query_params["run"] = finished_run.id
    app.session_state[WATCHED] = finished_run.id
    app.run()
    app.switch_page("pages/train.py").run()
    well(app)

    assert "finished" in words(app)
    assert "goes on" not in words(app)


@pytest.mark.slow
def test_train_trains(visit, tiny_dataset, workspace):
    app = visit("train")
    app.selectbox(key="train_image_size").set_value(64).run()
    app.number_input(key="train_phases_0_epochs").set_value(2).run()
    app.number_input(key="train_batch_size").set_value(8).run()
    app.button(key="train").click().run()
    well(app)

    [run] = RunStore(workspace).list()
    assert run.state is RunState.FINISHED, run.sentence
    assert "finished" in words(app)
    assert f"{run.best['accuracy']:.3f}" in words(app)
    assert "[0." in words(app), "an accuracy stands with its interval"
    assert len(app.get("plotly_chart")) == 3, "loss, score and the learning rate"
    assert app.button(key="to_evaluate")


def test_a_waiting_run_says_its_place_and_can_leave_the_queue(visit, waiting_run, workspace):
    RunStore(workspace).enqueue(waiting_run.id)
    app = visit("train")

    assert "It is next." in words(app)
    app.button(key="stop").click().run()
    well(app)
    assert RunStore(workspace).status(waiting_run.id).state is RunState.STOPPED


def test_the_choices_of_a_run_come_back_into_the_form(visit, finished_run, recipe):
    app = visit("train")
    app.button(key="show_run").click().run()
    app.button(key="run_again").click().run()
    well(app)

    same = {"name": "", "dataset": "", "augment": finished_run.recipe.augment}
    assert recipe().model_copy(update=same) == finished_run.recipe.model_copy(update=same)
    assert app.segmented_control(key=form.PRESET).value == form.A_RECIPE
    assert app.button(key="train").label == "Train"


def test_a_run_that_failed_before_its_first_step_shows_no_empty_curves(visit, finished_run):
    finished_run.paths.epochs.unlink()
    finished_run.paths.clock.write_text('{"kind": "start", "attempt": 1, "time": 1.0}\n')
    write_status(finished_run.paths, replace(finished_run.status, state=RunState.FAILED, sentence="No weights."))
    app = visit("train")
    app.button(key="show_run").click().run()
    well(app)

    assert "It did not come to its end." in words(app)
    assert not app.get("plotly_chart")


def test_a_failed_run_shows_its_sentence_the_end_of_its_log_and_resumes(visit, finished_run, workspace):
    sentence = "The worker ended without a word: <b>killed</b>."
    write_status(finished_run.paths, replace(finished_run.status, state=RunState.FAILED, sentence=sentence))
    app = visit("train")
    app.button(key="show_run").click().run()
    well(app)

    assert "without a word" in app.error[0].value
    assert "epoch 3 of 3" in app.code[0].value
    app.button(key="resume").click().run()
    well(app)
    assert RunStore(workspace).status(finished_run.id).state is RunState.FINISHED


def test_the_run_in_the_address_is_the_one_in_hand(app, finished_run):
    app.query_params["run"] = finished_run.id
    app.run()

    assert app.session_state["run_in_hand"] == finished_run.id


@pytest.mark.parametrize("bad", ["../../etc", "no-such-run", "<script>"])
def test_an_address_with_a_run_that_is_not_there_does_no_harm(app, bad):
    app.query_params["run"] = bad
    app.run()
    well(app)

    assert app.session_state["run_in_hand"] is None


@pytest.mark.parametrize(
    ("way", "start"), [("seeds", "repeat_start"), ("folds", "repeat_start"), ("search", "search_start")]
)
def test_a_recipe_can_be_repeated_or_searched_instead_of_trained_once(visit, tiny_dataset, way, start):
    app = visit("train")
    app.segmented_control(key="way_to_train").set_value(way).run()
    well(app)

    assert "train" not in [button.key for button in app.button]
    assert app.button(key=start)
    app.segmented_control(key="train_preset").set_value("fine-tune").run()
    assert app.segmented_control(key="way_to_train").value == way, "another preset is trained in the same way"


def test_a_learning_rate_can_be_looked_for_where_one_is_asked_for(visit, tiny_dataset):
    app = visit("train")
    assert app.button(key="find_rate")
    app.selectbox(key="train_phases_0_solver").set_value("convex").run()
    well(app)

    assert "find_rate" not in [button.key for button in app.button], "a head that is solved has no rate"


def test_what_was_said_while_training_is_told_beside_the_curves(visit, finished_run):
    said = "Memory ran out: the batch of 16 is halved <b>."
    told = RunWriter(finished_run.paths.epochs, finished_run.paths.clock)
    told.append(Said(0, 0, "Started from another run.").entry())
    told.append(Said(2, 3, said).entry())
    app = visit("train")
    app.button(key="show_run").click().run()
    well(app)

    lines = [
        caption.value.removeprefix(":material/info: ") for caption in app.caption if "material/info" in caption.value
    ]
    assert lines == [
        "Started from another run\\.",  # of what is said before the first epoch no epoch is told
        "Epoch 2: Memory ran out: the batch of 16 is halved \\<b\\>\\.",
    ]
    assert not app.info, "each thing is said once"
    assert len(app.get("plotly_chart")) >= 3, "loss, score and the learning rate"
    assert "Learning rate over the epochs" in [expander.label for expander in app.expander]
