"""What pages keep between their runs, and how much."""

from core.runs.journal import Journal
from core.runs.run import RunPaths
from pages.shared import cache


def test_a_run_that_is_watched_is_kept_once_and_read_on(tmp_path):
    paths = RunPaths(tmp_path)
    for epoch in range(1, 4):
        Journal(paths.epochs).append({"kind": "epoch", "epoch": epoch})
        assert [entry["epoch"] for entry in cache.journal(paths)] == list(range(1, epoch + 1))
    assert cache.journal(paths) is cache.journal(paths)
    Journal(paths.epochs).append({"kind": "resume", "epoch": 1})
    assert [entry["kind"] for entry in cache.journal(paths)] == ["epoch", "resume"]
    assert [entry["epoch"] for entry in cache.journal(paths)] == [1, 1]
