import time

from core.runs.run import RunPaths
from core.runs.seal import open_seal, openings


def test_the_seal_is_whole_until_somebody_opens_it(tmp_path):
    assert openings(RunPaths(tmp_path)) == []


def test_every_opening_says_when_and_from_where(tmp_path):
    before = time.time()
    open_seal(RunPaths(tmp_path), "page")
    open_seal(RunPaths(tmp_path), "command line")
    found = openings(RunPaths(tmp_path))
    assert [opening["by"] for opening in found] == ["page", "command line"]
    assert before <= found[0]["time"] <= found[1]["time"] <= time.time()
