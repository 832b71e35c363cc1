"""What a network knows at the start, chosen on the Train page."""

import pytest
import torch
from safetensors.torch import save_file

from core.models.classifiers import build_classifier
from core.recipe import ModelChoice
from core.runs.run import RunState
from core.runs.store import RunStore
from tests.pages.conftest import well, words
from tests.running import until


@pytest.fixture
def recipe(monkeypatch):
    """The last recipe that the Train page made."""
    import pages.shared.recipe_form as form

    seen, real = [], form.recipe_form
    monkeypatch.setattr(form, "recipe_form", lambda dataset: seen.append(real(dataset)) or seen[-1])
    return lambda: seen[-1]


def start_from(app, kind: str) -> None:
    app.selectbox(key="train_model_weights").set_value(kind).run()
    well(app)


def choosing(visit, app):
    visit("train")
    if [button for button in app.button if button.key == "new_run"]:
        app.button(key="new_run").click().run()
    return app


def test_without_a_run_there_is_none_to_start_from(visit, tiny_dataset, recipe):
    app = visit("train")
    start_from(app, "run")
    assert "No run has kept weights yet" in words(app)
    assert recipe().model.weights == "pretrained"


def test_another_run_brings_its_network_and_its_head_and_that_is_said(visit, app, finished_run, recipe):
    choosing(visit, app)
    start_from(app, "run")
    assert recipe().model.weights == str(finished_run.paths.best)
    assert recipe().model.backbone == finished_run.recipe.model.backbone == "test_efficientnet"
    assert "Its head is taken along" in words(app)
    app.selectbox(key="train_model_head").set_value("dense").run()
    well(app)
    assert "The head starts anew, since that run has another kind of head" in words(app)


def test_a_run_of_another_network_is_refused_in_one_sentence_before_the_start(visit, app, finished_run, helper):
    choosing(visit, app)
    start_from(app, "run")
    app.selectbox(key="train_model_backbone").set_value("mobilenetv3_small_100").run()
    until(lambda: bool(app.run().error))
    well(app)
    assert "does not fit mobilenetv3" in app.error[0].value.replace("\\", "")
    assert "found the weights of test_efficientnet" in app.error[0].value.replace("\\", "")


def test_weights_that_were_dropped_are_kept_and_used(visit, app, tiny_dataset, workspace, recipe, tmp_path):
    model = build_classifier(ModelChoice(backbone="test_efficientnet", weights="random"), 2)
    save_file(
        {key: value.contiguous() for key, value in model.backbone.state_dict().items()}, tmp_path / "own.safetensors"
    )
    visit("train")
    start_from(app, "file")
    assert "Drop a file" in words(app)
    assert "expected 'pretrained', 'random', or a file ending in" in app.error[0].value.replace("\\", "")
    assert "train" not in [button.key for button in app.button], "there is nothing to start from yet"
    content = (tmp_path / "own.safetensors").read_bytes()
    app.file_uploader(key="train_model_weights_upload").upload("../../<my> weights.safetensors", content).run()
    well(app)
    [kept] = (workspace.root / "weights").iterdir()
    assert kept.read_bytes() == content
    assert recipe().model.weights == str(kept)
    app.run()
    assert len([*(workspace.root / "weights").iterdir()]) == 1


def test_a_path_outside_the_server_s_folders_is_not_read(visit, app, tiny_dataset):
    visit("train")
    start_from(app, "file")
    app.text_input(key="train_model_weights_file").set_value("/etc/passwd.pth").run()
    well(app)
    assert "may not be read from here" in app.error[0].value
    assert "train_image_size" not in [box.key for box in app.selectbox]


def test_a_file_of_another_network_is_refused_before_the_start(visit, app, tiny_dataset, workspace, helper):
    state = build_classifier(ModelChoice(backbone="test_resnet", weights="random"), 2).backbone.state_dict()
    workspace.root.mkdir(parents=True, exist_ok=True)
    torch.save(state, workspace.root / "other.pth")
    visit("train")
    start_from(app, "file")
    app.text_input(key="train_model_weights_file").set_value(str(workspace.root / "other.pth")).run()
    until(lambda: bool(app.run().error))
    well(app)
    assert "other.pth does not fit tf_efficientnet_lite0" in app.error[0].value.replace("\\", "")


@pytest.mark.slow
def test_a_run_that_starts_from_another_trains_and_says_what_it_took(visit, app, finished_run, workspace):
    choosing(visit, app)
    start_from(app, "run")
    app.selectbox(key="train_image_size").set_value(64).run()
    app.number_input(key="train_phases_0_epochs").set_value(1).run()
    app.button(key="train").click().run()
    well(app)
    assert not app.error, app.error[0].value
    [newest] = [run for run in RunStore(workspace).list() if run.id != finished_run.id]
    assert newest.state is RunState.FINISHED, newest.sentence
    run = RunStore(workspace).get(newest.id)
    assert run.recipe.model.weights == str(finished_run.paths.best)
    entries = run.journal.read()
    said = [entry["sentence"] for entry in entries if entry["kind"] == "said"]
    assert said == [
        f"Backbone and head start from run {finished_run.id}, which has the same classes in the same order."
    ]


def test_masks_start_from_a_run_with_their_decoder(visit, app, finished_mask_run, recipe):
    choosing(visit, app)
    start_from(app, "run")
    assert recipe().model.encoder == "tu-test_efficientnet"
    assert recipe().model.weights == str(finished_mask_run.paths.best)
    assert "Its decoder is taken along" in words(app)


def test_of_random_weights_is_said_what_they_can_do(visit, app, tiny_dataset):
    app = choosing(visit, app)
    assert "would only guess" not in words(app)
    start_from(app, "random")
    assert "would only guess" in words(app)
