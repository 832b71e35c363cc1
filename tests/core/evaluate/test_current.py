import os
import shutil

import pytest

from core.evaluate import current
from core.evaluate.current import current_result
from core.evaluate.results import read_result
from core.runs.run import RunPaths


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
