import random
import statistics
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from core.errors import FoveaError, RecipeError, RunError
from core.recipe import Recipe
from core.runs.liveness import ProcessMark
from core.studies import search
from core.studies.findings import Importances, about_shares, best_of, caution, history, luck, results_of
from core.studies.search import SearchSpec, SearchState, check_search, paths_of, read_asked, read_state, standing
from core.studies.space import Options, Range
from core.studies.study import StudyStore
from core.workspace import write_json
from tests.running import SMALL

RATE = Range("phases.0.learning_rate", 1e-4, 1e-1, log=True)
SPEC = SearchSpec((RATE,), trials=5)
SMALL_RECIPE = Recipe().set(SMALL)


@pytest.fixture
def started(monkeypatch):
    """Folders for which a driver was started, without starting any."""
    folders = []

    def start(module, arguments, log):
        folders.append(arguments[0])
        return subprocess.Popen([sys.executable, "-c", ""])

    monkeypatch.setattr(search, "start_detached", start)
    monkeypatch.setattr(search, "SECONDS_TO_START", 0.0)
    return folders


@pytest.fixture
def study(workspace, tiny_dataset, started):
    return search.begin(workspace, SMALL_RECIPE, tiny_dataset, SPEC)


def _gone(study):
    """Wait until the process that stands for a driver has ended."""
    deadline = time.monotonic() + 10
    while search._driver_alive(paths_of(study)) and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sampler": "magic"}, "sampler: found 'magic', expected one of tpe, random, grid"),
        ({"pruner": "magic"}, "pruner: found 'magic', expected one of median, halving, none"),
        ({"metric": "f1"}, "metric: found 'f1', expected score or loss"),
        ({"trials": 0}, "trials: found 0"),
        ({"trials": 1001}, "trials: found 1001"),
        ({"minutes": 0.0}, "minutes: found 0"),
        ({"space": ()}, "nothing to vary"),
        ({"sampler": "grid"}, "for a grid, expected a list of values"),
        ({"space": (Range("batch_size", 4, 400, whole=True),)}, "batch_size"),
        ({"space": (Options("optimizer.name", ("adamw", "magic")),)}, "optimizer.name: found 'magic'"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_made(workspace, tiny_dataset, started, changes, told):
    with pytest.raises(FoveaError) as refused:
        search.begin(workspace, SMALL_RECIPE, tiny_dataset, replace(SPEC, **changes))
    assert told in str(refused.value)
    assert not started
    assert StudyStore(workspace).list() == []


def test_both_ends_of_a_range_have_to_be_able_to_train(tiny_dataset):
    images = len(tiny_dataset.of("train"))
    recipe = SMALL_RECIPE.set({"dataset": tiny_dataset.id})
    check_search(recipe, tiny_dataset, replace(SPEC, space=(Range("batch_size", 2, images, whole=True),)))
    with pytest.raises(RecipeError, match="batch_size"):
        check_search(recipe, tiny_dataset, replace(SPEC, space=(Range("batch_size", 2, images + 1, whole=True),)))


def test_a_search_begins_with_its_driver_and_is_read_back(study, started):
    assert started == [str(paths_of(study).folder)]
    assert (standing(study).state, read_asked(study).trials) == ("waiting", 5)
    assert search.spec_of(study).space == (RATE,)
    assert study.name == "Search: learning rate"


def test_a_grid_asks_for_no_more_trials_than_it_has(workspace, tiny_dataset, started):
    spec = replace(SPEC, space=(Options("optimizer.name", ("adamw", "sgd")),), sampler="grid", trials=50)

    assert read_asked(search.begin(workspace, SMALL_RECIPE, tiny_dataset, spec)).trials == 2


def test_a_driver_that_is_gone_is_replaced_and_one_that_lives_is_not(study, workspace, started):
    _gone(study)
    search.ensure_driving(workspace)
    assert len(started) == 2, "it ended before it began"
    _gone(study)
    search.write_state(paths_of(study), SearchState("running", "", time.time(), turn=1))
    write_json(paths_of(study).driver, ProcessMark.here().to_json())
    search.ensure_driving(workspace)
    assert len(started) == 2, "this process counts as its driver, and lives"
    paths_of(study).driver.unlink()
    search.ensure_driving(workspace)
    assert len(started) == 3


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_a_search_that_ended_is_left_alone_until_somebody_lets_it_go_on(study, workspace, started, state):
    _gone(study)
    search.write_state(paths_of(study), SearchState(state, "", time.time(), turn=1, trials=3))
    search.ensure_driving(workspace)
    assert len(started) == 1

    search.go_on(study, more=2)
    assert len(started) == 2
    assert (read_asked(study).turn, read_asked(study).trials) == (2, 7)
    assert standing(study).is_active


def test_there_has_to_be_something_to_go_on_with(study):
    search.write_state(paths_of(study), SearchState("finished", "", time.time(), turn=1, trials=5))
    with pytest.raises(RunError, match="has done all its 5 trials"):
        search.go_on(study)
    with pytest.raises(RecipeError, match="at most 1000"):
        search.go_on(study, more=10_000)
    with pytest.raises(RecipeError):
        search.go_on(study, more=-1)


def test_a_driver_that_just_started_is_waited_for(study, workspace, started, monkeypatch):
    monkeypatch.setattr(search, "SECONDS_TO_START", 60.0)
    search.ensure_driving(workspace)
    assert len(started) == 1


def test_damaged_files_are_told_of_in_one_sentence(study, workspace):
    paths_of(study).state.write_text("[")
    assert standing(study).sentence in ("The search is about to start.", read_state(study).sentence)
    assert "cannot be read" in read_state(study).sentence
    paths_of(study).results.write_text("[1]")
    with pytest.raises(RunError, match="results of the search"):
        search.read_results(study)
    facts = paths_of(study).facts
    facts.write_text(facts.read_text().replace('"space"', '"spice"'))
    with pytest.raises(RunError, match="cannot be read"):
        search.spec_of(StudyStore(workspace).get(study.id))


def test_repeats_are_no_search(workspace):
    seeds = StudyStore(workspace).create("seeds", "three", Recipe(), {})
    with pytest.raises(RunError, match="is no search"):
        search.spec_of(seeds)


def test_pages_may_import_it_since_it_brings_no_optuna():
    code = (
        "import sys, core.studies.search, core.studies.findings, core.figures.search; sys.exit('optuna' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# What was found


def trial(number, value, state="finished", **more):
    return {"number": number, "state": state, "value": value, "interval": None, "values": {}, "own": False} | more


def test_the_best_is_one_that_trained_to_its_end_and_the_earliest_of_equals():
    trials = [trial(1, 0.8), trial(2, 0.95, "pruned"), trial(3, 0.9), trial(4, 0.9), trial(5, None, "failed")]

    assert best_of(trials, higher=True)["number"] == 3
    assert best_of(trials, higher=False)["number"] == 1
    assert best_of(trials[1:2], higher=True) is None
    assert [line["best"] for line in history(trials, higher=True)] == [0.8, 0.9, 0.9]
    assert [line["best"] for line in history(trials, higher=False)] == [0.8, 0.8, 0.8]


@pytest.mark.parametrize("number", [2, 5, 20, 100])
def test_luck_is_the_expected_largest_of_so_many_normal_draws(number):
    drawn = random.Random(0)
    largest = statistics.fmean(max(drawn.gauss(0, 1) for _ in range(number)) for _ in range(4000))

    assert luck(number) == pytest.approx(largest, abs=0.05)
    assert luck(1) == 0


def test_the_caution_says_how_optimistic_the_best_figure_is():
    about = {"interval": [0.9 - 0.0196, 0.9 + 0.0196]}  # a standard error of 0.01
    trials = [trial(1, 0.89, own=True, **about), *(trial(number, 0.9, **about) for number in range(2, 21))]
    told = caution(trials, "score", "accuracy")

    assert "The best of 20 trials was chosen by the same validation images" in told
    assert "luck alone would lift the best by up to 0.019 (1.9 standard errors of 0.010)" in told
    assert "The gain over the recipe as it stood is 0.010, within what luck alone may give." in told
    assert "several seeds" in told
    better = caution([trials[0], *(trial(2, 0.99, **about) for _ in range(19))], "score", "accuracy")
    assert "0.100, more than luck alone may give" in better


def test_where_nothing_was_chosen_or_measured_the_caution_says_that():
    assert caution([], "score", "accuracy") == ""
    assert caution([trial(1, None, "failed")], "score", "accuracy") == ""
    assert "nothing was chosen yet" in caution([trial(1, 0.9)], "score", "accuracy")
    assert "cannot be told from a loss" in caution([trial(1, 0.9), trial(2, 0.8)], "loss", "loss")


def test_results_name_the_fields_the_changes_and_why_there_are_no_importances(study):
    rows = [
        trial(1, 0.7, values={RATE.path: 3e-3}, own=True),
        trial(2, 0.8, values={RATE.path: 2e-2}),
    ]
    found = results_of(study, rows, Importances({}, 2))

    assert found["metric"] == "accuracy"
    assert found["fields"] == [{"path": RATE.path, "label": "learning rate", "log": True}]
    assert found["best"]["changes"] == [{"path": RATE.path, "label": "learning rate", "base": 3e-3, "best": 2e-2}]
    assert "2 so far, 10 are needed" in found["importances"]["sentence"]


def test_importances_say_what_they_are_of():
    assert "came out the same" in about_shares(Importances({}, 10))
    assert "between 12 trials each field explains, by their best figure" in about_shares(Importances({"a": 1.0}, 12))
    assert "within the first 3 epochs" in about_shares(Importances({"a": 1.0}, 12, 3))
