"""`train --from RUN`: a run that starts from the best weights of another one."""

import json

import pytest
import torch
from safetensors.torch import load_file

from core.__main__ import main
from core.runs.store import RunStore

SETTINGS = ("image_size=32", "phases.0.epochs=1", "batch_size=8", "augment.policy=none", "phases.0.learning_rate=1e-9")
SMALL = [word for setting in SETTINGS for word in ("--set", setting)]
FIRST = ["--set", "model.backbone=test_efficientnet", "--set", "model.weights=random", "--set", "model.head=dense"]


@pytest.fixture
def ask(workspace, capsys):
    """Run one command with --json; gives its exit code, its answer and what stood on standard error."""

    def run(*words: str):
        code = main(["--workspace", str(workspace.root), *words, "--json"])
        captured = capsys.readouterr()
        return code, json.loads(captured.out) if captured.out else None, captured.err

    return run


def test_a_run_starts_from_another_with_its_network_and_its_head(ask, tiny_dataset, workspace):
    code, first, told = ask("train", tiny_dataset.id, *SMALL, *FIRST)
    assert code == 0, told
    code, second, told = ask("train", tiny_dataset.id, *SMALL, "--from", first["run"])
    assert code == 0, told
    assert f"Backbone and head start from run {first['run']}" in second["sentence"]
    runs = [RunStore(workspace).get(one["run"]) for one in (first, second)]
    assert runs[1].recipe.model.backbone == "test_efficientnet"
    assert runs[1].recipe.model.head == "dense"
    weights = [load_file(run.paths.best) for run in runs]
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, atol=1e-5, rtol=0)

    code, _, told = ask("train", tiny_dataset.id, *SMALL, "--from", first["run"], "--set", "model.backbone=test_resnet")
    assert code == 2
    assert f"best.safetensors of {first['run']} does not fit test_resnet" in told
    assert len(RunStore(workspace).list()) == 2, "refused before a run was made"


def test_a_run_that_is_not_there_or_has_saved_nothing_is_refused(ask, tiny_dataset, workspace):
    code, _, told = ask("train", tiny_dataset.id, "--from", "nowhere-1")
    assert (code, "no such run" in told) == (2, True)
    (workspace.runs / "empty-1").mkdir(parents=True)
    code, _, told = ask("train", tiny_dataset.id, "--from", "empty-1")
    assert (code, "found no best.safetensors in empty-1" in told) == (2, True)
