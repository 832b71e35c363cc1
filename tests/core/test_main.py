"""The headless commands: exact keys, exit codes, one JSON value on standard output, one line on standard error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from core.__main__ import main
from core.executors.local import LocalExecutor
from core.recipe import Recipe
from core.runs.store import RunStore
from tests.shapes import SMALL_MASKS, kept_shapes

SETTINGS = ("image_size=32", "phases.0.epochs=2", "batch_size=8", "augment.policy=none")
SMALL = [word for setting in SETTINGS for word in ("--set", setting)]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def class_folders(tmp_path) -> Path:
    """Two classes of 10 pictures each, one text named .jpg, and names that try things."""
    folder = tmp_path / "my pictures"
    generator = np.random.default_rng(0)
    for label, shade in (("dark <b>", 40), ("light 'n' \"bright\"", 200)):
        (folder / label).mkdir(parents=True)
        for number in range(10):
            pixels = np.clip(generator.normal(shade, 20, (24, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"nr {number}.png")
    (folder / "dark <b>" / "notes.jpg").write_text("no picture")
    return folder


def _assert_refused(outcome: tuple[int, str, str], *words: str) -> None:
    code, out, err = outcome
    assert code == 2
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert "Traceback" not in err
    for word in words:
        assert word in err


def test_import_answers_with_the_dataset_and_every_skipped_file(answer, class_folders):
    imported = answer("import", str(class_folders), "--name", "Shades")
    assert imported["name"] == "Shades"
    assert imported["task"] == "classification"
    assert sorted(imported["classes"]) == ["dark <b>", "light 'n' \"bright\""]
    assert imported["samples"] == 20
    assert sum(imported["splits"].values()) == 20
    assert set(imported["splits"]) == {"train", "validation", "test"}
    assert [Path(row["file"]).name for row in imported["skipped"]] == ["notes.jpg"]
    assert imported["skipped"][0]["reason"]


def test_import_takes_a_layout_and_refuses_one_it_does_not_know(answer, command, class_folders):
    assert answer("import", str(class_folders), "--layout", "image-folder")["layout"] == "image-folder"
    _assert_refused(command("import", str(class_folders), "--layout", "origami"), "origami", "image-folder")


def test_demo_answers_like_import_and_its_dials_turn(answer):
    drawn = answer("demo", "blood-smear", "--set", "images=24", "--set", "classes=2", "--set", "size=32")
    assert len(drawn["classes"]) == 2
    assert drawn["samples"] == 24
    assert drawn["skipped"] == []


def test_presets_are_listed_with_the_keys_of_the_design(answer):
    rows = answer("presets")
    assert [row["name"] for row in rows][:1] == ["frozen-head"]
    assert all({"name", "task", "model", "summary"} <= set(row) for row in rows)
    assert all(row["differs"] for row in rows if row["page"])


@pytest.mark.slow
def test_the_whole_way_from_training_to_a_prediction(answer, command, tiny_dataset, tmp_path):
    run = answer("train", tiny_dataset.id, *SMALL, "--seed", "7")
    assert run["state"] == "finished"
    assert run["epochs"] == 2
    assert 0 <= run["best"]["accuracy"] <= 1
    assert run["seconds"] > 0
    assert run["images_per_second"] > 0
    assert [row["run"] for row in answer("runs")] == [run["run"]]

    report = answer("evaluate", run["run"])
    low, high = report["interval"]
    assert low <= report["accuracy"] <= high
    assert report["accuracy"] == pytest.approx(run["best"]["accuracy"])
    images = tiny_dataset.split_counts()["validation"]
    assert sum(map(sum, report["confusion"])) == images
    assert [row["label"] for row in report["per_class"]] == list(tiny_dataset.classes)
    assert all({"label", "precision", "recall", "f1", "support"} <= set(row) for row in report["per_class"])
    assert sum(row["support"] for row in report["per_class"]) == images
    _, out, _ = command("evaluate", run["run"])
    low, high = report["macro_f1_interval"]
    assert f"macro F1 {report['macro_f1']:.3f} [{low:.3f}, {high:.3f}]" in out
    assert all(line.count("[") == 3 for line in out.splitlines()[3:] if "–" not in line), "each figure has its interval"

    sample = tiny_dataset.of("validation")[0]
    picture = str(tiny_dataset.path(sample))
    [named] = answer("predict", run["run"], picture, "--out", str(tmp_path / "out"))
    assert named["image"] == picture
    assert named["label"] == max(named["probabilities"], key=named["probabilities"].get)
    assert list(named["probabilities"]) == list(tiny_dataset.classes)
    assert sum(named["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    header, row = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
    assert header.startswith("image,label,p:")
    assert named["label"] in row

    code, _, err = command("predict", run["run"], picture, str(tmp_path / "missing.png"))
    assert (code, len(err.strip().splitlines())) == (2, 1)
    _assert_refused(command("resume", run["run"]), run["run"])


@pytest.mark.slow
def test_masks_are_trained_from_their_own_preset_and_evaluated_with_the_keys_of_the_design(answer, command, workspace):
    settings = [f"{name}={value}" for name, value in (SMALL_MASKS | {"phases.0.epochs": 2}).items()]
    small = [word for setting in settings for word in ("--set", setting)]
    dataset = kept_shapes(workspace, splits=("train",) * 8 + ("validation",) * 6 + ("test",) * 2)
    run = answer("train", dataset.id, *small)
    assert (run["state"], set(run["best"])) == ("finished", {"loss", "dice", "iou", "epoch"})
    assert RunStore(workspace).get(run["run"]).recipe.preset == "unet"

    report = answer("evaluate", run["run"])
    assert (report["task"], report["split"], report["n"]) == ("segmentation", "validation", 6)
    assert {"mean_iou", "mean_iou_interval", "mean_dice", "mean_dice_interval", "over_images"} <= set(report)
    assert {"label", "iou", "iou_interval", "dice", "dice_interval", "precision", "recall"} <= set(
        report["per_class"][0]
    )
    assert [row["label"] for row in report["per_class"]] == ["background", "disc", "square"]
    assert report["interval"] == report["mean_dice_interval"]
    code, out, _ = command("evaluate", run["run"])
    assert code == 0
    pooled, over_images = out.splitlines()[1:3]
    assert pooled.startswith(f"pooled over pixels: Dice {report['mean_dice']:.3f}")
    assert over_images.startswith(f"mean over images: Dice {report['over_images']['mean_dice']:.3f}")


def test_opening_the_test_split_is_logged_with_who_opened_it(answer, tiny_dataset, workspace):
    run = answer("train", tiny_dataset.id, *SMALL)["run"]
    answer("evaluate", run)
    paths = RunStore(workspace).get(run).paths
    assert not paths.seal.exists(), "the validation report does not touch the seal"
    report = answer("evaluate", run, "--split", "test")
    assert report["split"] == "test"
    assert "command line" in paths.seal.read_text()


@pytest.mark.slow
def test_a_bad_picture_gets_one_sentence_and_the_others_are_answered(answer, command, tiny_dataset, tmp_path):
    run = answer("train", tiny_dataset.id, *SMALL)["run"]
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    good = str(tiny_dataset.path(tiny_dataset.of("test")[0]))
    code, out, err = command("predict", run, good, str(bad), "--json")
    assert code == 2
    assert "bad.jpg" in err
    first, second = json.loads(out)
    assert first["label"] in tiny_dataset.classes
    assert second["label"] is None


@pytest.mark.slow
def test_training_in_the_foreground_tells_each_epoch_on_standard_error(command, tiny_dataset):
    code, out, err = command("train", tiny_dataset.id, *SMALL, "--json")
    assert code == 0
    json.loads(out)
    told = [line for line in err.splitlines() if line.startswith("epoch ")]
    assert [line.split(":")[0] for line in told] == ["epoch 1", "epoch 2"]


@pytest.mark.slow
def test_a_detached_run_answers_at_once_and_can_be_stopped_and_resumed(answer, tiny_dataset):
    run = answer("train", tiny_dataset.id, *SMALL, "--set", "phases.0.epochs=1000", "--detach")
    assert run["state"] in ("queued", "starting", "running")
    stopped = answer("stop", run["run"])
    assert stopped["state"] == "stopped"
    resumed = answer("resume", run["run"], "--detach")
    assert resumed["state"] in ("queued", "starting", "running")
    assert answer("stop", run["run"])["state"] == "stopped"


@pytest.mark.slow
def test_a_finished_run_is_continued_as_a_run_of_its_own(answer, tiny_dataset):
    first = answer("train", tiny_dataset.id, *SMALL)
    more = answer("continue", first["run"], "--epochs", "1", "--rate", "0.001")
    assert (more["state"], more["epochs"]) == ("finished", first["epochs"] + 1)
    assert more["origin"] == {"run": first["run"], "how": "continued", "epoch": first["epochs"]}
    assert answer("runs")[1]["epochs"] == first["epochs"]


@pytest.mark.slow
def test_a_detached_run_can_be_paused_and_goes_on(answer, tiny_dataset):
    run = answer("train", tiny_dataset.id, *SMALL, "--set", "phases.0.epochs=1000", "--detach")
    paused = answer("pause", run["run"])
    assert paused["state"] == "paused"
    assert answer("resume", run["run"], "--detach")["state"] in ("queued", "starting", "running")
    assert answer("stop", run["run"])["state"] == "stopped"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], ["COMMAND"]),
        (["dance"], ["dance", "import"]),
        (["train"], ["DATASET"]),
        (["train", "nothing-123456"], ["nothing-123456"]),
        (["train", "../../etc"], ["../../etc"]),
        (["import", "/nowhere/at all"], ["/nowhere/at all"]),
        (["demo", "unicorns"], ["unicorns", "blood-smear", "digits"]),
        (["demo", "blood-smear", "--set", "colour=3"], ["colour", "classes"]),
        (["demo", "blood-smear", "--set", "classes=900"], ["classes", "900"]),
        (["demo", "blood-smear", "--set", "classes"], ["name=value"]),
        (["resume", "nothing-123456"], ["nothing-123456"]),
        (["stop", "nothing-123456"], ["nothing-123456"]),
        (["pause", "nothing-123456"], ["nothing-123456"]),
        (["continue", "nothing-123456"], ["--epochs"]),
        (["continue", "nothing-123456", "--epochs", "2"], ["nothing-123456"]),
        (["evaluate", "nothing-123456"], ["nothing-123456"]),
        (["evaluate", "nothing-123456", "--split", "train"], ["validation", "test"]),
        (["predict", "nothing-123456", "a.png"], ["nothing-123456"]),
        (["predict", "../runs", "a.png"], ["../runs"]),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(command, words, said):
    _assert_refused(command(*words, "--json"), *said)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("phases.0.epochs=0", "phases.0.epochs"),
        ("phases.0.trainable=tail", "last 40%"),
        ("augment.policy=extreme", "moderate"),
        ("optimizer.name=magic", "adamw"),
        ("modle.backbone=resnet18", "modle"),
        ("model.weights=/nowhere.safetensors", "/nowhere.safetensors"),
        ("model.backbone=not_a_model", "not_a_model"),
        ("batch_size=0", "batch_size"),
        ("image_size=4", "image_size"),
        ("model.backbone=a**", "a**"),
        ("model.weights=~nobody-by-this-name/x.pth", "nobody-by-this-name"),
        ("phases.0.trainable=last 5000 layers", "last 5000 layers"),
        pytest.param(
            "device=cuda", "device", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
        ),
    ],
)
def test_a_recipe_that_cannot_train_is_refused_before_a_run_is_made(command, tiny_dataset, workspace, setting, said):
    _assert_refused(command("train", tiny_dataset.id, *SMALL, "--set", setting), said)
    assert RunStore(workspace).list() == []


def test_a_backbone_nobody_knows_is_refused_with_random_weights_too(command, tiny_dataset, workspace):
    settings = ["--set", "model.backbone=resnet18x", "--set", "model.weights=random"]
    _assert_refused(command("train", tiny_dataset.id, *SMALL, *settings), "resnet18x")
    assert RunStore(workspace).list() == []


def test_weights_of_another_backbone_are_refused_before_a_run_is_made(command, tiny_dataset, workspace, tmp_path):
    save_file({"conv.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    _assert_refused(
        command("train", tiny_dataset.id, *SMALL, "--set", f"model.weights={tmp_path / 'other.safetensors'}"),
        "other.safetensors",
    )
    assert RunStore(workspace).list() == []


def test_a_weight_file_is_kept_by_its_whole_path(answer, tiny_dataset, workspace, tmp_path, monkeypatch):
    """A worker stands in another folder than whoever typed the command."""
    monkeypatch.setattr(LocalExecutor, "submit", lambda executor, run_id: None)
    monkeypatch.chdir(tmp_path)
    Path("mine.pth").write_bytes(b"")
    run = answer("train", tiny_dataset.id, *SMALL, "--detach", "--set", "model.weights=mine.pth")["run"]
    assert RunStore(workspace).get(run).recipe.model.weights == str(tmp_path / "mine.pth")


def test_a_name_may_be_a_number(answer, tiny_dataset, workspace, monkeypatch):
    monkeypatch.setattr(LocalExecutor, "submit", lambda executor, run_id: None)
    run = answer("train", tiny_dataset.id, *SMALL, "--detach", "--name", "2024")["run"]
    assert RunStore(workspace).get(run).name == "2024"


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_number_of_any_length_is_refused_in_one_line(command, digits):
    _assert_refused(command("demo", "blood-smear", "--set", f"images={'9' * digits}"), "images", "999")


def test_a_file_where_the_workspace_should_be_is_refused(tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    for place in (file, file / "below"):
        for words in (["runs"], ["demo", "blood-smear"]):
            code = main(["--workspace", str(place), *words])
            captured = capsys.readouterr()
            _assert_refused((code, captured.out, captured.err), str(file))
    assert main(["--workspace", str(tmp_path / ("w" * 300)), "runs"]) == 2
    assert "too long a name" in capsys.readouterr().err


def test_a_file_where_the_answers_should_go_is_refused(command, tiny_dataset, workspace, tmp_path):
    run = RunStore(workspace).create(Recipe(), tiny_dataset)
    picture = str(tiny_dataset.path(tiny_dataset.of("test")[0]))
    (tmp_path / "file").touch()
    _assert_refused(command("predict", run, picture, "--out", str(tmp_path / "file")), str(tmp_path / "file"))


def test_a_folder_whose_name_is_no_text_can_be_imported(answer, class_folders):
    strange = os.fsencode(class_folders.with_name("caf")) + b"\xe9"
    try:
        os.rename(class_folders, strange)
    except OSError:
        pytest.skip("this file system takes only names in Unicode")
    assert answer("import", os.fsdecode(strange))["name"] == "caf"


def test_an_unknown_preset_lists_the_presets(command, tiny_dataset):
    _assert_refused(command("train", tiny_dataset.id, "--preset", "magic"), "frozen-head")


def test_the_workspace_may_stand_behind_the_command_and_else_comes_from_the_environment(tmp_path, capsys, monkeypatch):
    assert main(["runs", "--workspace", str(tmp_path / "a"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    monkeypatch.setenv("FOVEA_WORKSPACE", str(tmp_path / "b"))
    assert main(["--json", "runs"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.slow
def test_python_m_core_answers_in_a_process_of_its_own(workspace, tmp_path):
    environment = {**os.environ, "FOVEA_WORKSPACE": str(workspace.root), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "core"]
    done = subprocess.run([*words, "presets", "--json"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0
    assert json.loads(done.stdout)[0]["name"] == "frozen-head"
    done = subprocess.run([*words, "train", "x"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_weights_that_are_neither_here_nor_to_be_had_name_those_that_are_here(workspace, tiny_dataset, tmp_path):
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub"), "FOVEA_WORKSPACE": str(workspace.root)}
    words = [sys.executable, "-m", "core", "train", tiny_dataset.id, *SMALL, "--set", "model.backbone=resnet18"]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, **offline}, capture_output=True, text=True)
    _assert_refused((done.returncode, done.stdout, done.stderr), "resnet18", "tf_efficientnet_lite0")
    assert RunStore(workspace).list() == []
