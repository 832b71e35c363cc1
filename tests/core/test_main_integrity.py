"""`integrity` and `leakage` on the command line."""

import json

import pytest

from core.executors.local import LocalExecutor
from core.runs.store import RunStore
from tests.made_runs import answered, rows_dataset, wrong
from tests.running import SMALL

LABELS = [0, 1, 2] * 20


@pytest.fixture
def leaky_run(workspace):
    dataset = rows_dataset(
        workspace, {"train": LABELS, "validation": LABELS}, twins={60 + row: row for row in range(12)}
    )
    return answered(workspace, dataset, {"validation": wrong(LABELS, 6)}, recipe=SMALL)


def test_integrity_tells_the_findings_and_what_holds(command, answer, leaky_run):
    found = answer("integrity", leaky_run.id)
    assert found["run"] == leaky_run.id
    assert found["findings"][0]["check"] == "leaked"
    assert {"check", "severity", "message", "advice", "figures"} <= set(found["findings"][0])
    assert {one["name"] for one in found["checks"]} >= {"leaked", "overfitted", "apart", "data-changed"}
    code, out, _ = command("integrity", leaky_run.id, "--anew")
    assert code == 0
    assert out.splitlines()[0] == found["verdict"]
    assert "error, leaked: Learned from and judged by: 12 pictures of 60" in out
    assert "pictures new, images 48, score 1.000" in out
    assert "holds, never-predicted" in out


def test_leakage_makes_the_runs_of_both_splits(command, answer, leaky_run, workspace, monkeypatch):
    monkeypatch.setattr(LocalExecutor, "advance", lambda self: None)  # nobody works
    code, out, err = command("leakage", leaky_run.id, "--seeds", "3", "--detach", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["known"], told["duel"]["planned"], told["gap"]) == (12, 6, None)
    assert told["learned"] == {"without the copies": 48, "with the copies": 48}
    assert len(RunStore(workspace).unfinished()) == 6
    [study] = answer("studies")
    assert (study["kind"], study["planned"]) == ("leakage", 6)
    code, out, _ = command("studies", study["study"], "--stop")
    assert code == 0
    assert "No price yet" in out


def test_what_cannot_be_asked_is_refused_in_one_line(command, workspace, leaky_run):
    clean = answered(
        workspace, rows_dataset(workspace, {"train": LABELS, "validation": LABELS}, id="rows-2"), {"validation": LABELS}
    )
    for words, told in (
        (("integrity", "nowhere-1"), "There is no such run"),
        (("leakage", clean.id), "no validation picture"),
        (("leakage", leaky_run.id, "--seeds", "2"), "3 to 50"),
        (("leakage", leaky_run.id, "--seeds", "-4"), "0 of them"),
    ):
        code, out, err = command(*words)
        assert (code, out) == (2, "")
        assert told in err.splitlines()[-1]
