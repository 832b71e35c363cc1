import json

import numpy as np
import pytest

from core.evaluate.classification import ClassificationResult, evaluate_table
from core.evaluate.predictions import PredictionTable
from core.evaluate.results import read_result
from core.metrics.intervals import wilson
from core.workspace import write_json


def table(truth: list[int], predicted: list[int], classes: tuple[str, ...]) -> PredictionTable:
    return PredictionTable(
        classes=classes,
        ids=tuple(f"{number:06d}" for number in range(len(truth))),
        files=tuple(f"{number}.jpg" for number in range(len(truth))),
        truth=np.array(truth),
        probabilities=np.eye(len(classes), dtype=np.float32)[predicted],
        split="test",
        checkpoint="sha256 0123456789abcdef",
    )


# Ten images, eight right; never predicts "fox", of which there is one.
TEN = table([0, 0, 0, 0, 1, 1, 1, 1, 1, 2], [0, 0, 0, 1, 1, 1, 1, 1, 1, 1], ("cat", "dog", "fox"))


def test_the_report_counts_what_the_table_says():
    result = evaluate_table(TEN)
    assert (result.split, result.checkpoint, result.n) == ("test", "sha256 0123456789abcdef", 10)
    assert result.confusion == ((3, 1, 0), (0, 5, 0), (0, 1, 0))
    assert result.accuracy == pytest.approx(0.8)
    assert result.interval == wilson(8, 10)
    assert [row.label for row in result.per_class] == ["cat", "dog", "fox"]
    assert [row.support for row in result.per_class] == [4, 5, 1]
    cat, dog, fox = result.per_class
    assert (cat.precision, cat.recall) == (1, 0.75)
    assert dog.precision == pytest.approx(5 / 7)
    assert (fox.precision, fox.recall, fox.f1) == (None, 0, 0)
    assert result.macro_f1 == pytest.approx((cat.f1 + dog.f1 + fox.f1) / 3)
    assert result.macro_f1_interval.low < result.macro_f1 < result.macro_f1_interval.high


def test_the_same_table_always_gives_the_same_report():
    assert evaluate_table(TEN) == evaluate_table(TEN)


def test_a_report_comes_back_from_its_json():
    result = evaluate_table(TEN)
    text = json.dumps(result.to_json(), allow_nan=False)
    assert ClassificationResult.from_json(json.loads(text)) == result


def test_the_json_has_what_the_command_line_promises():
    data = json.loads(json.dumps(evaluate_table(TEN).to_json()))
    assert {"accuracy", "interval", "macro_f1", "confusion", "per_class"} <= set(data)
    assert data["interval"] == list(wilson(8, 10))
    assert {"label", "precision", "recall", "f1", "support"} <= set(data["per_class"][0])


def test_a_result_file_is_read_and_one_that_is_missing_or_broken_is_none(tmp_path):
    result = evaluate_table(TEN)
    write_json(tmp_path / "results.json", result.to_json())
    assert read_result(tmp_path / "results.json") == result
    assert read_result(tmp_path / "none.json") is None
    for data in ({}, [], 3, {**result.to_json(), "interval": 1}, {**result.to_json(), "surprise": 1}):
        write_json(tmp_path / "broken.json", data)
        assert read_result(tmp_path / "broken.json") is None
