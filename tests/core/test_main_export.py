import pytest

from core.runs.store import Run


def test_a_run_is_exported_with_what_was_written(answer, trained_run: Run, tmp_path):
    told = answer("export", trained_run.id, "--format", "script", "--out", str(tmp_path / "mine.zip"))
    assert told["run"] == trained_run.id
    assert told["file"] == str(tmp_path / "mine.zip")
    assert "start.safetensors" in told["contents"]  # its backbone does not start at random
    assert "same weights" in told["sentence"]


def test_a_terminal_is_told_what_is_inside(command, trained_run: Run, tmp_path):
    code, out, _ = command("export", trained_run.id, "--format", "zip", "--out", str(tmp_path / "model.zip"))
    assert code == 0
    assert "model.safetensors" in out.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--format", "onnx", "--out", "model.zip"], "expected a name ending in .onnx"),
        (["--format", "script", "--out", "model.onnx"], "expected a name ending in .zip or .py"),
        (["--format", "pickle", "--out", "model.pkl"], "invalid choice"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(command, trained_run: Run, words, told):
    code, _, err = command("export", trained_run.id, *words)
    assert code == 2
    assert told in err
    assert len(err.splitlines()) == 1


def test_a_folder_in_the_place_of_the_file_is_told_before_anything_is_made(command, trained_run: Run, tmp_path):
    (tmp_path / "x.onnx").mkdir()
    code, _, err = command("export", trained_run.id, "--format", "onnx", "--out", str(tmp_path / "x.onnx"))
    assert code == 2
    assert "x.onnx cannot be a file: found a folder" in err
    assert len(err.splitlines()) == 1


def test_a_run_that_is_not_there_is_told(command, tmp_path):
    code, _, err = command("export", "nobody", "--out", str(tmp_path / "x.onnx"))
    assert code == 2
    assert "There is no such run" in err
