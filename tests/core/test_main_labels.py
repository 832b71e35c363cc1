"""Labels, lists and hypotheses from the command line."""

import json

import pytest

from core.__main__ import main
from core.runs.hypothesis import Hypothesis
from core.runs.labels import Labels
from core.runs.store import RunStore
from tests.comparing import CLASSES, answered_run, fruit


@pytest.fixture
def data(workspace):
    return fruit(workspace)


@pytest.fixture
def command(workspace, capsys):
    """Run a command and give its exit code, its JSON answer, and its last line on standard error."""

    def run(*words):
        code = main(["--workspace", str(workspace.root), *words, "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err.strip().splitlines()[-1:] or [""]

    return run


def test_runs_are_labelled_and_listed_by_what_is_on_them(workspace, data, command):
    one, two = (answered_run(workspace, data, range(wrong), name=f"wrong {wrong}") for wrong in (30, 8))
    code, answer, _ = command("label", one.id, two.id, "--tag", "week 3", "--note", "as told")
    assert code == 0
    assert [row["tags"] for row in answer] == [["week 3"], ["week 3"]]
    command("label", one.id, "--name", "Mine", "--untag", "week 3", "--archive")
    assert RunStore(workspace).get(one.id).labels == Labels("Mine", (), "as told", archived=True)

    assert [row["run"] for row in command("runs")[1]] == [two.id]
    assert [row["name"] for row in command("runs", "--archived", "--order", "oldest")[1]] == ["Mine", "wrong 8"]
    assert [row["run"] for row in command("runs", "--tag", "week 3", "--search", "WRONG")[1]] == [two.id]
    assert command("runs", "--state", "failed")[1] == []
    command("label", one.id, "--bring-back", "--name", "")
    assert command("runs", "--order", "score")[1][1]["name"] == "wrong 30"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("label", "gone", "--tag", "a"), "no such run"),
        (("label", "RUN", "--tag", "a,b"), "no comma"),
        (("label", "RUN", "RUN", "--name", "a"), "One name"),
        (("hypothesis", "RUN"), "without a hypothesis"),
        (("train", "fruit-1", "--hypothesis", "it gets better"), "A hypothesis"),
        (("train", "fruit-1", "--hypothesis", "raises recall of cats above 0.5"), "The class of a hypothesis"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(workspace, data, command, words, told):
    run = answered_run(workspace, data, range(8))
    code, answer, [line] = command(*(run.id if word == "RUN" else word for word in words))
    assert (code, answer) == (2, None)
    assert told in line
    assert [one.id for one in RunStore(workspace).list()] == [run.id], "and no half run is left"


@pytest.mark.slow
def test_a_hypothesis_goes_with_a_run_and_is_scored_afterwards(workspace, data, command):
    tiny = (
        "model.backbone=test_efficientnet",
        "model.weights=random",
        "image_size=32",
        "phases.0.epochs=1",
        "batch_size=4",
        "device=cpu",
    )
    settings = [word for setting in tiny for word in ("--set", setting)]
    guess = f"a tiny network raises recall of {CLASSES[0]} by 1 above 0.999"
    code, answer, _ = command("train", data.id, *settings, "--hypothesis", guess)
    assert code == 0
    kept = RunStore(workspace).get(answer["run"]).facts.hypothesis
    assert kept == Hypothesis("recall", "raises", CLASSES[0], 1, threshold=0.999, text="a tiny network")
    assert answer["hypothesis"]["sentence"] == kept.sentence
    assert answer["score"]["verdict"] == "did not come true"
    again = command("hypothesis", answer["run"])[1]
    assert again["score"] == answer["score"]
