"""`python -m core predict` for masks: exact keys, files, exit codes, one line on standard error."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.__main__ import main
from core.data.library import Library
from core.predict.submission import decode
from tests.core.predict.conftest import SIZE, discs


@pytest.fixture
def command(workspace, capsys):
    """Run `predict` in the test's workspace; gives (exit code, JSON or None, standard error)."""

    def run(*words: object) -> tuple[int, list[dict] | None, str]:
        code = main(["--workspace", str(workspace.root), "predict", *map(str, words), "--json"])
        captured = capsys.readouterr()
        return code, json.loads(captured.out) if captured.out else None, captured.err

    return run


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    """Two pictures that the run has never seen."""
    files = []
    for number in (90, 91):
        files.append(tmp_path / f"nr {number}.png")
        discs(number)[0].save(files[-1])
    return files


def refused(outcome: tuple[int, object, str], *words: str) -> None:
    code, out, err = outcome
    assert (code, out) == (2, None)
    assert len(err.strip().splitlines()) == 1
    for word in words:
        assert word in err


def test_masks_areas_and_table_are_written(command, masked_run, pictures, tmp_path):
    out = tmp_path / "new" / "out"
    code, rows, _ = command(masked_run.id, *pictures, "--out", out)
    assert code == 0
    for picture, row in zip(pictures, rows, strict=True):
        assert row["image"] == str(picture)
        assert Path(row["mask"]) == out / f"{picture.stem}.mask.png"
        with Image.open(row["mask"]) as image:
            mask = np.asarray(image)
            assert image.mode == "L"
        assert mask.shape == SIZE[::-1]
        assert list(row["areas"]) == list(masked_run.facts.classes)
        assert list(row["areas"].values()) == pytest.approx([np.mean(mask == index) for index in range(3)])
        assert (row["tiles"], row["views"], row["uncertainty"], row["error"]) == (1, 1, None, None)
    with open(out / "predictions.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [line["mask"] for line in table] == [row["mask"] for row in rows]
    assert float(table[0]["area:red"]) == pytest.approx(rows[0]["areas"]["red"])


def test_without_a_folder_the_areas_are_told_and_nothing_is_written(command, masked_run, pictures, tmp_path):
    before = set(tmp_path.iterdir())
    code, rows, _ = command(masked_run.id, *pictures)
    assert code == 0
    assert [row["mask"] for row in rows] == [None, None]
    assert all(sum(row["areas"].values()) == pytest.approx(1) for row in rows)
    assert set(tmp_path.iterdir()) == before


def test_views_and_tiles_are_said_and_the_uncertainty_is_written(command, masked_run, pictures, tmp_path):
    large = tmp_path / "large.png"
    discs(92, (2 * SIZE[0], 2 * SIZE[1]))[0].save(large)
    code, (row,), _ = command(masked_run.id, large, "--tiles", "--views", "--out", tmp_path / "out")
    assert code == 0
    assert (row["tiles"], row["views"]) == (9, 8)
    assert Path(row["uncertainty"]).name == "large.uncertainty.png"
    assert Image.open(row["uncertainty"]).size == (2 * SIZE[0], 2 * SIZE[1])


def test_the_submission_holds_the_masks_as_run_lengths(command, masked_run, pictures, tmp_path):
    file = tmp_path / "kaggle" / "submission.csv"
    code, rows, _ = command(masked_run.id, *pictures, "--out", tmp_path / "out", "--submission", file)
    assert code == 0
    with open(file, newline="") as text:
        lines = list(csv.DictReader(text))
    assert [line["Id"] for line in lines] == ["nr 90_0", "nr 90_1", "nr 91_0", "nr 91_1"]
    mask = np.asarray(Image.open(rows[0]["mask"]))
    assert np.array_equal(decode(lines[0]["Expected"], *mask.shape), mask == 1)
    assert np.array_equal(decode(lines[1]["Expected"], *mask.shape), mask == 2)


def test_a_bad_picture_gets_one_sentence_and_the_others_their_masks(command, masked_run, pictures, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    code, rows, err = command(
        masked_run.id, bad, pictures[0], "--out", tmp_path / "out", "--submission", tmp_path / "s"
    )
    assert code == 2
    assert err.strip().splitlines()[-1].startswith(f"{bad} cannot be read as a picture: found")
    assert rows[0]["mask"] is None
    assert Path(rows[1]["mask"]).exists()
    assert (tmp_path / "s").read_text().count("\n") == 3


def test_answers_that_cannot_be_written_are_refused_before_anything_is_looked_at(
    command, masked_run, pictures, tmp_path, monkeypatch
):
    monkeypatch.setattr("core.predict.predictor.predict", lambda *_, **__: pytest.fail("it looked"))
    twin = tmp_path / "other" / pictures[0].name
    twin.parent.mkdir()
    twin.write_bytes(pictures[0].read_bytes())
    refused(command(masked_run.id, *pictures, twin, "--submission", tmp_path / "s"), "one name", "nr 90.png")
    refused(command(masked_run.id, *pictures, "--submission", twin.parent), "cannot be a file", "found a folder")
    refused(command(masked_run.id, *pictures, "--out", pictures[0]), str(pictures[0]))
    refused(command(masked_run.id, tmp_path / "missing.png"), "missing.png cannot be read")
    mask = tmp_path / "nr 90.mask.png"
    mask.write_bytes(pictures[0].read_bytes())
    refused(command(masked_run.id, pictures[0], mask, "--out", tmp_path), "take the place of a picture")


def test_a_classifier_takes_no_switches_for_masks(command, trained_run, tiny_dataset, workspace, tmp_path):
    picture = Library(workspace).get(tiny_dataset.id).path(tiny_dataset.samples[0])
    for words in (["--tiles"], ["--views"], ["--submission", tmp_path / "s"]):
        refused(command(trained_run.id, picture, *words), "are for masks")
