"""`repeat`, `studies` and `find-rate` on the command line."""

import pytest

from core.executors.local import LocalExecutor
from core.runs.store import RunStore
from tests.running import SMALL

SETTINGS = [word for path, value in (SMALL | {"phases.0.epochs": 1}).items() for word in ("--set", f"{path}={value}")]


def test_seeds_are_trained_and_answered_with_mean_and_deviation(answer, command, tiny_dataset, workspace):
    table = answer("repeat", tiny_dataset.id, "--seeds", "0,1", "--name", "Two seeds", *SETTINGS)
    assert (table["planned"], table["counted"], table["name"]) == (2, 2, "Two seeds")
    accuracy = table["figures"][0]
    assert accuracy["name"] == "accuracy"
    assert accuracy["n"] == 2
    assert accuracy["mean"] == pytest.approx(sum(accuracy["values"]) / 2)
    assert accuracy["interval"][0] <= accuracy["mean"] <= accuracy["interval"][1]
    assert [run["label"] for run in table["runs"]] == ["seed 0", "seed 1"]

    (line,) = answer("studies")
    assert (line["study"], line["kind"], line["planned"], line["finished"]) == (table["study"], "seeds", 2, 2)
    assert answer("studies", table["study"]) == table
    code, out, _ = command("studies", table["study"])
    assert code == 0
    assert "95 % interval of the mean" in out
    assert "macro F1" in out

    answer("studies", table["study"], "--delete-runs")
    assert answer("studies") == []
    assert RunStore(workspace).list() == []


def test_folds_that_wait_can_be_stopped(answer, tiny_dataset, workspace, monkeypatch):
    monkeypatch.setattr(LocalExecutor, "advance", lambda self: None)  # nobody works
    table = answer("repeat", tiny_dataset.id, "--folds", "3", "--detach", *SETTINGS)
    assert [run["state"] for run in table["runs"]] == ["queued"] * 3
    assert len(RunStore(workspace).queue()) == 3
    stopped = answer("studies", table["study"], "--stop")
    assert [run["state"] for run in stopped["runs"]] == ["stopped"] * 3
    answer("studies", table["study"], "--delete")
    assert len(answer("runs")) == 3


def test_a_rate_is_found_and_nothing_is_trained(answer, command, tiny_dataset, workspace):
    found = answer("find-rate", tiny_dataset.id, "--steps", "8", *SETTINGS)
    assert len(found["rates"]) == len(found["losses"]) == 8
    assert {"suggestion", "steepest", "valley", "sentence", "seconds"} <= set(found)
    assert RunStore(workspace).list() == []
    code, out, _ = command("find-rate", tiny_dataset.id, "--steps", "8", *SETTINGS)
    assert code == 0
    assert "8 steps in" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["repeat", "--seeds", "0,x"], "--seeds: found 'x', expected whole numbers"),
        (["repeat", "--seeds", "1,1"], "each seed once"),
        (["repeat"], "a single run"),
        (["repeat", "--folds", "30"], "too few images for 30 folds"),
        (["repeat", "--folds", "1"], "folds"),
        (["repeat", "--folds", "-2"], "folds"),
        (["find-rate", "--phase", "3"], "phase: found 3"),
        (["find-rate", "--steps", "2"], "steps: found 2"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(command, tiny_dataset, workspace, words, told):
    code, out, err = command(words[0], tiny_dataset.id, *words[1:], *SETTINGS)
    assert (code, out) == (2, "")
    assert told in err.splitlines()[-1]
    assert RunStore(workspace).list() == []


def test_studies_that_are_not_there_are_told(command):
    assert command("studies", "none-123456")[0] == 2
    code, _, err = command("studies", "--stop")
    assert (code, "Which study" in err) == (2, True)
