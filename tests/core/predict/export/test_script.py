import ast
import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from core.errors import InputError
from core.executors.inline import InlineExecutor
from core.predict.export.folder import packed, table
from core.predict.export.script import START, script_of
from core.recipe import SegmentationRecipe
from core.runs.data import dataset_of
from core.runs.run import RunState, RunStatus, write_status
from core.runs.store import Run, RunStore
from core.workspace import Workspace
from tests.running import small
from tests.shapes import SMALL_MASKS, kept_shapes

ALLOWED = {"torch", "torchvision", "timm", "segmentation_models_pytorch", "safetensors", "numpy", "PIL"}


def written(workspace: Workspace, run: Run):
    return script_of(run, dataset_of(workspace, run), workspace.cache)


def imported(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names)


def literal(node: ast.stmt) -> bool:
    """Whether a statement only names values: a docstring, or a constant of texts and numbers."""
    value = getattr(node, "value", None)
    return isinstance(value, ast.Constant | ast.Tuple)


def test_a_script_needs_no_fovea_and_says_what_was_chosen(small_run, workspace):
    script = written(workspace, small_run)
    assert imported(script.text) <= ALLOWED
    assert small_run.recipe.hash in script.text
    assert "Zoom(0.9, 1.1)" in script.text
    assert "class Features" in script.text  # a frozen backbone's features are stored, as in Fovea
    assert "Rotation" not in script.text  # nothing that this run has no use for
    assert "ModelEmaV3" not in script.text
    assert not script.start  # all of it starts at random, from the seed


@pytest.mark.slow
def test_a_script_of_masks_has_its_own_parts(small_mask_run, workspace):
    text = written(workspace, small_mask_run).text
    assert imported(text) <= ALLOWED
    assert "fit_mask" in text
    assert "DiceLoss(" in text
    assert "accuracy" not in text


def test_names_are_text_in_a_script_and_never_code(small_run, workspace):
    evil = 'x"""\nimport os\nos.abort()\n"""'
    classes = (evil, "'); raise SystemExit(1) #", "plain")
    dataset = dataset_of(workspace, small_run)
    object.__setattr__(dataset, "classes", classes)
    object.__setattr__(dataset, "name", evil)
    recipe = small_run.recipe.model_copy(update={"name": evil})
    phase = recipe.phases[0].model_copy(update={"name": evil})
    object.__setattr__(recipe, "phases", (phase,))
    object.__setattr__(small_run, "recipe", recipe)
    script = script_of(small_run, dataset, workspace.cache)
    found = script.module(workspace.root).CLASSES
    assert found == classes
    told = ast.get_docstring(ast.parse(script.text))
    assert "import os" not in told.splitlines()  # on a line of its own
    assert not any("os.abort" in ast.unparse(node) for node in ast.parse(script.text).body if not literal(node))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"processes": 2}, "2 processes share"),
        ({"phases.0.solver": "convex", "phases.0.epochs": 1}, "is solved for by scikit-learn"),
    ],
)
def test_what_a_script_cannot_say_is_refused_with_the_reason(small_run, workspace, change, reason):
    object.__setattr__(small_run, "recipe", small_run.recipe.set(change))
    with pytest.raises(InputError, match=reason):
        written(workspace, small_run)


def test_a_run_that_was_stopped_is_refused(small_run, workspace):
    write_status(small_run.paths, RunStatus(RunState.STOPPED, since=1.0, epochs_done=2, epochs=3))
    with pytest.raises(InputError, match="found a run that is stopped, after 2 of 3 epochs"):
        written(workspace, RunStore(workspace).get(small_run.id))


def test_a_device_that_was_no_cpu_is_told(small_run, workspace):
    lines = small_run.paths.epochs.read_text().replace('"device": "cpu"', '"device": "cuda"')
    small_run.paths.epochs.write_text(lines)
    assert "Fovea trained it on cuda" in written(workspace, small_run).text


def test_pictures_of_the_test_split_stay_sealed(small_run, workspace):
    dataset = dataset_of(workspace, small_run)
    sealed = {sample.id for sample in dataset.of("test")}
    assert sealed
    assert not sealed & {Path(one.name).stem for one in packed(dataset)}
    rows = list(csv.DictReader(table(dataset).splitlines()))
    assert {row["split"] for row in rows} == {"train", "validation"}
    assert [row["file"] for row in rows] == [one.name for one in packed(dataset)]


# The same run, trained by both

CASES = {
    "frozen head": {},
    "dense head on a balanced sample": {
        "model.head": "dense",
        "model.dropout": 0.3,
        "sampler": "balanced",
        "loss.name": "focal",
    },
    "everything": {"phases.0.trainable": "everything", "batch_size": 16, "augment.policy": "any-way-up"},
    "head, then the last part": {
        "phases.0.epochs": 2,
        "phases.1": {"name": "b", "trainable": "last 40%", "epochs": 2, "learning_rate": 1e-3, "norms": "still"},
        "restore_best": True,
    },
    "heavy": {
        "augment.policy": "heavy",
        "phases.0.trainable": "last 2 blocks",
        "loss.class_weights": "balanced",
        "loss.label_smoothing": 0.1,
        "optimizer.name": "sgd",
        "optimizer.layer_decay": 0.8,
        "schedule.name": "one-cycle",
    },
    "mixed": {
        "mix.mixup": 0.2,
        "mix.cutmix": 1.0,
        "optimizer.name": "ranger",
        "ema": 0.9,
        "clip": 1.0,
        "accumulate": 2,
        "phases.0.trainable": "everything",
        "schedule.name": "plateau",
        "early_stopping.patience": 1,
        "best_by": "loss",
    },
    "pretrained": {"model.backbone": "tf_efficientnet_lite0", "model.weights": "pretrained", "phases.0.epochs": 2},
}
MASK_CASES = {
    "everything": {},
    "frozen encoder": {"phases.0.trainable": "head", "loss.values.squared": True, "loss.class_weights": "balanced"},
    "a running mean, padded": {"fit": "pad", "image_size": 40, "ema": 0.9, "loss.name": "focal"},
    "pretrained": {"model.encoder": "tu-tf_efficientnet_lite0", "model.weights": "pretrained", "phases.0.epochs": 2},
}


def trained_by_both(workspace: Workspace, recipe, dataset, folder: Path) -> float:
    """The largest difference of any figure of any epoch, after Fovea and its script have trained the same run."""
    store = RunStore(workspace)
    run_id = store.create(recipe, dataset)
    InlineExecutor(workspace).submit(run_id)
    run = store.get(run_id)
    script = written(workspace, run)
    for one in packed(dataset):
        (folder / one.name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(one.source, folder / one.name)
    (folder / "split.csv").write_text(table(dataset), encoding="utf-8")
    (folder / "train.py").write_text(script.text, encoding="utf-8")
    if script.start:
        save_file(script.start, folder / START)
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "train.py"], cwd=folder, env=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((folder / "epochs.csv").read_text().splitlines()))
    entries = [entry for entry in run.journal.everything() if entry["kind"] == "epoch"]
    assert len(rows) == len(entries)
    pairs = [
        (float(row[name]), value)
        for row, entry in zip(rows, entries, strict=True)
        for name, value in [*entry["validation"].items(), ("train_loss", entry["train"]["loss"])]
    ]
    own, theirs = load_file(folder / "best.safetensors"), load_file(run.paths.best)
    assert set(own) == set(theirs)
    apart = max(float((own[name].double() - theirs[name].double()).abs().max()) for name in own)
    assert "Largest difference: 0" in done.stdout
    return max(apart, *(abs(one - other) for one, other in pairs))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_script_trains_the_same_classifier_to_the_last_bit(workspace, tiny_dataset, tmp_path, case):
    recipe = small(tiny_dataset).set(CASES[case])
    assert trained_by_both(workspace, recipe, tiny_dataset, tmp_path / "alone") == 0


@pytest.mark.slow
@pytest.mark.parametrize("case", MASK_CASES)
def test_a_script_trains_the_same_segmentation_network_to_the_last_bit(workspace, tmp_path, case):
    dataset = kept_shapes(workspace)
    recipe = SegmentationRecipe(dataset=dataset.id).set(SMALL_MASKS | MASK_CASES[case])
    assert trained_by_both(workspace, recipe, dataset, tmp_path / "alone") == 0
