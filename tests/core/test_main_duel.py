"""`duel` on the command line."""

import json

import pytest

from core.augment.policies import PolicyStore
from core.data.dataset import Change
from core.data.revisions import revise
from core.executors.local import LocalExecutor
from core.recipe import TransformChoice
from core.runs.store import RunStore
from tests.running import SMALL

SETTINGS = [word for path, value in (SMALL | {"phases.0.epochs": 1}).items() for word in ("--set", f"{path}={value}")]


def test_policies_are_trained_and_answered_with_a_verdict(command, tiny_dataset, workspace):
    PolicyStore(workspace).save("my own", [TransformChoice(name="h-flip", probability=0.5)])
    words = ("--policies", "none,my own", "--seeds", "3", "--variants", "1", "--epochs", "2", "--name", "Mirrors?")
    code, out, err = command("duel", tiny_dataset.id, *words, *SETTINGS, "--json")
    assert code == 0, err
    table = json.loads(out)
    assert (table["name"], table["planned"], table["counted"], table["seeds"]) == ("Mirrors?", 6, 6, [0, 1, 2])
    [pair] = table["pairs"]
    assert (pair["first"], pair["second"]) == ("none", "my own")
    assert pair["verdict"] in ("better", "worse", "no evidence")
    assert pair["gap"]["interval"][0] < pair["gap"]["mean"] + 0.05
    assert len(pair["per_class"]) == 3
    assert table["expected_seconds"] is None or table["expected_seconds"] > 0
    assert "run 6 of 6: my own, seed 2" in err
    recipe = RunStore(workspace).get(next(run["run"] for run in table["runs"] if "my own" in run["label"])).recipe
    assert (recipe.augment.views, recipe.augment.rows[0].name, recipe.phases[0].epochs) == (1, "h-flip", 2)

    code, out, _ = command("studies", table["study"])
    assert code == 0
    assert pair["sentence"] in out
    assert "recall of" in out
    code, out, _ = command("studies", "--json")
    [line] = json.loads(out)
    assert (line["kind"], line["planned"], line["finished"]) == ("duel", 6, 6)


def test_a_duel_that_waits_can_be_stopped(command, tiny_dataset, workspace, monkeypatch):
    monkeypatch.setattr(LocalExecutor, "advance", lambda self: None)  # nobody works
    words = ("--policies", "none,light", "--seeds", "4,5,9", "--same-variants", "--detach")
    code, out, err = command("duel", tiny_dataset.id, *words, *SETTINGS, "--json")
    assert code == 0, err
    table = json.loads(out)
    assert "all seeds share" in table["caution"]
    runs = [RunStore(workspace).get(run["run"]).recipe for run in table["runs"]]
    assert [(run.seed, run.draw_seed) for run in runs[:3]] == [(4, 4), (5, 4), (9, 4)]
    code, out, _ = command("studies", table["study"], "--stop", "--json")
    assert {run["state"] for run in json.loads(out)["runs"]} == {"stopped"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--policies", "none"], "1 of them"),
        (["--policies", "none,none"], "each policy once"),
        (["--policies", "none,nowhere"], "'nowhere', expected one of any-way-up"),
        (["--policies", "none,light", "--seeds", "2"], "3 or more"),
        (["--policies", "none,light", "--seeds", "x"], "--seeds: found 'x'"),
        (["--policies", "none,light", "--variants", "99"], "augment.views"),
        (["--policies", "none,light", "--epochs", "0"], "one for each phase"),
        (["--policies", "none,light", "--minutes", "0.01"], "A budget in minutes"),
        (["--policies", "none,light", "--minutes", "1", "--epochs", "2"], "not allowed with"),
        ([], "--policies"),
    ],
)
def test_what_is_no_duel_is_refused_in_one_line(command, tiny_dataset, workspace, words, told):
    code, out, err = command("duel", tiny_dataset.id, *words, *SETTINGS)
    assert (code, out) == (2, "")
    assert told in err.splitlines()[-1]
    assert RunStore(workspace).list() == []


def test_a_duel_is_on_the_revision_that_was_named(command, tiny_dataset, workspace, monkeypatch):
    monkeypatch.setattr(LocalExecutor, "advance", lambda self: None)
    revise(tiny_dataset, [Change("exclude", (tiny_dataset.samples[0].id,))])
    words = ("--policies", "none,light", "--seeds", "3", "--detach", "--json")
    for reference, revision in ((f"{tiny_dataset.id}@1", 1), (tiny_dataset.id, 2)):
        code, out, err = command("duel", reference, *words, *SETTINGS)
        assert code == 0, err
        assert {RunStore(workspace).get(run["run"]).facts.revision for run in json.loads(out)["runs"]} == {revision}
