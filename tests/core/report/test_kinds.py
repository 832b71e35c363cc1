"""Reports on other kinds of runs: masks, runs with a hypothesis, runs that something speaks against."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from core.evaluate.current import digest_of
from core.metrics.crossed import Crossed
from core.metrics.intervals import Interval
from core.predict.meaning import Likeness, MapsCheck
from core.recipe import Recipe
from core.report.bundle import make_report
from core.report.verify import verify
from core.runs.hypothesis import Hypothesis
from core.studies.leakage import Price
from core.workspace import read_json, write_json
from tests.core.report.conftest import made_run, unzipped, zipped
from tests.core.report.test_report import html_of, text_of
from tests.made_runs import answered, rows_dataset
from tests.pages.mask_runs import box, evaluated_run, masked_dataset

TRUTHS = [box(2, 2, 10, 8), box(4, 1, 12, 7), box(0, 0, 6, 6), box(8, 3, 16, 9), box(5, 2, 13, 8), box(1, 1, 4, 4)]


@pytest.fixture
def mask_run(workspace):
    """A run that answers six pictures with a box that is a little too far to the right."""
    dataset = masked_dataset(workspace, ("background", "polyp"), TRUTHS)
    return evaluated_run(workspace, dataset, TRUTHS, [np.roll(mask, 2, axis=1) for mask in TRUTHS])


def test_a_report_on_masks_shows_every_class_with_intervals_and_the_worst_pictures_three_times(workspace, mask_run):
    html = html_of(workspace, mask_run)
    told, result = text_of(html), read_json(mask_run.paths.results("validation"))

    low, high = result["interval"]
    assert f"a mean Dice of {result['mean_dice']:.3f} on 6 validation pictures" in told
    assert f"between {low:.3f} and {high:.3f}" in told
    assert "An answer of nothing but background would get 0.000." in told
    assert html.count("data:image/jpeg;base64,") == 3 * 6
    assert "Small" not in told


def test_every_edited_number_of_a_mask_table_and_its_results_is_named(workspace, mask_run, tmp_path):
    make_report(str(workspace.root), [mask_run.id], str(tmp_path / "report.zip"))
    files = unzipped((tmp_path / "report.zip").read_bytes())
    assert verify(str(tmp_path / "report.zip")).matches
    table = next(name for name in files if name.endswith("predictions_validation.csv"))
    results = next(name for name in files if name.endswith("results_validation.json"))
    for name, pattern in ((table, rb"1>1:(\d+)"), (table, rb",(1\.5),"), (results, rb'"mean_dice": (0\.\d+)')):
        number = re.search(pattern, files[name])
        edited = files[name][: number.start(1)] + b"9" + files[name][number.end(1) :]
        found = verify(zipped(tmp_path / "edited.zip", files | {name: edited}))
        [one] = [one for one in found.differences if not one.follows]
        assert one.file == name
        assert number[1].decode() in one.recomputed


def test_another_picture_in_the_place_of_one_is_named(workspace, mask_run, tmp_path):
    make_report(str(workspace.root), [mask_run.id], str(tmp_path / "report.zip"))
    files = unzipped((tmp_path / "report.zip").read_bytes())
    first, second, *_ = (name for name in files if name.startswith("pictures/"))
    found = verify(zipped(tmp_path / "edited.zip", files | {first: files[second]}))

    [one] = found.differences
    assert (one.file, one.place) == (first, "whole picture")

    page = re.sub(
        rb"data:image/jpeg;base64,([A-Za-z0-9+/]{40})", rb"data:image/jpeg;base64,\1AAAA", files["report.html"], count=1
    )
    found = verify(zipped(tmp_path / "edited.zip", files | {"report.html": page}))
    [one] = found.differences
    assert one.file == "report.html"
    assert "img, src" in one.place


def test_what_was_expected_before_the_start_stands_with_what_became_of_it(workspace):
    dataset = rows_dataset(workspace, {"train": [0, 1, 2], "validation": [0, 1, 2] * 40})
    run = answered(workspace, dataset, {"validation": [0, 1, 2] * 40})
    expected = Hypothesis("accuracy", "raises", threshold=0.5, text="It <b>will</b> learn.")
    write_json(run.paths.facts, read_json(run.paths.facts) | {"hypothesis": expected.to_json()})
    told = text_of(html_of(workspace, run))

    assert "Written down before the start" in told
    assert "The accuracy is above 0.5." in told
    assert "It <b>will</b> learn." in told, "as text"
    assert "came true" in told


def test_what_speaks_against_a_run_stands_in_its_report(workspace):
    dataset = rows_dataset(workspace, {"train": [0, 0, 1, 2], "validation": [0] * 30 + [1] * 5 + [2] * 5})
    run = answered(workspace, dataset, {"validation": [1] * 40})
    told = text_of(html_of(workspace, run))

    assert "Worse than guessing" in told
    assert "Class never answered" in told
    assert "Always answering “cat” would name 75.0 % rightly" in told


def test_whether_heat_maps_mean_anything_is_told_where_it_was_checked_for_these_weights(workspace):
    run = made_run(workspace)
    alike, unlike = Likeness(0.91, Interval(0.88, 0.94)), Likeness(0.1, Interval(0.0, 0.2))
    check = MapsCheck(digest_of(run.paths.best), 24, 0, 4, alike, unlike)
    write_json(run.paths.maps_check, check.to_json())
    told = text_of(html_of(workspace, run))
    assert "These maps mean nothing" in told
    assert "0.910 [0.880, 0.940]" in told

    write_json(run.paths.maps_check, check.to_json() | {"checkpoint": "of other weights"})
    assert "These maps mean nothing" not in text_of(html_of(workspace, run))


def test_versions_that_a_run_was_trained_with_are_told_and_those_of_the_report_apart(workspace):
    run = made_run(workspace)
    with run.paths.clock.open("a") as file:
        file.write('{"kind": "start", "attempt": 1, "versions": {"Python": "3.99.1", "torch": "9.9"}}\n')
    told = text_of(html_of(workspace, run))

    assert "Python 3.99.1, torch 9.9" in told
    assert f"seed {Recipe().seed}" in told


def test_what_leaked_pictures_were_worth_stands_beside_what_was_found(workspace, monkeypatch):
    run = made_run(workspace)
    gap = Crossed(0.061, Interval(0.021, 0.101), 0.01, 0.01, 0.05, 3, 60)
    table = SimpleNamespace(score="accuracy")
    price = Price(
        table, run.id, 18, 60, {"with": 90, "without": 90}, gap, gap, None, "The copies lift it by 6.1 points."
    )
    monkeypatch.setattr("core.report.collect.price_of", lambda root, id: price)
    out = workspace.root / "report.zip"
    make_report(str(workspace.root), [run.id], str(out))
    told = text_of(unzipped(out.read_bytes())["report.html"].decode())

    assert "The copies lift it by 6.1 points." in told
    assert "+6.1 [2.1, 10.1]" in told
    assert "those known from training" in told
    assert verify(str(out)).matches
