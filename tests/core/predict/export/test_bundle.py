import csv
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest
from safetensors import safe_open

from core.data.library import Library
from core.evaluate.evaluation import evaluate_run
from core.predict.export.card import escaped, figures, model_card, without_places
from core.predict.export.exporting import export_run
from core.predict.predictor import predict
from core.runs.store import RunStore


@pytest.fixture
def bundle(small_run, workspace, tmp_path):
    evaluate_run(str(workspace.root), small_run.id, "validation")
    export_run(str(workspace.root), small_run.id, "zip", str(tmp_path / "model.zip"))
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        archive.extractall(tmp_path / "model")
    return tmp_path / "model"


def test_the_zip_holds_weights_recipe_classes_and_a_card(bundle, small_run):
    names = {"model.safetensors", "recipe.json", "classes.json", "MODEL_CARD.md", "use.py", "README.md"}
    assert {path.name for path in bundle.iterdir()} == names
    assert list(json.loads((bundle / "classes.json").read_text()).values()) == list(small_run.facts.classes)
    with safe_open(bundle / "model.safetensors", "pt") as file:
        assert json.loads(file.metadata()["facts"])["classes"] == list(small_run.facts.classes)


def test_the_model_of_the_zip_answers_without_fovea_as_it_does_in_fovea(bundle, small_run, workspace):
    dataset = Library(workspace).get(small_run.facts.dataset)
    picture = dataset.path(dataset.of("validation")[0])
    done = subprocess.run(
        [sys.executable, "use.py", str(picture)], cwd=bundle, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (expected,) = predict(str(small_run.paths.folder), [("one", picture.read_bytes())])
    for name, probability in expected.probabilities.items():
        assert f"{name!r}: {round(probability, 4)}" in done.stdout


def test_the_card_gives_every_figure_with_its_interval(bundle, small_run):
    card = (bundle / "MODEL_CARD.md").read_text()
    low, high = json.loads(small_run.paths.results("validation").read_text())["interval"]
    assert f"[{low:.3f}, {high:.3f}]" in card
    assert "The test split is sealed." in card
    rows = [line for line in card.splitlines() if line.startswith(("| accuracy", "| macro", "| recall"))]
    assert len(rows) == 5
    assert all("[" in row and "95 %" in row for row in rows)


def test_figures_of_other_weights_are_not_in_the_card(small_run, workspace):
    result = evaluate_run(str(workspace.root), small_run.id, "validation")
    assert figures(result)[0].value == result.accuracy
    small_run.paths.best.write_bytes(small_run.paths.best.read_bytes() + b" ")
    assert "has not been evaluated since" in model_card(small_run, 1)


def test_what_anybody_wrote_is_text_in_a_card(small_run):
    evil = "<script>alert(1)</script> [a](http://b) **c**\n# d"
    facts = replace(small_run.facts, dataset_name=evil, classes=(evil, "b", "c"))
    card = model_card(replace(small_run, facts=facts), 1)
    assert "<script" not in card
    assert "&lt;script&gt;" in card
    assert "](http" not in card
    assert "\n# d" not in card
    assert escaped("a_b") == r"a\_b"


def test_no_folder_of_this_machine_leaves_it(small_run, workspace, tmp_path):
    path = str(workspace.root / "elsewhere" / "best.safetensors")
    assert without_places(small_run.recipe.set({"model.weights": path})).model.weights == "best.safetensors"


def test_the_zip_of_a_script_holds_all_that_it_reads(small_run, workspace, tmp_path):
    answer = export_run(str(workspace.root), small_run.id, "script", str(tmp_path / "script.zip"))
    with zipfile.ZipFile(tmp_path / "script.zip") as archive:
        names = set(archive.namelist())
        rows = list(csv.DictReader(io.StringIO(archive.read("split.csv").decode())))
    assert {row["file"] for row in rows} | {"split.csv", "train.py"} == names
    assert answer["contents"][:2] == ["train.py", "split.csv"]
    assert answer["bytes"] == (tmp_path / "script.zip").stat().st_size


def test_a_script_alone_is_one_file(small_run, workspace, tmp_path):
    answer = export_run(str(workspace.root), small_run.id, "script", str(tmp_path / "mine.py"))
    assert answer["contents"] == ["mine.py"]
    compile((tmp_path / "mine.py").read_text(), "mine.py", "exec")
    assert RunStore(workspace).get(small_run.id).recipe.hash in (tmp_path / "mine.py").read_text()
