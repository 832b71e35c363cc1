import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.evaluate.predictions import PredictionTable

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


def table(classes=("cat", "dog"), files=("train/cat/a b.jpg", "x.png"), **changes) -> PredictionTable:
    given = {
        "classes": classes,
        "ids": tuple(f"{number:06d}" for number in range(len(files))),
        "files": files,
        "truth": np.arange(len(files)) % len(classes),
        "probabilities": np.random.default_rng(0).dirichlet(np.ones(len(classes)), len(files)).astype(np.float32),
        "split": "validation",
        "checkpoint": "sha256 0123456789abcdef",
    }
    return PredictionTable(**given | changes)


def same(one: PredictionTable, other: PredictionTable) -> bool:
    plain = ("classes", "ids", "files", "split", "checkpoint")
    arrays = ("truth", "probabilities")
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


def test_a_table_comes_back_from_its_file_bit_for_bit(tmp_path):
    written = table()
    written.write(tmp_path / "table.csv")
    read = PredictionTable.read(tmp_path / "table.csv")
    assert same(written, read)
    assert read.probabilities.dtype == np.float32
    assert read.truth.dtype == np.int64


@given(
    st.lists(NAMES, min_size=1, max_size=4, unique=True),
    st.lists(NAMES, min_size=1, max_size=6),
    st.lists(st.floats(0, 1, width=32), min_size=24, max_size=24),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_and_any_probability_comes_back(tmp_path, classes, files, numbers):
    probabilities = np.array(numbers[: len(classes) * len(files)], dtype=np.float32).reshape(len(files), len(classes))
    written = table(tuple(classes), tuple(files), probabilities=probabilities)
    written.write(tmp_path / "table.csv")
    assert same(written, PredictionTable.read(tmp_path / "table.csv"))


@pytest.mark.parametrize("name", ['a "quoted", name', "p:p:", "<script>", "🩸", "sample_id", "two\nlines", " spaces "])
def test_names_that_could_be_taken_for_something_else_come_back(name, tmp_path):
    written = table((name, "other"), (name, name))
    written.write(tmp_path / "table.csv")
    assert same(written, PredictionTable.read(tmp_path / "table.csv"))


def test_the_file_reads_like_a_table(tmp_path):
    table(probabilities=np.array([[0.75, 0.25], [0.9, 0.1]], dtype=np.float32)).write(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    checkpoint = "sha256 0123456789abcdef"
    assert rows == [
        ["sample_id", "file", "split", "checkpoint", "truth", "predicted", "p:cat", "p:dog"],
        ["000000", "train/cat/a b.jpg", "validation", checkpoint, "cat", "cat", "0.75", "0.25"],
        ["000001", "x.png", "validation", checkpoint, "dog", "cat", "0.899999976", "0.100000001"],
    ]


def test_the_prediction_is_the_most_probable_class_and_of_equal_ones_the_first():
    found = table(files=("a", "b", "c"), probabilities=np.array([[0.2, 0.8], [0.5, 0.5], [1, 0]], dtype=np.float32))
    assert found.predicted.tolist() == [1, 0, 0]
    assert len(found) == 3


def test_labels_and_predictions_cannot_have_different_lengths():
    with pytest.raises(ValueError, match="expected"):
        table(truth=np.array([0]))
    with pytest.raises(ValueError, match="expected"):
        table(probabilities=np.ones((2, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="expected"):
        table(ids=("000000",))


def broken(change, tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    table().write(path)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: "", "columns"),
        (lambda text: text.splitlines()[0] + "\n", "without a row"),
        (lambda text: text.replace("p:cat", "cat"), "other columns than sample_id,file"),
        (lambda text: text.replace(",cat,", ",lynx,"), "row 2 has the true class 'lynx'"),
        (lambda text: text[: len(text) // 2], "row 2 has"),
        (lambda text: text.replace("x.png,validation", "x.png,test"), "more than one split"),
        (lambda text: text.replace("0.", "much", 1), "could not convert"),
    ],
)
def test_a_broken_file_is_refused_with_the_reason(change, reason, tmp_path):
    with pytest.raises(InputError, match=f"table.csv cannot be read.*{reason}.*Evaluate the run again"):
        PredictionTable.read(broken(change, tmp_path))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        PredictionTable.read(tmp_path / "none.csv")


def test_tables_results_and_mistakes_can_be_read_without_torch_and_scikit_learn():
    code = """
import sys
import core.evaluate.classification, core.evaluate.mistakes, core.evaluate.predictions
assert not {"torch", "torchvision", "timm", "sklearn", "scipy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
