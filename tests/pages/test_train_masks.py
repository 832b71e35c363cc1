"""The Train page on images with masks: the form follows the task, and a click trains a segmentation network."""

import pytest

from core.models.architectures import architecture, find_encoder
from core.presets import preset, presets_for
from core.runs.run import RunState
from core.runs.store import RunStore
from core.train.mask_losses import MASK_LOSSES
from tests.pages.conftest import well, words
from tests.pages.test_train import choose
from tests.running import until

SEGMENTERS = [row.name for row in presets_for("segmentation")]


@pytest.fixture
def recipe(monkeypatch):
    """The last recipe that the Train page checked."""
    import pages.shared.recipe_form as form

    seen, real = [], form.recipe_form
    monkeypatch.setattr(form, "recipe_form", lambda dataset: seen.append(real(dataset)) or seen[-1])
    return lambda: seen[-1]


def test_everything_is_chosen_already_for_masks_too(visit, mask_dataset, recipe):
    app = visit("train")

    assert not app.error
    assert not app.button(key="train").disabled
    start = preset("unet").recipe().set({"dataset": mask_dataset.id})
    assert recipe().model_copy(update={"batch_size": start.batch_size}) == start


@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_preset_for_masks_sets_all_fields(visit, mask_dataset, recipe, name):
    app = visit("train")
    app.number_input(key="train_phases_0_epochs").set_value(7).run()
    if name != SEGMENTERS[0]:
        choose(app, preset(name))
        start = preset(name).recipe().set({"dataset": mask_dataset.id})
        assert recipe().model_copy(update={"batch_size": start.batch_size}) == start
    else:
        assert recipe().phases[0].epochs == 7


def test_the_lab_says_how_large_the_network_is_and_what_is_padded(visit, mask_dataset, helper):
    app = visit("train")
    app.selectbox(key="train_image_size").set_value(96).run()
    app.selectbox(key="train_model_architecture").set_value("pan").run()
    until(lambda: "M parameters" in words(app.run()))
    well(app)

    assert f"padded to {architecture('pan').smallest} × {architecture('pan').smallest}" in words(app)


def test_an_encoder_that_does_not_go_with_the_architecture_gives_way(visit, mask_dataset, recipe):
    app = visit("train")
    app.selectbox(key="train_model_encoder").set_value("resnet34").run()
    assert recipe().model.encoder == "resnet34"
    app.selectbox(key="train_model_architecture").set_value("dpt").run()
    well(app)

    assert architecture("dpt").takes(find_encoder(recipe().model.encoder))
    assert not app.error


def test_an_encoder_that_nobody_knows_gets_one_sentence_and_no_start(app, mask_dataset):
    app.run()
    typed = {"train_task": "segmentation", "train_preset": "unet", "train_model_encoder": "resnet_34"}
    for key, value in typed.items():
        app.session_state[key] = value
    app.switch_page("pages/train.py")
    until(lambda: app.run().error)
    well(app)

    assert "model.encoder" in app.error[0].value.replace("\\", "")
    assert "train" not in [button.key for button in app.button]


@pytest.mark.parametrize("row", MASK_LOSSES, ids=lambda row: row.name)
def test_each_loss_shows_its_knobs_and_no_others(visit, mask_dataset, recipe, row):
    app = visit("train")
    app.selectbox(key="train_loss_name").set_value(row.name).run()
    well(app)

    keys = [str(widget.key) for kind in ("slider", "toggle", "number_input", "selectbox") for widget in app.get(kind)]
    knobs = [key for key in keys if key.startswith("train_loss_values_")]
    assert knobs == [] if not row.knobs else len(knobs) == len(row.knobs)
    assert recipe().loss.name == row.name


def test_a_knob_that_was_turned_is_in_the_recipe_and_the_others_are_not(visit, mask_dataset, recipe):
    app = visit("train")
    app.selectbox(key="train_loss_name").set_value("focal").run()
    app.slider(key="train_loss_values_focal_gamma").set_value(3.0).run()
    well(app)

    assert recipe().loss.values == {"gamma": 3.0}


def test_class_weights_are_balanced_or_numbers_of_ones_own(visit, mask_dataset, recipe):
    app = visit("train")
    app.selectbox(key="train_loss_class_weights").set_value("balanced").run()
    assert recipe().loss.class_weights == "balanced"
    app.selectbox(key="train_loss_class_weights").set_value("own").run()
    app.number_input(key=f"train_loss_own_weights_{mask_dataset.id}_2").set_value(4.0).run()
    well(app)

    assert recipe().loss.class_weights == (1.0, 1.0, 4.0)


def test_the_form_starts_again_for_data_of_another_task(visit, mask_dataset, tiny_dataset, recipe):
    app = visit("train")
    app.selectbox(key="pick_dataset").set_value(tiny_dataset.id).run()
    well(app)
    assert (recipe().task, recipe().image_size) == ("classification", 224)

    app.selectbox(key="pick_dataset").set_value(mask_dataset.id).run()
    well(app)
    assert (recipe().task, recipe().image_size) == ("segmentation", 128)
    assert app.selectbox(key="train_model_architecture").value == "unet"


@pytest.mark.slow
def test_a_click_trains_a_segmentation_network_to_the_end(visit, mask_dataset, workspace):
    app = visit("train")
    app.selectbox(key="train_image_size").set_value(64).run()
    app.number_input(key="train_phases_0_epochs").set_value(2).run()
    app.button(key="train").click().run()
    well(app)

    [run] = RunStore(workspace).list()
    assert run.state is RunState.FINISHED, run.sentence
    assert f"{run.best['dice']:.3f}" in words(app)
    assert "The same few validation images" in words(app)
    assert len(app.get("plotly_chart")) == 3, "loss, score and the learning rate"


def test_a_preset_brings_its_augmentation_unless_one_was_set_by_hand(visit, mask_dataset, recipe):
    app = visit("train")
    app.segmented_control(key="train_policy").set_value("heavy").run()
    app.segmented_control(key="train_preset").set_value("unet-frozen-encoder").run()
    well(app)
    assert recipe().augment == preset("unet-frozen-encoder").recipe().augment

    app.switch_page("pages/augment.py").run()
    app.toggle(key="augment_any-way-up_0_h-flip_on").set_value(False).run()
    app.button(key="to_train").click().run()
    app.segmented_control(key="train_preset").set_value("unet").run()
    well(app)
    assert "h-flip" not in [row.name for row in recipe().augment.rows]
