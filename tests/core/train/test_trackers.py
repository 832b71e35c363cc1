"""Trackers get what each epoch measured, through Accelerate; what goes wrong with one ends no run."""

import subprocess
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import get_args

import pytest
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from core.errors import RecipeError
from core.recipe import Recipe
from core.train.events import EpochEnd, Outcome, Said
from core.train.trackers import TRACKERS, tracker_row, tracking


@pytest.fixture
def accelerator():
    AcceleratorState._reset_state(reset_partial_state=True)
    yield Accelerator(cpu=True)
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run-1" / "tracker"


def end(epoch, accuracy=0.5):
    measured = {"loss": 1.5, "accuracy": accuracy}
    return EpochEnd(0, epoch, measured, measured, None, 80.0, 1.0, 0.01, False, True)


def told(recipe, accelerator, folder, *epochs):
    """What is said while these epochs are told."""
    with tracking(recipe, accelerator, folder) as tracker:
        return [said.sentence for epoch in epochs for said in tracker.tell(end(epoch))]


def test_every_tracker_of_the_recipe_has_a_row():
    assert [row.name for row in TRACKERS] == list(get_args(Recipe.model_fields["tracker"].annotation))


def test_without_a_tracker_nothing_is_told_and_nothing_written(accelerator, folder):
    assert told(Recipe(), accelerator, folder, 1, 2) == []
    assert not folder.exists()


def test_a_missing_package_is_one_sentence(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RecipeError, match="pip install mlflow") as error:
        tracker_row("mlflow")
    assert str(error.value).startswith("tracker: found 'mlflow', whose package is not installed")
    assert tracker_row("none").package == ""


def test_the_rows_are_read_without_torch():
    code = "import sys; import core.train.trackers; sys.exit('torch' in sys.modules or 'accelerate' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_tensorboard_holds_every_epoch_also_those_after_a_resume(accelerator, folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = Recipe(tracker="tensorboard")
    assert told(recipe, accelerator, folder, 1, 2) == []
    assert told(recipe, accelerator, folder, 3) == []
    events = EventAccumulator(str(folder)).Reload()
    scalars = [(event.step, event.value) for event in events.Scalars("validation/accuracy")]
    assert scalars == [(1, 0.5), (2, 0.5), (3, 0.5)]
    assert {"train/loss", "learning_rate", "images_per_second"} <= set(events.Tags()["scalars"])
    assert len(list(folder.rglob("hparams.yml"))) == 1
    assert "model.backbone: tf_efficientnet_lite0" in next(folder.rglob("hparams.yml")).read_text()


class Stub(ModuleType):
    """A package of somebody else: it keeps what it is told."""

    def __init__(self, name, **functions):
        super().__init__(name)
        self.__spec__ = SimpleNamespace(name=name)
        self.calls = []
        for function, answer in functions.items():
            setattr(self, function, self._kept(function, answer))

    def _kept(self, function, answer):
        def call(*arguments, **named):
            self.calls.append((function, *arguments, named))
            return answer(*arguments, **named) if callable(answer) else answer

        return call

    def of(self, function):
        return [call[1:] for call in self.calls if call[0] == function]


@pytest.fixture
def mlflow(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # so that it is as before after the test
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    run = SimpleNamespace(info=SimpleNamespace(run_id="abc"))
    names = ("search_experiments", "create_experiment", "start_run", "log_params", "log_metrics", "end_run")
    stub = Stub("mlflow", **dict.fromkeys(names))
    stub.search_experiments = lambda **_: []
    stub.start_run = stub._kept("start_run", run)
    limits = SimpleNamespace(MAX_PARAM_VAL_LENGTH=6000, MAX_PARAMS_TAGS_PER_BATCH=100)
    stub.utils = SimpleNamespace(validation=limits)
    monkeypatch.setitem(sys.modules, "mlflow", stub)
    return stub


def test_mlflow_is_told_through_accelerate_and_goes_on_with_the_same_run(accelerator, folder, mlflow):
    recipe = Recipe(tracker="mlflow", name="Mine")
    assert told(recipe, accelerator, folder, 1) == []
    assert told(recipe, accelerator, folder, 2) == []
    assert [call[-1]["run_id"] for call in mlflow.of("start_run")] == [None, "abc"]
    assert {call[-1]["run_name"] for call in mlflow.of("start_run")} == {"Mine"}
    assert [(call[0]["validation/loss"], call[-1]["step"]) for call in mlflow.of("log_metrics")] == [(1.5, 1), (1.5, 2)]
    params = {name: value for call in mlflow.of("log_params") for name, value in call[0].items()}
    assert params["phases.0.trainable"] == "head"
    assert len(mlflow.of("end_run")) == 2


def test_wandb_is_told_through_accelerate_under_the_runs_own_id(accelerator, folder, monkeypatch):
    run = Stub("run", log=None, finish=None)
    wandb = Stub("wandb", init=lambda **_: run)
    wandb.config = Stub("config", update=None)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    assert told(Recipe(tracker="wandb"), accelerator, folder, 1, 2) == []
    ((named,),) = wandb.of("init")
    assert (named["project"], named["id"], named["resume"]) == ("fovea", "run-1", "allow")
    assert [call[-1]["step"] for call in run.of("log")] == [1, 2]
    assert len(run.of("finish")) == 1
    assert wandb.config.of("update")[0][0]["seed"] == 0


def test_a_tracker_that_fails_in_the_middle_is_told_of_once_and_left_alone(accelerator, folder, mlflow):
    def gone(*_, **__):
        raise ConnectionError("the server\nis gone")

    mlflow.log_metrics = mlflow._kept("log_metrics", gone)
    (sentence,) = told(Recipe(tracker="mlflow"), accelerator, folder, 1, 2, 3)
    assert sentence == (
        "MLflow is told nothing more, since it failed (ConnectionError: the server is gone); the run goes on."
    )
    assert len(mlflow.of("log_metrics")) == 1


def test_a_run_tells_its_tracker_every_epoch_and_goes_on_without_it(attempt, small_recipe, coloured, mlflow, tmp_path):
    mlflow.log_metrics = mlflow._kept("log_metrics", lambda figures, step, **_: 1 / (3 - step))
    mlflow.__spec__ = ModuleSpec("mlflow", None)
    run = attempt("a", small_recipe.set({"tracker": "mlflow"}), coloured, tracked=tmp_path / "a" / "tracker")
    (said,) = run.of(Said)
    assert (said.epoch, "ZeroDivisionError" in said.sentence) == (3, True)
    ends = [event.validation["loss"] for event in run.of(EpochEnd)]
    assert [call[0]["validation/loss"] for call in mlflow.of("log_metrics")] == ends
    assert run.of(Outcome)[0].state == "finished"


@pytest.mark.parametrize("broken", ["start_run", "log_params"])
def test_a_tracker_that_cannot_begin_is_told_of_after_the_first_epoch(accelerator, folder, mlflow, broken):
    def refuse(*_, **__):
        raise ValueError("no key")

    setattr(mlflow, broken, refuse)
    sentences = told(Recipe(tracker="mlflow"), accelerator, folder, 1, 2)
    assert len(sentences) == 1
    assert "ValueError: no key" in sentences[0]


def test_a_place_that_cannot_be_written_ends_no_run(accelerator, folder):
    folder.parent.mkdir()
    folder.write_text("something else")
    (sentence,) = told(Recipe(tracker="tensorboard"), accelerator, folder, 1)
    assert sentence.startswith("TensorBoard is told nothing more")
