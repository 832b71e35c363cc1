"""`search` on the command line; the runs of its trials are made up, so that a search takes a moment."""

import json

import pytest

from core.__main__ import main
from core.runs.store import RunStore
from core.studies import search, searcher
from core.studies.study import StudyStore
from tests.running import SMALL
from tests.searching import MadeUpExecutor, drive_here

SETTINGS = [word for path, value in SMALL.items() for word in ("--set", f"{path}={value}")]
RATE = "phases.0.learning_rate=1e-4..1:log"


@pytest.fixture
def command(workspace, capsys, monkeypatch):
    """Run one command in the test's workspace; gives (exit code, standard output, standard error)."""
    executor = MadeUpExecutor(workspace, seconds=0.0)
    monkeypatch.setattr(search, "start_detached", drive_here(executor))
    monkeypatch.setattr(search, "SECONDS_TO_START", 0.0)
    monkeypatch.setattr(searcher, "SECONDS_BETWEEN_LOOKS", 0.001)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["--workspace", str(workspace.root), *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield run
    executor.close()


def test_a_search_answers_with_its_trials_and_goes_on(command, tiny_dataset, workspace):
    words = ("--space", RATE, "--space", "model.dropout", "--trials", "3", "--pruner", "none")
    code, out, err = command("search", tiny_dataset.id, *words, *SETTINGS, "--json")
    answer = json.loads(out)

    assert code == 0, err
    assert (answer["state"], answer["trials_done"], answer["metric"]) == ("finished", 3, "accuracy")
    assert {line.id for line in RunStore(workspace).list()} == {trial["run"] for trial in answer["trials"]}
    assert set(answer["trials"][0]["values"]) == {"phases.0.learning_rate", "model.dropout"}
    assert "optimistic" in answer["caution"]
    assert "trial 3: finished" in err

    code, out, err = command("search", "--continue", answer["study"], "--trials", "2", "--json")
    more = json.loads(out)
    assert code == 0, err
    assert more["trials_done"] == 5
    assert more["trials"][:3] == answer["trials"]
    assert "trial 3:" not in err
    assert "trial 5: finished" in err


def test_in_a_terminal_it_reads_as_a_table_with_the_best_recipe(command, tiny_dataset):
    code, out, _ = command("search", tiny_dataset.id, "--space", RATE, "--trials", "4", *SETTINGS)

    assert code == 0
    assert "finished, 4 trials. All 4 trials are done." in out
    assert "best: trial" in out
    assert "phases.0.learning_rate: 0.003 ->" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--space", "magic=1..2"], "magic: found no field that a search may vary"),
        (["--space", "model.dropout=0.5..0.1"], "a low end below the high end"),
        (["--space", "batch_size=2..4000"], "batch_size"),
        ([], "nothing to vary"),
        (["--space", RATE, "--trials", "0"], "trials: found 0"),
        (["--space", RATE, "--pruner", "x"], "pruner: found 'x', expected one of median, halving, none"),
        (["--space", RATE, "--sampler", "grid"], "a list of values"),
        (["--space", RATE, "--continue", "some-study"], "either DATASET, --continue STUDY or --stop STUDY"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(command, tiny_dataset, workspace, words, said):
    code, out, err = command("search", tiny_dataset.id, *words, *SETTINGS)

    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]
    assert StudyStore(workspace).list() == []


def test_a_search_that_is_not_there_or_is_over_is_told_in_one_line(command, tiny_dataset):
    assert "There is no such study" in command("search", "--continue", "none")[2]
    _, out, _ = command("search", tiny_dataset.id, "--space", RATE, "--trials", "1", *SETTINGS, "--json")
    study = json.loads(out)["study"]
    assert "has done all its 1 trials" in command("search", "--continue", study)[2]
    assert "is not at work" in command("search", "--stop", study)[2]
