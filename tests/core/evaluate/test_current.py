import json
import os
import shutil

import pytest

from core.compare import compare_runs
from core.evaluate import current
from core.evaluate.current import current_result, renew, renewed
from core.evaluate.depth import current_depth, depth_of_run
from core.evaluate.results import read_result
from core.predict.export.card import model_card
from core.report.bundle import make_report
from core.runs.run import RunPaths
from core.runs.seal import open_seal, openings
from tests.comparing import answered_run, fruit, store_answers


@pytest.fixture
def other_weights(trained_run, tmp_path):
    """Put other weights of the same size in the place of the best ones, as training does."""

    def put() -> None:
        content = bytearray(trained_run.paths.best.read_bytes())
        content[-1] ^= 1
        (tmp_path / "next").write_bytes(content)
        os.replace(tmp_path / "next", trained_run.paths.best)

    return put


def test_the_report_a_run_left_is_about_its_weights(trained_run):
    stored = read_result(trained_run.paths.results("validation"))
    assert current_result(trained_run.paths, "validation") == stored
    assert current_result(trained_run.paths, "test") is None, "nobody has opened it"


def test_a_report_is_no_longer_current_once_the_weights_are_others(trained_run, other_weights):
    assert current_result(trained_run.paths, "validation")
    other_weights()
    assert current_result(trained_run.paths, "validation") is None


def test_a_run_that_was_copied_to_another_place_keeps_its_report(trained_run, tmp_path):
    copy = RunPaths(shutil.copytree(trained_run.paths.folder, tmp_path / "copy", copy_function=shutil.copy))
    assert current_result(copy, "validation") == current_result(trained_run.paths, "validation")


@pytest.mark.parametrize("lost", ["best", "table", "report"])
def test_without_weights_table_or_report_nothing_is_current(trained_run, lost):
    paths = trained_run.paths
    files = {"best": paths.best, "table": paths.predictions("validation"), "report": paths.results("validation")}
    files[lost].unlink()
    assert current_result(paths, "validation") is None


def test_the_weights_are_read_once_however_often_a_page_asks(trained_run, other_weights):
    def times_read() -> int:
        return current._digest.cache_info().misses

    current._digest.cache_clear()
    for _ in range(5):
        current_result(trained_run.paths, "validation")
    assert times_read() == 1
    other_weights()
    current_result(trained_run.paths, "validation")
    assert times_read() == 2


def other_method(path, macro_f1=(0.1, 0.2)):
    """Turn a stored report into one that another version of Fovea computed, with another interval."""
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"method": "older", "macro_f1_interval": macro_f1}))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_what_another_version_computed_is_computed_anew_and_opens_nothing(workspace, split):
    run = answered_run(workspace, fruit(workspace), range(30), split=split)
    if split == "test":
        open_seal(run.paths, "page")
    fresh = current_result(run.paths, split)
    other_method(run.paths.results(split))
    assert read_result(run.paths.results(split)).macro_f1_interval == (0.1, 0.2)
    assert current_result(run.paths, split) is None, "two intervals of one run must never be told"
    assert renew(str(workspace.root), run.id, split) == fresh
    assert current_result(run.paths, split) == fresh
    assert len(openings(run.paths)) == (split == "test")


def test_a_sealed_test_split_and_answers_of_other_weights_are_not_renewed(workspace):
    run = answered_run(workspace, fruit(workspace), range(30), split="test")
    assert renewed(run, "test") is None, "sealed"
    open_seal(run.paths, "page")
    assert renewed(run, "test") is not None
    run.paths.best.write_bytes(b"other weights")
    assert renewed(run, "test") is None
    assert renewed(run, "validation") is None, "nobody has evaluated it"


def test_ranking_and_calibration_of_another_version_are_computed_anew(workspace):
    run = answered_run(workspace, fruit(workspace), range(30))
    found = depth_of_run(str(workspace.root), run.id, "validation")
    stored = json.loads(run.paths.depth("validation").read_text())
    run.paths.depth("validation").write_text(json.dumps(stored | {"method": "older", "auroc_interval": [0.1, 0.2]}))
    assert current_depth(run.paths, "validation") is None
    assert depth_of_run(str(workspace.root), run.id, "validation") == found


def test_report_comparison_and_model_card_tell_what_was_computed_anew(workspace, tmp_path):
    data = fruit(workspace)
    runs = [answered_run(workspace, data, range(wrong)) for wrong in (30, 20)]
    for run in runs:
        store_answers(run, data, range(10), "test")
        open_seal(run.paths, "page")
        other_method(run.paths.results("test"))
    found = compare_runs(str(workspace.root), [run.id for run in runs], "test")
    assert [line.apart for line in found.runs] == ["", ""]
    for run in runs:
        other_method(run.paths.results("test"))
    make_report(str(workspace.root), [runs[0].id], str(tmp_path / "report.md"))
    assert "test pictures rightly" in (tmp_path / "report.md").read_text(), "its opened test split is not left out"
    fresh = renewed(runs[1], "test").macro_f1_interval
    other_method(runs[1].paths.results("test"))
    card = model_card(runs[1], 3)
    assert f"{fresh.low:.3f}" in card
    assert "0.100" not in card
    assert all(len(openings(run.paths)) == 1 for run in runs)
